"""What a change looks like to a person: one line of words, no colour, no width. Pure."""

from __future__ import annotations

from procession._record import Record
from procession.core.actions import Changed, HealthChanged, ReadyChanged
from procession.core.states import Completed, ReplicaState, Running, Stopping
from procession.core.stop import CommandStep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = 5  # how many replicas a line names before it says how many more there are

# states people are told of even when they asked for quiet
LOUD = frozenset({"failed", "backoff", "skipped"})


class Row(Record):
    """One replica as `ps` shows it. Times are seconds."""

    name: str  # of the replica
    task: str
    replica: int  # which copy of its task, from 1
    state: str
    wanted: bool
    ready: bool
    healthy: bool | None  # None: it has no health check, or that has not answered yet
    pid: int | None  # of the leader, while it lives
    run: int
    restarts: int
    since: float | None  # how long it has been in this state; None: from the beginning
    exit: str | None  # how the leader of its latest run ended
    reason: str
    status_text: str  # what it says of itself (STATUS= of sd_notify(3)), while it lives


def row(state: ReplicaState, now: float) -> Row:
    """`state` as of `now`, on the clock that the core was told its events with."""
    phase = state.phase
    pid = None
    if isinstance(phase, Running | Stopping) and phase.exit is None:
        pid = phase.pid
    return Row(
        name=state.replica,
        task=state.task.name,
        replica=state.index,
        state=phase.name,
        wanted=state.wanted,
        ready=state.ready or (isinstance(phase, Completed) and state.been_ready),
        healthy=state.healthy,
        pid=pid,
        run=state.run,
        restarts=state.restarts,
        since=None if state.since is None else max(0.0, now - state.since),
        exit=None if state.exit is None else str(state.exit),
        reason=_reason(state),
        status_text=state.status_text if isinstance(phase, Running | Stopping) else "",
    )


def _reason(state: ReplicaState) -> str:
    """Why it is in this state; while it is not ready, or not healthy, also what its check says."""
    phase = state.phase
    if isinstance(phase, Running) and phase.told:
        if state.healthy is False:
            return f"{state.why}; unhealthy: {phase.told}"
        if not state.ready:
            return f"{state.why}; not ready yet: {phase.told}"
    return state.why


def tell(change: Changed) -> str:
    """`web running: started with the project, pid 12`"""
    said = f"{change.replica} {change.new}"
    return f"{said}: {change.why}" if change.why else said


def tell_check(change: ReadyChanged | HealthChanged) -> str:
    """`web ready after 1.2 s`, `web not healthy: tcp 8000: connection refused`"""
    good, lost = (
        (change.healthy, "not healthy")
        if isinstance(change, HealthChanged)
        else (change.ready, "not ready any more")
    )
    return f"{change.replica} {change.why if good else f'{lost}: {change.why}'}"


def worth_telling(change: Changed, *, quiet: bool, project_stops: bool = False) -> bool:
    """Is this for the terminal? The event log has all of it.

    `starting` lasts for microseconds; that each task begins to stop is no news once it was told
    that the project does, but what goes wrong with it is.
    """
    if quiet:
        return change.new in LOUD
    begins = change.new == "stopping" != change.old
    return change.new != "starting" and not (project_stops and begins)


def waiting(replicas: Iterable[ReplicaState], now: float) -> str | None:
    """`waiting for web (killed in 8 s), db (killed)`; None when nobody is waited for."""
    named = [
        f"{r.replica} ({_what_next(r.phase, now)})"
        for r in replicas
        if isinstance(r.phase, Stopping)
    ]
    if not named:
        return None
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"waiting for {', '.join(named[:NAMED])}{more}"


def _what_next(phase: Stopping, now: float) -> str:
    if phase.climb is None:
        return "not started yet"
    climb = phase.climb
    if climb.killing:
        return "killed"
    after = climb.ladder.steps[climb.rung + 1 :]
    what = "killed"
    if after:
        what = after[0].command[0] if isinstance(after[0], CommandStep) else after[0].signal
    return f"{what} in {max(0.0, climb.deadline - now):.0f} s"
