"""Three callbacks: one raises, one ends by sys.exit, one is well."""

import os
import sys

from procession import shutdown


def bad() -> None:
    raise ValueError("a broken callback")


shutdown.wait_exit_callback(bad)
shutdown.wait_exit_callback(sys.exit)
shutdown.wait_exit_callback(lambda: os.write(1, b"the good one\n"))
os.write(1, b"ready\n")
shutdown.wait_exit()
