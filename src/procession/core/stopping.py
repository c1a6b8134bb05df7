"""What each event does to a tree on its way down."""

from __future__ import annotations

from procession.core import events as ev
from procession.core import restart as policy
from procession.core import stop
from procession.core.actions import Action, Changed, Release
from procession.core.follow import go, run_ended, run_over
from procession.core.parts import climb_on, moves, with_phase
from procession.core.states import Failed, ReplicaState, Running, Stopped, Stopping
from procession.core.status import ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.parts import Outcome


def stop_stopping(s: ReplicaState, e: ev.StopAsked | ev.StopPlanned, now: float) -> Outcome:
    return with_phase(s.replace(wanted=False, why=e.reason), asked=True, again=None), []


def start_stopping(s: ReplicaState, e: ev.StartAsked | ev.RestartAsked, now: float) -> Outcome:
    # the next run waits for this one's tree: two of them never live at once
    s = s.replace(wanted=True, quick=0, times=(), why=f"{e.reason}, once its tree is empty")
    return with_phase(s, asked=True, again=e.reason), []


def force_stopping(s: ReplicaState, e: ev.ForceAsked, now: float) -> Outcome:
    phase = stopping_of(s)
    s = s.replace(wanted=False, why=e.reason)
    if phase.climb is None:
        return with_phase(s, asked=True, forced=True, again=None), []
    climb, move = stop.force(phase.climb, now)
    s = with_phase(s, asked=True, forced=True, again=None)
    if climb == phase.climb:  # killing already: its deadline stands, so its timer does
        return s, moves(s, climb.rung, move)
    return climb_on(s, climb, move, now)


def next_rung(s: ReplicaState, e: ev.TimerFired, now: float) -> Outcome:
    phase = stopping_of(s)
    if phase.climb is None:
        return s, []
    climb, move = stop.expired(phase.climb, now, leader_lives=phase.exit is None)
    if isinstance(move, stop.GiveUp):
        return _give_up(s)
    return climb_on(with_phase(s, forced=climb.killing), climb, move, now)


def command_ended(s: ReplicaState, e: ev.CommandEnded, now: float) -> Outcome:
    phase = stopping_of(s)
    if phase.climb is None:
        return s, []
    last = phase.climb
    climb, move = stop.command_ended(last, e.rung, e.ok, now, leader_lives=phase.exit is None)
    if climb is last:
        return s, []
    s = with_phase(s, climb=climb, forced=climb.killing)
    told: list[Action] = [] if e.ok else [_told(s, last, e.words)]
    if move is None:
        return s, told
    s, actions = climb_on(s, climb, move, now)
    return s, [*told, *actions]


def _told(s: ReplicaState, climb: stop.Climb, words: str) -> Changed:
    step = climb.ladder.steps[climb.rung]
    assert isinstance(step, stop.CommandStep)
    why = f"{step.command[0]}, which should stop it, failed: {words}"
    return Changed(s.replica, s.run, "stopping", "stopping", why)


def extend_stopping(s: ReplicaState, e: ev.ExtendAsked, now: float) -> Outcome:
    last = stopping_of(s).climb
    if last is None:
        return s, []
    climb = stop.extend(last, e.seconds, s.task.stop.extend, now)
    if climb is last:
        return s, []
    return climb_on(s, climb, None, now)


def spawned_late(s: ReplicaState, e: ev.Spawned, now: float) -> Outcome:
    phase = stopping_of(s)
    if phase.climb is not None:
        return s, []
    ladder = stop.Ladder(()) if phase.forced else stop.ladder_of(s.task.stop)
    climb, move = stop.begin(ladder, now)
    return climb_on(with_phase(s, pid=e.pid), climb, move, now)


def spawn_failed_late(s: ReplicaState, e: ev.SpawnFailed, now: float) -> Outcome:
    if stopping_of(s).climb is not None:
        return s, []  # it did start: its tree's end is what counts
    return _down(s, now)


def leader_exited_stopping(s: ReplicaState, e: ev.LeaderExited, now: float) -> Outcome:
    phase = stopping_of(s)
    if phase.climb is None or phase.exit is not None:
        return s, []  # not of this run, or told before
    # a run that failed a check was over then, however long its leader takes
    at = phase.exit_at if phase.failing else now
    s = with_phase(s.replace(exit=e.status, healthy=None), exit=e.status, exit_at=at)
    if e.left == 0:
        return s, []
    return s, moves(s, phase.climb.rung, stop.grown(phase.climb, leader_lives=False))


def grown(s: ReplicaState, e: ev.TreeGrew, now: float) -> Outcome:
    phase = stopping_of(s)
    if phase.climb is None:
        return s, []
    move = stop.grown(phase.climb, leader_lives=phase.exit is None)
    return s, moves(s, phase.climb.rung, move)


def stop_over(s: ReplicaState, e: ev.TreeEmpty, now: float) -> Outcome:
    if stopping_of(s).climb is None:
        return s, []  # a tree that is not known to have begun cannot have ended
    return _down(s, now)


def _down(s: ReplicaState, now: float) -> Outcome:
    phase = stopping_of(s)
    s = s.replace(healthy=None)
    if not s.wanted:
        s = s.replace(phase=Stopped(), why=f"{s.why}, {_how_it_ended(phase)}", timer=s.timer + 1)
        return s, []
    if phase.again is not None:
        return go(s, phase.again, now)
    if phase.failing:
        assert phase.exit_at is not None
        lasted = phase.exit_at - phase.since
        return run_ended(s, phase.failing, False, 1, lasted=lasted, now=now)
    ended = Running(phase.pid or 0, phase.since, phase.exit, phase.exit_at)
    return run_over(s, ended, now)


def _give_up(s: ReplicaState) -> Outcome:
    # whatever was wanted next, another run beside processes that cannot be killed is not
    phase = stopping_of(s)
    s = s.replace(timer=s.timer + 1, survivors=True, healthy=None)
    release = Release(s.replica, s.run, True)
    if not s.wanted:
        why = f"{s.why}, what is left could not be killed"
        return s.replace(phase=Stopped(), why=why), [release]
    ended = phase.exit or ExitStatus()
    good = ended.succeeded(s.task.success_exit_codes) and not phase.failing
    if phase.again is not None or policy.wanted_again(s.task.restart, succeeded=good):
        why = "not started again: what its last run left could not be killed"
    else:
        why = f"{ended}, and what it left could not be killed"
    # losing hold of processes is a failure, also of a leader that ended well
    status = 1 if phase.failing else ended.shell_status or 1
    return s.replace(phase=Failed(status), why=why), [release]


def stopping_of(s: ReplicaState) -> Stopping:
    assert isinstance(s.phase, Stopping)
    return s.phase


def _how_it_ended(phase: Stopping) -> str:
    if phase.climb is None:
        return "it had not started"
    how = str(phase.exit) if phase.exit is not None else "ended"
    return how + (", forced" if phase.forced else "")
