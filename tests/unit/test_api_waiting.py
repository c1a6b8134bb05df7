"""Who waits inside a program is told once, of all rows of a version together."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from procession.api._life import Life
from procession.api._waiting import Goals
from procession.control import goals
from procession.control.protocol import ROW_KEYS
from procession.supervisor.steering import Steering

pytestmark = pytest.mark.quick

Rows = list[dict[str, Any]]


class Looked:
    """In the place of a `Steering`: has those who watch see what a test says."""

    def __init__(self) -> None:
        self.looks: list[Callable[[Rows, bool], bool]] = []

    def watch(self, look: Callable[[Rows, bool], bool]) -> None:
        self.looks.append(look)

    def unwatch(self, look: Callable[[Rows, bool], bool]) -> None:
        self.looks.remove(look)

    def show(self, **states: str) -> bool:
        """By the names of replicas; `ready` and `begins` are running."""
        rows = [
            {
                **dict.fromkeys(ROW_KEYS),
                "name": name,
                "state": "running" if state in ("ready", "begins") else state,
                "ready": state == "ready",
                "reason": "",
            }
            for name, state in states.items()
        ]
        (look,) = self.looks
        return look(rows, False)


def waits(looked: Looked, *names: str) -> tuple[Goals, list[None]]:
    waiting = Goals(cast(Steering, looked), dict.fromkeys(names, goals.ready))
    told: list[None] = []
    waiting.begin(lambda: told.append(None))
    return waiting, told


def test_who_was_ready_and_failed_since_is_told_at_once() -> None:
    looked = Looked()
    waiting, told = waits(looked, "bad", "slow")
    assert not looked.show(bad="ready", slow="begins")
    assert looked.show(bad="failed", slow="begins")
    assert (len(told), list(waiting.judge.failed)) == (1, ["bad"])


def test_it_has_come_when_all_are_ready_at_the_same_time() -> None:
    looked = Looked()
    waiting, told = waits(looked, "web", "slow")
    assert not looked.show(web="ready", slow="begins")
    assert not looked.show(web="backoff", slow="ready")
    assert told == []
    assert looked.show(web="ready", slow="ready")
    assert (len(told), waiting.judge.open, waiting.judge.failed) == (1, [], {})


def test_who_has_come_when_the_time_is_over_is_not_late() -> None:
    looked = Looked()
    life = Life(
        cast(Any, SimpleNamespace(name="demo")), cast(Any, None), cast(Any, None), cast(Any, None)
    )
    life._steering = cast(Steering, looked)
    plan = life._until("stopped", {"web": goals.stopped}, 0.0)
    for state in ("stopping", "stopped"):
        waiting = next(plan)
        waiting.begin(lambda: None)
        looked.show(web=state)
        waiting.cancel()
    with pytest.raises(StopIteration) as over:
        next(plan)
    assert [(row.name, row.state) for row in over.value.value] == [("web", "stopped")]
