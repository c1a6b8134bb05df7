"""The life of one replica: `step(state, event, now) -> (state, actions)`. Pure.

`TABLE` has a handler for every pair of state and event; a pair that means nothing says `ignore`.
The diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from procession.core import events as ev
from procession.core import task as on
from procession.core.actions import Action, Changed
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
    from procession.core.task import Handler


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
    if type(new.phase) is not type(state.phase):
        changed = Changed(new.replica, new.run, state.phase.name, new.phase.name, new.why)
        actions = [changed, *actions]
    return new, actions


_AT_REST: dict[type[ev.Event], Handler] = {
    ev.Begin: on.ignore,
    ev.StartAsked: on.start,
    ev.StopAsked: on.unwanted,
    ev.ForceAsked: on.unwanted,
    ev.TimerFired: on.ignore,
    ev.Spawned: on.ignore,
    ev.SpawnFailed: on.ignore,
    ev.LeaderExited: on.ignore,
    ev.TreeGrew: on.ignore,
    ev.TreeEmpty: on.ignore,
}

ROWS: dict[type[Phase], dict[type[ev.Event], Handler]] = {
    Pending: {
        ev.Begin: on.begin,
        ev.StartAsked: on.start,
        ev.StopAsked: on.not_any_more,
        ev.ForceAsked: on.not_any_more,
        ev.TimerFired: on.timer_starts,
        ev.Spawned: on.ignore,
        ev.SpawnFailed: on.ignore,
        ev.LeaderExited: on.ignore,
        ev.TreeGrew: on.ignore,
        ev.TreeEmpty: on.ignore,
    },
    Starting: {
        ev.Begin: on.ignore,
        ev.StartAsked: on.ignore,
        ev.StopAsked: on.cancel_starting,
        ev.ForceAsked: on.cancel_starting,
        ev.TimerFired: on.ignore,
        ev.Spawned: on.spawned,
        ev.SpawnFailed: on.spawn_failed,
        ev.LeaderExited: on.ignore,
        ev.TreeGrew: on.ignore,
        ev.TreeEmpty: on.ignore,
    },
    Running: {
        ev.Begin: on.ignore,
        ev.StartAsked: on.start_running,
        ev.StopAsked: on.stop_running,
        ev.ForceAsked: on.force_running,
        ev.TimerFired: on.ignore,
        ev.Spawned: on.ignore,
        ev.SpawnFailed: on.ignore,
        ev.LeaderExited: on.leader_exited,
        ev.TreeGrew: on.grown_running,
        ev.TreeEmpty: on.run_over,
    },
    Backoff: {
        ev.Begin: on.ignore,
        ev.StartAsked: on.start,
        ev.StopAsked: on.not_any_more,
        ev.ForceAsked: on.not_any_more,
        ev.TimerFired: on.timer_starts,
        ev.Spawned: on.ignore,
        ev.SpawnFailed: on.ignore,
        ev.LeaderExited: on.ignore,
        ev.TreeGrew: on.ignore,
        ev.TreeEmpty: on.ignore,
    },
    Stopping: {
        ev.Begin: on.ignore,
        ev.StartAsked: on.start_stopping,
        ev.StopAsked: on.stop_stopping,
        ev.ForceAsked: on.force_stopping,
        ev.TimerFired: on.next_rung,
        ev.Spawned: on.spawned_late,
        ev.SpawnFailed: on.spawn_failed_late,
        ev.LeaderExited: on.leader_exited_stopping,
        ev.TreeGrew: on.grown,
        ev.TreeEmpty: on.stop_over,
    },
    Stopped: _AT_REST,
    Completed: _AT_REST,
    Failed: _AT_REST,
    Skipped: _AT_REST,
}

TABLE: dict[tuple[type[Phase], type[ev.Event]], Handler] = {
    (phase, event): handler for phase, row in ROWS.items() for event, handler in row.items()
}
