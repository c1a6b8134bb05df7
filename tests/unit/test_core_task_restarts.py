"""The handlers after a run that ended: limits of restarts, rules for codes and signals."""

from __future__ import annotations

import pytest

from procession.spec import Restart, RestartRule
from tests.support.story import Story, timer

pytestmark = pytest.mark.quick

LIMITED = Restart("always", 1.0, limit=2, window=60.0)


def test_run_over__gives_up_when_its_restarts_are_used_up() -> None:
    web = Story(restart=LIMITED).runs()
    for _ in range(2):
        web.passes(5).exits(3).is_empty().rings().spawned()
    web.passes(5).exits(3).is_empty()
    assert web.said == (
        "running -> failed: exited with 3 after 5.0 s; gave up: 2 restarts within 60 s"
    )
    assert web.state.phase.status == 3


def test_run_over__giving_up_is_a_failure_also_of_what_ended_well() -> None:
    web = Story(restart=LIMITED.replace(limit=1)).runs().exits(0).is_empty().rings().spawned()
    web.exits(0).is_empty()
    assert web.said.endswith("exited with 0 after 0.0 s; gave up: 1 restart within 60 s")
    assert web.state.phase.status == 1


def test_run_over__the_window_slides() -> None:
    web = Story(restart=LIMITED).runs()
    for _ in range(10):
        web.passes(31).exits(3).is_empty()
        assert web.name == "backoff"
        web.rings().spawned()


def test_run_over__without_a_pause_they_are_counted_too() -> None:
    web = Story(restart=LIMITED.replace(delay=0.0)).runs()
    web.exits(3).is_empty().spawned().exits(3).is_empty().spawned().exits(3).is_empty()
    assert web.name == "failed"


def test_start__after_giving_up_it_may_fail_as_often_again() -> None:
    web = Story(restart=LIMITED.replace(limit=1)).runs()
    for _ in range(3):
        web.exits(3).is_empty().rings().spawned().exits(3).is_empty()
        assert web.name == "failed"
        web.start().spawned()


def test_spawn_failed__counts_as_a_restart_used_up() -> None:
    web = Story(restart=LIMITED.replace(limit=1)).begins().cannot_start().rings().cannot_start()
    assert web.said == (
        "starting -> failed: could not start: no such program; gave up: 1 restart within 60 s"
    )
    assert web.state.phase.status == 127


def test_run_over__a_rule_wins_over_the_policy_and_says_so() -> None:
    rules = (RestartRule(True, code=75), RestartRule(False, code=2))
    web = Story(restart=Restart("on-failure", 1.0, rules=rules)).runs().exits(2).is_empty()
    assert web.said == (
        "running -> failed: exited with 2 after 0.0 s; not restarted, by the rule for that"
    )
    web = Story(restart=Restart("no", 1.0, rules=rules)).runs().exits(75).is_empty()
    assert web.name == "backoff"


def test_run_over__where_others_restart_with_it_they_hear_of_it_before() -> None:
    web = Story(policy="always", delay=0.0)
    web.state = web.state.replace(leads=True)
    web.runs().exits(1).is_empty()
    assert (web.name, web.did) == ("backoff", [timer(web.state.timer, web.now)])
    assert web.said == ("running -> backoff: exited with 1 after 0.0 s; the next run is due")
