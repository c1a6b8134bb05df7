"""The handlers of a run whose checks, or whose own words, say how it is."""

from __future__ import annotations

import pytest

from procession.core.actions import BeginCheck, EndChecks, HealthChanged, ReadyChanged
from procession.core.events import HEALTH, READY
from procession.core.view import row
from procession.spec import Check, FileProbe, Stop
from tests.support.story import Story, signal, timer

pytestmark = pytest.mark.quick

CHECK = Check((FileProbe("/there"),))
MARKS = CHECK.replace(restarts=False)


def checked(**task: object) -> Story:
    return Story(ready=CHECK, ready_timeout=30.0, **task).runs()


def healthy(**task: object) -> Story:
    return Story(**{"health": CHECK, **task}).runs()


def ready(why: str = "ready after 2.0 s") -> ReadyChanged:
    return ReadyChanged("web", 1, True, why)


def not_ready(why: str) -> ReadyChanged:
    return ReadyChanged("web", 1, False, why)


# --- ready -------------------------------------------------------------------------------------


def test_spawned__without_a_check_is_ready_and_healthy_is_not_asked() -> None:
    web = Story().runs()
    assert (web.state.ready, web.state.healthy, web.did) == (True, None, [])


def test_spawned__is_probed_and_has_a_time_limit() -> None:
    web = checked()
    assert web.did == [BeginCheck("web", 1, READY), timer(2, 130.0)]
    assert not web.state.ready


def test_spawned__where_the_project_stops_nothing_is_probed() -> None:
    web = Story(ready=CHECK).begins().stop_planned().spawned()
    assert (web.did, web.state.ready) == ([], False)


def test_check_passed__is_ready() -> None:
    web = checked().passes(2).passes_check(READY)
    assert web.did == [ready()]
    assert (web.name, web.state.ready) == ("running", True)
    assert web.rings().name == "running", "the time limit is over"


def test_check_passed__health_is_asked_for_next() -> None:
    web = checked(health=CHECK).passes(2).passes_check(READY)
    assert web.did == [ready(), BeginCheck("web", 1, HEALTH)]
    web = checked(watchdog=5.0).passes(2).passes_check(READY)
    assert web.did == [ready(), BeginCheck("web", 1, HEALTH)]


def test_check_passed__twice_is_no_news() -> None:
    web = checked(health=CHECK).passes_check(READY)
    assert web.passes_check(READY).did == []
    assert web.passes_check(HEALTH).did == [HealthChanged("web", 1, True, "healthy")]
    assert web.passes_check(HEALTH).did == []


def test_check_passed__nobody_asks_once_its_leader_is_gone() -> None:
    web = checked(health=CHECK, leftover="wait").exits(0, left=1)
    assert web.did == [EndChecks("web", 1)]
    before = web.state
    for which in (READY, HEALTH):
        assert web.passes_check(which).did == []
        assert web.fails_check(which).did == []
    assert web.tells_of(READY, "refused").did == []
    assert web.needs(50.0).did == []
    assert web.says_stopping().did == []
    assert web.state == before


def test_check_passed__completing_is_what_makes_a_one_shot_ready() -> None:
    web = Story(completes=True, ready=CHECK).runs()
    assert (web.did, web.state.ready) == ([], False)
    web.passes(2).exits(0).is_empty()
    assert (web.name, web.state.ready) == ("completed", True)
    assert web.did == [ready(why="ready: it completed")]
    web.start()
    assert web.did[0] == not_ready("Ann starts it")


def test_check_passed__a_one_shot_that_fails_is_not_ready() -> None:
    web = Story(completes=True).runs().exits(1).is_empty()
    assert (web.name, web.state.ready, web.did) == ("failed", False, [])


def test_check_failed__a_run_that_will_not_be_ready_has_failed() -> None:
    web = checked(policy="on-failure").passes(3).fails_check(READY, "exec: exited with 2")
    assert web.said == "running -> stopping: not ready: exec: exited with 2"
    assert web.did == [EndChecks("web", 1), signal("group"), timer(3, 113.0)]
    assert web.state.wanted
    web.passes(20).exits(0).is_empty()
    assert web.said == (
        "stopping -> backoff: not ready: exec: exited with 2; the next run is due in 1 s"
    )


def test_check_failed__without_a_restart_it_is_a_failure_whatever_its_status() -> None:
    web = checked().fails_check(READY).exits(0).is_empty()
    assert web.said == "stopping -> failed: not ready: tcp 8000: refused"
    assert web.state.phase.status == 1


def test_check_failed__how_long_its_end_took_is_no_stable_time() -> None:
    web = checked(policy="always", stop=Stop(timeout=60.0)).fails_check(READY)
    web.passes(40).exits(0).is_empty().rings().spawned().fails_check(READY).is_empty()
    assert web.said.endswith("the next run is due in 2 s")


def test_check_failed__a_start_asked_for_meanwhile_follows_at_once() -> None:
    web = checked().fails_check(READY).start().is_empty()
    assert web.said == "stopping -> starting: Ann starts it"


def test_check_failed__a_stop_asked_for_meanwhile_is_the_end() -> None:
    web = checked(policy="always").fails_check(READY).stop().is_empty()
    assert web.said == "stopping -> stopped: Ann stops it, ended"


def test_check_failed__what_cannot_be_killed_has_failed() -> None:
    web = checked().fails_check(READY).exits(0, left=1).rings().rings()
    assert web.name == "failed"
    assert web.state.phase.status == 1


def test_check_failed__where_the_project_stops_its_turn_comes() -> None:
    web = checked().stop_planned().fails_check(READY)
    assert (web.did, web.name) == ([], "running")
    assert web.tells_of(READY, "late").did == []
    assert web.passes_check(READY).did == []


def test_check_told__a_time_limit_says_what_failed_last() -> None:
    web = checked().tells_of(READY, "tcp 8000: refused").tells_of(READY, "http: status 503").rings()
    assert web.now == 130
    assert web.said == "running -> stopping: not ready within 30 s: http: status 503"


def test_check_told__health_has_no_time_limit() -> None:
    web = healthy()
    before = web.state
    assert web.tells_of(HEALTH, "tcp 8000: refused").state == before


def test_running_over__is_not_ready_in_time() -> None:
    web = checked(policy="always").rings()
    assert web.said == "running -> stopping: not ready within 30 s"
    web.exits(signal=15).is_empty()
    assert web.said == "stopping -> backoff: not ready within 30 s; the next run is due in 1 s"


def test_running_over__means_nothing_to_who_is_ready() -> None:
    web = checked().passes_check(READY)
    assert web.rings().did == []


def test_running_over__where_the_project_stops_its_turn_comes() -> None:
    assert checked().stop_planned().rings().name == "running"


# --- healthy -----------------------------------------------------------------------------------


def test_spawned__health_is_asked_for_at_once_where_ready_is_not() -> None:
    assert healthy().did == [BeginCheck("web", 1, HEALTH)]
    assert healthy().state.healthy is None
    assert Story(watchdog=5.0).runs().did == [BeginCheck("web", 1, HEALTH)]


def test_check_failed__unhealthy_is_a_failed_run() -> None:
    web = healthy(policy="always").passes_check(HEALTH).fails_check(HEALTH)
    assert web.did == [
        HealthChanged("web", 1, False, "tcp 8000: refused"),
        EndChecks("web", 1),
        signal("group"),
        timer(2, 110.0),
    ]
    assert web.said == "running -> stopping: unhealthy: tcp 8000: refused"
    assert web.state.healthy is False
    web.exits(0).is_empty()
    assert web.said == (
        "stopping -> backoff: unhealthy: tcp 8000: refused; the next run is due in 1 s"
    )
    assert web.state.healthy is None


def test_check_failed__or_it_is_only_marked() -> None:
    web = healthy(health=MARKS).fails_check(HEALTH)
    assert web.did == [HealthChanged("web", 1, False, "tcp 8000: refused")]
    assert (web.name, web.state.healthy) == ("running", False)
    assert web.fails_check(HEALTH, "again").did == [], "that is no news"
    assert row(web.state, 0.0).reason.endswith("; unhealthy: tcp 8000: refused")
    assert row(web.tells_of(HEALTH, "late").state, 0.0).reason.endswith("; unhealthy: late")
    assert web.passes_check(HEALTH).did == [HealthChanged("web", 1, True, "healthy again")]
    assert "unhealthy" not in row(web.state, 0.0).reason


def test_check_failed__a_watchdog_alone_restarts() -> None:
    web = Story(watchdog=5.0).runs().fails_check(HEALTH, "no WATCHDOG=1 within 5 s")
    assert web.said == "running -> stopping: unhealthy: no WATCHDOG=1 within 5 s"


def test_check_failed__unhealthy_before_its_turn_to_stop_is_marked() -> None:
    web = healthy().stop_planned().fails_check(HEALTH)
    assert web.did == [HealthChanged("web", 1, False, "tcp 8000: refused")]


@pytest.mark.parametrize("how", ["stop", "force", "restart"])
def test_stop_running__ends_the_probes_first(how: str) -> None:
    web = checked(health=CHECK).passes_check(READY)
    getattr(web, how)()
    reason = web.said.split(": ")[1]
    assert web.did[:2] == [not_ready(reason), EndChecks("web", 1)]
    assert (web.state.ready, web.state.healthy) == (False, None)


def test_leader_exited__is_neither_ready_nor_healthy() -> None:
    web = checked(health=CHECK).passes_check(READY).passes_check(HEALTH).exits(3)
    assert web.did == [not_ready("exited with 3"), EndChecks("web", 1)]
    assert (web.state.ready, web.state.healthy) == (False, None)


def test_leader_exited__before_it_was_ready_is_an_end_like_any_other() -> None:
    web = checked().exits(0)
    assert web.did == [EndChecks("web", 1)]
    assert web.rings().did == [], "its time limit is over"
    assert web.is_empty().said == "running -> completed: exited with 0 after 0.0 s"


# --- what it says ------------------------------------------------------------------------------


def test_status_told__is_kept_for_who_looks() -> None:
    web = Story(policy="always").runs().says("loading 3 of 7")
    assert web.state.status_text == "loading 3 of 7"
    web.stop().says("flushing")
    assert web.state.status_text == "flushing"
    web.start().is_empty()
    assert web.state.status_text == "", "another run has said nothing yet"


def test_extend_running__has_more_time_to_become_ready() -> None:
    web = checked().passes(25).needs(20.0)
    assert web.did == [timer(3, 145.0)]
    web.rings()
    assert web.said == "running -> stopping: not ready within 45 s"


def test_extend_running__under_the_cap() -> None:
    web = checked(stop=Stop(extend=5.0)).needs(9999.0)
    assert web.did == [timer(3, 135.0)]
    assert web.passes(34).needs(9999.0).did == []


def test_extend_running__never_shortens_and_means_nothing_to_who_is_ready() -> None:
    web = checked().needs(3.0)
    assert web.did == []
    assert web.passes_check(READY).needs(60.0).did == []


def test_stopping_told__is_ready_no_more_and_has_as_long_as_a_stop() -> None:
    web = checked(health=CHECK).passes_check(READY).says_stopping()
    assert web.did == [
        not_ready("it says that it is stopping"),
        EndChecks("web", 1),
        timer(web.state.timer, 110.0),
    ]
    assert web.said == "running -> running: it says that it is stopping"
    assert web.says_stopping().did == [], "said once"
    assert web.exits(0).is_empty().said == "running -> completed: exited with 0 after 0.0 s"


def test_stopping_told__and_does_not() -> None:
    web = Story().runs().says_stopping().needs(25.0)
    assert web.did == [timer(web.state.timer, 125.0)]
    web.rings()
    assert web.said == (
        "running -> stopping: said that it was stopping, and did not end within 10 s"
    )
    assert web.exits(0).is_empty().name == "failed"
