"""What the loops of `up` have in common on every platform: the core's actions, and what is said.

How the world comes in, and who is asked to sweep, is each loop's own: `engine`, `engine_windows`.
"""

from __future__ import annotations

import os
import time

from procession.core import actions as act
from procession.core.fleet import Fleet
from procession.core.view import tell_check, waiting
from procession.supervisor.timers import Timers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.spec import Project
    from procession.supervisor.output import Output
    from procession.supervisor.perform import Performer

LONGEST_SLEEP = 86_400.0  # seconds: what counts milliseconds in an int takes no month
REMINDER = ""  # the timer's key; no replica is called so
REMIND_AFTER, REMIND_EVERY = 1.0, 5.0  # seconds of a stop until it says whom it waits for


def chance() -> float:
    """A number from 0 up to 1. (`random` costs an import of 6 ms.)"""
    return int.from_bytes(os.urandom(4), "little") / (1 << 32)


class Course:
    """The state of one running project, and what its actions mean. One thread."""

    _output: Output
    _performer: Performer

    def __init__(self, project: Project) -> None:
        self._clock = time.monotonic
        self._project = project
        self._fleet = Fleet(project, chance)
        self._timers = Timers()
        self._finish: act.Finish | None = None
        self._stop_began: float | None = None

    def _perform(self, action: act.Action) -> None:
        if isinstance(action, act.Changed):
            self._output.changed(action)
        elif isinstance(action, act.SetTimer):
            self._timers.set(action.replica, action.timer, action.at)
        elif isinstance(action, act.StopBegan):
            if self._stop_began is None:
                self._stop_began = self._clock()
                self._timers.set(REMINDER, 0, self._stop_began + REMIND_AFTER)
                self._stop_begins()
            self._output.stop_began(action.reason, forced=action.forced)
        elif isinstance(action, act.ReadyChanged | act.HealthChanged):
            self._output.event(tell_check(action))
        elif isinstance(action, act.Finish):
            self._finish = action
        else:
            self._performer.perform(action)

    def _stop_begins(self) -> None:
        """The stop of the whole project: once, before any task hears of it."""

    def _sleep(self) -> float | None:
        """Seconds until the next timer is due, in parts; None: there is none."""
        at = self._timers.next()
        return None if at is None else min(LONGEST_SLEEP, max(0.0, at - self._clock()))

    def _remind(self) -> None:
        """A stop that lasts says whom it waits for: nobody should have to guess, or to kill us."""
        now = self._clock()
        words = waiting(self._fleet.replicas.values(), now)
        if words is not None:
            self._output.say(words)
        self._timers.set(REMINDER, 0, now + REMIND_EVERY)

    def _close(self, survivors: Iterable[str]) -> int:
        """Say how it all ended; the project's exit status."""
        assert self._finish is not None
        found = False
        for name in survivors:
            found = True
            self._output.say(f"could not be killed: {name}")
        how = "ended"
        if self._stop_began is not None:
            how = f"stopped in {self._clock() - self._stop_began:.1f} s"
        status = self._finish.status or (1 if found else 0)
        self._output.closing(f"{self._project.name} {how}, status {status}: {self._finish.reason}")
        return status
