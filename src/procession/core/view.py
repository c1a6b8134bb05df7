"""What a change looks like to a person: one line of words, no colour, no width. Pure."""

from __future__ import annotations

from procession.core.actions import Changed

# states people are told of even when they asked for quiet
LOUD = frozenset({"failed", "backoff", "skipped"})


def tell(change: Changed) -> str:
    """`web running (started with the project, pid 12)`"""
    words = f"{change.replica} {change.new}"
    return f"{words} ({change.why})" if change.why else words


def worth_telling(change: Changed, *, quiet: bool) -> bool:
    """`starting` lasts for microseconds: who wants to know finds it in the event log."""
    if quiet:
        return change.new in LOUD
    return change.new != "starting"
