"""From one pipe to the terminal: whole lines, and what is done when the terminal is slow. Pure.

A task must not wait for a terminal longer than `patience` a stall, and no other task may wait
for it at all. So where the terminal's queue has no room, this one pipe is not read for a while
(its writer feels a slow pipe), then its copies for the terminal are dropped and counted until
the queue has drained to half. The log file gets all of it in any case.
"""

from __future__ import annotations

from procession.logs.prefix import HOLD, Prefixer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Destination(Protocol):
        """What a feed asks of the terminal; `console.ConsoleStream` is one."""

        @property
        def closed(self) -> bool:
            """True once nothing given to it will be seen any more."""

        @property
        def raw(self) -> bool:
            """True where control sequences pass as they are."""

        def prefix(self) -> bytes:
            """What stands before each line from now on."""

        def offer(self, lines: bytes, on_room: Callable[[], None]) -> bool:
            """Take `lines`, or answer False and call `on_room` once, later, when there is room."""

        def patience(self) -> float:
            """Seconds that the stream may still wait in this stall."""

        def waited(self, seconds: float) -> None:
            """It has waited so long."""

        def lost(self, size: int, lines: int) -> None:
            """So much was not shown."""

        def tell_lost(self) -> None:
            """Say what was not shown since the last time, if anything."""


IDLE = 0.5  # seconds without output after which an unfinished line is shown


class Feed:
    """The lines of one pipe on their way to the terminal. Times are handed in; for one thread.

    `on_room` is what the destination calls, from any thread; whoever owns the feed then calls
    `room` in the feed's own thread.
    """

    __slots__ = (
        "_dropping",
        "_flush_at",
        "_lines",
        "_on_room",
        "_owing",
        "_paused_at",
        "_pending",
        "_pending_size",
        "_stream",
    )

    def __init__(
        self, stream: Destination, on_room: Callable[[], None], *, hold: int = HOLD
    ) -> None:
        self._stream = stream
        self._on_room = on_room
        self._lines = Prefixer(hold, raw=stream.raw)
        self._pending = b""  # refused by the destination; offered again when there is room
        self._pending_size = 0  # its size without prefixes
        self._paused_at: float | None = None
        self._dropping = False
        self._owing = False  # there is room again, but the line that was lost goes on
        self._flush_at: float | None = None

    @property
    def paused(self) -> bool:
        """True while the pipe is not to be read: `take` may not be called."""
        return self._paused_at is not None

    @property
    def closed(self) -> bool:
        """True once the terminal is gone: the feed is no longer needed."""
        return self._stream.closed

    def take(self, block: bytes, now: float) -> None:
        """What the pipe gave. Look at `paused` and `deadline` afterwards."""
        if self._dropping:
            self._lines.skip(block)
            self._count()
            return
        size = self._lines.held + len(block)
        shown = self._lines.feed(block, self._stream.prefix())
        size -= self._lines.held + self._lines.lost_bytes
        self._flush_at = now + IDLE if self._lines.held or self._owing else None
        self._count()
        if self._owing and not self._lines.skipping:
            self._tell()
        if shown:
            self._offer(shown, size, now)

    def deadline(self) -> float | None:
        """When `due` wants to be called; None while nothing is pending."""
        if self._paused_at is not None:
            return self._paused_at + self._stream.patience()
        return self._flush_at

    def due(self, now: float) -> None:
        """The deadline passed."""
        at = self.deadline()
        if at is None or now < at:
            return
        if self._paused_at is not None:
            self.give_up(now)
            return
        if self._owing:
            self._tell()
        self._flush(now)

    def room(self, now: float) -> None:
        """The destination has room again."""
        if self._paused_at is not None:
            self._stream.waited(now - self._paused_at)
            self._paused_at = None
            if self._flush_at is not None:  # it was not silent: nobody listened
                self._flush_at = now + IDLE
            pending, self._pending = self._pending, b""
            self._offer(pending, self._pending_size, now)
        elif self._dropping:
            self._dropping = False
            if self._lines.skipping:  # its rest is lost too: tell of both together
                self._owing = True
                self._flush_at = now + IDLE
            else:
                self._tell()

    def end(self, now: float) -> None:
        """The pipe came to its end: show what is held, or count it. Only `room` may follow."""
        if self._paused_at is None and not self._dropping:
            self._flush(now)
        self.give_up(now)
        self._lines.skipping = False
        if self._owing:
            self._tell()

    def give_up(self, now: float) -> None:
        """If paused, wait no longer: drop until there is room, and let the pipe be read."""
        if self._paused_at is None:
            return
        self._stream.waited(now - self._paused_at)
        self._paused_at = None
        self._dropping = True
        self._stream.lost(self._pending_size, self._pending.count(b"\n"))
        self._pending = b""
        self._lines.skip(b"")
        self._flush_at = None
        self._count()

    def _flush(self, now: float) -> None:
        self._flush_at = None
        size = self._lines.held
        if size:
            self._offer(self._lines.flush(self._stream.prefix()), size, now)

    def _offer(self, shown: bytes, size: int, now: float) -> None:
        if self._stream.offer(shown, self._on_room):
            return
        self._pending = shown
        self._pending_size = size
        self._paused_at = now
        if self._stream.patience() <= 0:
            self.give_up(now)

    def _tell(self) -> None:
        self._owing = False
        self._stream.tell_lost()

    def _count(self) -> None:
        size, lines = self._lines.take_lost()
        if size:
            self._stream.lost(size, lines)
