"""What the actors of an end-to-end test say, and the proof that none of them lives.

The stage is a FIFO that every actor (see `tests/programs/up_stage.py`) holds open: a line there is
an event to wait for, and end of file proves that none of them is left, in whatever session or
under whatever parent. Nothing here sleeps: each wait is for a descriptor, and bounded.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

WITHIN = 20.0  # seconds any single wait may take; far more than it does, the machine is shared


class Event(NamedTuple):
    """One line an actor said."""

    who: str
    what: str
    words: tuple[str, ...]

    @property
    def pid(self) -> int:
        """Of a `ready`: who said it."""
        return int(self.words[0])

    @property
    def parent(self) -> int:
        """Of a `ready` of a leader: the supervisor."""
        return int(self.words[1])

    @property
    def time(self) -> float:
        """Of a `ready`: when, by the monotonic clock that all processes share."""
        return float(self.words[4])


class Stage:
    """What the actors say, and whether any of them lives."""

    def __init__(self, folder: str | Path) -> None:
        self.path = str(Path(folder) / "stage")
        os.mkfifo(self.path)
        os.chmod(self.path, 0o666)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        # our own end, so that "nobody has begun yet" is not read as "all have gone"
        self._hold: int | None = os.open(self.path, os.O_WRONLY)
        self._ended = False
        self._buffer = b""
        self._pinned: dict[int, int] = {}
        self.pins = True  # False where actors tell the pids of another namespace
        self.told: list[Event] = []
        self.doubt: Callable[[], str] = lambda: ""  # what to add to a failure's text

    def close(self) -> None:
        self._forget()
        os.close(self._fd)
        if self._hold is not None:
            os.close(self._hold)

    def all(self, what: str, who: str | None = None) -> list[Event]:
        """The events of that kind told so far, by all or by one."""
        return [e for e in self.told if e.what == what and who in (None, e.who)]

    def wait(self, what: str, *who: str, count: int = 1) -> list[Event]:
        """Until each of `who` said `what`, `count` times; the last of each, in the order of
        `who`. Without names: until it was said `count` times at all; all of these."""
        deadline = time.monotonic() + WITHIN

        def missing() -> list[str]:
            if not who:
                return [what] if len(self.all(what)) < count else []
            return [name for name in who if len(self.all(what, name)) < count]

        while missing():
            if not self._hear(deadline):
                names = ", ".join(missing())
                raise AssertionError(f"never {what!r}: {names}\ntold: {self.told}{self.doubt()}")
        return [self.all(what, name)[-1] for name in who] if who else self.all(what)

    def ready(self, *who: str, count: int = 1) -> list[Event]:
        return self.wait("ready", *who, count=count)

    def gone(self, within: float = WITHIN) -> float:
        """Until nobody lives; the time it took. Whoever said `ready` was pinned then, by pidfd;
        whoever did not is seen by the open FIFO."""
        began = time.monotonic()
        left = self.survivors(within)
        if left:
            raise AssertionError(
                f"still alive after {within} s: {', '.join(left)}\ntold: {self.told}{self.doubt()}"
            )
        return time.monotonic() - began

    def survivors(self, within: float) -> list[str]:
        """Who lives that long, by name and pid; a last one, without, where somebody who said
        nothing holds the stage. Returns as soon as there is nobody."""
        deadline = time.monotonic() + within
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None
        while self._hear(deadline):
            pass
        names = {event.pid: event.who for event in self.all("ready")}
        pinned = self._pinned.items()
        left = [pid for pid, fd in pinned if not readable(fd, deadline)]
        told = [f"{names[pid]} {pid}" for pid in left]
        return told if self._ended or left else ["somebody who holds the stage"]

    def again(self) -> None:
        """The stage as it was made, for another start: after `gone`."""
        assert self._ended, "somebody may still live"
        self._ended = False
        self._hold = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        self._forget()
        self.told.clear()

    def _forget(self) -> None:
        for fd in self._pinned.values():
            os.close(fd)
        self._pinned.clear()

    def _hear(self, deadline: float) -> bool:
        """Take what was said; False at the deadline, and at the end of file."""
        if self._ended or not readable(self._fd, deadline):
            return False
        data = os.read(self._fd, 65536)
        self._ended = not data
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            who, what, *words = line.decode().split(" ")
            event = Event(who, what, tuple(words))
            self.told.append(event)
            if what == "ready":
                self._pin(event.pid)
        return bool(data)

    def _pin(self, pid: int) -> None:
        if self.pins and pid not in self._pinned:
            try:
                self._pinned[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                pass  # ended already

    def left(self, event: Event) -> bool:
        """Whether who said `ready` in this event outlives the bound."""
        return not self.ended(event, WITHIN)

    def ended(self, event: Event, within: float = 0.0) -> bool:
        """Whether who said `ready` in this event has ended, now or within some seconds."""
        pidfd = self._pinned.get(event.pid)
        return pidfd is None or readable(pidfd, time.monotonic() + within)

    def signal(self, event: Event, number: signal.Signals) -> None:
        """To the process that said `ready` in this event, and to no other."""
        signal.pidfd_send_signal(self._pinned[event.pid], number)


def readable(fd: int, deadline: float) -> bool:
    """Wait until there is something to read, an end included; False at the deadline."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
