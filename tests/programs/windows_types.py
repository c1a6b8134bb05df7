"""Types Ctrl-C (0), Ctrl-Break (1) or the close button (2) in the console of another process.

    windows_types.py PID EVENT

A process without a console of its own attaches to that one. The close event exists as a delivery
of the console's own alone: GenerateConsoleCtrlEvent takes it from nobody on Windows, and the lab's
python.exe plays the console.
"""

import ctypes
import os
import sys
import threading

kernel = ctypes.WinDLL("kernel32", use_last_error=True)
pid, event = int(sys.argv[1]), int(sys.argv[2])
arrived = threading.Event()


@ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)
def heard(_: int) -> int:
    arrived.set()
    return 1


if not kernel.AttachConsole(pid):
    raise ctypes.WinError(ctypes.get_last_error())
kernel.SetConsoleCtrlHandler(heard, 1)
if not kernel.GenerateConsoleCtrlEvent(event, 0):
    raise ctypes.WinError(ctypes.get_last_error())
arrived.wait(60)  # here as well: no thread of the console's may meet an interpreter that ends
os._exit(0 if arrived.is_set() else 1)
