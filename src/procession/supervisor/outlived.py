"""Whom the performer tells of runs, in an application: a sentinel, while there is one.

It may be killed, like anybody: then another one takes its place, and is told of all that lives.
Where there can be none (only Linux shows whose a process is) nothing is told, and what a killed
application leaves lives on.
"""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

from procession._record import Record
from procession.process import sentinel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from procession.process.sentinel import Sentinel
    from procession.supervisor.loop import Loop

PAUSE = 1.0  # seconds until another one is started: somebody may kill them all
_REPLACE = "? sentinel"  # an alarm's key


class _Told(Record):
    signal: int
    grace: float
    pid: int | None = None
    start: int | None = None
    left: bool = False


class Outlived:
    """The loop's thread; nothing blocks for longer than a spawn takes."""

    def __init__(self, token: str, loop: Loop, say: Callable[[str], object]) -> None:
        self._token = token
        self._loop = loop
        self._say = say
        self._sentinel: Sentinel | None = None
        self._runs: dict[str, _Told] = {}
        self._folders: list[str] = []

    def begin(self) -> None:
        """Before anything is started."""
        if not sentinel.is_possible():
            return
        try:
            self._sentinel = found = sentinel.start(self._token)
        except OSError as e:
            words = (e.strerror or str(e)).lower()
            self._say(f"no sentinel could be started, so a crash would leave processes: {words}")
            self._loop.alarm(_REPLACE, PAUSE, self.begin)
            return
        self._loop.listen(found.fd, self._gone)
        for folder in self._folders:
            found.link.makes(folder)
        for cookie, told in self._runs.items():
            found.link.begins(cookie, told.signal, told.grace)
            if told.pid is not None:
                found.link.started(cookie, told.pid, start_time=told.start)
            if told.left:
                found.link.leaves(cookie)

    def _gone(self) -> None:
        """Somebody killed it."""
        self._let_go()
        self._loop.alarm(_REPLACE, PAUSE, self.begin)

    def _let_go(self) -> None:
        gone, self._sentinel = self._sentinel, None
        if gone is not None:
            self._loop.unlisten(gone.fd)
            gone.end()

    def end(self, *, orderly: bool) -> None:
        """Idempotent. Not `orderly`: something lives on that it is to end when we have ended."""
        if orderly:
            self._let_go()
        elif self._sentinel is not None:
            self._loop.unlisten(self._sentinel.fd)

    # --- what the performer tells (`perform.Told`) -------------------------------------------

    def begins(self, cookie: str, signal: int, grace: float) -> None:
        self._runs[cookie] = _Told(signal, grace)
        if self._sentinel is not None:
            self._sentinel.link.begins(cookie, signal, grace)

    def started(self, cookie: str, pid: int, outputs: Sequence[tuple[int, int]] = ()) -> None:
        start = _start_of(pid)
        if start is None:
            return  # it is gone already, and nobody is left to be its leader
        self._runs[cookie] = self._runs[cookie].replace(pid=pid, start=start)
        if self._sentinel is not None:
            self._sentinel.link.started(cookie, pid, start_time=start)

    def ended(self, cookie: str) -> None:
        told = self._runs.get(cookie)
        if told is None or told.left:
            return  # what lives of it was left on purpose: the sentinel has to know for ever
        del self._runs[cookie]
        if self._sentinel is not None:
            self._sentinel.link.ended(cookie)

    def leaves(self, cookie: str) -> None:
        self._runs[cookie] = self._runs[cookie].replace(left=True)
        if self._sentinel is not None:
            self._sentinel.link.leaves(cookie)

    def spares(self, cookie: str, pid: int, start_time: int) -> None:
        """Of a run that was left nothing is looked at any more."""

    def logs_in(self, folder: str) -> None:
        """Of no use to it: it cannot have our ends of the pipes."""

    def makes(self, folder: str) -> None:
        self._folders.append(folder)
        if self._sentinel is not None:
            self._sentinel.link.makes(folder)


if sys.platform == "linux":
    from procession.process import _linux

    def _start_of(pid: int) -> int | None:
        """In boot ticks, of a child that is not reaped."""
        try:
            return _linux.stat(pid).start_time
        except ProcessLookupError:
            return None

else:

    def _start_of(pid: int) -> int | None:
        return None
