"""All replicas of a project, and what their ends mean for the whole. Deterministic; no clock.

`handle(event, now)` gives the actions in order. The fleet is the one mutable thing of the core:
copying ten thousand replicas for every event would make each event dearer the more there are.
"""

from __future__ import annotations

from procession.core import events as ev
from procession.core.actions import Action, Finish, StopBegan
from procession.core.states import Completed, Failed, Phase, ReplicaState, Stopped
from procession.core.table import step
from procession.spec import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WITH_PROJECT = "the project stops"  # why each task does; why it does is told once

Happening = ev.Event | ev.BeginAll | ev.StopAllAsked | ev.ForceAllAsked


def no_chance() -> float:
    """Where nothing is left to chance."""
    return 0.0


class Fleet:
    """The replicas of one running project. Owned by one thread.

    `draw` gives a number from 0 up to 1, by chance, for what should not happen all at once.

    After a Finish action nothing more happens: further events give no actions.
    """

    def __init__(self, project: Project, draw: Callable[[], float] = no_chance) -> None:
        self.replicas: dict[str, ReplicaState] = {
            r.name: ReplicaState(r.name, r.task, index=r.index) for r in project.replicas()
        }
        self._draw = draw
        self._open = len(self.replicas)  # how many have not ended
        self._failures: dict[str, tuple[int, str]] = {}  # of those that failed and stay so
        self._verdict: tuple[int, str] | None = None  # what the whole ends with, once it is known
        self.forced = False  # a person is tired of waiting
        self._finished = False

    @property
    def stopping(self) -> bool:
        """Whether the whole project is on its way down."""
        return self._verdict is not None

    def handle(self, event: Happening, now: float) -> list[Action]:
        """What is to be done because of `event`. Raises KeyError for an unknown replica."""
        if self._finished:
            return []
        actions: list[Action] = []
        if isinstance(event, ev.Event):
            self._step(event, now, actions)
        elif isinstance(event, ev.BeginAll):
            for name in self.replicas:
                self._step(ev.Begin(name), now, actions)
        else:
            forced = isinstance(event, ev.ForceAllAsked)
            self._stop_all(event.reason, 0, now, actions, forced=forced)
        if self._open == 0:
            self._finished = True
            first_failure = next(iter(self._failures.values()), None)
            actions.append(Finish(*(self._verdict or first_failure or (0, "all tasks ended"))))
        return actions

    def _step(self, event: ev.Event, now: float, actions: list[Action]) -> None:
        before = self.replicas[event.replica]
        if self.stopping and isinstance(event, ev.StartAsked | ev.Begin):
            return  # the last wish for the whole project outlives a wish for one task
        after, more = step(before, event, now)
        self.replicas[event.replica] = after
        actions.extend(more)
        self._open += before.ended - after.ended
        if after.ended and not before.ended:
            self._one_ended(after, now, actions)
        elif before.ended and not after.ended:
            # somebody saw the failure and mended it: what it comes to now is what counts
            self._failures.pop(after.replica, None)

    def _one_ended(self, replica: ReplicaState, now: float, actions: list[Action]) -> None:
        phase = replica.phase
        if isinstance(phase, Stopped) or self.stopping:
            return
        if replica.task.quit_on_terminate:
            reason = f"{replica.replica} ended: {replica.why}"
            self._stop_all(reason, _status_of(phase), now, actions, forced=False)
        elif isinstance(phase, Failed):
            reason = f"{replica.replica} failed: {replica.why}"
            self._failures[replica.replica] = (_status_of(phase), reason)

    def _stop_all(
        self, reason: str, status: int, now: float, actions: list[Action], *, forced: bool
    ) -> None:
        if self.stopping and not forced:
            return  # all are on their way down; some managers repeat themselves every second
        if not self.forced:
            actions.append(StopBegan(reason, forced))
        self._verdict = self._verdict or (status, reason)
        self.forced = self.forced or forced
        ask = ev.ForceAsked if forced else ev.StopAsked
        for name in self.replicas:
            self._step(ask(name, WITH_PROJECT), now, actions)


def _status_of(phase: Phase) -> int:
    if isinstance(phase, Completed):
        return phase.exit.shell_status
    # a code outside success-exit-codes may be 0: a failure must not look like success
    return phase.status or 1 if isinstance(phase, Failed) else 0
