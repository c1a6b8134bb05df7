"""What follows: on the wish for a run, and on the end of one. Pure.

A run that is wanted waits for what holds it, then for its delay, and is spawned. One that ended is
followed by another, at once or after a pause, or was the last.
"""

from __future__ import annotations

from procession.core import restart as policy
from procession.core.actions import Action, Changed, ReadyChanged, SetTimer, Spawn
from procession.core.parts import alarm, duration, seconds
from procession.core.states import (
    DELAY,
    ORDER,
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
from procession.core.status import ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.events import Hold, Limit
    from procession.core.parts import Outcome


# --- a run is wanted -------------------------------------------------------------------------


def go(
    s: ReplicaState,
    cause: str,
    now: float,
    *,
    again: bool = False,
    delay: float = 0.0,
    status: int = 0,
) -> Outcome:
    """A run is wanted, because of `cause` in words (empty: the project begins). `again`: it is a
    restart that nobody asked for; `status`: of the run before it, where that failed."""
    if s.hold is None and delay <= 0:  # as nearly always: nothing has to be noted down
        return _spawn_turn(s, cause, again, now)
    turn = Pending(ORDER, cause, now, delay, again, status)
    if s.hold is None:
        return unheld(s, turn, now)
    return wait(s, turn, s.hold, now, begins=True)


def wait(
    s: ReplicaState, turn: Pending, hold: Hold, now: float, *, begins: bool = False
) -> Outcome:
    """This holds it. `begins`: since now, or for a new reason."""
    if hold.never:
        return skip(s.replace(hold=hold), turn, hold.never, hold.path)
    why = f"waits for {hold.by}"
    why = f"{turn.cause}; {why}" if turn.cause else why
    limit = min(hold.limits, key=lambda limit: _due(limit, turn), default=None)
    due = None if limit is None else max(now, _due(limit, turn))
    if not begins and due == turn.due:  # as nearly always: one of many is met
        return s.replace(hold=hold, why=why), []
    told = begins and isinstance(s.phase, Pending)
    # a new timer number, also without a timer: the one before is stale
    s = s.replace(
        phase=turn.replace(due=due, late=limit),
        hold=hold,
        wanted=True,
        why=why,
        ready=False,
        timer=s.timer + 1,
    )
    actions: list[Action] = [] if due is None else [SetTimer(s.replica, s.timer, due)]
    if told:
        actions.insert(0, Changed(s.replica, s.run, "pending", "pending", why))
    return s, actions


def _due(limit: Limit, turn: Pending) -> float:
    return max(turn.began, limit.since) + limit.timeout


def unheld(s: ReplicaState, turn: Pending, now: float, waited: str = "") -> Outcome:
    """Nothing holds it any more; `waited` says for what it did, if it did."""
    if turn.delay > 0:
        why = f"waits {seconds(turn.delay)} before its start"
        told = isinstance(s.phase, Pending)
        s = s.replace(phase=turn.replace(for_=DELAY, due=None), wanted=True, why=why, ready=False)
        s, actions = alarm(s, now + turn.delay)
        if told:
            actions = [Changed(s.replica, s.run, "pending", "pending", why), *actions]
        return s, actions
    return _spawn_turn(s, turn.cause or waited, turn.again, now)


def _spawn_turn(s: ReplicaState, cause: str, again: bool, now: float) -> Outcome:
    if again:
        return spawn(s.replace(restarts=s.restarts + 1), f"restarted: {cause}", now)
    return spawn(s, cause or "started with the project", now)


def spawn(s: ReplicaState, why: str, now: float) -> Outcome:
    # a new timer number makes every timer still under way stale
    s = s.replace(
        phase=Starting(),
        wanted=True,
        why=why,
        run=s.run + 1,
        timer=s.timer + 1,
        since=now,
        ready=False,
        been_ready=False,
        healthy=None,
        status_text="",
    )
    return s, [Spawn(s.replica, s.run)]


def too_late(s: ReplicaState) -> Outcome:
    """What it waits for took longer than it may."""
    turn = s.phase
    assert isinstance(turn, Pending)
    assert turn.late is not None
    return skip(s, turn.replace(status=turn.status or 1), turn.late.words, (turn.late.task,))


def skip(s: ReplicaState, turn: Pending, cause: str, path: tuple[str, ...]) -> Outcome:
    """It can never start. `path`: tasks from what it needs itself to the one with the `cause`."""
    why = cause if len(path) < 2 else f"needs {' -> '.join(path)}; {cause}"
    if turn.cause:
        why = f"{turn.cause}; not started: {why}"
    told = isinstance(s.phase, Skipped)
    s = s.replace(phase=Skipped(turn.status, cause, path), wanted=True, why=why, timer=s.timer + 1)
    return s, [Changed(s.replica, s.run, "skipped", "skipped", why)] if told else []


# --- a run ended -----------------------------------------------------------------------------


def run_over(s: ReplicaState, ended: Running, now: float) -> Outcome:
    """Nothing of the run is left, or watched, and it was not stopped."""
    status = ended.exit or ExitStatus()
    s = s.replace(exit=status, ready=False, healthy=None)
    if not s.wanted:
        return s.replace(phase=Stopped(), why=f"{s.why}, {status}", timer=s.timer + 1), []
    again = ended.planned if ended.again is None else ended.again
    if again is not None:
        return go(s, again, now)
    # Neither what clearing away took nor the reading of the output counts as a stable time:
    # a crash loop that leaves deaf processes behind would never be slowed down.
    until = now if s.task.leftover == "wait" or ended.exit_at is None else ended.exit_at
    lasted = until - ended.since
    good = status.succeeded(s.task.success_exit_codes)
    hint = "" if good else status.hint
    why = f"{status} after {duration(lasted)}" + (f" ({hint})" if hint else "")
    return run_ended(s, why, good, status.shell_status, lasted=lasted, now=now, ended=status)


def run_ended(
    s: ReplicaState,
    why: str,
    good: bool,
    status: int,
    *,
    lasted: float,
    now: float,
    ended: ExitStatus | None = None,
    spawned: bool = True,
) -> Outcome:
    """`ended` is None where how the leader ended says nothing of the run: there was none, or it
    failed a check."""
    restart = s.task.restart
    s = s.replace(quick=policy.quick_ends(restart, s.quick, lasted), timer=s.timer + 1)
    if not policy.wanted_again(restart, succeeded=good, ended=ended):
        if ended is not None and policy.wanted_again(restart, succeeded=good):
            why = f"{why}; not restarted, by the rule for that"
        return _end(s, why, good, status, ended)
    if restart.limit is not None:
        times = policy.recent(restart, s.times, now)
        if len(times) >= restart.limit:
            count = "1 restart" if len(times) == 1 else f"{len(times)} restarts"
            why = f"{why}; gave up: {count} within {seconds(restart.window)}"
            return s.replace(phase=Failed(status or 1), why=why), []
        s = s.replace(times=(*times, now))
        why = f"{why}; restart {len(s.times)} of {restart.limit} within {seconds(restart.window)}"
    pause = policy.delay(restart, s.quick, ran=spawned, chance=s.chance)
    failed = 0 if good else status or 1
    if pause <= 0 and not s.leads:
        return go(s, why, now, again=True, status=failed)
    # where others restart with it, they have to hear of it before it is spawned
    pause = max(0.0, pause)
    due = f" in {seconds(round(pause, 2) or pause)}" if pause else ""
    s = s.replace(phase=Backoff(why, failed), why=f"{why}; the next run is due{due}")
    return alarm(s, now + pause)


def _end(s: ReplicaState, why: str, good: bool, status: int, ended: ExitStatus | None) -> Outcome:
    if not good or ended is None:
        return s.replace(phase=Failed(status), why=why), []
    done: Phase = Completed(ended)
    if not s.task.completes:
        return s.replace(phase=done, why=why), []
    s = s.replace(phase=done, why=why, ready=True, been_ready=True)
    return s, [ReadyChanged(s.replica, s.run, True, "ready: it completed")]
