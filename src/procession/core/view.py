"""What a change looks like to a person: one line of words, no colour, no width. Pure."""

from __future__ import annotations

from procession.core.actions import Changed

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
