"""A process that became our child when its parent ended."""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux, host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from procession.process._linux import ProcStat

    Key = tuple[int, int]  # pid and start time: one process for ever


def stat_of_child(pid: int) -> ProcStat:
    """Of one of our children, dead or alive. A /proc mounted with `hidepid` does not show those
    of other users; what there is to tell then is that it exists."""
    try:
        return _linux.stat(pid)
    except ProcessLookupError:
        return _linux.ProcStat(pid, "?", "?", os.getpid(), 0, 0, 1, 0)


class Orphan:
    """One adopted process, from its adoption until it is reaped. Can be watched like a handle.

    It is our child, so until then its pid, its group and its session are nobody else's.
    """

    __slots__ = ("_pidfd", "_stat", "asked", "dead", "pid", "run")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.run: Hashable = None  # None: nothing ties it to one
        self.dead = False  # it was seen to have ended
        self.asked = False  # which pipes it holds
        self._stat: ProcStat | None = None
        self._pidfd: int | None = None
        self.has_ended()

    @property
    def stat(self) -> ProcStat:
        """As it was when this was first asked; most of those that end are never asked."""
        if self._stat is None:
            self._stat = stat_of_child(self.pid)
        return self._stat

    @property
    def key(self) -> Key:
        return self.pid, self.stat.start_time

    @property
    def pidfd(self) -> int | None:
        """Opened when first asked for: an owner that hears SIGCHLD needs none."""
        if self._pidfd is None and host.has_pidfd():
            self._pidfd = os.pidfd_open(self.pid)
        return self._pidfd

    def has_ended(self) -> bool:
        """Can it be reaped?"""
        if not self.dead:
            try:
                seen = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                self.dead = seen is not None
            except ChildProcessError:
                self.dead = True  # somebody else reaped it
        return self.dead

    def reap(self) -> None:
        """Let go of its pid. Its status is nobody's concern."""
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass  # somebody else reaped it
        self.close()

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
