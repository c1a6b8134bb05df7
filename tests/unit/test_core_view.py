from __future__ import annotations

import pytest

from procession.core.actions import Changed, HealthChanged, ReadyChanged
from procession.core.fleet import Fleet
from procession.core.states import PHASES, ReplicaState, Stopping
from procession.core.stop import Climb, ladder_of
from procession.core.view import LOUD, Row, row, tell, tell_check, waiting, worth_telling
from procession.spec import Project, Stop, StopStep, Task
from tests.support.story import Story

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


def test_a_stop_of_several_steps_says_what_comes_next() -> None:
    ladder = Stop(command=("quit",), steps=(StopStep("SIGINT"), StopStep(command=("ask", "it"))))
    web = stopping("web", rung=0, deadline=10.0)
    assert isinstance(web.phase, Stopping)
    for rung, words in ((0, "SIGINT in 8 s"), (1, "ask in 8 s"), (2, "killed in 8 s")):
        climb = Climb(ladder_of(ladder), rung, 0.0, 10.0)
        state = web.replace(phase=web.phase.replace(climb=climb))
        assert waiting([state], 2.0) == f"waiting for web ({words})"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (ReadyChanged("web", 1, True, "ready after 1.2 s"), "web ready after 1.2 s"),
        (ReadyChanged("web", 1, False, "exited with 3"), "web not ready any more: exited with 3"),
        (HealthChanged("web", 1, True, "healthy again"), "web healthy again"),
        (HealthChanged("web", 1, False, "tcp 80: refused"), "web not healthy: tcp 80: refused"),
    ],
)
def test_what_checks_say(change: ReadyChanged | HealthChanged, words: str) -> None:
    assert tell_check(change) == words


def test_a_row_is_a_replica_as_it_is_now() -> None:
    web = Story().runs().says("serving").passes(90)
    assert row(web.state, web.now) == Row(
        name="web",
        task="web",
        replica=1,
        state="running",
        wanted=True,
        ready=True,
        healthy=None,
        pid=7,
        run=1,
        restarts=0,
        since=90.0,
        exit=None,
        reason="started with the project, pid 7",
        status_text="serving",
    )


def test_a_row_before_anything_happened() -> None:
    state = Fleet(Project("demo", "/", (Task("web", "x", replicas=2),))).replicas["web-2"]
    told = row(state, 5.0)
    assert (told.name, told.task, told.replica) == ("web-2", "web", 2)
    assert (told.state, told.wanted, told.ready, told.pid, told.since) == (
        "pending", True, False, None, None,
    )  # fmt: skip


def test_a_row_of_what_ended_says_how_and_has_no_pid() -> None:
    web = Story(policy="always").runs().passes(3).exits(3)
    told = row(web.state, web.now)
    assert (told.state, told.pid, told.exit, told.ready) == (
        "running",
        None,
        "exited with 3",
        False,
    )
    told = row(web.is_empty().passes(0.5).state, web.now)
    assert (told.state, told.pid, told.exit, told.since) == ("backoff", None, "exited with 3", 0.5)
    told = row(web.rings().spawned(9).state, web.now)
    assert (told.pid, told.exit, told.run, told.restarts) == (9, "exited with 3", 2, 1)
    told = row(web.stop().state, web.now - 100)
    assert (told.state, told.wanted, told.pid, told.since) == ("stopping", False, 9, 0.0)


def test_a_stop_before_the_start_was_answered() -> None:
    phase = Stopping(pid=None, since=0.0, climb=None, asked=True)
    early = ReplicaState("web", Task("web", "x"), phase)
    assert waiting([early], 0.0) == "waiting for web (not started yet)"


def test_a_run_that_is_over_says_nothing_of_itself_any_more() -> None:
    web = Story(policy="always").runs()
    serving = web.state.replace(status_text="serving")
    assert row(serving, 0.0).status_text == "serving"
    over = web.exits(1).is_empty().state.replace(status_text="serving")
    assert (row(over, 0.0).state, row(over, 0.0).status_text) == ("backoff", "")
