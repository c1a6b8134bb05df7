"""Who lives: all of /proc, read once."""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

import errno
from itertools import chain

from procession.process import _linux, spare
from procession.process._tree import Member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.process.handle import Handle


class Seen:
    """One living process, as /proc/PID/stat had it.

    `settled`: the tick in which it started was over when it was seen to live, so that its key is
    its own for ever. Where a dead process's number is given away at once (in a pid namespace that
    is nearly full, say) somebody else may be born with that number in the same 10 ms.
    """

    __slots__ = ("key", "name", "pgrp", "pid", "ppid", "session", "settled", "start")

    def __init__(self, data: bytes, now: int) -> None:
        opens, closes = data.index(b"("), data.rindex(b")")
        rest = data[closes + 2 :].split(None, 20)
        self.pid = int(data[:opens])
        self.name = os.fsdecode(data[opens + 1 : closes])
        self.ppid, self.pgrp, self.session = int(rest[1]), int(rest[2]), int(rest[3])
        # `Z` alone speaks of the main thread only, others may live on
        dead = rest[0] in b"ZXx" and int(rest[17]) <= 1
        self.start = -1 if dead else int(rest[19])
        self.key = self.pid, self.start
        self.settled = self.start < now

    @property
    def lasting(self) -> tuple[int, ...]:
        """What it may be known by later: nobody else comes into a session by birth."""
        if self.settled:
            return self.key
        return () if self.session == self.pid else (*self.key, self.session)

    @property
    def member(self) -> Member:
        return Member(self.pid, self.start, self.name)


def read_crowd(since: int, ended: Iterable[Handle]) -> dict[int, Seen]:
    """By pid: who lives, ourselves excepted, and was not started before `since` (in boot ticks).
    The `ended`, as long as they are not reaped, need not be asked."""
    ours = os.getpid()
    now = _linux.boot_ticks()
    zombies = {handle.pid: handle for handle in ended if not handle.reaped}
    names = [name for name in _linux.listed("/proc") if name[0] in "123456789"]
    # one that another thread reaps meanwhile may leave its number to somebody else
    reaped = (str(pid) for pid, handle in zombies.items() if handle.reaped)
    crowd: dict[int, Seen] = {}
    for name in chain((name for name in names if int(name) not in zombies), reaped):
        path = f"/proc/{name}/stat"
        try:
            data = _stat(path)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # the latter with hidepid=1: somebody else's, whom we may not signal
        except OSError as e:
            if e.errno != errno.EMFILE:
                raise
            try:
                data = spare.lend(_stat, path)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        seen = Seen(data, now)
        if seen.start >= since and seen.pid != ours:
            crowd[seen.pid] = seen
    return crowd


def _stat(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1024)
    finally:
        os.close(fd)
