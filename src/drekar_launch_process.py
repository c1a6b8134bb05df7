"""The drop-in name of `procession.shutdown` for programs written for drekar-launch-process.

The three functions are those of `procession.shutdown`, which has their promises.
"""

from procession.shutdown import wait_exit, wait_exit_callback, wait_exit_stop_loop

__all__ = ["wait_exit", "wait_exit_callback", "wait_exit_stop_loop"]
