"""All checks of all live runs: begun and ended as the core asks, told to it as events."""

from __future__ import annotations

import sys
import time

from procession.core import checks
from procession.core import events as ev
from procession.spec import Check
from procession.supervisor.probes.aside import Aside
from procession.supervisor.probes.dog import Watchdog
from procession.supervisor.probes.outfit import Outfit
from procession.supervisor.probes.throttle import Ears
from procession.supervisor.probes.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procession.spec import Task
    from procession.supervisor.errands import Errands
    from procession.supervisor.loop import Loop
    from procession.supervisor.probes.net import Prober
    from procession.supervisor.runs import LiveRun

    if sys.platform != "win32":
        from procession.supervisor.notify_socket import Sockets


class Probes:
    """Used by the loop's thread alone. `makes` is told of each folder that we are to remove."""

    def __init__(self, loop: Loop, errands: Errands, makes: Callable[[str], object]) -> None:
        self.loop = loop
        self.errands = errands
        self.ears = Ears(loop)
        self.aside = Aside(loop.call)
        self._makes = makes
        self._prober: Prober | None = None
        self._running: dict[tuple[tuple[str, int], str], Ready | Health] = {}

    @property
    def prober(self) -> Prober:
        if self._prober is None:
            from procession.supervisor.probes.net import Prober

            self._prober = Prober(self.loop.call)
        return self._prober

    if sys.platform != "win32":
        _sockets: Sockets | None = None

        @property
        def sockets(self) -> Sockets:
            if self._sockets is None:
                from procession.supervisor.notify_socket import Sockets

                self._sockets = Sockets(self._makes)
            return self._sockets

    def equip(self, task: Task, uid: int | None) -> Outfit:
        """For a run that is about to start, as that user. Raises OSError, ValueError."""
        outfit = Outfit(self)
        try:
            outfit.make(task, uid)
        except BaseException:
            outfit.close()
            raise
        return outfit

    def begin(self, live: LiveRun, which: str) -> None:
        """Once for each check of a run."""
        kind = Ready if which == ev.READY else Health
        watch = self._running[live.run, which] = kind(self, live)
        watch.begin()

    def end(self, run: tuple[str, int]) -> None:
        """Both checks, as far as they are under way."""
        for which in (ev.READY, ev.HEALTH):
            watch = self._running.pop((run, which), None)
            if watch is not None:
                watch.end()

    def close(self) -> None:
        """At the end of all runs: give back what is left. Idempotent."""
        for run, _ in list(self._running):
            self.end(run)
        if self._prober is not None:
            self._prober.close()
        if sys.platform != "win32" and self._sockets is not None:
            self._sockets.close()


class Ready:
    """Whether a run is ready. Its first answer is its last."""

    def __init__(self, desk: Probes, live: LiveRun) -> None:
        self._loop, self._run = desk.loop, live.run
        self._talk = live.outfit.talk if live.outfit is not None else None
        # a task that `completes` may have none: it is ready when it has ended
        check = live.task.ready or Check(())
        self._watch = Watch(desk, live, ev.READY, check, self._told)

    def begin(self) -> None:
        if self._talk is not None:
            self._talk.dog = self
        self._watch.begin()

    def end(self) -> None:
        self._watch.end()
        if self._talk is not None and self._talk.dog is self:
            self._talk.dog = None

    # a watchdog that is not about yet: only what a run says against itself counts

    def alive(self) -> None: ...

    def change(self, seconds: float) -> None: ...

    def trigger(self) -> None:
        self.end()
        self._told(checks.FAILED, "watchdog: the run itself says that something is wrong")

    def _told(self, news: str | None, words: str) -> None:
        if news is None:
            self._loop.tell(ev.CheckTold(*self._run, ev.READY, words))
            return
        self.end()
        if news == checks.PASSED:
            self._loop.tell(ev.CheckPassed(*self._run, ev.READY))
        else:
            self._loop.tell(ev.CheckFailed(*self._run, ev.READY, words))


class Health:
    """Whether a run is healthy: its check holds, and its watchdog is heard."""

    def __init__(self, desk: Probes, live: LiveRun) -> None:
        self._loop, self._run = desk.loop, live.run
        self._talk = live.outfit.talk if live.outfit is not None else None
        check = live.task.health or Check(())
        # of each part: None before its first answer
        self._parts: dict[str, bool | None] = {}
        self._healthy: bool | None = None
        self._watch = Watch(desk, live, ev.HEALTH, check, self._told)
        self._dog: Watchdog | None = None
        if check.probes:
            self._parts["check"] = None
        if live.task.watchdog is not None and self._talk is not None:
            self._parts["watchdog"] = None
            key = f"? {live.cookie} watchdog"
            seconds = self._talk.watchdog or live.task.watchdog
            self._dog = Watchdog(desk.loop, time.monotonic, key, seconds, self._dog_told)

    def begin(self) -> None:
        self._watch.begin()
        if self._dog is not None and self._talk is not None:
            self._talk.dog = self._dog
            self._dog.begin()

    def end(self) -> None:
        self._watch.end()
        if self._dog is not None and self._talk is not None:
            self._talk.dog = None
            self._dog.end()

    def _told(self, news: str | None, words: str) -> None:
        if news is None:
            self._loop.tell(ev.CheckTold(*self._run, ev.HEALTH, words))
        else:
            self._part("check", news == checks.PASSED, words)

    def _dog_told(self, words: str) -> None:
        self._part("watchdog", not words, words)

    def _part(self, part: str, well: bool, words: str) -> None:
        self._parts[part] = well
        healthy = _all(self._parts.values())
        if healthy is None or healthy is self._healthy:
            return
        self._healthy = healthy
        if healthy:
            self._loop.tell(ev.CheckPassed(*self._run, ev.HEALTH))
        else:
            self._loop.tell(ev.CheckFailed(*self._run, ev.HEALTH, words))


def _all(parts: Iterable[bool | None]) -> bool | None:
    """False where one is, None where one has not answered, else True."""
    found = list(parts)
    if False in found:
        return False
    return None if None in found else True
