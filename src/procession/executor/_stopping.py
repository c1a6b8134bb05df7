"""Where the life of one process stands. Pure: told what happened and when, says what to do.

The ladder itself is `core.stop`; here it is begun, joined, capped and remembered.
"""

from __future__ import annotations

import sys
from signal import valid_signals

from procession.core import stop as ladders
from procession.core.stop import Ask, GiveUp, Kill, Ladder, Step
from procession.core.timeouts import seconds
from procession.executor import _values as words
from procession.process._tree import TARGETS
from procession.process.handle import signal_name, signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.core.status import ExitStatus
    from procession.core.stop import Climb, CommandStep, Move

GRACE = 3.0  # seconds between SIGTERM and SIGKILL where nobody says more


def default_ladder(grace: float = GRACE) -> Ladder:
    """SIGTERM to the whole tree, `grace` seconds, SIGKILL."""
    return Ladder((Step("SIGTERM", "tree", seconds("grace", grace)),))


def as_ladder(wanted: Ladder | Step | Iterable[Step] | None) -> Ladder:
    """Of what a caller may give as `stop`. Raises TypeError for anything else, and ValueError for
    a step that nobody could climb: later there would be nobody to tell."""
    if wanted is None:
        return DEFAULT_LADDER
    if isinstance(wanted, Ladder):
        ladder = wanted
    else:
        ladder = Ladder((wanted,) if isinstance(wanted, Step) else tuple(wanted))
    return ladder.replace(
        steps=tuple(map(_checked, ladder.steps)),
        kill_wait=seconds("kill_wait", ladder.kill_wait),
    )


def _checked(step: Step | CommandStep) -> Step:
    if not isinstance(step, Step):
        raise TypeError(f"a ladder is made of Steps, and {step!r} is none")
    if step.to not in TARGETS:
        raise ValueError(f"{step!r}: nobody is called {step.to!r}; expected {', '.join(TARGETS)}")
    name = step.signal if isinstance(step.signal, str) else signal_name(step.signal)
    number = signal_number(name)  # raises for a name that means nothing here
    if sys.platform != "win32" and number not in valid_signals():
        raise ValueError(f"this host has no signal {name!r}")
    return Step(name, step.to, seconds("wait", step.wait))


DEFAULT_LADDER = default_ladder()


class Stopping:
    """The stop of one tree, from the first request to its end. Not thread-safe."""

    __slots__ = ("_limit", "_since", "cause", "climb", "gave_up", "steps")

    def __init__(self, since: float) -> None:
        self._since = since
        self._limit: float | None = None
        self.climb: Climb | None = None
        self.cause = ""  # STOPPED, TIMED_OUT, IDLE; "" while nobody asked, or for leftovers only
        self.gave_up = False
        self.steps: list[tuple[float, str]] = []

    @property
    def deadline(self) -> float | None:
        """When to call `expired`; None: nothing is awaited."""
        if self.climb is None or self.gave_up:
            return None
        if self._limit is None or self.climb.killing:
            return self.climb.deadline
        return min(self.climb.deadline, self._limit)

    @property
    def under_way(self) -> bool:
        return self.climb is not None

    def begin(
        self, ladder: Ladder, now: float, cause: str, cap: float | None = None
    ) -> Move | None:
        """Ask for the end. `cap`: seconds until the kill, whatever the ladder says. One that is
        under way is joined, and what it may still take is capped: None then."""
        if cap is not None:
            limit = now + max(0.0, cap)
            self._limit = limit if self._limit is None else min(self._limit, limit)
        self.cause = self.cause or cause
        if self.climb is not None:
            return None
        self.climb, move = ladders.begin(ladder, now)
        return self._noted(move, now)

    def force(self, now: float) -> Move | None:
        """Kill at once, if a stop is under way and has not come to that yet."""
        if self.climb is None or self.climb.killing:
            return None
        self.climb, move = ladders.force(self.climb, now)
        return self._noted(move, now)

    def expired(self, now: float) -> Move | None:
        """Time has passed; None: not enough of it."""
        if self.climb is None or self.deadline is None or now < self.deadline:
            return None
        if self._limit is not None and now >= self._limit and not self.climb.killing:
            return self.force(now)
        self.climb, move = ladders.expired(self.climb, now)
        self.gave_up = isinstance(move, GiveUp)
        return self._noted(move, now)

    def unheard(self, now: float) -> None:
        """Nobody could be asked by the last step: no use to wait for an answer."""
        if self.climb is not None and not self.climb.killing:
            self.climb = self.climb.replace(deadline=now)

    def grown(self, *, leader_lives: bool) -> Move | None:
        """Somebody who has not heard of the stop came to light."""
        if self.climb is None or self.gave_up:
            return None
        return ladders.grown(self.climb, leader_lives=leader_lives)

    def reason(self, status: ExitStatus) -> str:
        """Why the process is over."""
        if self.cause in (words.TIMED_OUT, words.IDLE):
            return self.cause
        if self.cause:
            killed = self.climb is not None and self.climb.killing
            return words.FORCED if killed else words.STOPPED
        if status.unknown:
            return words.UNKNOWN
        return words.EXITED if status.code is not None else words.SIGNALLED

    def _noted(self, move: Move, now: float) -> Move:
        if isinstance(move, Ask):
            text = f"{move.signal} to the {move.to}"
        elif isinstance(move, Kill):
            text = "SIGKILL to the tree"
        else:
            text = "gave up"
        self.steps.append((now - self._since, text))
        return move
