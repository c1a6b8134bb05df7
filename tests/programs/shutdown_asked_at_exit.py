"""Ends by itself, and is asked to stop while it does: first in an atexit hook that runs before
ours ("early") or after it ("late"), then when all handlers are gone."""

import atexit
import os
import signal
import sys

from procession import shutdown


def ask(when: str) -> None:
    os.write(1, f"asked {when}\n".encode())
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    if when == "early":
        shutdown.wait_exit(5)  # by then it is known to all who could act on it


if sys.argv[1] == "late":
    atexit.register(ask, "late")
shutdown.wait_exit_callback(lambda: os.write(1, b"callback\n"))
if sys.argv[1] == "early":
    atexit.register(ask, "early")
