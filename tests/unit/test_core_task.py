"""Every handler of a replica, as short histories. A test is called by its handler: what it does in
which case. Stops, checks and dependencies are in test_core_task_stops, _checks and _order;
test_core_table looks for forgotten handlers."""

from __future__ import annotations

import pytest

from procession.core import events as ev
from procession.core.actions import Release
from procession.core.states import ReplicaState, Skipped
from procession.core.status import ExitStatus
from procession.core.stop import KILL_WAIT
from procession.spec import Stop, Task
from tests.support.story import Story, kill, signal, spawn, timer

pytestmark = pytest.mark.quick


# --- towards a run ---------------------------------------------------------------------------


def test_begin__without_a_delay_spawns_at_once() -> None:
    web = Story().begins()
    assert web.did == [spawn(1)]
    assert web.said == "pending -> starting: started with the project"


def test_begin__with_a_delay_waits_for_it() -> None:
    web = Story(start_delay=2.5).begins()
    assert web.did == [timer(1, 102.5)]
    assert (web.name, web.state.why) == ("pending", "waits 2.5 s before its start")
    assert web.said == "pending -> pending: waits 2.5 s before its start"


def test_pending_over__after_the_delay() -> None:
    web = Story(start_delay=2.5).begins().rings()
    assert web.did == [spawn(1)]
    assert web.said == "pending -> starting: started after its delay"
    assert web.state.restarts == 0


def test_backoff_over__after_a_back_off_and_counts_a_restart() -> None:
    web = Story(policy="always").runs().exits(3).is_empty().rings()
    assert web.did == [spawn(2)]
    assert web.said == "backoff -> starting: restarted: exited with 3 after 0.0 s"
    assert web.state.restarts == 1


def test_start__during_the_delay_does_not_wait_for_it() -> None:
    web = Story(start_delay=2.5).begins().start()
    assert web.did == [spawn(1)]
    assert web.said == "pending -> starting: Ann starts it"
    assert web.rings().did == []
    assert web.name == "starting"


def test_start__during_a_back_off_is_a_fresh_one() -> None:
    web = Story(policy="always").runs()
    for pause in (1, 2, 4):
        web.exits(1).is_empty()
        assert web.due is not None
        assert web.due.at == web.now + pause
        web.start().spawned() if pause == 4 else web.rings().spawned()
    assert web.state.restarts == 2, "what a person asked for is no restart"
    assert (
        web.exits(1)
        .is_empty()
        .said.endswith("exited with 1 after 0.0 s; the next run is due in 1 s")
    )


@pytest.mark.parametrize("end", ["stopped", "completed", "failed", "skipped"])
def test_start__after_an_end_is_the_next_run(end: str) -> None:
    web = Story().runs()
    if end == "stopped":
        web.stop().is_empty()
    elif end == "skipped":
        web.state = ReplicaState("web", web.state.task, Skipped(), run=1)
    else:
        web.exits(0 if end == "completed" else 1).is_empty()
    assert web.name == end
    assert web.start().did == [spawn(2)]
    assert web.said == f"{end} -> starting: Ann starts it"
    assert web.state.wanted


def test_start__never_beside_what_could_not_be_killed() -> None:
    web = Story().runs().stop().rings().rings().start()
    assert (web.did, web.said, web.name) == ([], "", "stopped")
    assert web.state.why == "not started: what its last run left could not be killed"


@pytest.mark.parametrize("policy", ["no", "always"])
def test_not_any_more__ends_a_replica_that_waits(policy: str) -> None:
    web = Story(policy=policy, start_delay=5.0).begins()
    if policy == "always":
        web.rings().cannot_start()
    before = web.name
    web.stop()
    assert web.said == f"{before} -> stopped: Ann stops it"
    assert not web.state.wanted
    assert web.rings().did == [], "the timer that was set is stale"
    assert Story(start_delay=5.0).begins().force().said == "pending -> stopped: Ann forces it"


def test_spawned__runs() -> None:
    web = Story().begins().spawned(pid=4711)
    assert web.said == "starting -> running: started with the project, pid 4711"
    assert web.did == []


def test_spawn_failed__gives_up_with_the_status_of_a_shell() -> None:
    web = Story().begins().cannot_start(126)
    assert web.said == "starting -> failed: could not start: no such program"
    assert web.state.phase.status == 126


def test_spawn_failed__backs_off_like_a_run_that_failed() -> None:
    web = Story(policy="on-failure").begins()
    for run, pause in ((1, 1), (2, 2), (3, 4)):
        assert web.did == [spawn(run)]
        web.cannot_start()
        assert web.name == "backoff"
        assert web.due is not None
        assert web.due.at == web.now + pause
        web.rings()


def test_spawn_failed__pauses_even_where_no_pause_was_asked_for() -> None:
    web = Story(policy="always", delay=0.0).begins().cannot_start()
    assert web.name == "backoff", "another spawn in the same step would never end"
    assert web.did == [timer(3, web.now + 1)]


# --- a run under way -------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["leader", "group", "tree"])
def test_stop_running__asks_those_the_task_names(to: str) -> None:
    web = Story(stop=Stop("SIGINT", to, 3.0)).runs().stop()
    assert web.did == [signal(to, name="SIGINT"), timer(2, 103.0)]
    assert web.said == "running -> stopping: Ann stops it"
    assert not web.state.wanted


def test_stop_running__asks_the_tree_where_the_leader_is_gone() -> None:
    web = Story(leftover="wait").runs().exits(0, left=2).stop()
    assert web.did == [signal("tree"), timer(2, 110.0)]
    assert web.is_empty().said == "stopping -> stopped: Ann stops it, exited with 0"


def test_force_running__kills_at_once() -> None:
    web = Story().runs().force()
    assert web.did == [kill(), timer(2, 100 + KILL_WAIT)]
    web.exits(signal=9).is_empty()
    assert web.said == "stopping -> stopped: Ann forces it, killed by SIGKILL, forced"


def test_leader_exited__with_nothing_left_waits_for_the_output() -> None:
    web = Story().runs().exits(0)
    assert (web.did, web.name, web.state.why) == ([], "running", "exited with 0")


def test_leader_exited__stops_what_is_left() -> None:
    web = Story(stop=Stop("SIGTERM", "leader", 4.0)).runs().exits(3, left=2)
    assert web.did == [signal("tree"), timer(2, 104.0)]
    assert web.said == "running -> stopping: leader exited with 3, stops 2 processes it left"
    assert web.state.wanted
    assert web.is_empty().said == "stopping -> failed: exited with 3 after 0.0 s"


def test_leader_exited__waits_for_what_is_left() -> None:
    web = Story(leftover="wait").runs().exits(0, left=1)
    assert (web.did, web.name) == ([], "running")
    assert web.state.why == "leader exited with 0, waits for 1 process it left"
    assert web.is_empty().said == "running -> completed: exited with 0 after 0.0 s"


def test_leader_exited__leaves_what_is_left() -> None:
    web = Story(leftover="leave").runs().exits(0, left=3)
    assert web.did == [Release("web", 1, survivors=False)]
    assert web.said == "running -> completed: exited with 0 after 0.0 s"


def test_leader_exited__leaves_what_is_left_and_goes_on() -> None:
    web = Story(leftover="leave", policy="always").runs().exits(1, left=3)
    assert web.did == [Release("web", 1, survivors=False), timer(3, 101.0)]
    assert web.is_empty().did == [], "what was released is of no interest"
    assert web.rings().did == [spawn(2)]


def test_leader_exited__is_told_once() -> None:
    web = Story(leftover="wait").runs().exits(3, left=1).exits(0, left=5)
    assert web.state.why == "leader exited with 3, waits for 1 process it left"
    assert web.is_empty().said == "running -> failed: exited with 3 after 0.0 s"


def test_grown_running__a_living_leader_may_start_what_it_likes() -> None:
    web = Story().runs()
    before = web.state
    assert web.grows().did == []
    assert web.state == before


@pytest.mark.parametrize("again", [False, True])
def test_grown_running__what_comes_to_light_late_is_stopped_too(again: bool) -> None:
    web = Story().runs().exits(3)
    if again:
        web.start()
    web.grows()
    assert web.did == [signal("tree"), timer(2, 110.0)]
    assert web.said == "running -> stopping: leader exited with 3, stops what it left"
    web.is_empty()
    assert web.said == (
        "stopping -> starting: Ann starts it"
        if again
        else "stopping -> failed: exited with 3 after 0.0 s"
    )


def test_grown_running__what_comes_to_light_late_is_waited_for() -> None:
    web = Story(leftover="wait").runs().exits(0).grows()
    assert (web.did, web.state.why) == ([], "leader exited with 0, waits for what it left")
    web.start().grows()
    assert web.state.why == "Ann starts it, once its tree is empty"


def test_grown_running__that_it_waits_is_told_once() -> None:
    web = Story(leftover="wait").runs().exits(0, left=1)
    told = "leader exited with 0, waits for 1 process it left"
    assert web.said == f"running -> running: {told}"
    assert (web.grows().said, web.state.why) == ("", told)


def test_grown_running__what_comes_to_light_late_is_left() -> None:
    web = Story(leftover="leave").runs().exits(0).grows()
    assert web.did == [Release("web", 1, survivors=False)]
    assert web.name == "completed"


def test_start_running__one_that_is_up_stays_up() -> None:
    web = Story().runs()
    before = web.state
    assert web.start().did == []
    assert web.state == before


def test_start_running__after_the_leader_s_end_is_not_forgotten() -> None:
    web = Story().runs().exits(3).start()
    assert (web.did, web.name) == ([], "running")
    assert web.state.why == "Ann starts it, once its tree is empty"
    assert web.is_empty().did == [spawn(2)]
    assert web.said == "running -> starting: Ann starts it"
    assert web.state.restarts == 0


def test_start_running__forgives_the_quick_ends_before() -> None:
    web = Story(policy="always").runs().exits(1).is_empty().rings().spawned()
    web.exits(1).start().is_empty().spawned().exits(1).is_empty()
    assert web.said.endswith("the next run is due in 1 s")


def test_start_running__a_later_stop_wins() -> None:
    web = Story().runs().exits(0).start().stop().is_empty()
    assert web.said == "stopping -> stopped: Ann stops it, exited with 0"


@pytest.mark.parametrize(
    ("code", "policy", "said"),
    [
        (0, "no", "completed: exited with 0 after 0.0 s"),
        (3, "no", "failed: exited with 3 after 0.0 s"),
        (5, "on-failure", "completed: exited with 5 after 0.0 s"),
        (3, "on-failure", "backoff: exited with 3 after 0.0 s; the next run is due in 1 s"),
        (0, "always", "backoff: exited with 0 after 0.0 s; the next run is due in 1 s"),
    ],
)
def test_run_over__the_policy_decides(code: int, policy: str, said: str) -> None:
    web = Story(policy=policy, success_exit_codes=(0, 5)).runs().exits(code).is_empty()
    assert web.said == f"running -> {said}"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (2.13, "2.1 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599.0, "1 h"),
        (3 * 3600 + 20 * 60, "3 h 20 min"),
        (47 * 3600 + 60, "47 h 1 min"),
        (50 * 3600, "2 days 2 h"),
        (2.88e9, "91 years"),
    ],
)
def test_run_over__says_how_long_the_run_was(seconds: float, words: str) -> None:
    web = Story().runs().passes(seconds).exits(1).passes(5).is_empty()
    assert web.said == f"running -> failed: exited with 1 after {words}"


@pytest.mark.parametrize(
    ("code", "number", "words"),
    [
        (None, 9, "killed by SIGKILL after 1.0 s (not by us: by another process, or for lack of "),
        (127, None, "exited with 127 after 1.0 s (as shells do for a program that is not there)"),
        (None, 11, "killed by SIGSEGV (segmentation fault) after 1.0 s"),
    ],
)
def test_run_over__says_what_is_probably_behind_it(
    code: int | None, number: int | None, words: str
) -> None:
    web = Story().runs().passes(1).exits(code, signal=number).is_empty()
    assert web.said.startswith(f"running -> failed: {words}")


def test_run_over__a_code_that_is_a_success_needs_no_explanation() -> None:
    web = Story(success_exit_codes=(127,)).runs().exits(127).is_empty()
    assert web.said == "running -> completed: exited with 127 after 0.0 s"


def test_run_over__without_a_pause_the_next_run_follows_at_once() -> None:
    web = Story(policy="always", delay=0.0).runs().exits(signal=11).is_empty()
    assert web.did == [spawn(2)]
    assert (
        web.said
        == "running -> starting: restarted: killed by SIGSEGV (segmentation fault) after 0.0 s"
    )
    assert web.state.restarts == 1


def test_run_over__an_unknown_status_is_no_success() -> None:
    web = Story().runs().exits(None).is_empty()
    assert web.said == "running -> failed: status unknown after 0.0 s"
    assert web.state.phase.status == 1


def test_run_over__a_stable_run_forgives_the_quick_ones_before() -> None:
    web = Story(policy="always").runs()
    for lasted, pause in ((1, 1), (9.75, 2), (0, 4), (10, 1), (1, 2)):
        web.passes(lasted).exits(1).passes(60).is_empty()
        assert web.due is not None
        assert web.due.at == web.now + pause, "and reading the output is no stable time"
        web.rings().spawned()


def test_run_over__with_leftover_wait_the_run_lasts_as_long_as_its_tree() -> None:
    web = Story(policy="always", leftover="wait").runs()
    web.exits(0).is_empty().rings().spawned().exits(0, left=1).passes(10).is_empty()
    assert web.due is not None
    assert web.due.at == web.now + 1


# --- nothing to do ---------------------------------------------------------------------------


def test_unwanted__an_end_stays_as_it_was() -> None:
    web = Story().runs().exits(3).is_empty()
    why = web.state.why
    assert web.stop().did == []
    assert (web.name, web.state.why, web.state.wanted) == ("failed", why, False)


def test_ignore__changes_nothing() -> None:
    web = Story().begins()
    before = web.state
    assert web.begins().did == []
    assert web.start().did == []
    assert web.state == before


def test_events_of_an_earlier_run_change_nothing() -> None:
    web = Story(policy="always").runs().exits(1).is_empty().rings().spawned()
    before = web.state
    late = [
        ev.Spawned("web", 1, 7),
        ev.SpawnFailed("web", 1, "late", 127),
        ev.LeaderExited("web", 1, ExitStatus(0), 3),
        ev.TreeGrew("web", 1),
        ev.TreeEmpty("web", 1),
        ev.TimerFired("web", 1),
    ]
    for event in late:
        assert web.tell(event).did == []
        assert web.state == before


def test_an_unknown_event_is_told_with_its_state() -> None:
    class Odd(ev.Event):
        pass

    with pytest.raises(KeyError, match=r"Pending.*Odd"):
        Story().tell(Odd("web"))


def test_a_task_s_environment_stays_out_of_what_is_shown() -> None:
    task = Task("web", "web", environment=(("TOKEN", "hunter2"),))
    assert "hunter2" not in repr(ReplicaState("web", task))
