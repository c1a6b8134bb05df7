"""The handlers of a replica that depends on others, or that others restart with."""

from __future__ import annotations

import pytest

from procession.core import events as ev
from procession.core.states import Pending
from procession.core.stop import KILL_WAIT
from procession.spec import Dependency
from tests.support.story import Story, kill, signal, spawn, timer

pytestmark = pytest.mark.quick

NEVER = {"never": "db failed: exited with 1", "path": ("db",)}
FAR = {"never": "db failed: exited with 1", "path": ("api", "worker", "db")}
LIMIT = ev.Limit("db", 0.0, 30.0, "db was not ready within 30 s")


def waits(**task: object) -> Story:
    """It has begun to wait for db."""
    return Story(depends_on=(Dependency("db"),), **task).held().begins()


# --- before a run ------------------------------------------------------------------------------


def test_begin__waits_for_what_holds_it() -> None:
    web = waits()
    assert (web.did, web.name) == ([], "pending")
    assert web.said == "pending -> pending: waits for db to be ready"


def test_begin__nothing_if_somebody_wanted_it_before() -> None:
    web = Story().held().start()
    before = web.state
    assert web.begins().did == []
    assert web.state == before


def test_begin__where_it_can_never_start_it_is_skipped() -> None:
    web = Story().held(**NEVER).begins()
    assert web.said == "pending -> skipped: db failed: exited with 1"
    assert web.state.wanted, "nobody took that back"


def test_held_pending__starts_when_nothing_holds_it_any_more() -> None:
    web = waits().passes(1.25).free()
    assert web.did == [spawn(1)]
    assert web.said == "pending -> starting: waited 1.2 s for db to be ready"


def test_held_pending__before_the_project_begins_nothing_starts() -> None:
    web = Story().held(**NEVER)
    assert (web.did, web.state.phase) == ([], Pending())
    assert (web.free().did, web.state.phase) == ([], Pending())


def test_held_pending__says_what_it_still_waits_for() -> None:
    web = waits().held("cache to be started")
    assert (web.did, web.said) == ([], "")
    assert web.state.why == "waits for cache to be started"


def test_held_pending__its_delay_counts_from_there() -> None:
    web = waits(start_delay=2.5).passes(10).free()
    assert web.did == [timer(web.state.timer, 112.5)]
    assert web.said == "pending -> pending: waits 2.5 s before its start"
    assert web.rings().said == "pending -> starting: started after its delay"


def test_held_pending__what_fails_during_the_delay_holds_it_again() -> None:
    web = waits(start_delay=2.5).free().passes(1).held()
    assert web.said == "pending -> pending: waits for db to be ready"
    assert web.rings().did == [], "the delay that was under way is forgotten"
    assert web.free().did == [timer(web.state.timer, web.now + 2.5)]


def test_held_pending__what_is_met_again_during_the_delay_changes_nothing() -> None:
    web = waits(start_delay=2.5).free().passes(1).free()
    assert (web.did, web.said) == ([], "")
    assert web.rings().now == 102.5


def test_held_pending__what_can_never_be_skips_it() -> None:
    web = waits().held(**FAR)
    assert web.said == ("pending -> skipped: needs api -> worker -> db; db failed: exited with 1")
    assert web.did == []


def test_pending_over__it_waits_no_longer_than_it_may() -> None:
    web = waits().held(limits=(LIMIT,))
    assert web.did == [timer(web.state.timer, 130.0)], "from when it could begin to wait"
    web.rings()
    assert web.said == "pending -> skipped: db was not ready within 30 s"
    assert web.state.phase.status == 1, "nobody failed, and yet it did not run"


def test_pending_over__the_first_limit_counts_from_the_last_time_it_held() -> None:
    late = ev.Limit("cache", 110.0, 25.0, "cache was not ready within 25 s")
    web = waits().held(limits=(LIMIT, late))
    assert web.did == [timer(web.state.timer, 130.0)]
    assert web.held(limits=(late,)).did == [timer(web.state.timer, 135.0)]
    assert web.rings().state.why == "cache was not ready within 25 s"


def test_pending_over__a_limit_that_stays_keeps_its_timer() -> None:
    web = waits().held(limits=(LIMIT,)).held("db to be ready, cache", limits=(LIMIT,))
    assert web.did == []
    assert web.rings().name == "skipped"


def test_pending_over__a_limit_that_is_gone_is_no_limit() -> None:
    web = waits().held(limits=(LIMIT,)).held("cache to be started")
    assert web.rings().name == "pending"


def test_pending_over__where_no_timer_was_set_means_nothing() -> None:
    web = waits()
    assert web.tell(ev.TimerFired("web", web.state.timer)).name == "pending"


def test_start__waits_for_what_it_depends_on() -> None:
    web = waits().start()
    assert web.said == "pending -> pending: Ann starts it; waits for db to be ready"
    assert web.free().said == "pending -> starting: Ann starts it"


def test_start__a_restart_of_what_is_down_is_a_start() -> None:
    web = Story().runs().exits(1).is_empty().restart()
    assert web.did == [spawn(2)]
    assert web.said == "failed -> starting: Ann restarts it"


def test_start__says_again_why_it_cannot() -> None:
    web = waits().held(**NEVER).start()
    assert web.said == ("skipped -> skipped: Ann starts it; not started: db failed: exited with 1")


def test_not_any_more__takes_back_a_wait() -> None:
    web = waits().held(limits=(LIMIT,)).stop()
    assert web.said == "pending -> stopped: Ann stops it"
    assert web.free().did == []
    assert web.rings().did == []


def test_backoff_over__the_next_run_waits_too() -> None:
    web = Story(policy="always").runs().exits(1).is_empty().held().rings()
    assert web.did == []
    assert web.said == ("backoff -> pending: exited with 1 after 0.0 s; waits for db to be ready")
    assert web.state.restarts == 0
    assert web.free().said == "pending -> starting: restarted: exited with 1 after 0.0 s"
    assert web.state.restarts == 1


def test_backoff_over__without_hope_its_last_run_was_the_last() -> None:
    web = Story(policy="always").runs().exits(4).is_empty().held(**NEVER).rings()
    assert web.said == (
        "backoff -> skipped: exited with 4 after 0.0 s; not started: db failed: exited with 1"
    )
    assert web.state.phase.status == 4


def test_note_hold__is_for_the_next_run() -> None:
    web = Story().begins().held()
    assert (web.did, web.name) == ([], "starting")
    web.spawned().exits(0).is_empty().start()
    assert web.state.why == "Ann starts it; waits for db to be ready"


# --- skipped -----------------------------------------------------------------------------------


def test_held_skipped__has_its_turn_when_somebody_starts_what_it_needs() -> None:
    web = waits().held(**NEVER).held("db to be ready")
    assert web.said == ("skipped -> pending: what it needs was started; waits for db to be ready")
    assert web.free().did == [spawn(1)]


def test_held_skipped__not_what_a_person_stopped() -> None:
    web = waits().held(**NEVER).stop().free()
    assert (web.did, web.name) == ([], "skipped")


def test_held_skipped__not_what_waited_too_long() -> None:
    web = waits().held(limits=(LIMIT,)).rings().free()
    assert (web.did, web.name) == ([], "skipped")


def test_held_skipped__another_reason_is_no_hope() -> None:
    web = waits().held(**NEVER).held(**FAR)
    assert (web.did, web.name) == ([], "skipped")


# --- a run that makes way ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["restart", "restarts_with_db"])
def test_restart_running__stops_gracefully_and_begins_anew(kind: str) -> None:
    web = getattr(Story().runs(), kind)()
    assert web.did == [signal("group"), timer(2, 110.0)]
    assert web.state.wanted
    web.exits(signal=15).is_empty()
    assert web.did == [spawn(2)]
    assert web.state.restarts == 0, "it was asked for"
    assert web.said.startswith("stopping -> starting: ")


def test_restart_running__waits_before_it_begins_anew() -> None:
    web = Story().runs().held().restarts_with_db().is_empty()
    assert web.said == "stopping -> pending: restarts with db; waits for db to be ready"
    assert web.free().said == "pending -> starting: restarts with db"


def test_restart_running__forgives_the_quick_ends_before() -> None:
    web = Story(policy="always").runs().exits(1).is_empty().rings().spawned()
    web.restart().is_empty().spawned().exits(1).is_empty()
    assert web.said.endswith("the next run is due in 1 s")


def test_restart_running__of_what_its_leader_left() -> None:
    web = Story(leftover="wait").runs().exits(0, left=2).restart()
    assert web.did == [signal("tree"), timer(2, 110.0)]
    assert web.is_empty().did == [spawn(2)]


def test_restart_running__not_with_another_where_the_project_stops() -> None:
    web = Story().runs().stop_planned().restarts_with_db()
    assert (web.did, web.name) == ([], "running")


def test_restart_running__lets_those_go_first_that_restart_with_it() -> None:
    web = Story().runs().held("edge to be down", first=True).restart()
    assert web.did == []
    assert web.said == "running -> running: Ann restarts it; waits for edge to be down"
    web.free()
    assert web.did == [signal("group"), timer(2, 110.0)]
    assert web.is_empty().did == [spawn(2)]


def test_held_running__only_a_planned_restart_waits_for_it() -> None:
    web = Story().runs().held().free()
    assert (web.did, web.name) == ([], "running")


def test_held_running__what_holds_the_next_run_does_not_hold_up_the_stop() -> None:
    web = Story().runs().held("edge to be down", first=True).restart().held("db to be ready")
    assert web.did == [signal("group"), timer(2, 110.0)]
    assert web.is_empty().name == "pending"


def test_held_running__one_that_ended_meanwhile_begins_anew() -> None:
    web = Story().runs().held("edge to be down", first=True).restart().exits(1).is_empty()
    assert web.said == "running -> pending: Ann restarts it; waits for edge to be down"
    assert web.free().did == [spawn(2)]


def test_held_running__what_it_leaves_is_cleared_away_first() -> None:
    web = Story().runs().held("edge to be down", first=True).restart().exits(1, left=1)
    assert web.did == [signal("tree"), timer(2, 110.0)]
    web.free().is_empty()
    assert web.said == "stopping -> starting: Ann restarts it"


def test_restart_starting__what_is_spawned_makes_way() -> None:
    web = Story().begins().restart()
    assert web.said == "starting -> stopping: Ann restarts it"
    assert web.spawned().did == [signal("group"), timer(2, 110.0)]
    assert web.is_empty().did == [spawn(2)]


def test_restart_starting__one_that_could_not_start_is_tried_again() -> None:
    assert Story().begins().restarts_with_db().cannot_start().did == [spawn(2)]


def test_restart_starting__not_with_another_where_the_project_stops() -> None:
    web = Story().begins().stop_planned().restarts_with_db()
    assert (web.did, web.name) == ([], "starting")


def test_start_stopping__a_restart_begins_anew_as_well() -> None:
    web = Story().runs().stop().restart()
    assert web.did == []
    assert web.is_empty().said == "stopping -> starting: Ann restarts it"


# --- a stop that waits for its turn ------------------------------------------------------------


def test_stop_planned_running__stays_up_until_it_is_its_turn() -> None:
    web = Story(policy="always").runs().stop_planned()
    assert (web.did, web.name, web.state.wanted) == ([], "running", False)
    assert web.stop("the project stops").did == [signal("group"), timer(2, 110.0)]


def test_stop_planned_running__what_ends_before_is_not_restarted() -> None:
    web = Story(policy="always").runs().stop_planned().exits(1).is_empty()
    assert web.said == "running -> stopped: exited with 1, exited with 1"


def test_stop_planned_running__takes_back_what_was_asked_for() -> None:
    web = Story().runs().held("edge to be down", first=True).restart().stop_planned().free()
    assert (web.did, web.name) == ([], "running")
    web = Story().runs().exits(0).start().stop_planned().is_empty()
    assert web.name == "stopped"


def test_stop_planned_running__what_it_leaves_is_stopped_for_good() -> None:
    web = Story(policy="always").runs().stop_planned().exits(1, left=1).is_empty()
    assert web.name == "stopped"


def test_stop_planned__a_spawn_that_is_answered_later() -> None:
    web = Story(policy="always").begins().stop_planned()
    assert (web.did, web.name, web.state.wanted) == ([], "starting", False)
    assert web.spawned().name == "running"
    assert web.force().did == [kill(), timer(2, 100 + KILL_WAIT)]


def test_stop_planned__a_spawn_that_fails_is_not_tried_again() -> None:
    web = Story(policy="always").begins().stop_planned().cannot_start()
    assert web.said == ("starting -> stopped: the project stops, could not start: no such program")


@pytest.mark.parametrize("where", ["pending", "backoff"])
def test_not_any_more__who_waits_has_no_turn_to_wait_for(where: str) -> None:
    web = waits() if where == "pending" else Story(policy="always").runs().exits(1).is_empty()
    assert web.name == where
    assert web.stop_planned().said == f"{where} -> stopped: the project stops"


def test_unwanted__an_end_has_no_turn_to_wait_for() -> None:
    web = Story().runs().exits(0).is_empty().stop_planned()
    assert (web.name, web.state.wanted) == ("completed", False)


def test_stop_stopping__has_begun_and_takes_back_what_was_wanted_next() -> None:
    web = Story().runs().restart().stop_planned().is_empty()
    assert web.said == "stopping -> stopped: the project stops, ended"
