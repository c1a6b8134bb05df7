"""Hears of nothing but the end of its input; then it cleans up, and exits with 8.

windows_reads.py console|none: with "none" it leaves its console, as a program for the desktop has
none.
"""

import ctypes
import os
import signal
import sys

if sys.argv[1] == "none":
    ctypes.WinDLL("kernel32").FreeConsole()
signal.signal(signal.SIGBREAK, lambda *_: None)  # type: ignore[attr-defined]
os.write(1, b"ready\n")
while os.read(0, 1024):
    pass
os.write(1, b"clean after input\n")
sys.exit(8)
