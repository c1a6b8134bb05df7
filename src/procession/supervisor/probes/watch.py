"""One check of one run, under way: when its probes are tried, and what that comes to.

A probe is tried again an interval after its last try ended, so it never overlaps with itself.
While a run is not ready yet, and no number of failures counts, the first pauses are shorter:
10 ms, 20, 40, as long as they are below the interval. Most programs are ready long before 200 ms
are over, and what waits for them starts that much earlier.
"""

from __future__ import annotations

from procession import spec
from procession.core import checks
from procession.core import events as ev
from procession.supervisor.probes.file import judged, stamp
from procession.supervisor.probes.kinds import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from procession.supervisor.probes.checks import Probes
    from procession.supervisor.probes.file import Stamp
    from procession.supervisor.probes.kinds import Done
    from procession.supervisor.probes.sign import Sign
    from procession.supervisor.runs import LiveRun

    class UnderWay(Protocol):
        """A try that has not ended."""

        def cancel(self) -> None: ...


FIRST_PAUSE = 0.01  # seconds
_CHEAP = spec.TcpProbe | spec.UnixProbe | spec.HttpProbe | spec.FileProbe


class Watch:
    """Ready, or health without its watchdog. `told(news, words)` is called with checks.PASSED or
    FAILED where that is new, else with None and the words of a try that failed in another way
    than the one before."""

    def __init__(
        self,
        desk: Probes,
        live: LiveRun,
        which: str,
        check: spec.Check,
        told: Callable[[str | None, str], object],
    ) -> None:
        self._desk = desk
        self._live = live
        self._which = which
        self._check = check
        self._told = told
        self._tally = checks.begin(check)
        self._words = ""
        self._under_way: list[UnderWay | None] = [None] * len(check.probes)
        hurries = which == ev.READY and check.failures is None
        pause = FIRST_PAUSE if hurries else check.interval
        self._pauses = [pause] * len(check.probes)
        self._over = False

    def begin(self) -> None:
        for number, probe in enumerate(self._check.probes):
            sign = self._sign(number)
            if sign is not None and self._which == ev.READY:
                sign.listen(lambda number=number, sign=sign: self._said(number, sign))  # type: ignore[misc]
                if sign.said or sign.never:
                    self._said(number, sign)
                elif not self._over:
                    self._tried(number, f"{named(probe)}: not yet", counts=False)
            elif not self._over:
                if self._which == ev.READY:  # for who asks before the first try has ended
                    self._tried(number, f"{named(probe)}: not tried yet", counts=False)
                # a sign is looked for in the time between two looks
                delay = self._check.initial_delay + (
                    self._check.interval if sign is not None else 0
                )
                self._alarm(number, delay)

    def end(self) -> None:
        """Nothing is tried or told any more. Idempotent."""
        self._over = True
        for number in range(len(self._check.probes)):
            self._desk.loop.disarm(self._key(number))
            sign = self._sign(number)
            if sign is not None and self._which == ev.READY:
                sign.listen(None)
            under_way, self._under_way[number] = self._under_way[number], None
            if under_way is not None:
                under_way.cancel()

    # --- what is said by the run itself ------------------------------------------------------

    def _sign(self, number: int) -> Sign | None:
        outfit = self._live.outfit
        return outfit.signs.get((self._which, number)) if outfit is not None else None

    def _said(self, number: int, sign: Sign) -> None:
        name = named(self._check.probes[number])
        if sign.said:
            self._tell(number, "", lasting=True)
        elif self._check.any and len(self._check.probes) > 1:
            self._tried(number, f"{name}: {sign.never}", counts=False)
        else:  # no time will help
            self._report(checks.FAILED, f"{name}: {sign.never}")

    # --- tries -------------------------------------------------------------------------------

    def _key(self, number: int) -> str:
        return f"? {self._live.cookie} {self._which} {number}"  # no replica is called so

    def _alarm(self, number: int, delay: float) -> None:
        self._desk.loop.alarm(self._key(number), delay, lambda: self._try(number))

    def _try(self, number: int) -> None:
        probe = self._check.probes[number]

        def done(words: str, ours: bool) -> None:
            self._under_way[number] = None
            pause = self._check.interval
            if words and isinstance(probe, _CHEAP):
                pause = min(self._pauses[number], pause)
                self._pauses[number] = 2 * pause
            words = f"{named(probe)}: {words}" if words else ""
            if ours:
                self._tried(number, words, counts=False)
            else:
                self._tell(number, words)
            if not self._over:
                self._alarm(number, pause)

        try:
            self._under_way[number] = self._start(number, probe, done)
        except OSError as e:
            done((e.strerror or str(e)).lower(), True)

    def _start(self, number: int, probe: spec.Probe, done: Done) -> UnderWay | None:
        sign = self._sign(number)
        if sign is not None:
            done("" if sign.take() else sign.never or "not seen since the last look", False)
            return None
        if isinstance(probe, spec.ExecProbe):
            return self._desk.errands.start(
                self._live, probe.command, done, timeout=self._check.timeout
            )
        if isinstance(probe, spec.FileProbe):
            return FileTry(
                self._desk, self._live, probe, self._check.timeout, done, self._key(number)
            )
        return self._desk.prober.ask(probe, self._check.timeout, done)

    # --- what that comes to ------------------------------------------------------------------

    def _tell(self, number: int, words: str, *, lasting: bool = False) -> None:
        self._tally, news = checks.tell(self._tally, number, not words, words, lasting=lasting)
        if news is None:
            self._tried(number, words, counts=True)
        else:
            self._words = self._tally.words
            self._report(news, self._words)

    def _tried(self, number: int, words: str, *, counts: bool) -> None:
        """Tell how it failed, if it did, where that is another way than before."""
        if counts:
            words = self._tally.words if words else ""
        if words and words != self._words and not self._over:
            self._words = words
            self._told(None, words)

    def _report(self, news: str, words: str) -> None:
        if self._over:
            return
        if self._which == ev.READY:  # either answer is the last
            self.end()
        self._told(news, words)


class FileTry:
    """Asking a file system, which may not answer."""

    def __init__(
        self,
        desk: Probes,
        live: LiveRun,
        probe: spec.FileProbe,
        timeout: float,
        done: Done,
        key: str,
    ) -> None:
        self._done: Done | None = done
        self._loop, self._key = desk.loop, key
        outfit = live.outfit
        assert outfit is not None
        self._before: Stamp | None = outfit.stamps[probe.path]
        late = f"its file system did not answer within {timeout:g} s"
        self._loop.alarm(key, timeout, lambda: self._end(late))
        path = probe.path
        desk.aside.ask(("stat", path), key, lambda: stamp(path), self._answer)

    def _answer(self, answer: object) -> None:
        self._end(judged(self._before, answer))

    def _end(self, words: str) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._loop.disarm(self._key)
            done(words, False)

    def cancel(self) -> None:
        self._done = None
        self._loop.disarm(self._key)
