"""What each event does to a run whose checks, or whose own words, say how it is."""

from __future__ import annotations

from procession.core import events as ev
from procession.core.actions import (
    Action,
    BeginCheck,
    Changed,
    EndChecks,
    HealthChanged,
    ReadyChanged,
)
from procession.core.parts import alarm, duration, put, with_phase
from procession.core.running import bring_down, running_of
from procession.core.states import ReplicaState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.parts import Outcome


def check_passed(s: ReplicaState, e: ev.CheckPassed, now: float) -> Outcome:
    running = running_of(s)
    if not running.checked:
        return s, []  # nobody asks any more
    if e.which == ev.HEALTH:
        if s.healthy:
            return s, []
        why = "healthy" if s.healthy is None else "healthy again"
        s = with_phase(s.replace(healthy=True), told="")
        return s, [HealthChanged(s.replica, s.run, True, why)]
    if running.ready_by is None:
        return s, []
    why = f"ready after {duration(now - running.since)}"
    goes_on = s.task.health is not None or s.task.watchdog is not None
    phase = running.replace(ready_by=None, told="", checked=goes_on)
    # a new timer number: the one for its time limit is stale
    s = s.replace(phase=phase, ready=True, been_ready=True, timer=s.timer + 1)
    actions: list[Action] = [ReadyChanged(s.replica, s.run, True, why)]
    if goes_on:
        actions.append(BeginCheck(s.replica, s.run, ev.HEALTH))
    return s, actions


def check_failed(s: ReplicaState, e: ev.CheckFailed, now: float) -> Outcome:
    running = running_of(s)
    if not running.checked:
        return s, []
    if e.which == ev.READY:
        if running.ready_by is None:
            return s, []
        if not s.wanted:  # its stop comes, and is bounded
            return with_phase(s, ready_by=None, told="", checked=False), []
        return _fails(s, f"not ready: {e.why}", now)
    if s.healthy is False:
        return s, []
    s = s.replace(healthy=False)
    told = HealthChanged(s.replica, s.run, False, e.why)
    if not s.wanted or (s.task.health is not None and not s.task.health.restarts):
        return with_phase(s, told=e.why), [told]
    s, actions = _fails(s, f"unhealthy: {e.why}", now)
    return s, [told, *actions]


def check_told(s: ReplicaState, e: ev.CheckTold, now: float) -> Outcome:
    bad = running_of(s).ready_by is not None if e.which == ev.READY else s.healthy is False
    return (with_phase(s, told=e.why) if bad else s), []


def running_over(s: ReplicaState, e: ev.TimerFired, now: float) -> Outcome:
    """It took too long: to become ready, or to end as it said it would."""
    running = running_of(s)
    if not s.wanted:
        return s, []  # its stop comes, and is bounded
    if running.ends_by is not None:
        limit = duration(s.task.stop.timeout)
        return _fails(s, f"said that it was stopping, and did not end within {limit}", now)
    if running.ready_by is None:
        return s, []
    why = f"not ready within {duration(running.ready_by - running.since)}"
    return _fails(s, f"{why}: {running.told}" if running.told else why, now)


def extend_running(s: ReplicaState, e: ev.ExtendAsked, now: float) -> Outcome:
    running = running_of(s)
    name = "ready_by" if running.ends_by is None else "ends_by"
    due = running.ready_by if running.ends_by is None else running.ends_by
    if due is None:
        return s, []
    later = min(now + e.seconds, running.latest)
    if not later > due:
        return s, []
    return alarm(with_phase(s, **{name: later}), later)


def stopping_told(s: ReplicaState, e: ev.StoppingTold, now: float) -> Outcome:
    """It ends by itself: not ready any more, and no probe may disturb it. It has as long as a stop
    would give it."""
    running = running_of(s)
    if running.exit is not None or running.ends_by is not None:
        return s, []
    by = now + s.task.stop.timeout
    phase = running.replace(
        ready_by=None, ends_by=by, latest=by + s.task.stop.extend, checked=False
    )
    s = s.replace(phase=phase, ready=False, why="it says that it is stopping")
    s, timer = alarm(s, by)
    actions: list[Action] = [Changed(s.replica, s.run, "running", "running", s.why), *timer]
    if running.checked:
        put(actions, EndChecks(s.replica, s.run))
    return s, actions


def status_told(s: ReplicaState, e: ev.StatusTold, now: float) -> Outcome:
    return (s, []) if s.status_text == e.text else (s.replace(status_text=e.text), [])


def _fails(s: ReplicaState, why: str, now: float) -> Outcome:
    return bring_down(s.replace(why=why), now, asked=False, failing=why)
