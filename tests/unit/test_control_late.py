"""When the time of a wish is over: who has come by then is not late, and is not said to be."""

from __future__ import annotations

from typing import Any, cast

import pytest

from procession.cli import wishes
from procession.control import goals
from procession.control.client import Client

pytestmark = pytest.mark.quick


class Told:
    """In the place of a `Client`: has the state of `web` be what a test says, look by look."""

    def __init__(self, *states: str) -> None:
        self._states = iter(states)

    def replicas(self, after: int | None = None, within: float = 0.0) -> dict[str, Any]:
        web = {"name": "web", "task": "web", "run": 1, "ready": False, "reason": "because"}
        return {"version": 1, "stopping": False, "replicas": [{**web, "state": next(self._states)}]}


def awaited(*states: str, goal: goals.Goal = goals.stopped, wish: str = "stop") -> int:
    return wishes._await(cast(Client, Told(*states)), wish, {"web": goal}, 0.0)


def test_who_has_come_at_the_last_look_is_not_late(capsys: pytest.CaptureFixture[str]) -> None:
    assert awaited("stopping", "stopped") == 0
    assert capsys.readouterr() == ("web stopped: because\n", "")


def test_who_cannot_come_any_more_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert awaited("running", "failed", goal=goals.ready, wish="ready") == 1
    assert capsys.readouterr() == ("web failed: because\n", "")


def test_who_has_not_come_is_late_as_it_is_by_then(capsys: pytest.CaptureFixture[str]) -> None:
    assert awaited("running", "stopping") == 124
    late = "procession: after 0 s not stopped: web (stopping: because)\n"
    assert capsys.readouterr() == ("", late)
