"""The control groups of a starter (see `_starter_program`): one seat ahead of the next start.

A supervisor moves into a leaf, spawns, and moves back. To move costs little in a wave, and some
10 ms after a rest, when the kernel waits for a grace period of RCU; who waits for a start, waits
for it twice. A starter does nothing but start: it *sits* in the leaf of whoever is next. That one
is born there without a move, and the starter goes on to another leaf when nobody waits for it.
Until it has, the leaf it sits in is not to be killed or asked about.

So a leaf has its name before it has its run; the two are tied when that is born. And a leaf that
is as good as new when its run is over serves another one: to make and remove them would be a tenth
of what a short process costs.
"""

from __future__ import annotations

import os
import sys
import time

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.errors import HostError
from procession.process import _cgroup_linux as files
from procession.process._cgroup_linux import Groups, Leaf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from typing import TypeVar

    T = TypeVar("T")

_WARM = 0.01  # seconds after a move in which another one is cheap, as a rule
_LATER = 0.02  # seconds after which it is made all the same
_POOL = 16  # leaves that are kept for another run
_OPEN = 32  # leaves of runs whose files are held open: each makes the next start dearer
_FILES = 2  # descriptors of an open leaf
_AS_NEW = b"populated 0\nfrozen 0\n"


def leaf_name(token: str, starter: int, number: int) -> str:
    """`starter`: its pid. `_stale_linux` knows such a name for one of ours. Empty for number 0."""
    return f"{token}.{starter}-{number}" if number else ""


class Seat:
    """A leaf to sit in: its folder, and two of its files, held open while there are few."""

    __slots__ = ("_events", "_procs", "folder", "name", "number")

    def __init__(self, folder: str, number: int = 0) -> None:
        self.folder = folder
        self.number = number
        self.name = os.path.basename(folder)
        self._events = self._procs = -1

    def open(self) -> bool:
        """False: it cannot be had."""
        try:
            self._events = os.open(f"{self.folder}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            self._procs = os.open(f"{self.folder}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            self.shut()
            return False
        return True

    def shut(self) -> None:
        fds, self._events, self._procs = (self._events, self._procs), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def join(self) -> bool:
        try:
            os.write(self._procs, b"0")
        except OSError:
            return False
        return True

    def is_populated(self) -> bool:
        if self._events < 0:
            return files.is_populated(self.folder)
        try:
            return b"populated 1" in os.pread(self._events, 4096, 0)
        except OSError:
            return False  # it was removed

    def is_as_new(self) -> bool:
        """Nobody in it, and not frozen: who joined would never return."""
        try:
            return os.pread(self._events, 4096, 0) == _AS_NEW
        except OSError:
            return False  # not open, or removed

    def is_apart(self) -> bool:
        """No group below it."""
        try:
            return os.stat(self.folder).st_nlink <= 2
        except OSError:
            return False


class SeatLeaf(Leaf):
    """See `Leaf`."""

    __slots__ = ("_ahead", "_seat")

    def __init__(self, groups: Ahead, cookie: str, seat: Seat) -> None:
        super().__init__(groups, cookie)
        self._ahead = groups
        self._seat = seat

    def is_populated(self) -> bool:
        return self._seat.is_populated()

    def remove(self) -> None:
        if not self.is_populated():
            self._ahead.give_back(self.cookie)


class Ahead(Groups):
    """See `Groups`. `required`: who can be given no leaf is not started."""

    def __init__(
        self, own: str, place: str, prefix: str, lock: int, token: str, *, required: bool
    ) -> None:
        super().__init__(own, place, prefix, lock)
        self._required = required
        self._token = token
        self._count = 0
        self._seats: dict[str, Seat] = {}  # by cookie
        self._cookies: dict[str, str] = {}  # by the name of the leaf
        self._pool: list[Seat] = []
        self._seat: Seat | None = None  # where we sit
        self.born: str | None = None  # the cookie of who was born there
        self._moved_at = 0.0
        self.due: float | None = None  # when to `move_on`, though nobody asks for it

    def adopt(self, names: Iterable[tuple[str, str]]) -> None:
        """These (cookie, leaf) are of a starter that was lost; what is in no such leaf, nobody
        knows of, and it is ended."""
        for cookie, name in names:
            if name:
                self._tie(cookie, Seat(f"{self.place}/{name}"))
        known = {seat.folder for seat in (*self._seats.values(), *self._pool)}
        for folder in files.folders(self.place):
            if folder in known or (self._seat is not None and folder == self._seat.folder):
                continue
            if not os.path.isdir(f"{folder}/{files.LEFT}"):
                files.kill(folder)
                files.remove(folder)

    def _tie(self, cookie: str, seat: Seat) -> None:
        self._seats[cookie] = seat
        self._cookies[seat.name] = cookie

    def number_of(self, cookie: str) -> int:
        """Of its leaf (see `leaf_name`); 0: it has none."""
        seat = self._seats.get(cookie)
        return 0 if seat is None else seat.number

    def leaf(self, cookie: str) -> Leaf:
        seat = self._seats.get(cookie)
        return Leaf(self, cookie) if seat is None else SeatLeaf(self, cookie, seat)

    def folder_of(self, cookie: str) -> str:
        seat = self._seats.get(cookie)
        return super().folder_of(cookie) if seat is None else seat.folder

    def leaf_of(self, pid: int) -> str | None:
        return self._cookies.get(super().leaf_of(pid) or "")

    @property
    def descriptors(self) -> int:
        """How many are held open for leaves, at the most."""
        return _FILES * (len(self._pool) + min(len(self._seats), _OPEN) + 1)

    def give_back(self, cookie: str) -> None:
        """The leaf of a run that is over, and in which nobody lives."""
        seat = self._seats.pop(cookie, None)
        if seat is None:
            return
        del self._cookies[seat.name]
        if len(self._pool) < _POOL and seat.is_as_new() and seat.is_apart():
            self._pool.append(seat)
        else:
            seat.shut()
            files.remove(seat.folder)

    def abandon(self) -> None:
        for seat in (*self._seats.values(), *self._pool, *filter(None, (self._seat,))):
            seat.shut()
        super().abandon()

    # --- where we sit ----------------------------------------------------------------------------

    def born_in(self, cookie: str, start: Callable[[], T]) -> T:
        """`start()`, in the leaf that we sit in. It raises what `start` raises, and the leaf is
        for the next one then; HostError where there is to be a leaf, and none can be had."""
        if self._seat is None or self.born is not None:
            self.move_on()
        if self.stuck_in is not None or (self._seat is None and self._required):
            raise HostError(
                self._own, "no control group can be made here any more", "leave to make and to join"
            )
        found = start()
        if self._seat is not None:
            self.born = cookie
            self._tie(cookie, self._seat)
            now = time.monotonic()
            self.due = now if now < self._moved_at + _WARM else now + _LATER
        return found

    def make_way(self, cookies: Container[str]) -> None:
        """Before these are asked about, or killed: we are not to be among them."""
        if self.born is not None and self.born in cookies:
            self.move_on()

    def move_on(self) -> None:
        """Out of the leaf in which somebody was born, to that of the next one; or to our own group
        where there is none to be had. Idempotent."""
        if self._seat is not None and self.born is None:
            return
        self.due = None
        seat = self._new_seat()
        if seat is not None and seat.join():
            if self._seat is not None and len(self._seats) > _OPEN:
                self._seat.shut()
            self._seat, self.born = seat, None
        else:
            if seat is not None:
                seat.shut()
                files.remove(seat.folder)
            self.go_home()
        self._moved_at = time.monotonic()

    def _new_seat(self) -> Seat | None:
        while self._pool:
            seat = self._pool.pop()
            if seat.is_as_new():
                return seat
            seat.shut()
            files.remove(seat.folder)
        self._count += 1
        leaf = Leaf(self, leaf_name(self._token, os.getpid(), self._count))
        seat = Seat(leaf.folder, self._count)
        if leaf.make() and seat.open():
            return seat
        leaf.remove()
        return None

    def go_home(self) -> None:
        """To our own group, or at least out of every leaf."""
        seat, born, self._seat, self.born, self.due = self._seat, self.born, None, None, None
        if seat is None:
            return
        if self._joins(self._own) or self._joins(self.place):
            if born is None:
                seat.shut()
                files.rmdir(seat.folder)
        else:
            self._seat, self.born, self.stuck_in = seat, born, born or ""

    def kill_all(self) -> None:
        for folder in files.folders(self.place):
            sits_there = self._seat is not None and folder == self._seat.folder
            if not sits_there and files.is_populated(folder):
                files.kill(folder)
