"""What each event does to a run under way, but for what its checks say: see `core.checked`."""

from __future__ import annotations

from procession.core import events as ev
from procession.core import stop
from procession.core.actions import Action, Changed, EndChecks, Release
from procession.core.follow import run_over as follow_run
from procession.core.parts import climb_on, processes, put, with_phase
from procession.core.states import ReplicaState, Running, Stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.parts import Outcome


def start_running(s: ReplicaState, e: ev.StartAsked, now: float) -> Outcome:
    if running_of(s).exit is None:
        return s, []  # it is up
    s = s.replace(wanted=True, quick=0, times=(), why=f"{e.reason}, once its tree is empty")
    return with_phase(s, again=e.reason), []


def stop_running(s: ReplicaState, e: ev.StopAsked, now: float) -> Outcome:
    return bring_down(s.replace(wanted=False, why=e.reason), now, asked=True)


def force_running(s: ReplicaState, e: ev.ForceAsked, now: float) -> Outcome:
    s = s.replace(wanted=False, why=e.reason)
    s, actions = bring_down(s, now, asked=True, ladder=stop.Ladder(()))
    return with_phase(s, forced=True), actions


def restart_running(s: ReplicaState, e: ev.RestartAsked | ev.RestartWith, now: float) -> Outcome:
    if isinstance(e, ev.RestartAsked):
        s = s.replace(wanted=True, quick=0, times=())
    elif not s.wanted:
        return s, []
    if s.hold is not None and s.hold.first:
        s = with_phase(s.replace(why=f"{e.reason}; waits for {s.hold.by}"), planned=e.reason)
        return s, [Changed(s.replica, s.run, "running", "running", s.why)]
    return bring_down(s.replace(why=e.reason), now, asked=True, again=e.reason)


def held_running(s: ReplicaState, e: ev.Held, now: float) -> Outcome:
    """A restart that was planned begins when those are down that restart with it."""
    s = s.replace(hold=e.hold)
    planned = running_of(s).planned
    if planned is None or (e.hold is not None and e.hold.first):
        return s, []
    return bring_down(s.replace(why=planned), now, asked=True, again=planned)


def stop_planned_running(s: ReplicaState, e: ev.StopPlanned, now: float) -> Outcome:
    """It stays up for a while: what depends on it ends first."""
    return with_phase(s.replace(wanted=False, why=e.reason), again=None, planned=None), []


def leader_exited(s: ReplicaState, e: ev.LeaderExited, now: float) -> Outcome:
    running = running_of(s)
    if running.exit is not None:
        return s, []  # how a leader ended is told once
    ended = running.replace(
        exit=e.status, exit_at=now, checked=False, ready_by=None, told="", ends_by=None
    )
    s = s.replace(phase=ended, why=str(e.status), exit=e.status, ready=False, healthy=None)
    if running.ready_by is not None or running.ends_by is not None:
        s = s.replace(timer=s.timer + 1)  # that time limit is over with the leader
    actions: list[Action] = []
    if e.left > 0:  # else TreeEmpty follows as soon as the output is read
        s, actions = _left_behind(s, f"{processes(e.left)} it left", now)
    if running.checked:
        put(actions, EndChecks(e.replica, e.run))
    return s, actions


def grown_running(s: ReplicaState, e: ev.TreeGrew, now: float) -> Outcome:
    """A tree may grow as it likes; but what outlives its leader is left behind, however late it
    comes to light: one look at a tree that is forking can miss a part of it."""
    if running_of(s).exit is None:
        return s, []
    return _left_behind(s, "what it left", now)


def _left_behind(s: ReplicaState, what: str, now: float) -> Outcome:
    running = running_of(s)
    if s.task.leftover == "leave":
        after, actions = follow_run(s, running, now)
        return after, [Release(s.replica, s.run, False), *actions]
    if s.task.leftover == "wait":
        waits = f"leader {running.exit}, waits for "
        if running.again is not None or s.why.startswith(waits):  # it was told
            return s, []
        s = s.replace(why=waits + what)
        return s, [Changed(s.replica, s.run, "running", "running", s.why)]
    return bring_down(s.replace(why=f"leader {running.exit}, stops {what}"), now, asked=False)


def run_over(s: ReplicaState, e: ev.TreeEmpty, now: float) -> Outcome:
    return follow_run(s, running_of(s), now)


def bring_down(
    s: ReplicaState,
    now: float,
    *,
    asked: bool,
    again: str | None = None,
    failing: str = "",
    ladder: stop.Ladder | None = None,
) -> Outcome:
    """Its stop begins: wished for (`asked`), or for what the leader left, or because it fails a
    check. `again` is why a new run follows whatever the policy says."""
    running = running_of(s)
    if ladder is None:
        # without the leader its group may be gone as well
        ladder = stop.ladder_of(s.task.stop, to=None if running.exit is None else "tree")
    if not asked:
        again = running.planned if running.again is None else running.again
    climb, move = stop.begin(ladder, now)
    phase = Stopping(
        running.pid,
        running.since,
        None,
        asked,
        exit=running.exit,
        exit_at=now if failing else running.exit_at,
        again=again,
        failing=failing,
    )
    healthy = s.healthy if failing else None
    s = s.replace(phase=phase, ready=False, healthy=healthy, since=now)
    s, actions = climb_on(s, climb, move, now)
    if running.checked:
        put(actions, EndChecks(s.replica, s.run))
    return s, actions


def running_of(s: ReplicaState) -> Running:
    assert isinstance(s.phase, Running)
    return s.phase
