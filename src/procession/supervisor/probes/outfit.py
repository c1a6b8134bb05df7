"""What a run needs for its checks before it is started: a socket, a descriptor, ears on its output.

Made for tasks that have such a probe, or a watchdog; given back when the run is over.
"""

from __future__ import annotations

import sys

from procession import spec
from procession.core.events import HEALTH, READY
from procession.supervisor.probes.file import stamp
from procession.supervisor.probes.log import LineSign, LogEar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from procession.supervisor.probes.checks import Probes
    from procession.supervisor.probes.fd import FdSign
    from procession.supervisor.probes.file import Stamp
    from procession.supervisor.probes.sign import Sign
    from procession.supervisor.runs import LiveRun
    from procession.supervisor.talk import Talk

    T = TypeVar("T")


def probes_of(task: spec.Task) -> Iterator[tuple[str, int, spec.Probe]]:
    """Of both its checks: which, number, probe."""
    for which, check in ((READY, task.ready), (HEALTH, task.health)):
        for number, probe in enumerate(check.probes if check is not None else ()):
            yield which, number, probe


class Outfit:
    """Of one run. The loop's thread."""

    def __init__(self, desk: Probes) -> None:
        self._desk = desk
        self.environment: dict[str, str] = {}
        self.places: dict[int, int] = {}  # descriptors for the run, by their number there
        self.signs: dict[tuple[str, int], Sign] = {}  # of probes: which check, number
        self.stamps: dict[str, Stamp | None] = {}  # of files, before the run
        self.talk: Talk | None = None
        self._fds: dict[int, FdSign] = {}
        self._lines: list[LineSign] = []

    def make(self, task: spec.Task, uid: int | None) -> None:
        """For a run of that user, None: of ours. Raises OSError where the host has no more of
        something, ValueError where it never has; `close` is due all the same."""
        for which, number, probe in probes_of(task):
            if isinstance(probe, spec.LogProbe):
                sign = LineSign(probe.pattern, lasting=which == READY)
                self._lines.append(sign)
                self.signs[which, number] = sign
            elif isinstance(probe, spec.FileProbe):
                try:
                    self.stamps[probe.path] = stamp(probe.path)
                except OSError:
                    self.stamps[probe.path] = None  # it may be reached later; then it is new
            elif isinstance(probe, spec.FdProbe):
                self.signs[which, number] = self._fd(probe.fd)
        notified = [
            (which, number)
            for which, number, probe in probes_of(task)
            if isinstance(probe, spec.NotifyProbe)
        ]
        if notified or task.watchdog is not None:
            self.talk = _talk(self._desk, uid)
            self.environment["NOTIFY_SOCKET"] = self.talk.path
            for place in notified:
                self.signs[place] = self.talk.ready
        if task.watchdog is not None:
            # no WATCHDOG_PID: nobody knows it before the program runs; unset means whoever reads it
            self.environment["WATCHDOG_USEC"] = str(max(1, round(task.watchdog * 1e6)))

    def _fd(self, number: int) -> FdSign:
        if sys.platform == "win32":
            raise ValueError(f"fd {number}: Windows passes no descriptor under a number")
        from procession.supervisor.probes.fd import FdSign

        if number not in self._fds:
            self._fds[number] = FdSign(number)
            self.places[number] = self._fds[number].writes
        return self._fds[number]

    def taps(self) -> tuple[LogEar, LogEar] | None:
        """For the run's stdout and stderr; None where nobody listens."""
        if not self._lines:
            return None
        call = self._desk.loop.call
        return LogEar(self._lines, call), LogEar(self._lines, call)

    def put(self, spawn: Callable[[], T]) -> T:
        """Spawn with what is to be under a number."""
        return self._desk.loop.put(self.places, spawn) if self.places else spawn()

    def spawned(self, live: LiveRun) -> None:
        self.places.clear()
        for sign in self._fds.values():
            sign.spawned(self._desk.ears)
        if self.talk is not None:
            self.talk.spawned(live)

    def close(self) -> None:
        """Idempotent."""
        for sign in self._fds.values():
            sign.close()
        if self.talk is not None:
            self.talk.close()


if sys.platform != "win32":

    def _talk(desk: Probes, uid: int | None) -> Talk:
        from procession.supervisor.talk import Talk

        return Talk(desk.sockets.open(uid), desk.ears, desk.loop)

else:

    def _talk(desk: Probes, uid: int | None) -> Talk:
        raise ValueError("notify: Windows has no sd_notify")
