from __future__ import annotations

import pytest

from procession.core.actions import Changed
from procession.core.states import PHASES, ReplicaState, Stopping
from procession.core.stop import Climb, ladder_of
from procession.core.view import LOUD, tell, waiting, worth_telling
from procession.spec import Stop, Task

pytestmark = pytest.mark.quick


def changed(new: str, why: str = "exited with 3") -> Changed:
    return Changed("web", 1, "running", new, why)


def test_a_change_is_told_with_its_reason() -> None:
    assert tell(changed("failed")) == "web failed: exited with 3"


def test_a_change_without_a_reason_still_tells_the_state() -> None:
    assert tell(changed("stopping", "")) == "web stopping"


@pytest.mark.parametrize("phase", [phase.__name__.lower() for phase in PHASES])
def test_who_asked_for_quiet_hears_of_trouble_only(phase: str) -> None:
    trouble = phase in {"failed", "backoff", "skipped"}
    assert worth_telling(changed(phase), quiet=True) is trouble
    assert worth_telling(changed(phase), quiet=False) is (phase != "starting")


def test_the_loud_states_are_states() -> None:
    assert {phase.__name__.lower() for phase in PHASES} >= LOUD


def test_that_each_task_begins_to_stop_is_no_news_once_the_project_does() -> None:
    assert worth_telling(changed("stopping"), quiet=False)
    assert not worth_telling(changed("stopping"), quiet=False, project_stops=True)
    assert worth_telling(changed("stopped"), quiet=False, project_stops=True)


def stopping(replica: str, *, rung: int, deadline: float) -> ReplicaState:
    climb = Climb(ladder_of(Stop()), rung, 0.0, deadline)
    phase = Stopping(pid=1, since=0.0, climb=climb, asked=True)
    return ReplicaState(replica, Task(replica, "x"), phase)


def test_a_stop_that_lasts_says_whom_it_waits_for_and_how_long() -> None:
    web = stopping("web", rung=0, deadline=10.0)
    db = stopping("db", rung=1, deadline=15.0)
    idle = ReplicaState("idle", Task("idle", "x"))
    assert waiting([web, idle, db], 2.4) == "waiting for web (killed in 8 s), db (killed)"
    assert waiting([idle], 2.4) is None


def test_a_long_list_is_counted_not_spelled_out() -> None:
    many = [stopping(f"t{n}", rung=1, deadline=1.0) for n in range(8)]
    words = waiting(many, 0.0)
    assert words is not None
    assert words.endswith("t4 (killed) and 3 more")


def test_a_stop_before_the_start_was_answered() -> None:
    phase = Stopping(pid=None, since=0.0, climb=None, asked=True)
    early = ReplicaState("web", Task("web", "x"), phase)
    assert waiting([early], 0.0) == "waiting for web (not started yet)"
