"""Types Ctrl-C or Ctrl-Break in the console of another process. Run as a program of its own:

    python -I -S _typist_windows.py EVENT PID...

A console event reaches everybody who is attached to a console, and a process has one console at
most. So whoever wants to type in another's console has to leave its own, and would no more hear
its user's Ctrl-C; hence this short-lived process, which has none. It attaches to the console of
the first PID that still has one (its console is the same for all of them, or of the first).

Exits with 0 when the event was given to the console, 2 when none of them has a console, and 1 with
words for everything else. Standard library only: it starts without `site`.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading

WAIT = 2.0  # seconds for the event to come back to ourselves, who are attached as well
NO_CONSOLE = 2


def main(arguments: list[str]) -> int:
    if sys.platform != "win32":
        raise NotImplementedError("Windows only")
    event, *pids = map(int, arguments)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    arrived = threading.Event()

    def hear(_: int) -> bool:
        arrived.set()
        return True  # it is meant for the others

    routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(hear)
    kernel.FreeConsole()  # there should be none; with one of our own we could attach to no other
    if not any(kernel.AttachConsole(pid) for pid in pids):
        return NO_CONSOLE
    # Started without a console we may ignore Ctrl-C by inheritance; then it would not come back.
    if not kernel.SetConsoleCtrlHandler(None, False):
        raise ctypes.WinError(ctypes.get_last_error())
    if not kernel.SetConsoleCtrlHandler(routine, True):
        raise ctypes.WinError(ctypes.get_last_error())
    # Group 0: all processes of the console. A pid that leads no group of it would break the
    # console: on some versions of Windows its later events reach nobody.
    if not kernel.GenerateConsoleCtrlEvent(event, 0):
        raise ctypes.WinError(ctypes.get_last_error())
    arrived.wait(WAIT)
    return 0


if __name__ == "__main__":
    # not sys.exit: a thread of the console's may still run the handler
    os._exit(main(sys.argv[1:]))
