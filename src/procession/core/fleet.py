"""All replicas of a project, and what their ends mean for the whole. Deterministic; no clock.

`handle(event, now)` gives the actions in order. The fleet is the one mutable thing of the core:
copying ten thousand replicas for every event would make each event dearer the more there are.
"""

from __future__ import annotations

from procession.core import events as ev
from procession.core.actions import Action, Finish, SetTimer, StopBegan
from procession.core.parts import seconds
from procession.core.restart import is_drawn
from procession.core.states import (
    Backoff,
    Completed,
    Failed,
    Pending,
    Phase,
    ReplicaState,
    Running,
    Skipped,
    Starting,
    Stopped,
)
from procession.core.table import step
from procession.spec import Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.core.order import Order

WITH_PROJECT = "the project stops"  # why each task does; why it does is told once
AFTER_OTHERS = "the project stops, and what depends on it first"
NOT_WITH_PROJECT = "it does not start with the project"  # autostart: false

Happening = ev.Event | ev.BeginAll | ev.StopAllAsked | ev.ForceAllAsked

# wishes for one task that do not outlive the last wish for the whole project
# (tuples: what `A | B` makes anew each time is dearer than to look into it)
_ASKED_UP = (ev.StartAsked, ev.RestartAsked)
_RESTARTS = (ev.RestartAsked, ev.RestartWith)
_WISHES_UP = (ev.Begin, ev.StartAsked, ev.RestartAsked, ev.RestartWith)
_MAY_END_A_RUN = (ev.TreeEmpty, ev.SpawnFailed, ev.LeaderExited, ev.TreeGrew)


def no_chance() -> float:
    """Where nothing is left to chance."""
    return 0.0


class Fleet:
    """The replicas of one running project. Owned by one thread.

    `draw` gives a number from 0 up to 1, by chance, for what should not happen all at once.
    After a Finish action nothing more happens: further events give no actions. `stays`: what was
    stopped by a wish, or did not start with the project, may be started later, so that there is no
    end before that of everything is asked for.
    Raises ValueError for tasks that depend on each other in a circle, or on none that is there.
    """

    def __init__(
        self, project: Project, draw: Callable[[], float] = no_chance, *, stays: bool = False
    ) -> None:
        self.replicas: dict[str, ReplicaState] = {
            r.name: ReplicaState(r.name, r.task, index=r.index) for r in project.replicas()
        }
        self._project = project
        self._stays = stays
        self._draw = draw
        self._order: Order | None = None
        if any(state.task.depends_on for state in self.replicas.values()):
            from procession.core.order import Order  # only who needs it pays for it

            self._order = Order(project.tasks, self.replicas)
        self._next: list[ev.Event] = []  # what one replica's change means to others, in order
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
        if isinstance(event, ev.BeginAll):
            self._begin_all(now, actions)
        elif not isinstance(event, ev.Event):
            forced = isinstance(event, ev.ForceAllAsked)
            self._stop_all(event.reason, 0, now, actions, forced=forced)
        elif event.replica == ev.PROJECT:
            self._time_is_up(now, actions)
        else:
            self._happens(event, now, actions)
        if self._next:
            self._go_on(now, actions)
        if self._open == 0 and not self._may_go_on():
            self._finished = True
            first_failure = next(iter(self._failures.values()), None)
            actions.append(Finish(*(self._verdict or first_failure or (0, "all tasks ended"))))
        return actions

    def _may_go_on(self) -> bool:
        """Though nothing lives: somebody may want one of those again that were stopped."""
        if not self._stays or self.stopping:
            return False
        return any(isinstance(state.phase, Stopped) for state in self.replicas.values())

    def _begin_all(self, now: float, actions: list[Action]) -> None:
        wanted = [task.name for task in self._project.tasks if task.autostart]
        everyone = len(wanted) == len(self._project.tasks)
        needed = dict.fromkeys(wanted) if self._order is None else self._order.needed(wanted)
        for name, state in list(self.replicas.items()):
            if everyone or state.task.name in needed:
                self._step(ev.Begin(name), now, actions)
            elif isinstance(state.phase, Pending) and not state.phase.for_:
                self._step(ev.StopAsked(name, NOT_WITH_PROJECT), now, actions)

    # --- one event ---------------------------------------------------------------------------

    def _go_on(self, now: float, actions: list[Action]) -> None:
        """Until no change means anything to anybody else. No recursion: chains may be long."""
        while self._next:
            events, self._next = self._next, []
            for event in events:
                self._happens(event, now, actions)

    def _happens(self, event: ev.Event, now: float, actions: list[Action]) -> None:
        if self._order is None or self.stopping:
            if not isinstance(event, ev.Held):  # nobody waits for anything any more
                self._step(event, now, actions)
            return
        if isinstance(event, ev.Held):
            event = self._order.held(event.replica)  # what came between may have changed it
        elif isinstance(event, _ASKED_UP):
            self._start_missing(self._order, event, now, actions)
        if isinstance(event, _RESTARTS):
            self._restart_with(self._order, event, now, actions)
        self._step(event, now, actions)

    def _start_missing(
        self,
        order: Order,
        event: ev.StartAsked | ev.RestartAsked,
        now: float,
        actions: list[Action],
    ) -> None:
        """Who wants a task up wants up what it needs."""
        reason = f"{event.replica} needs it: {event.reason}"
        for name in order.missing(event.replica):
            self._step(ev.StartAsked(name, reason), now, actions)
            self._go_on(now, actions)  # what holds the next has changed

    def _restart_with(
        self,
        order: Order,
        event: ev.RestartAsked | ev.RestartWith,
        now: float,
        actions: list[Action],
    ) -> None:
        """Those that restart with it have to be down before it is."""
        state = self.replicas[event.replica]
        goes = isinstance(state.phase, Starting | Running) or isinstance(event, ev.RestartAsked)
        if goes and not state.survivors:
            for told in order.leads(state):
                if isinstance(told, ev.Held):
                    self._step(told, now, actions)
                else:
                    self._next.append(told)

    def _step(self, event: ev.Event, now: float, actions: list[Action]) -> None:
        before = self.replicas[event.replica]
        if self.stopping and isinstance(event, _WISHES_UP):
            return  # the last wish for the whole project outlives a wish for one task
        if isinstance(event, _MAY_END_A_RUN) and is_drawn(before.task.restart):
            before = before.replace(chance=self._draw())
        after, more = step(before, event, now)
        actions.extend(more)
        if after is before:
            return
        self.replicas[event.replica] = after
        if self._order is not None and not self.stopping:
            self._next += self._order.changed(before, after, now)
            if after.leads and isinstance(after.phase, Backoff) and after.phase is not before.phase:
                self._next += self._order.leads(after)
        if after.phase is before.phase or not (before.ended or after.ended):
            return
        self._open += before.ended - after.ended
        if before.ended:
            # somebody saw the failure and mended it: what it comes to now is what counts
            self._failures.pop(after.replica, None)
        if after.ended:
            self._one_ended(after, now, actions)

    def _one_ended(self, replica: ReplicaState, now: float, actions: list[Action]) -> None:
        phase, task = replica.phase, replica.task
        if self.stopping:
            if self._order is not None:
                turn = self._order.ended(replica.replica)
                self._next += [ev.StopAsked(name, WITH_PROJECT) for name in turn]
            return
        if isinstance(phase, Stopped):
            return
        status = _status_of(phase)
        ended, failed = ("was skipped",) * 2 if isinstance(phase, Skipped) else ("ended", "failed")
        if task.quit_on_terminate or task.name == self._project.exit_code_from:
            if isinstance(phase, Skipped) and status == 0:
                status = next((status for status, _ in self._failures.values()), 1)
            reason = f"{replica.replica} {ended}: {replica.why}"
            self._stop_all(reason, status, now, actions, forced=False)
        elif status and not isinstance(phase, Completed):
            reason = f"{replica.replica} {failed}: {replica.why}"
            self._failures[replica.replica] = (status, reason)
            if self._project.abort_on_failure:
                self._stop_all(reason, status, now, actions, forced=False)

    # --- the stop of all ---------------------------------------------------------------------

    def _stop_all(
        self, reason: str, status: int, now: float, actions: list[Action], *, forced: bool
    ) -> None:
        if self.stopping and not forced:
            return  # all are on their way down; some managers repeat themselves every second
        if not self.forced:
            actions.append(StopBegan(reason, forced))
        first = not self.stopping
        self._verdict = self._verdict or (status, reason)
        self.forced = self.forced or forced
        waiting: set[str] = set()
        if first:
            self._next.clear()  # nobody waits for anything any more, and nobody restarts
            if self._order is not None:
                waiting = self._order.begin_stop()
            if self._project.stop_timeout is not None and not forced:
                at = now + self._project.stop_timeout
                actions.append(SetTimer(ev.PROJECT, 1, at))
        ask = ev.ForceAsked if forced else ev.StopAsked
        for name in self.replicas:
            if name in waiting and not forced:
                self._step(ev.StopPlanned(name, AFTER_OTHERS), now, actions)
            else:
                self._step(ask(name, WITH_PROJECT), now, actions)

    def _time_is_up(self, now: float, actions: list[Action]) -> None:
        if self.stopping and not self.forced:
            assert self._project.stop_timeout is not None
            reason = f"the stop took longer than {seconds(self._project.stop_timeout)}"
            self._stop_all(reason, 0, now, actions, forced=True)


def _status_of(phase: Phase) -> int:
    if isinstance(phase, Completed):
        return phase.exit.shell_status
    if isinstance(phase, Skipped):
        return phase.status
    # a code outside success-exit-codes may be 0: a failure must not look like success
    return phase.status or 1 if isinstance(phase, Failed) else 0
