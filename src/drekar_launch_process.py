"""The drop-in name of `procession.shutdown` for programs written for drekar-launch-process."""
