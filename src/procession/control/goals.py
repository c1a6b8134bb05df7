"""When a wish has come true, seen from its rows. Pure: `wait`, `start`, `stop` and `restart` ask.

A verdict is None while it may still come true, and else (good, words).
"""

from __future__ import annotations

from procession.control.protocol import ENDS
from procession.core.parts import seconds
from procession.core.view import NAMED
from procession.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    Row = Mapping[str, Any]
    Verdict = tuple[bool, str] | None
    Goal = Callable[[Row], Verdict]
    R = TypeVar("R", bound=Row)

# What one who has wished for it waits for, in words.
DONE = {"start": "ready", "restart": "ready", "stop": "stopped", "exit": "ended", "ready": "ready"}


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


class Judge:
    """Of several goals that are waited for at the same time.

    To be ready is a state, which may be lost while others are waited for: all rows of one version
    are judged together, and the first that cannot come true any more is the end of it. An end, or
    a stop, is an event: a verdict stays, and all are waited for.
    """

    def __init__(self, wanted: Mapping[str, Goal]) -> None:
        """By the names of replicas."""
        self._wanted = dict(wanted)
        self._good: dict[str, bool | None] = dict.fromkeys(wanted)
        self.failed: dict[str, str] = {}  # in words

    def look(self, rows: Iterable[Row]) -> list[str]:
        """All rows there are, of one version; what is new in it, in words."""
        news: list[str] = []
        for row in rows:
            name = row["name"]
            goal = self._wanted.get(name)
            if goal is None or (goal in _EVENTS and self._good[name] is not None):
                continue
            good, words = goal(row) or (None, _as_it_is(row))
            if good is not self._good[name]:
                news.append(words)
            self._good[name] = good
            if good is False:
                self.failed[name] = words
            else:
                self.failed.pop(name, None)
        return news

    @property
    def open(self) -> list[str]:
        """Of these there is no verdict (any more)."""
        return [name for name, good in self._good.items() if good is None]

    @property
    def is_over(self) -> bool:
        """There is nothing to wait for: it came true, or cannot, which `failed` says."""
        return not self.open or any(self._wanted[name] not in _EVENTS for name in self.failed)


_EVENTS = (stopped, exited)


def late(what: str, patience: float, rows: Sequence[Row]) -> str:
    """`after 4 s not ready: web (running: started with the project; not ready yet: tcp 80: …)`"""
    named = [f"{row['name']} ({row['state']}: {row['reason']})" for row in rows[:NAMED]]
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return one_line(f"after {seconds(patience)} not {what}: {', '.join(named)}{more}")


def _as_it_is(row: Row) -> str:
    return f"{row['name']} {row['state']}: {row['reason']}"
