"""Was anybody born since? Then a process that has ended left nothing behind, and nobody need look.

The kernel numbers processes and threads in the order of their births, and /proc/loadavg ends with
the number it gave last in the pid namespace of the reader. Where that is still the leader's own,
nothing was started since: no descendant of it, wherever it might have moved to. As long as a leader
is not reaped its number is nobody else's, so the answer is exact. Where other leaders of ours were
started meanwhile, each of the numbers in between has to be one of theirs.

It costs 2 us, where a look at all of /proc takes a thousand and more. "No" means that it is not
known: a thread, a child of the leader or somebody else's process took a number.

Who picks numbers by itself is not seen (`ns_last_pid`, `set_tid` of clone3: for administrators, who
bring checkpoints back to life).

Sources: proc_loadavg(5), pid_namespaces(7), and `alloc_pid` in the kernel's kernel/pid.c.
"""

from __future__ import annotations

import os
import sys
import time

_MOST = 4096  # numbers to remember
_FASTEST = 400_000  # births in a second that no host has come near
_LONGEST = 1.0  # seconds
_span = 0.0  # seconds in which the numbers cannot have come round; 0: nothing is asked yet

# Whom we started, by number: those whose numbers follow each other without a gap, each started
# within `_span` of its neighbour, share one run, which knows when its last one was started.
_runs: dict[int, list[float]] = {}


def started(pid: int) -> None:
    """This process has just started it. Any thread; what two threads miss of each other here only
    makes answers "no"."""
    now = time.monotonic()
    if pid in _runs or len(_runs) >= _MOST:
        _runs.clear()  # the numbers have come round, or are too many
    run = _runs.get(pid - 1)
    if run is None or run[0] < now - _span:
        run = [now]
    else:
        run[0] = now
    _runs[pid] = run
    after = _runs.get(pid + 1)  # of a thread that was quicker to tell
    if after is not None and after[0] >= now - _span:
        while _runs.get(pid + 1) is after:
            pid += 1
            _runs[pid] = run


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_runs.clear)  # they are no children of the child


class PidCursor:
    """The number that the kernel gave last. All methods from any thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def last(self) -> int:
        """0: it is not known."""
        if sys.platform == "win32":
            return 0
        try:
            return int(os.pread(self._fd, 128, 0).rpartition(b" ")[2])
        except (OSError, ValueError):
            return 0  # closed by another thread; whatever has that descriptor now is none of these

    def had_none(self, pid: int, last: int) -> bool:
        """Was nobody but leaders of ours born between `pid`, which is one and not reaped, and
        `last`? Those have to be told (`started`) whose launches were under way meanwhile."""
        if last == pid:
            return True
        run = _runs.get(pid)
        if run is None or pid > last or run is not _runs.get(last):
            return False
        return run[0] >= time.monotonic() - _span  # else the numbers may have come round since

    def close(self) -> None:
        """Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def pid_cursor() -> PidCursor | None:
    """None where the kernel does not tell. Raises OSError where no descriptor is left."""
    global _span
    if sys.platform != "linux":
        return None
    try:
        with open("/proc/sys/kernel/pid_max", "rb") as file:
            pid_max = int(file.read())
        fd = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return None  # a /proc that shows nothing but processes
    _span = min(_LONGEST, pid_max / _FASTEST)
    cursor = PidCursor(fd)
    # A container may have a file of its own in this place, with a number that means nothing.
    if os.fstat(fd).st_dev == os.stat("/proc").st_dev and cursor.last() > 0:
        return cursor
    cursor.close()
    return None
