"""Ends by nothing but the end of its input; then it cleans up, and exits with 8.

windows_reads.py console|none: with "none" it leaves its console, as a program for the desktop has
none.
"""

import ctypes
import os
import sys

kernel = ctypes.WinDLL("kernel32")


@ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)
def heard(event: int) -> int:
    os.write(1, b"break\n" if event else b"ctrl-c\n")
    return 1  # and nobody else hears of it


kernel.SetConsoleCtrlHandler(heard, 1)
if sys.argv[1] == "none":
    kernel.FreeConsole()
os.write(1, b"ready\n")
while os.read(0, 1024):
    pass
os.write(1, b"clean after input\n")
sys.exit(8)
