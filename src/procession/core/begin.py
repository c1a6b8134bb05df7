"""What each event does to a replica that has no run under way: before, between and after runs."""

from __future__ import annotations

from procession.core import events as ev
from procession.core.actions import Action, BeginCheck, SetTimer
from procession.core.follow import go, run_ended, spawn, too_late, unheld, wait
from procession.core.parts import duration
from procession.core.states import (
    DELAY,
    ORDER,
    Backoff,
    Pending,
    ReplicaState,
    Running,
    Skipped,
    Stopped,
    Stopping,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.parts import Outcome


def ignore(state: ReplicaState, event: ev.Event, now: float) -> Outcome:
    """This event means nothing in this state."""
    return state, []


def note_hold(s: ReplicaState, e: ev.Held, now: float) -> Outcome:
    """It may matter before the next run."""
    return s.replace(hold=e.hold), []


# --- pending, backed off, at rest --------------------------------------------------------------


def begin(s: ReplicaState, e: ev.Begin, now: float) -> Outcome:
    assert isinstance(s.phase, Pending)
    if s.phase.for_:
        return s, []  # somebody wanted it before
    return go(s, "", now, delay=s.task.start_delay)


def start(s: ReplicaState, e: ev.StartAsked | ev.RestartAsked, now: float) -> Outcome:
    if s.survivors:
        return s.replace(why="not started: what its last run left could not be killed"), []
    return go(s.replace(quick=0, times=()), e.reason, now)


def unwanted(
    s: ReplicaState, e: ev.StopAsked | ev.ForceAsked | ev.StopPlanned, now: float
) -> Outcome:
    """It has ended already, and how it ended stays told; only the wish is new."""
    return s.replace(wanted=False), []


def not_any_more(
    s: ReplicaState, e: ev.StopAsked | ev.ForceAsked | ev.StopPlanned, now: float
) -> Outcome:
    return s.replace(phase=Stopped(), wanted=False, why=e.reason, timer=s.timer + 1), []


def pending_over(s: ReplicaState, e: ev.TimerFired, now: float) -> Outcome:
    turn = s.phase
    assert isinstance(turn, Pending)
    if turn.for_ == DELAY:
        return spawn(s, turn.cause or "started after its delay", now)
    return too_late(s) if turn.late is not None else (s, [])


def backoff_over(s: ReplicaState, e: ev.TimerFired, now: float) -> Outcome:
    assert isinstance(s.phase, Backoff)
    return go(s, s.phase.cause, now, again=True, status=s.phase.status)


def held_pending(s: ReplicaState, e: ev.Held, now: float) -> Outcome:
    turn, hold = s.phase, e.hold
    assert isinstance(turn, Pending)
    if not turn.for_:
        return s.replace(hold=hold), []
    if hold is not None:
        if turn.for_ == ORDER:
            return wait(s, turn, hold, now)
        # its delay counts anew once that is over
        return wait(s, turn.replace(for_=ORDER, began=now), hold, now, begins=True)
    waited = f"waited {duration(now - turn.began)} for {s.hold.by}" if s.hold is not None else ""
    s = s.replace(hold=None)
    return (s, []) if turn.for_ == DELAY else unheld(s, turn, now, waited)


def held_skipped(s: ReplicaState, e: ev.Held, now: float) -> Outcome:
    """Somebody started what it needs: it is wanted still, and has its turn after that."""
    hopeless = s.hold is not None and s.hold.never
    s = s.replace(hold=e.hold)
    hopes = e.hold is None or not e.hold.never
    if hopeless and hopes and s.wanted and not s.survivors:
        assert isinstance(s.phase, Skipped)
        return go(s, "what it needs was started", now, status=s.phase.status)
    return s, []


# --- a spawn is under way ------------------------------------------------------------------------


def spawned(s: ReplicaState, e: ev.Spawned, now: float) -> Outcome:
    task, why = s.task, f"{s.why}, pid {e.pid}"
    which = "" if task.health is None and task.watchdog is None else ev.HEALTH
    if task.ready is not None and not task.completes:
        which = ev.READY
    ready = which != ev.READY and not task.completes
    if not which or not s.wanted:
        running = Running(e.pid, now)
        return s.replace(phase=running, why=why, ready=ready, been_ready=ready, since=now), []
    check: Action = BeginCheck(s.replica, s.run, which)
    if which == ev.HEALTH:
        running = Running(e.pid, now, checked=True)
        return s.replace(phase=running, why=why, ready=ready, been_ready=ready, since=now), [check]
    by = now + task.ready_timeout
    running = Running(e.pid, now, checked=True, ready_by=by, latest=by + task.stop.extend)
    s = s.replace(phase=running, why=why, timer=s.timer + 1, since=now)
    return s, [check, SetTimer(s.replica, s.timer, by)]


def spawn_failed(s: ReplicaState, e: ev.SpawnFailed, now: float) -> Outcome:
    why = f"could not start: {e.error}"
    if not s.wanted:
        return s.replace(phase=Stopped(), why=f"{s.why}, {why}", timer=s.timer + 1), []
    return run_ended(s, why, False, e.status, lasted=0.0, now=now, spawned=False)


def cancel_starting(s: ReplicaState, e: ev.StopAsked | ev.ForceAsked, now: float) -> Outcome:
    forced = isinstance(e, ev.ForceAsked)
    phase = Stopping(None, now, None, True, forced=forced)
    return s.replace(phase=phase, wanted=False, why=e.reason), []


def restart_starting(s: ReplicaState, e: ev.RestartAsked | ev.RestartWith, now: float) -> Outcome:
    """What is spawned may have seen what was there before the wish: it makes way for the next."""
    if isinstance(e, ev.RestartAsked):
        s = s.replace(wanted=True, quick=0, times=())
    elif not s.wanted:
        return s, []
    return s.replace(phase=Stopping(None, now, None, True, again=e.reason), why=e.reason), []


def stop_planned(s: ReplicaState, e: ev.StopPlanned, now: float) -> Outcome:
    """Of a run that stays up for a while: what depends on it ends first."""
    return s.replace(wanted=False, why=e.reason), []
