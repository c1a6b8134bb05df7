"""When a wish has come true, seen from its rows. Pure: `wait`, `start`, `stop` and `restart` ask.

A verdict is None while it may still come true, and else (good, words).
"""

from __future__ import annotations

from procession.control.protocol import ENDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    Row = Mapping[str, Any]
    Verdict = tuple[bool, str] | None
    Goal = Callable[[Row], Verdict]
    R = TypeVar("R", bound=Row)

# What one who has wished for it waits for, in words.
DONE = {"start": "ready", "restart": "ready", "stop": "stopped"}


def of(verb: str, row: Row) -> Goal:
    """Of a wish that came when this was the row: one of the verbs of `DONE`."""
    if verb == "stop":
        return stopped
    run = run_before(verb, row)
    return lambda now: started(now, run)


def run_before(verb: str, row: Row) -> int:
    """After which run `started` is to look, for a wish that came when this was the row."""
    goes_on = verb == "start" and row["state"] in ("starting", "running")
    return int(row["run"]) - goes_on


def started(row: Row, run: int) -> Verdict:
    """It runs, in a run after number `run`, and is ready. Of rows asked for after the wish."""
    if row["state"] in ENDS:
        return row["state"] == "completed" and row["run"] > run, _as_it_is(row)
    if row["run"] > run and row["state"] == "running" and row["ready"]:
        return True, _as_it_is(row)
    if row["state"] == "backoff" and row["run"] > run:
        return False, _as_it_is(row)
    return None


def stopped(row: Row) -> Verdict:
    """Nothing of it lives."""
    if row["state"] not in ENDS:
        return None
    return True, _as_it_is(row)


def ready(row: Row) -> Verdict:
    """It is ready; or it is at rest, and will not be."""
    if row["ready"]:
        return True, _as_it_is(row)
    if row["state"] in ENDS:
        return False, _as_it_is(row)
    return None


def meant(rows: Iterable[R]) -> list[R]:
    """Those that are waited for where nobody says whom: not who was stopped by a wish, or waits
    for one to be started."""
    return [row for row in rows if row["wanted"] or row["state"] != "stopped"]


def exited(row: Row) -> Verdict:
    """It has ended for good; well, if it completed or was stopped."""
    if row["state"] not in ENDS:
        return None
    return row["state"] in ("completed", "stopped"), _as_it_is(row)


def _as_it_is(row: Row) -> str:
    return f"{row['name']} {row['state']}: {row['reason']}"
