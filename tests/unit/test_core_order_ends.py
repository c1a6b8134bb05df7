"""Tasks that depend on each other: who restarts with whom, how it all ends, who stops first."""

from __future__ import annotations

import pytest

from procession.core import events as ev
from procession.spec import Dependency, Restart
from tests.support.crew import ALWAYS, CHECK, Crew, task

pytestmark = pytest.mark.quick

FOLLOWS = Dependency("db", restart=True)


# --- restarts with -----------------------------------------------------------------------------


def test_an_automatic_restart_takes_those_along_that_say_so() -> None:
    crew = Crew(task("web", FOLLOWS), task("log", "db"), task("db", restart=ALWAYS)).up()
    crew.ends("db", 1)
    assert crew.asked == ["web"], "and log stays up"
    assert crew.said[1] == "web stopping: restarts with db"
    assert crew.rings("db").began == []
    assert crew.why("db") == "exited with 1 after 0.0 s; waits for web to be down"
    assert crew.ends("web").began == ["db"]
    assert crew.why("web") == "restarts with db; waits for db to be ready"
    assert crew.spawned("db").began == ["web"]
    assert crew.fleet.replicas["web"].restarts == 0, "it did nothing wrong"
    assert crew.fleet.replicas["db"].restarts == 1


def test_even_without_a_pause_the_others_are_down_before_it_begins() -> None:
    at_once = Restart("always", 0.0)
    crew = Crew(task("web", FOLLOWS), task("db", restart=at_once)).up().ends("db", 1)
    assert crew.asked == ["web"]
    assert crew.rings("db").began == []
    assert crew.ends("web").began == ["db"]


def test_a_restart_goes_through_all_that_say_so_from_the_far_end() -> None:
    follows_web = Dependency("web", restart=True)
    crew = Crew(task("edge", follows_web), task("web", FOLLOWS), task("db", restart=ALWAYS)).up()
    assert crew.ends("db", 1).asked == ["edge"]
    assert crew.why("web") == "restarts with db; waits for edge to be down, db to be ready"
    assert crew.ends("edge").asked == ["web"]
    assert crew.ends("web").rings("db").began == ["db"]
    assert crew.spawned("db").began == ["web"]
    assert crew.spawned("web").began == ["edge"]


def test_a_person_s_restart_stops_first_what_restarts_with_it() -> None:
    crew = Crew(task("web", FOLLOWS), task("db")).up().restart("db")
    assert crew.asked == ["web"]
    assert crew.why("db") == "Ann restarts it; waits for web to be down"
    assert crew.ends("web").asked == ["db"]
    assert crew.name("web") == "pending"
    assert crew.ends("db").began == ["db"]
    assert crew.spawned("db").began == ["web"]


def test_a_job_run_again_takes_those_along_that_say_so() -> None:
    needs = Dependency("migrate", "completed-successfully", restart=True)
    crew = Crew(task("web", needs), task("migrate", completes=True))
    crew.begins().spawned("migrate").ends("migrate")
    crew.spawned("web").restart("migrate")
    assert crew.asked == ["web"]
    assert crew.ends("web").began == ["migrate"]
    assert crew.name("web") == "pending"
    assert crew.spawned("migrate").ends("migrate").began == ["web"]


def test_unhealthy_restarts_take_others_along() -> None:
    crew = Crew(task("web", FOLLOWS), task("db", restart=ALWAYS, health=CHECK)).up()
    assert crew.unhealthy("db").asked == ["db"]
    assert crew.ends("db").asked == ["web"]


def test_what_is_not_up_has_nothing_to_restart() -> None:
    crew = Crew(task("web", FOLLOWS), task("db", restart=ALWAYS), task("other")).up()
    crew.ends("web").ends("db", 1)
    assert (crew.asked, crew.name("web")) == ([], "completed")
    assert crew.rings("db").began == ["db"]


def test_a_failure_for_good_restarts_nobody() -> None:
    crew = Crew(task("web", FOLLOWS), task("db")).up().ends("db", 1)
    assert (crew.asked, crew.name("web")) == ([], "running")


def test_a_restart_that_comes_to_nothing_skips_who_restarted_with_it() -> None:
    crew = Crew(task("web", FOLLOWS), task("db", restart=ALWAYS), task("other")).up()
    crew.ends("db", 1).ends("web").stop("db")
    assert crew.name("web") == "skipped"
    assert crew.why("web") == "restarts with db; not started: db was stopped: Ann stops it"


def test_a_person_s_stop_takes_a_planned_restart_back() -> None:
    crew = Crew(task("web", FOLLOWS), task("db")).up().restart("db").stop("db")
    assert crew.asked == ["db"]
    assert crew.ends("db").name("db") == "stopped"
    assert crew.ends("web").began == []


# --- how it all ends ---------------------------------------------------------------------------


def test_a_restart_by_a_person_is_no_end() -> None:
    crew = Crew(task("web", quit_on_terminate=True)).up().restart("web").ends("web", 1)
    assert (crew.finish, crew.began) == (None, ["web"])


def test_the_end_of_one_replica_quits() -> None:
    crew = Crew(task("web", replicas=2, quit_on_terminate=True), task("other")).up()
    assert crew.ends("web-2", 3).asked == ["web-1", "other"]
    crew.ends("web-1").ends("other")
    assert crew.finish == (3, "web-2 ended: exited with 3 after 0.0 s")


def test_the_exit_code_comes_from_the_task_that_the_project_names() -> None:
    crew = Crew(task("tests", "db"), task("db"), task("flaky"), exit_code_from="tests").up()
    crew.ends("flaky", 9)
    assert crew.finish is None
    assert crew.ends("tests", 0).asked == ["db"]
    assert crew.ends("db").finish == (0, "tests ended: exited with 0 after 0.0 s")


def test_the_first_failure_ends_a_project_that_says_so() -> None:
    crew = Crew(task("a"), task("b"), task("c", restart=ALWAYS), abort_on_failure=True).up()
    assert crew.ends("a", 0).asked == []
    assert crew.ends("c", 4).asked == [], "it is restarted"
    assert crew.ends("b", 5).asked == []
    assert crew.finish == (5, "b failed: exited with 5 after 0.0 s")


def test_to_wait_too_long_is_a_failure_too() -> None:
    limited = Dependency("db", timeout=30.0)
    crew = Crew(task("web", limited), task("db", ready=CHECK), abort_on_failure=True).begins()
    assert crew.spawned("db").rings("web").asked == ["db"]
    assert crew.ends("db").finish == (1, "web was skipped: db was not ready within 30 s")


def test_a_task_that_the_project_is_for_and_is_skipped_ends_it() -> None:
    crew = Crew(task("web", "db", quit_on_terminate=True), task("db"), task("other")).begins()
    crew.spawned("other").cannot_start("db")
    assert crew.asked == ["other"]
    status, reason = crew.ends("other").finish or (0, "")
    assert status == 127, "the first failure is what kept it from running"
    assert reason == "web was skipped: db failed: could not start: no such program"


def test_and_is_no_success_where_nothing_failed() -> None:
    crew = Crew(task("web", "db", quit_on_terminate=True), task("db", ready=CHECK)).begins()
    crew.spawned("db").stop("db").ends("db")
    assert crew.finish == (1, "web was skipped: db was stopped: Ann stops it, exited with 0")


# --- the stop of all ---------------------------------------------------------------------------


def test_what_depends_on_it_stops_first() -> None:
    crew = Crew(task("db"), task("cache"), task("api", "db"), task("web", "api", "cache")).up()
    assert crew.stop_all().asked == ["web"]
    assert crew.ends("web").asked == ["api", "cache"], "at once"
    assert crew.ends("cache").asked == []
    assert crew.ends("api").asked == ["db"]
    assert crew.ends("db").finish == (0, "Ctrl-C")
    assert crew.why("db") == "the project stops, exited with 0"


def test_also_by_way_of_what_has_ended() -> None:
    crew = Crew(task("db"), task("migrate", "db", completes=True), task("web", "migrate"))
    crew.begins().spawned("db")
    crew.spawned("migrate").ends("migrate")
    crew.spawned("web")
    assert crew.stop_all().asked == ["web"]
    assert crew.ends("web").asked == ["db"]


def test_all_replicas_stop_before_what_they_depend_on() -> None:
    crew = Crew(task("db", replicas=2), task("web", "db", replicas=2)).up()
    assert crew.stop_all().asked == ["web-1", "web-2"]
    assert crew.ends("web-2").asked == []
    assert crew.ends("web-1").asked == ["db-1", "db-2"]


def test_what_waits_is_over_at_once() -> None:
    crew = Crew(task("db", ready=CHECK), task("web", "db"), task("a", restart=ALWAYS)).begins()
    crew.spawned("db", "a").ends("a", 1).stop_all()
    assert crew.said == [
        "web stopped: the project stops",
        "a stopped: the project stops",
        "db stopping: the project stops",
    ]
    assert crew.asked == ["db"]


def test_what_ends_before_its_turn_is_not_started_again() -> None:
    crew = Crew(task("db", restart=Restart("always", 0.0)), task("web", "db")).up().stop_all()
    assert crew.ends("db", 1).began == []
    assert crew.name("db") == "stopped"
    assert crew.ends("web").finish == (0, "Ctrl-C")


def test_what_is_unhealthy_before_its_turn_is_not_stopped_early() -> None:
    crew = Crew(task("db", health=CHECK, restart=ALWAYS), task("web", "db")).up().stop_all()
    assert crew.unhealthy("db").asked == []
    assert crew.ends("web").asked == ["db"]


def test_force_is_for_all_at_once() -> None:
    crew = Crew(task("db"), task("api", "db"), task("web", "api")).up().stop_all()
    crew.tell(ev.ForceAllAsked("Ctrl-C again"))
    assert crew.killed == ["db", "api", "web"]


def test_the_time_limit_of_the_whole_is_a_force() -> None:
    crew = Crew(task("db"), task("web", "db"), stop_timeout=8.0).up().stop_all()
    assert crew.timers[ev.PROJECT].at == 108
    crew.rings(ev.PROJECT)
    assert crew.killed == ["db", "web"]
    assert crew.ends("db").ends("web").finish == (0, "Ctrl-C")


def test_the_time_limit_of_a_stop_that_was_forced_means_nothing() -> None:
    crew = Crew(task("db"), stop_timeout=8.0).up().stop_all()
    crew.tell(ev.ForceAllAsked("Ctrl-C again")).rings(ev.PROJECT)
    assert crew.killed == []


def test_no_wish_for_one_task_holds_up_the_stop_of_all() -> None:
    crew = Crew(task("db", restart=ALWAYS), task("web", FOLLOWS)).up().restart("db").stop_all()
    for verb in (crew.start, crew.restart):
        verb("db")
        verb("web")
    assert crew.ends("web").asked == ["db"]
    assert crew.ends("db").finish == (0, "Ctrl-C")


# --- chance ------------------------------------------------------------------------------------


def test_what_fell_together_does_not_come_again_together() -> None:
    crew = Crew(task("a", restart=Restart("always", jitter=0.5)), draw=0.5).up().ends("a", 1)
    assert crew.timers["a"].at == crew.now + 1.25
    assert crew.said == ["a backoff: exited with 1 after 0.0 s; the next run is due in 1.25 s"]


def test_a_fixed_pause_is_left_alone() -> None:
    crew = Crew(task("a", restart=ALWAYS), draw=0.5).up().ends("a", 1)
    assert crew.timers["a"].at == crew.now + 3
