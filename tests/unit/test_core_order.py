"""Tasks that depend on each other: who begins when, who never does, who restarts with whom."""

from __future__ import annotations

from itertools import pairwise

import pytest

from procession.spec import Dependency, Restart
from tests.support.crew import ALWAYS, CHECK, Crew, task

pytestmark = pytest.mark.quick

FOLLOWS = Dependency("db", restart=True)
NOT_KILLED = "db was stopped: Ann stops it, what is left could not be killed"


# --- in waves ----------------------------------------------------------------------------------


def test_each_begins_when_what_it_needs_is_ready() -> None:
    crew = Crew(task("web", "api", "cache"), task("api", "db"), task("cache"), task("db"))
    assert crew.begins().began == ["cache", "db"]
    assert crew.said[:2] == [
        "web pending: waits for api to be ready, cache to be ready",
        "api pending: waits for db to be ready",
    ]
    assert crew.spawned("cache").began == []
    assert crew.why("web") == "waits for api to be ready"
    assert crew.passes(2).spawned("db").began == ["api"]
    assert crew.said[1] == "api starting: waited 2.0 s for db to be ready"
    assert crew.spawned("api").began == ["web"]


def test_many_are_counted_not_spelled_out() -> None:
    names = [f"t{n}" for n in range(6)]
    crew = Crew(task("web", *names), *map(task, names)).begins()
    assert crew.why("web") == (
        "waits for t0 to be ready, t1 to be ready, t2 to be ready and 3 more"
    )


def _spawned(crew: Crew) -> None:
    crew.spawned("db")


def _ready(crew: Crew) -> None:
    crew.spawned("db").ready("db")


def _healthy(crew: Crew) -> None:
    crew.spawned("db").ready("db").healthy("db")


def _done(crew: Crew) -> None:
    crew.spawned("db").ends("db")


def _failed(crew: Crew) -> None:
    crew.spawned("db").ends("db", 3)


STEPS = {
    "spawned": _spawned,
    "ready": _ready,
    "healthy": _healthy,
    "done": _done,
    "failed": _failed,
}
MET = {
    "started": {"spawned", "ready", "healthy", "done", "failed"},
    "ready": {"ready", "healthy"},
    "healthy": {"healthy"},
    "completed": {"done", "failed"},
    "completed-successfully": {"done"},
}


@pytest.mark.parametrize("condition", MET)
@pytest.mark.parametrize("step", STEPS)
def test_conditions(condition: str, step: str) -> None:
    """Whether the other began in the course of it."""
    crew = Crew(task("web", f"db:{condition}"), task("db", ready=CHECK, health=CHECK)).begins()
    STEPS[step](crew)
    assert (crew.run("web") == 1) is (step in MET[condition])


@pytest.mark.parametrize("condition", ["started", "ready", "healthy", "completed"])
def test_a_short_task_that_did_its_part_need_not_live(condition: str) -> None:
    """Whether others come in time to see it must make no difference."""
    crew = Crew(task("web", f"init:{condition}", "db"), task("init"), task("db", ready=CHECK))
    crew.begins().spawned("init", "db").ends("init")
    assert crew.ready("db").began == ["web"]


def test_a_one_shot_is_ready_when_it_completed() -> None:
    crew = Crew(task("web", "migrate"), task("migrate", completes=True)).begins()
    assert crew.spawned("migrate").began == []
    assert crew.ends("migrate").began == ["web"]


def test_all_replicas_of_the_other_count() -> None:
    crew = Crew(task("web", "db", replicas=2), task("db", replicas=3)).begins()
    assert crew.began == ["db-1", "db-2", "db-3"]
    assert crew.spawned("db-1", "db-3").began == []
    assert crew.spawned("db-2").began == ["web-1", "web-2"]


def test_one_that_fails_meanwhile_is_waited_for_again() -> None:
    crew = Crew(task("web", "db", "cache"), task("db", restart=ALWAYS), task("cache", ready=CHECK))
    crew.begins().spawned("db", "cache").ends("db", 1)
    assert crew.ready("cache").began == []
    assert crew.why("web") == "waits for db to be ready"
    assert crew.rings("db").spawned("db").began == ["web"]


def test_a_run_that_crashed_waits_as_the_first_did() -> None:
    """What crashes because the other did would only use up its restarts."""
    crew = Crew(task("web", "db", restart=ALWAYS), task("db", restart=Restart("always", 60.0)))
    crew.up().ends("db", 1).ends("web", 1).rings("web")
    assert crew.said == ["web pending: exited with 1 after 0.0 s; waits for db to be ready"]
    assert crew.rings("db").spawned("db").began == ["web"]
    assert crew.fleet.replicas["web"].restarts == 1


def test_a_project_without_dependencies_does_not_pay_for_them() -> None:
    crew = Crew(task("a"), task("b"))
    assert crew.fleet._order is None


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([task("a", "b"), task("b", "c"), task("c", "a")], "in a circle: a -> b -> c -> a"),
        ([task("a", "a")], "in a circle: a -> a"),
        ([task("a", "nobody")], "a depends on nobody, which is no task"),
    ],
)
def test_what_can_never_work_is_refused(tasks: list[object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Crew(*tasks)


# --- never -------------------------------------------------------------------------------------


def test_a_failure_for_good_skips_all_that_need_it_and_says_by_which_path() -> None:
    crew = Crew(task("web", "api"), task("api", "db"), task("db", ready=CHECK), task("other"))
    crew.begins().spawned("db", "other").ends("db", 3)
    failed = "db failed: exited with 3 after 0.0 s"
    assert crew.said == [
        "db failed: exited with 3 after 0.0 s",
        f"api skipped: {failed}",
        f"web skipped: needs api -> db; {failed}",
    ]
    assert crew.ends("other").finish == (3, failed), "what was skipped did not fail itself"


def test_one_that_could_not_start_is_a_failure_like_any_other() -> None:
    crew = Crew(task("web", "db:started"), task("db")).begins().cannot_start("db")
    assert crew.why("web") == "db failed: could not start: no such program"
    assert crew.finish == (127, "db failed: could not start: no such program")


def test_one_that_ended_well_and_was_never_ready_cannot_be_waited_for() -> None:
    crew = Crew(task("web", "db"), task("db", ready=CHECK), task("other")).begins()
    crew.spawned("db", "other").ends("db", 0)
    assert crew.why("web") == "db ended without having been ready: exited with 0 after 0.0 s"


def test_one_that_a_person_stopped_cannot_be_waited_for_until_it_is_started() -> None:
    crew = Crew(task("web", "api"), task("api", "db"), task("db", ready=CHECK), task("other"))
    crew.begins().spawned("db", "other").stop("db").ends("db")
    assert crew.why("api") == "db was stopped: Ann stops it, exited with 0"
    assert crew.name("web") == "skipped"
    assert crew.start("db").said[1:] == [
        "api pending: what it needs was started; waits for db to be ready",
        "web pending: what it needs was started; waits for api to be ready",
    ]
    assert crew.spawned("db").ready("db").began == ["api"]
    assert crew.spawned("api").began == ["web"]


def test_a_restart_by_a_person_is_no_stop_to_those_that_wait() -> None:
    crew = Crew(task("web", "db"), task("db", ready=CHECK)).begins().spawned("db")
    crew.restart("db").ends("db")
    assert crew.name("web") == "pending"
    assert crew.spawned("db").ready("db").began == ["web"]


def test_who_waits_too_long_is_skipped_and_that_is_no_success() -> None:
    limited = Dependency("db", timeout=30.0)
    crew = Crew(task("web", limited), task("edge", "web"), task("db", ready=CHECK)).begins()
    crew.spawned("db").rings("web")
    assert crew.now == 130
    assert crew.said == [
        "web skipped: db was not ready within 30 s",
        "edge skipped: needs web -> db; db was not ready within 30 s",
    ]
    crew.ready("db")
    assert crew.name("web") == "skipped", "it is too late"
    assert crew.ends("db").finish == (1, "web was skipped: db was not ready within 30 s")


def test_a_limit_counts_from_when_one_could_begin_to_wait() -> None:
    limited = Dependency("db", timeout=5.0)
    crew = Crew(task("web", limited, restart=ALWAYS), task("db", restart=Restart("always", 60.0)))
    crew.up().passes(1000).ends("db", 1).ends("web", 1).rings("web")
    assert crew.timers["web"].at == crew.now + 5
    assert crew.rings("web").said == [
        "web skipped: exited with 1 after 17 min; not started: db was not ready within 5 s"
    ]


def test_a_crash_whose_restart_can_never_be_keeps_its_status() -> None:
    crew = Crew(task("web", "db", restart=ALWAYS), task("db")).up()
    crew.stop("db").ends("db").ends("web", 4)
    assert crew.rings("web").finish is not None
    status, reason = crew.finish or (0, "")
    assert status == 4
    assert reason == (
        "web was skipped: exited with 4 after 0.0 s; "
        "not started: db was stopped: Ann stops it, exited with 0"
    )


@pytest.mark.parametrize("end", ["completed", "failed", "stopped"])
def test_what_could_not_be_killed_is_not_waited_for(end: str) -> None:
    crew = Crew(task("web", "db"), task("db"), task("other")).up()
    if end == "stopped":
        crew.stop("web")
    crew.ends("web", 1 if end == "failed" else 0)
    crew.stop("db").rings("db").rings("db")
    assert (crew.name("web"), crew.name("db")) == (end, "stopped")
    assert crew.start("web").said == [
        f"web skipped: Ann starts it; not started: {NOT_KILLED}",
    ]


def test_a_chain_of_thousands_falls_without_recursion_and_in_few_words() -> None:
    names = [f"t{n}" for n in range(3000)]
    tasks = [task(names[0], ready=CHECK)]
    tasks += [task(name, needs) for needs, name in pairwise(names)]
    crew = Crew(*tasks).begins().spawned("t0").ends("t0", 1)
    assert crew.finish == (1, "t0 failed: exited with 1 after 0.0 s")
    assert crew.why("t2999") == (
        "needs t2998 -> t2997 -> t2996 -> ... -> t2 -> t1 -> t0; "
        "t0 failed: exited with 1 after 0.0 s"
    )


# --- started by a person, or not at all --------------------------------------------------------


def test_a_start_starts_what_it_needs_in_order() -> None:
    crew = Crew(
        task("web", "api", autostart=False),
        task("api", "db", autostart=False),
        task("db", autostart=False),
        task("other"),
    ).begins()
    assert crew.began == ["other"]
    assert crew.said[0] == "web stopped: it does not start with the project"
    crew.start("web")
    assert crew.began == ["db"]
    assert crew.said == [
        "db starting: web needs it: Ann starts it",
        "api pending: web needs it: Ann starts it; waits for db to be ready",
        "web pending: Ann starts it; waits for api to be ready",
    ]
    assert crew.spawned("db").began == ["api"]
    assert crew.spawned("api").began == ["web"]


def test_a_start_starts_a_service_that_ended_and_leaves_a_job_that_is_done() -> None:
    crew = Crew(
        task("web", "db", "migrate:completed-successfully", "init"),
        task("db"),
        task("migrate", completes=True),
        task("init", completes=True),
        task("other"),
    )
    crew.begins().spawned("db", "migrate", "init", "other").ends("migrate").ends("init")
    crew.spawned("web").ends("web").ends("db")
    assert crew.start("web").began == ["db"]
    assert crew.spawned("db").began == ["web"]


def test_a_start_tries_again_what_failed() -> None:
    crew = Crew(task("web", "db"), task("db", ready=CHECK), task("other")).begins()
    crew.spawned("db", "other").ends("db", 1)
    assert crew.start("web").began == ["db"]
    assert crew.spawned("db").ready("db").began == ["web"]


def test_a_restart_of_what_is_down_starts_what_it_needs_too() -> None:
    crew = Crew(task("web", "db", autostart=False), task("db", autostart=False), task("other"))
    assert crew.begins().restart("web").began == ["db"]


def test_what_a_task_needs_starts_with_the_project_whatever_it_says() -> None:
    crew = Crew(task("web", "db"), task("db", autostart=False), task("tool", autostart=False))
    assert crew.begins().began == ["db"]
    assert crew.name("tool") == "stopped"


def test_what_does_not_start_with_the_project_does_not_keep_it_up() -> None:
    crew = Crew(task("web"), task("tool", autostart=False)).begins().spawned("web")
    assert crew.ends("web").finish == (0, "all tasks ended")
    crew = Crew(task("web"), task("tool", autostart=False)).begins().spawned("web")
    crew.start("tool").spawned("tool").ends("web")
    assert crew.finish is None, "one that runs does, as any other"
    assert crew.ends("tool").finish == (0, "all tasks ended")


def test_a_project_of_which_nothing_starts_is_over() -> None:
    crew = Crew(task("a", autostart=False), task("b", autostart=False)).begins()
    assert crew.finish == (0, "all tasks ended")


def test_who_was_started_before_the_project_begins_stays_so() -> None:
    crew = Crew(task("web", "db", autostart=False), task("db", autostart=False)).start("web")
    assert crew.began == ["db"]
    crew.begins()
    assert (crew.name("db"), crew.name("web")) == ("starting", "pending")


def test_one_that_is_asked_up_and_never_can_be_ends_what_ends_with_it() -> None:
    """It had ended before, as what was stopped: it ends once more, by being skipped."""
    crew = Crew(task("web", "db", quit_on_terminate=True), task("db"), task("other")).up()
    crew.stop("web").ends("web")
    crew.stop("db").rings("db").rings("db").start("web")
    assert (crew.name("web"), crew.asked) == ("skipped", ["other"])
    assert crew.ends("other").finish == (
        1,
        f"web was skipped: Ann starts it; not started: {NOT_KILLED}",
    )


def test_who_is_told_to_restart_waits_for_those_who_restart_with_it_though_more_is_told() -> None:
    """One restart makes the next: what the first one changed is told after the second began."""
    crew = Crew(
        task("web", Dependency("api", "started", restart=True)),
        task("api", Dependency("db", "started", restart=True)),
        task("db"),
    ).up()
    crew.restart("db")
    hold = crew.fleet.replicas["api"].hold
    assert hold is not None
    assert (hold.by, hold.first) == ("web to be down, db to be started", True)
