"""What a change looks like to a person: one line of words, no colour, no width. Pure."""

from __future__ import annotations

from procession.core.actions import Changed
from procession.core.states import ReplicaState, Stopping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED = 5  # how many replicas a line names before it says how many more there are

# states people are told of even when they asked for quiet
LOUD = frozenset({"failed", "backoff", "skipped"})


def tell(change: Changed) -> str:
    """`web running: started with the project, pid 12`"""
    said = f"{change.replica} {change.new}"
    return f"{said}: {change.why}" if change.why else said


def worth_telling(change: Changed, *, quiet: bool, project_stops: bool = False) -> bool:
    """Is this for the terminal? The event log has all of it.

    `starting` lasts for microseconds; that each task begins to stop is no news once it was told
    that the project does.
    """
    if quiet:
        return change.new in LOUD
    return change.new != "starting" and not (project_stops and change.new == "stopping")


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
    if phase.climb.killing:
        return "killed"
    return f"killed in {max(0.0, phase.climb.deadline - now):.0f} s"
