from __future__ import annotations

import pytest

from procession.core.actions import Changed
from procession.core.states import PHASES
from procession.core.view import LOUD, tell, worth_telling

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
