"""One callback; the main thread idle in wait_exit() or busy in Python. Writes ready, callback."""

import os
import sys

from procession import shutdown

called = []


def callback() -> None:
    os.write(1, b"callback\n")
    called.append(True)


shutdown.wait_exit_callback(callback)
os.write(1, b"ready\n")
if sys.argv[1] == "idle":
    shutdown.wait_exit()
else:
    while not called:
        sum(range(1000))
