"""Procession launches, supervises and gracefully stops processes, and never loses one.

Importing the package loads nothing else. Import the room you need:
`procession.shutdown` in a hosted program, `procession.notify` to say "ready".
"""

__version__ = "0.1.0"
