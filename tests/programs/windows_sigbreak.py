"""A plain console program in Python: a SIGBREAK handler ("break"), or KeyboardInterrupt ("int").

Cleans up and exits with 5 or 6. "none": no handler at all. Knows nothing of procession.
"""

import os
import signal
import sys
import time


class AskedError(Exception):
    pass


def on_break(number: int, frame: object) -> None:
    raise AskedError


kind = sys.argv[1]
if kind == "break":
    signal.signal(signal.SIGBREAK, on_break)  # type: ignore[attr-defined]
os.write(1, b"ready\n")
try:
    while True:
        time.sleep(0.05)
except AskedError:
    os.write(1, b"clean after break\n")
    sys.exit(5)
except KeyboardInterrupt:
    os.write(1, b"clean after ctrl-c\n")
    sys.exit(6)
