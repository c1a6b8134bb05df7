"""The pure core: what happened goes in, what to do comes out. No clock, system or randomness."""
