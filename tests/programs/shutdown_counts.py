"""A callback that lasts until stdin ends. Repeats are "ignore"d or "force", as the argument says.

Writes ready, then callback, and the end when there were three requests.
"""

import os
import sys
import time

from procession import shutdown

stop = shutdown.Shutdown(repeated=sys.argv[1])  # type: ignore[arg-type]


def callback() -> None:
    os.write(1, b"callback\n")
    os.read(0, 1)
    while stop.count < 3:
        time.sleep(0.001)
    os.write(1, b"three\n")


shutdown.wait_exit_callback(callback)
os.write(1, b"ready\n")
stop.wait()
