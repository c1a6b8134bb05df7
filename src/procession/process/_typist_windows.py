"""Types Ctrl-C or Ctrl-Break in the consoles of other processes. Run as a program of its own:

    python -I -S _typist_windows.py EVENT PID[,PID...]...

A console event reaches everybody who is attached to a console, and a process has one console at
most. So whoever wants to type in another's console has to leave its own, and would no more hear
its user's Ctrl-C; hence this short-lived process, which has none. For each word it attaches to the
console of the first PID of it that has one (it is the same for all of them, or was).

A process that was just made has no console yet: those that have none are tried again for a moment.

Exits with 0 when the event was given to all of the consoles, with a bit for each word that has none
(the first word's is 0x100), and with 1 and words for everything else. Standard library only: it
starts without `site`.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time

WAIT = 2.0  # seconds for the event to come back to ourselves, who are attached as well
BETWEEN = 0.2  # the same, while others wait
TRIES = 1.0  # seconds in which a console may come to be
PAUSE = 0.02
MISSING_SHIFT = 8  # of the exit code: below are the interpreter's own


def main(arguments: list[str]) -> int:
    if sys.platform != "win32":
        raise NotImplementedError("Windows only")
    event = int(arguments[0])
    words = [[int(pid) for pid in word.split(",")] for word in arguments[1:]]
    waiting = list(enumerate(words))
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    arrived = threading.Event()

    def hear(_: int) -> bool:
        arrived.set()
        return True  # it is meant for the others

    routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)(hear)

    def type_in(pids: list[int], wait: float) -> bool:
        kernel.FreeConsole()  # with one of our own we could attach to no other
        if not any(kernel.AttachConsole(pid) for pid in pids):
            return False
        # Started without a console we may ignore Ctrl-C by inheritance; it would not come back.
        if not kernel.SetConsoleCtrlHandler(None, False):
            raise ctypes.WinError(ctypes.get_last_error())
        if not kernel.SetConsoleCtrlHandler(routine, True):
            raise ctypes.WinError(ctypes.get_last_error())
        arrived.clear()
        # Group 0: all processes of the console. A pid that leads no group of it would break the
        # console: on some versions of Windows its later events reach nobody.
        if not kernel.GenerateConsoleCtrlEvent(event, 0):
            raise ctypes.WinError(ctypes.get_last_error())
        arrived.wait(wait)
        return True

    until = time.monotonic() + TRIES
    while True:
        last = len(waiting) - 1
        waiting = [
            (number, pids)
            for index, (number, pids) in enumerate(waiting)
            if not type_in(pids, WAIT if index == last else BETWEEN)
        ]
        if not waiting or time.monotonic() > until:
            return sum(1 << number for number, _ in waiting) << MISSING_SHIFT
        time.sleep(PAUSE)


if __name__ == "__main__":
    # not sys.exit: a thread of the console's may still run the handler
    os._exit(main(sys.argv[1:]))
