"""Who still has a pipe open that should have ended. For a message: who looks may see too little."""

from __future__ import annotations

import os
import sys
import time

from procession.errors import one_line

LOOK = 0.05  # seconds that a look at all processes may take
SHOWN = 3  # processes that are named


def told(name: str, fd: int) -> str:
    """What to say of a pipe, by its read end, that is given up though somebody writes to it."""
    who = holders(fd) if sys.platform == "linux" else []
    if who:
        more = f" and {len(who) - SHOWN} more" if len(who) > SHOWN else ""
        subject = ", ".join(who[:SHOWN]) + more
    else:
        subject = "a process"  # of another user, or gone meanwhile
    return (
        f"{name}: {subject} outlived the run and still held this output open: it is closed, and "
        "what is written there from now on is lost (redirect the output of what is to live on)"
    )


def holders(fd: int) -> list[str]:
    """`pid 12 (sleep)` for each other process that has the pipe open, as /proc tells (proc(5)).

    Only those that we may look into; all that were found in `LOOK` seconds.
    """
    try:
        wanted = f"pipe:[{os.fstat(fd).st_ino}]"
        pids = sorted(map(int, filter(str.isdigit, os.listdir("/proc"))), reverse=True)
    except OSError:
        return []
    until = time.monotonic() + LOOK
    found = []
    for pid in pids:  # who was started last comes first: it is among them, as a rule
        if time.monotonic() > until:
            break
        if pid != os.getpid() and _has_open(pid, wanted):
            found.append(f"pid {pid}{_name(pid)}")
    return found


def _has_open(pid: int, wanted: str) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        return any(os.readlink(f"{folder}/{number}") == wanted for number in os.listdir(folder))
    except OSError:  # it ended, closed one meanwhile, or is not ours to look into
        return False


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="backslashreplace") as file:
            return f" ({one_line(file.read().rstrip())})"
    except OSError:
        return ""
