"""What each event does to a replica, one handler each. `core.table` says which applies when.

Pure. A handler gets the state, the event and the time, and gives the next state and the actions.
"""

from __future__ import annotations

from procession.core import events as ev
from procession.core import restart as policy
from procession.core import stop
from procession.core.actions import (
    Action,
    Changed,
    KillTree,
    Release,
    SetTimer,
    SignalTree,
    Spawn,
)
from procession.core.states import (
    Backoff,
    Completed,
    Failed,
    Phase,
    ReplicaState,
    Running,
    Starting,
    Stopped,
    Stopping,
)
from procession.core.status import ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Outcome = tuple[ReplicaState, list[Action]]
    Handler = Callable[[ReplicaState, Any, float], Outcome]


def ignore(state: ReplicaState, event: ev.Event, now: float) -> Outcome:
    """This event means nothing in this state."""
    return state, []


# --- towards a run ---------------------------------------------------------------------------


def begin(s: ReplicaState, e: ev.Begin, now: float) -> Outcome:
    if s.task.start_delay > 0:
        s = s.replace(wanted=True, why=f"waits {_seconds(s.task.start_delay)} before its start")
        s, actions = _alarm(s, now + s.task.start_delay)
        return s, [Changed(s.replica, s.run, "pending", "pending", s.why), *actions]
    return _spawn(s, "started with the project")


def start(s: ReplicaState, e: ev.StartAsked, now: float) -> Outcome:
    if s.survivors:
        return s.replace(why="not started: what its last run left could not be killed"), []
    return _spawn(s.replace(quick=0), e.reason)


def unwanted(s: ReplicaState, e: ev.StopAsked | ev.ForceAsked, now: float) -> Outcome:
    """It has ended already, and how it ended stays told; only the wish is new."""
    return s.replace(wanted=False), []


def timer_starts(s: ReplicaState, e: ev.TimerFired, now: float) -> Outcome:
    if isinstance(s.phase, Backoff):
        return _spawn(s.replace(restarts=s.restarts + 1), f"restarted: {s.phase.cause}")
    return _spawn(s, "started after its delay")


def _spawn(s: ReplicaState, why: str) -> Outcome:
    # a new timer number makes every timer still under way stale
    s = s.replace(phase=Starting(), wanted=True, why=why, run=s.run + 1, timer=s.timer + 1)
    return s, [Spawn(s.replica, s.run)]


def not_any_more(s: ReplicaState, e: ev.StopAsked | ev.ForceAsked, now: float) -> Outcome:
    s = s.replace(phase=Stopped(), wanted=False, why=e.reason, timer=s.timer + 1)
    return s, []


def spawned(s: ReplicaState, e: ev.Spawned, now: float) -> Outcome:
    return s.replace(phase=Running(e.pid, now), why=f"{s.why}, pid {e.pid}"), []


def spawn_failed(s: ReplicaState, e: ev.SpawnFailed, now: float) -> Outcome:
    why = f"could not start: {e.error}"
    return _run_ended(s, why, False, e.status, lasted=0.0, now=now)


# --- a run under way -------------------------------------------------------------------------


def start_running(s: ReplicaState, e: ev.StartAsked, now: float) -> Outcome:
    if _running(s).exit is None:
        return s, []  # it is up
    s = s.replace(wanted=True, quick=0, why=f"{e.reason}, once its tree is empty")
    return _with_phase(s, again=e.reason), []


def stop_running(s: ReplicaState, e: ev.StopAsked, now: float) -> Outcome:
    running = _running(s)
    to = None if running.exit is None else "tree"  # the group may be gone with its leader
    climb, move = stop.begin(stop.ladder_of(s.task.stop, to=to), now)
    return _descend(s.replace(wanted=False, why=e.reason), running, climb, move, True, now)


def force_running(s: ReplicaState, e: ev.ForceAsked, now: float) -> Outcome:
    climb, move = stop.begin(stop.Ladder(()), now)
    s, actions = _descend(
        s.replace(wanted=False, why=e.reason), _running(s), climb, move, True, now
    )
    return _with_phase(s, forced=True), actions


def leader_exited(s: ReplicaState, e: ev.LeaderExited, now: float) -> Outcome:
    running = _running(s)
    if running.exit is not None:
        return s, []  # how a leader ended is told once
    s = s.replace(phase=running.replace(exit=e.status, exit_at=now), why=str(e.status))
    if e.left == 0:
        return s, []  # TreeEmpty follows as soon as the output is read
    return _left_behind(s, f"{_processes(e.left)} it left", now)


def grown_running(s: ReplicaState, e: ev.TreeGrew, now: float) -> Outcome:
    """A tree may grow as it likes; but what outlives its leader is left behind, however late it
    comes to light: one look at a tree that is forking can miss a part of it."""
    if _running(s).exit is None:
        return s, []
    return _left_behind(s, "what it left", now)


def _left_behind(s: ReplicaState, what: str, now: float) -> Outcome:
    running = _running(s)
    if s.task.leftover == "leave":
        after, actions = _run_over(s, running, now)
        return after, [Release(s.replica, s.run, False), *actions]
    if s.task.leftover == "wait":
        if running.again is not None:
            return s, []
        s = s.replace(why=f"leader {running.exit}, waits for {what}")
        return s, [Changed(s.replica, s.run, "running", "running", s.why)]
    climb, move = stop.begin(stop.ladder_of(s.task.stop, to="tree"), now)
    why = f"leader {running.exit}, stops {what}"
    return _descend(s.replace(why=why), running, climb, move, False, now)


def run_over(s: ReplicaState, e: ev.TreeEmpty, now: float) -> Outcome:
    return _run_over(s, _running(s), now)


def _descend(
    s: ReplicaState, running: Running, climb: stop.Climb, move: stop.Move, asked: bool, now: float
) -> Outcome:
    phase = Stopping(
        running.pid,
        running.since,
        climb,
        asked,
        exit=running.exit,
        exit_at=running.exit_at,
        again=None if asked else running.again,
    )
    return _carry_out(s.replace(phase=phase), climb, move, now)


# --- a tree on its way down ------------------------------------------------------------------


def stop_stopping(s: ReplicaState, e: ev.StopAsked, now: float) -> Outcome:
    return _with_phase(s.replace(wanted=False, why=e.reason), asked=True, again=None), []


def start_stopping(s: ReplicaState, e: ev.StartAsked, now: float) -> Outcome:
    # the next run waits for this one's tree: two of them never live at once
    s = s.replace(wanted=True, quick=0, why=f"{e.reason}, once its tree is empty")
    return _with_phase(s, asked=True, again=e.reason), []


def force_stopping(s: ReplicaState, e: ev.ForceAsked, now: float) -> Outcome:
    phase = _stopping(s)
    s = s.replace(wanted=False, why=e.reason)
    if phase.climb is None:
        return _with_phase(s, asked=True, forced=True, again=None), []
    climb, move = stop.force(phase.climb, now)
    s = _with_phase(s, asked=True, climb=climb, forced=True, again=None)
    if climb == phase.climb:  # killing already: its deadline stands, so its timer does
        return s, _moves(s, move)
    return _carry_out(s, climb, move, now)


def next_rung(s: ReplicaState, e: ev.TimerFired, now: float) -> Outcome:
    phase = _stopping(s)
    if phase.climb is None:
        return s, []
    climb, move = stop.expired(phase.climb, now)
    if isinstance(move, stop.GiveUp):
        return _give_up(s)
    return _carry_out(_with_phase(s, forced=climb.killing), climb, move, now)


def spawned_late(s: ReplicaState, e: ev.Spawned, now: float) -> Outcome:
    phase = _stopping(s)
    if phase.climb is not None:
        return s, []
    ladder = stop.Ladder(()) if phase.forced else stop.ladder_of(s.task.stop)
    climb, move = stop.begin(ladder, now)
    return _carry_out(_with_phase(s, pid=e.pid, climb=climb), climb, move, now)


def spawn_failed_late(s: ReplicaState, e: ev.SpawnFailed, now: float) -> Outcome:
    if _stopping(s).climb is not None:
        return s, []  # it did start: its tree's end is what counts
    return _down(s, now)


def leader_exited_stopping(s: ReplicaState, e: ev.LeaderExited, now: float) -> Outcome:
    phase = _stopping(s)
    if phase.climb is None or phase.exit is not None:
        return s, []  # not of this run, or told before
    s = _with_phase(s, exit=e.status, exit_at=now)
    if e.left == 0:
        return s, []
    return s, _moves(s, stop.grown(phase.climb, leader_lives=False))


def grown(s: ReplicaState, e: ev.TreeGrew, now: float) -> Outcome:
    phase = _stopping(s)
    if phase.climb is None:
        return s, []
    return s, _moves(s, stop.grown(phase.climb, leader_lives=phase.exit is None))


def stop_over(s: ReplicaState, e: ev.TreeEmpty, now: float) -> Outcome:
    if _stopping(s).climb is None:
        return s, []  # a tree that is not known to have begun cannot have ended
    return _down(s, now)


def _down(s: ReplicaState, now: float) -> Outcome:
    phase = _stopping(s)
    if not s.wanted:
        s = s.replace(phase=Stopped(), why=f"{s.why}, {_how_it_ended(phase)}", timer=s.timer + 1)
        return s, []
    ended = Running(phase.pid or 0, phase.since, phase.exit, phase.exit_at, phase.again)
    return _run_over(s, ended, now)


def _give_up(s: ReplicaState) -> Outcome:
    # whatever was wanted next, another run beside processes that cannot be killed is not
    phase = _stopping(s)
    s = s.replace(timer=s.timer + 1, survivors=True)
    release = Release(s.replica, s.run, True)
    if not s.wanted:
        why = f"{s.why}, what is left could not be killed"
        return s.replace(phase=Stopped(), why=why), [release]
    ended = phase.exit or ExitStatus()
    good = ended.succeeded(s.task.success_exit_codes)
    if phase.again is not None or policy.wanted_again(s.task.restart, succeeded=good):
        why = "not started again: what its last run left could not be killed"
    else:
        why = f"{ended}, and what it left could not be killed"
    # losing hold of processes is a failure, also of a leader that ended well
    return s.replace(phase=Failed(ended.shell_status or 1), why=why), [release]


def cancel_starting(s: ReplicaState, e: ev.StopAsked | ev.ForceAsked, now: float) -> Outcome:
    forced = isinstance(e, ev.ForceAsked)
    phase = Stopping(None, now, None, True, forced=forced)
    return s.replace(phase=phase, wanted=False, why=e.reason), []


# --- what follows an end ---------------------------------------------------------------------


def _run_over(s: ReplicaState, ended: Running, now: float) -> Outcome:
    """Nothing of the run is left, or watched; nobody asked for its end."""
    if ended.again is not None:
        return _spawn(s, ended.again)
    status = ended.exit or ExitStatus()
    good = status.succeeded(s.task.success_exit_codes)
    # Neither what clearing away took nor the reading of the output counts as a stable time:
    # a crash loop that leaves deaf processes behind would never be slowed down.
    until = now if s.task.leftover == "wait" or ended.exit_at is None else ended.exit_at
    return _run_ended(
        s,
        str(status),
        good,
        status.shell_status,
        lasted=until - ended.since,
        now=now,
        ended=status,
    )


def _run_ended(
    s: ReplicaState,
    why: str,
    good: bool,
    status: int,
    *,
    lasted: float,
    now: float,
    ended: ExitStatus | None = None,
) -> Outcome:
    s = s.replace(quick=policy.quick_ends(s.quick, lasted), timer=s.timer + 1)
    if ended is not None:
        hint = "" if good else ended.hint
        why = f"{why} after {_duration(lasted)}" + (f" ({hint})" if hint else "")
    if policy.wanted_again(s.task.restart, succeeded=good):
        pause = policy.delay(s.task.restart, s.quick, ran=ended is not None)
        if pause <= 0:
            return _spawn(s.replace(restarts=s.restarts + 1), f"restarted: {why}")
        s = s.replace(phase=Backoff(why), why=f"{why}; the next run is due in {_seconds(pause)}")
        return _alarm(s, now + pause)
    phase: Phase = Completed(ended) if good and ended is not None else Failed(status)
    return s.replace(phase=phase, why=why), []


# --- small parts -----------------------------------------------------------------------------


def _alarm(s: ReplicaState, at: float) -> Outcome:
    s = s.replace(timer=s.timer + 1)
    return s, [SetTimer(s.replica, s.timer, at)]


def _carry_out(s: ReplicaState, climb: stop.Climb, move: stop.Move, now: float) -> Outcome:
    s, alarm = _alarm(_with_phase(s, climb=climb), climb.deadline)
    return s, [*_moves(s, move), *alarm]


def _moves(s: ReplicaState, move: stop.Move | None) -> list[Action]:
    if move is None:
        return []
    if isinstance(move, stop.Ask):
        return [SignalTree(s.replica, s.run, move.signal, move.to, move.unheard)]
    return [KillTree(s.replica, s.run)]


def _with_phase(s: ReplicaState, **changes: object) -> ReplicaState:
    return s.replace(phase=s.phase.replace(**changes))


def _running(s: ReplicaState) -> Running:
    assert isinstance(s.phase, Running)
    return s.phase


def _stopping(s: ReplicaState) -> Stopping:
    assert isinstance(s.phase, Stopping)
    return s.phase


def _how_it_ended(phase: Stopping) -> str:
    if phase.climb is None:
        return "it had not started"
    how = str(phase.exit) if phase.exit is not None else "ended"
    return how + (", forced" if phase.forced else "")


def _seconds(value: float) -> str:
    return f"{value:g} s"


def _duration(seconds: float) -> str:
    """`0.3 s`, `42 s`, `12 min`, `3 h 20 min`: as exact as somebody wants to know it."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = int(seconds / 60 + 0.5)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
