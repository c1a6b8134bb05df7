"""The pipes of runs: what is known of each, and growing those that were found full."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Protocol

    from procession.logs.feed import Feed
    from procession.logs.sink import Sink

    class Tap(Protocol):
        """Who listens to a pipe. Called in the capture's thread, which must not wait for it."""

        @property
        def closed(self) -> bool:
            """True once it wants no more."""

        def take(self, block: bytes, now: float) -> None:
            """What the pipe gave."""

        def deadline(self) -> float | None:
            """When `due` wants to be called; None while nothing is pending."""

        def due(self, now: float) -> None:
            """The deadline passed, or something else was due: ask it again."""

        def end(self) -> None:
            """The pipe came to its end."""


# A writer sleeps less often before a larger pipe, but what moves through more memory than the
# processor's cache holds moves slower: 256 KiB measured 1.4 x `cat`, 64 KiB 1.0 x, 1 MiB 0.9 x.
GROWN = 256 * 1024
BUDGET = 16 * 1024 * 1024


class Run:
    """A run with pipes that are still open."""

    __slots__ = ("cap_at", "draining", "key", "pipes", "told")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.pipes: set[Pipe] = set()
        self.draining = False
        self.cap_at = 0.0
        self.told = False  # that somebody outside its tree holds its output


class Pipe:
    """One pipe: where its bytes go, and when something has to be done about it."""

    __slots__ = (
        "closed",
        "fd",
        "feed",
        "full_at",
        "grown",
        "idle_at",
        "listening",
        "name",
        "run",
        "sink",
        "tap",
        "wanted_at",
    )

    run: Run

    def __init__(self, fd: int, sink: Sink | None, name: str, tap: Tap | None = None) -> None:
        self.fd = fd
        self.sink = sink
        self.name = name
        self.tap = tap
        self.feed: Feed | None = None
        self.full_at = 0  # a read of so many bytes found it full; 0: it will not be grown
        self.grown = 0  # bytes that it was grown by
        self.idle_at: float | None = None  # while draining: given up if silent until then
        self.wanted_at: float | None = None  # when we are to be woken for it
        self.listening = False
        self.closed = False

    def deadline(self) -> float | None:
        """When something has to be done though nothing was written; None: never."""
        at = self.feed.deadline() if self.feed is not None else None
        if self.tap is not None:
            at = _earlier(at, self.tap.deadline())
        if self.idle_at is None:
            return at
        # While the terminal holds it back, its silence says nothing.
        drain = min(self.idle_at, self.run.cap_at) if self.listening else self.run.cap_at
        return _earlier(at, drain)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


class PipeBudget:
    """Grows pipes to `grown` bytes as long as the growth of all together is within `budget`.

    The kernel counts the pipes of a user: past 64 MiB (pipe-user-pages-soft of proc(5)) every
    new pipe of that user, in any process, holds 8 KiB or less. So pipes are not grown in
    advance. What cannot be grown stays as it is: that is no error.
    """

    def __init__(self, budget: int = BUDGET, grown: int = GROWN) -> None:
        self.left = budget
        self._grown = grown

    def full_at(self, fd: int) -> int:
        """Bytes in one read that mean: the pipe was full, and its writer probably waits.

        A pipe is full when its pages are, and pages are filled up except for what a write of
        less than a page would have split: so somewhat less than the whole is full too. 0 for
        what is no pipe, or on a system where pipes cannot be grown.
        """
        size = _size(fd)
        return size - size // 8 if size < self._grown else 0

    def grow(self, fd: int) -> int:
        """Grow the pipe; by how many bytes, to be given back when it is closed. 0 if not grown."""
        before = _size(fd)
        by = self._grown - before
        if not 0 < by <= self.left or not _resize(fd, self._grown):
            return 0
        self.left -= by
        return by

    def give_back(self, by: int) -> None:
        """A pipe that was grown by so much is closed."""
        self.left += by


if sys.platform == "linux":
    import fcntl

    def _size(fd: int) -> int:
        try:
            return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
        except OSError:
            return 0

    def _resize(fd: int, size: int) -> bool:
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)
        except OSError:  # EPERM: the user's limit; ENOMEM, EBUSY
            return False
        return True

else:

    def _size(fd: int) -> int:
        return 0

    def _resize(fd: int, size: int) -> bool:
        return False
