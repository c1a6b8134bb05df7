"""The life of one replica: `step(state, event, now) -> (state, actions)`. Pure.

`TABLE` has a handler for every pair of state and event; a pair that means nothing says `ignore`.
The diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from procession.core import begin, checked, running, stopping
from procession.core import events as ev
from procession.core.actions import Action, Changed, ReadyChanged
from procession.core.begin import ignore
from procession.core.parts import put
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
    Stopping,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.parts import Handler


def step(state: ReplicaState, event: ev.Event, now: float) -> tuple[ReplicaState, list[Action]]:
    """What becomes of a replica when `event` happens at `now`, and what is to be done.

    Events of an earlier run, and timers that were replaced, are dropped. The new state is told
    before the actions that come of it.
    Raises KeyError, naming both, for an event that is not of core.events.
    """
    if isinstance(event, ev.RunEvent) and event.run != state.run:
        return state, []
    if isinstance(event, ev.TimerFired) and event.timer != state.timer:
        return state, []
    new, actions = TABLE[type(state.phase), type(event)](state, event, now)
    if state.ready and not new.ready and (state.task.ready is not None or state.task.completes):
        put(actions, ReadyChanged(state.replica, state.run, False, new.why))
    if type(new.phase) is not type(state.phase):
        if new.since != now:
            new = new.replace(since=now)
        changed = Changed(new.replica, new.run, state.phase.name, new.phase.name, new.why)
        actions.insert(0, changed)
    return new, actions


# What is said of a run where none is under way.
_NO_RUN: dict[type[ev.Event], Handler] = {
    ev.Spawned: ignore,
    ev.SpawnFailed: ignore,
    ev.LeaderExited: ignore,
    ev.TreeGrew: ignore,
    ev.TreeEmpty: ignore,
    ev.CheckPassed: ignore,
    ev.CheckFailed: ignore,
    ev.CheckTold: ignore,
    ev.StatusTold: ignore,
    ev.ExtendAsked: ignore,
    ev.StoppingTold: ignore,
    ev.CommandEnded: ignore,
}

_AT_REST: dict[type[ev.Event], Handler] = {
    ev.Begin: ignore,
    ev.StartAsked: begin.start,
    ev.StopAsked: begin.unwanted,
    ev.ForceAsked: begin.unwanted,
    ev.RestartAsked: begin.start,
    ev.RestartWith: ignore,
    ev.StopPlanned: begin.unwanted,
    ev.Held: begin.note_hold,
    ev.TimerFired: ignore,
    **_NO_RUN,
}

ROWS: dict[type[Phase], dict[type[ev.Event], Handler]] = {
    Pending: {
        ev.Begin: begin.begin,
        ev.StartAsked: begin.start,
        ev.StopAsked: begin.not_any_more,
        ev.ForceAsked: begin.not_any_more,
        ev.RestartAsked: begin.start,
        ev.RestartWith: ignore,
        ev.StopPlanned: begin.not_any_more,
        ev.Held: begin.held_pending,
        ev.TimerFired: begin.pending_over,
        **_NO_RUN,
    },
    Starting: {
        **_NO_RUN,
        ev.Begin: ignore,
        ev.StartAsked: ignore,
        ev.StopAsked: begin.cancel_starting,
        ev.ForceAsked: begin.cancel_starting,
        ev.RestartAsked: begin.restart_starting,
        ev.RestartWith: begin.restart_starting,
        ev.StopPlanned: begin.stop_planned,
        ev.Held: begin.note_hold,
        ev.TimerFired: ignore,
        ev.Spawned: begin.spawned,
        ev.SpawnFailed: begin.spawn_failed,
    },
    Running: {
        ev.Begin: ignore,
        ev.StartAsked: running.start_running,
        ev.StopAsked: running.stop_running,
        ev.ForceAsked: running.force_running,
        ev.RestartAsked: running.restart_running,
        ev.RestartWith: running.restart_running,
        ev.StopPlanned: running.stop_planned_running,
        ev.Held: running.held_running,
        ev.TimerFired: checked.running_over,
        ev.Spawned: ignore,
        ev.SpawnFailed: ignore,
        ev.LeaderExited: running.leader_exited,
        ev.TreeGrew: running.grown_running,
        ev.TreeEmpty: running.run_over,
        ev.CheckPassed: checked.check_passed,
        ev.CheckFailed: checked.check_failed,
        ev.CheckTold: checked.check_told,
        ev.StatusTold: checked.status_told,
        ev.ExtendAsked: checked.extend_running,
        ev.StoppingTold: checked.stopping_told,
        ev.CommandEnded: ignore,
    },
    Backoff: {
        ev.Begin: ignore,
        ev.StartAsked: begin.start,
        ev.StopAsked: begin.not_any_more,
        ev.ForceAsked: begin.not_any_more,
        ev.RestartAsked: begin.start,
        ev.RestartWith: ignore,
        ev.StopPlanned: begin.not_any_more,
        ev.Held: begin.note_hold,
        ev.TimerFired: begin.backoff_over,
        **_NO_RUN,
    },
    Stopping: {
        ev.Begin: ignore,
        ev.StartAsked: stopping.start_stopping,
        ev.StopAsked: stopping.stop_stopping,
        ev.ForceAsked: stopping.force_stopping,
        ev.RestartAsked: stopping.start_stopping,
        ev.RestartWith: ignore,
        ev.StopPlanned: stopping.stop_stopping,
        ev.Held: begin.note_hold,
        ev.TimerFired: stopping.next_rung,
        ev.Spawned: stopping.spawned_late,
        ev.SpawnFailed: stopping.spawn_failed_late,
        ev.LeaderExited: stopping.leader_exited_stopping,
        ev.TreeGrew: stopping.grown,
        ev.TreeEmpty: stopping.stop_over,
        ev.CheckPassed: ignore,
        ev.CheckFailed: ignore,
        ev.CheckTold: ignore,
        ev.StatusTold: checked.status_told,
        ev.ExtendAsked: stopping.extend_stopping,
        ev.StoppingTold: ignore,
        ev.CommandEnded: stopping.command_ended,
    },
    Stopped: _AT_REST,
    Completed: _AT_REST,
    Failed: _AT_REST,
    Skipped: {**_AT_REST, ev.Held: begin.held_skipped},
}

TABLE: dict[tuple[type[Phase], type[ev.Event]], Handler] = {
    (phase, event): handler for phase, row in ROWS.items() for event, handler in row.items()
}
