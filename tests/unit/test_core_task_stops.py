"""The handlers of a tree on its way down, as short histories."""

from __future__ import annotations

import pytest

from procession.core.actions import EndCommand, Release, RunCommand
from procession.core.stop import KILL_WAIT
from procession.spec import COMMAND_TIMEOUT, Stop, StopStep
from tests.support.story import Story, kill, signal, spawn, timer

pytestmark = pytest.mark.quick


def test_stop_stopping__a_clearing_away_becomes_a_stop() -> None:
    web = Story(policy="always").runs().exits(1, left=2).passes(1).stop()
    assert (web.did, web.name) == ([], "stopping"), "the time it may take is not extended"
    assert web.is_empty().said == "stopping -> stopped: Ann stops it, exited with 1"


def test_stop_stopping__takes_back_a_start() -> None:
    web = Story().runs().stop().start().stop("Bob stops it").is_empty()
    assert web.said == "stopping -> stopped: Bob stops it, ended"
    assert not web.state.wanted


def test_start_stopping__waits_until_the_tree_is_empty() -> None:
    web = Story().runs().stop().start()
    assert (web.did, web.name) == ([], "stopping")
    assert web.state.why == "Ann starts it, once its tree is empty"
    assert web.exits(0).did == []
    assert web.is_empty().did == [spawn(2)]
    assert web.said == "stopping -> starting: Ann starts it"


def test_start_stopping__does_not_extend_the_stop() -> None:
    web = Story().runs().stop().passes(9).start().stop().start()
    assert web.rings().now == 110
    assert web.did == [kill(), timer(3, 110 + KILL_WAIT)]


def test_start_stopping__needs_no_words() -> None:
    assert Story().runs().stop().start("").is_empty().did == [spawn(2)]


def test_start_stopping__does_not_wait_for_a_back_off() -> None:
    web = Story(policy="always").runs().exits(1, left=1).start().is_empty()
    assert web.did == [spawn(2)]


def test_start_stopping__forgives_the_quick_ends_before() -> None:
    web = Story(policy="always").runs().exits(1).is_empty().rings().spawned()
    web.exits(1, left=1).start().is_empty().spawned().exits(1).is_empty()
    assert web.said.endswith("the next run is due in 1 s")


def test_force_stopping__kills_at_once() -> None:
    web = Story().runs().stop().passes(1).force()
    assert web.did == [kill(), timer(3, 101 + KILL_WAIT)]
    assert web.rings().did == [Release("web", 1, survivors=True)]


def test_force_stopping__again_kills_again_and_extends_nothing() -> None:
    web = Story().runs().stop().force().passes(4).force("Bob forces it")
    assert web.did == [kill()]
    assert web.rings().now == 100 + KILL_WAIT
    assert web.said == "stopping -> stopped: Bob forces it, what is left could not be killed"


def test_force_stopping__before_the_spawn_is_answered() -> None:
    web = Story().begins().stop().force()
    assert web.did == []
    assert web.spawned().did == [kill(), timer(2, 100 + KILL_WAIT)]


def test_force_stopping__takes_back_a_start() -> None:
    web = Story().runs().stop().start().force().is_empty()
    assert web.said == "stopping -> stopped: Ann forces it, ended, forced"


def test_next_rung__kills_after_the_grace() -> None:
    web = Story(stop=Stop(timeout=3.0)).runs().stop().rings()
    assert web.now == 103
    assert web.did == [kill(), timer(3, 103 + KILL_WAIT)]
    web.exits(signal=9).is_empty()
    assert web.said == "stopping -> stopped: Ann stops it, killed by SIGKILL, forced"


def test_next_rung__gives_up_what_cannot_be_killed() -> None:
    web = Story().runs().stop().rings().rings()
    assert web.now == 100 + 10 + KILL_WAIT
    assert web.did == [Release("web", 1, survivors=True)]
    assert web.said == "stopping -> stopped: Ann stops it, what is left could not be killed"
    assert web.exits(signal=9).is_empty().did == [], "too late to be of interest"


@pytest.mark.parametrize(
    ("code", "policy", "asked", "status", "why"),
    [
        (3, "no", False, 3, "exited with 3, and what it left could not be killed"),
        (0, "no", False, 1, "exited with 0, and what it left could not be killed"),
        (3, "always", False, 3, "not started again: what its last run left could not be killed"),
        (0, "no", True, 1, "not started again: what its last run left could not be killed"),
    ],
)
def test_next_rung__gives_up_also_what_was_wanted_next(
    code: int, policy: str, asked: bool, status: int, why: str
) -> None:
    web = Story(policy=policy).runs().exits(code, left=1)
    if asked:
        web.start()
    web.rings().rings()
    assert web.did == [Release("web", 1, survivors=True)]
    assert web.said == f"stopping -> failed: {why}"
    assert web.state.phase.status == status


def test_spawned_late__is_stopped_as_soon_as_it_is_there() -> None:
    web = Story().begins().stop().passes(1).spawned(pid=4711)
    assert web.did == [signal("group"), timer(2, 111.0)]
    assert web.state.phase.pid == 4711
    assert web.exits(0).is_empty().said == "stopping -> stopped: Ann stops it, exited with 0"


def test_spawned_late__a_start_asked_for_meanwhile_is_another_run() -> None:
    web = Story().begins().stop().start().spawned()
    assert web.did == [signal("group"), timer(2, 110.0)]
    assert web.is_empty().did == [spawn(2)]


def test_spawned_late__is_told_once() -> None:
    web = Story().begins().stop().spawned()
    before = web.state
    assert web.spawned(pid=8).did == []
    assert web.state == before


def test_spawn_failed_late__nothing_has_to_be_stopped() -> None:
    web = Story(policy="always").begins().stop().cannot_start()
    assert web.said == "stopping -> stopped: Ann stops it, it had not started"


def test_spawn_failed_late__a_start_asked_for_meanwhile_is_another_try() -> None:
    web = Story().begins().stop().start().cannot_start()
    assert web.did == [spawn(2)]
    assert web.said == "stopping -> starting: Ann starts it"


def test_spawn_failed_late__not_of_a_run_that_was_spawned() -> None:
    web = Story().runs().stop()
    before = web.state
    assert web.cannot_start().did == []
    assert web.state == before


def test_leader_exited_stopping__what_it_leaves_hears_of_the_stop() -> None:
    web = Story(stop=Stop(to="leader")).runs().stop().exits(0, left=2)
    assert web.did == [signal("tree", unheard=True)]
    assert web.rings().did[0] == kill()


def test_leader_exited_stopping__what_it_leaves_is_killed_where_all_are() -> None:
    assert Story().runs().force().exits(signal=9, left=1).did == [kill()]


def test_leader_exited_stopping__is_told_once() -> None:
    web = Story().runs().stop().exits(3, left=1)
    before = web.state
    assert web.exits(0, left=1).did == []
    assert web.state == before


def test_leader_exited_stopping__not_before_the_spawn_is_answered() -> None:
    web = Story().begins().stop()
    before = web.state
    assert web.exits(0, left=1).did == []
    assert web.state == before


@pytest.mark.parametrize("to", ["leader", "group"])
def test_grown__a_living_leader_may_clean_up_in_peace(to: str) -> None:
    web = Story(stop=Stop(to=to)).runs().stop()
    assert web.grows().did == []
    web.exits(0)
    assert web.grows().did == [signal("tree", unheard=True)]


def test_grown__the_whole_tree_hears_where_the_task_says_so() -> None:
    assert Story(stop=Stop(to="tree")).runs().stop().grows().did == [signal("tree", unheard=True)]


def test_grown__is_killed_where_all_are() -> None:
    assert Story().runs().stop().rings().grows().did == [kill()]


def test_grown__not_before_the_spawn_is_answered() -> None:
    assert Story().begins().force().grows().did == []


def test_stop_over__says_how_it_ended() -> None:
    web = Story().runs().stop().exits(signal=15).is_empty()
    assert web.said == "stopping -> stopped: Ann stops it, killed by SIGTERM"
    assert web.rings().did == [], "the deadline of a stop that is over is stale"


def test_stop_over__of_a_clearing_away_is_the_end_of_the_run() -> None:
    web = Story(policy="on-failure").runs().exits(3, left=1).is_empty()
    assert web.said == "stopping -> backoff: exited with 3 after 0.0 s; the next run is due in 1 s"


def test_stop_over__clearing_away_is_no_stable_time() -> None:
    web = Story(policy="always", stop=Stop(timeout=20.0)).runs()
    for pause in (1, 2, 4):
        web.exits(1, left=1).rings().is_empty()
        assert web.did == [timer(web.state.timer, web.now + pause)]
        web.rings().spawned()


def test_stop_over__not_before_the_spawn_is_answered() -> None:
    web = Story().begins().stop().is_empty()
    assert web.name == "stopping"
    assert web.spawned().did == [signal("group"), timer(2, 110.0)], "or it would be lost"


@pytest.mark.parametrize("forced", [False, True])
def test_cancel_starting__waits_for_the_answer_of_the_spawn(forced: bool) -> None:
    web = Story().begins()
    web.force() if forced else web.stop()
    assert web.did == []
    assert web.said == f"starting -> stopping: Ann {'forces' if forced else 'stops'} it"
    first = web.spawned().did[0]
    assert first == (kill() if forced else signal("group"))


# --- ladders with commands ---------------------------------------------------------------------

QUIT = ("nginx", "-s", "quit")
LADDER = Stop(
    steps=(
        StopStep(command=QUIT),
        StopStep("SIGTERM", wait=4.0),
        StopStep(command=("ask", "it"), wait=3.0),
    )
)


def run_command(rung: int, *command: str) -> RunCommand:
    return RunCommand("web", 1, rung, command)


def test_command_ended__the_next_step_follows() -> None:
    web = Story(stop=LADDER).runs().stop()
    assert web.did == [run_command(0, *QUIT), timer(2, 100 + COMMAND_TIMEOUT)]
    web.passes(2).command_ends()
    assert web.did == [signal("group"), timer(3, 106.0)]
    web.rings()
    assert web.did == [run_command(2, "ask", "it"), timer(4, 109.0)]
    assert web.passes(1).command_ends(2).did == [], "what it began may take its time"
    assert web.rings().did == [kill(), timer(5, 109 + KILL_WAIT)]
    web.exits(signal=9).is_empty()
    assert web.said == "stopping -> stopped: Ann stops it, killed by SIGKILL, forced"


def test_command_ended__one_that_fails_is_told_and_leads_on() -> None:
    web = Story(stop=LADDER).runs().stop().command_ends(ok=False)
    assert web.said == ("stopping -> stopping: nginx, which should stop it, failed: exited with 1")
    assert web.did == [signal("group"), timer(3, 104.0)]
    web.rings().passes(1).command_ends(2, ok=False)
    assert web.did == [kill(), timer(5, 105 + KILL_WAIT)]


def test_command_ended__after_its_time_is_of_no_interest() -> None:
    web = Story(stop=LADDER).runs().stop().rings()
    assert web.did == [EndCommand("web", 1), signal("group"), timer(3, 114.0)]
    before = web.state
    assert web.command_ends().did == []
    assert web.state == before


def test_command_ended__of_a_step_that_lasts_is_told_once() -> None:
    web = Story(stop=LADDER).runs().stop().command_ends().rings().command_ends(2)
    before = web.state
    assert web.command_ends(2, ok=False).did == []
    assert web.state == before


def test_command_ended__not_before_the_spawn_is_answered() -> None:
    web = Story(stop=LADDER).begins().stop()
    before = web.state
    assert web.command_ends().did == []
    assert web.needs(5.0).did == []
    assert web.state == before


def test_command_ended__the_tree_hears_what_its_leader_cannot() -> None:
    web = Story(stop=LADDER).runs().stop().exits(0, left=1)
    assert web.did == [], "nobody was signalled yet"
    assert web.command_ends().did == [signal("tree"), timer(3, 104.0)]


def test_force_stopping__ends_the_command() -> None:
    web = Story(stop=LADDER).runs().stop().force()
    assert web.did == [EndCommand("web", 1), kill(), timer(3, 100 + KILL_WAIT)]


def test_leader_exited__what_it_left_is_not_asked_by_command() -> None:
    web = Story(stop=LADDER).runs().exits(0, left=1)
    assert web.did == [signal("tree"), timer(2, 104.0)]


def test_extend_stopping__the_step_under_way_takes_longer() -> None:
    web = Story(stop=Stop(timeout=5.0, extend=20.0)).runs().stop().passes(4).needs(11.0)
    assert web.did == [timer(3, 115.0)]
    assert web.rings().did[0] == kill()


def test_extend_stopping__under_a_cap_in_all() -> None:
    web = Story(stop=Stop(timeout=5.0, extend=20.0)).runs().stop().needs(15.0)
    assert web.did == [timer(3, 115.0)]
    assert web.passes(10).needs(100.0).did == [timer(4, 125.0)]
    before = web.state
    assert web.passes(10).needs(100.0).did == []
    assert web.state == before


def test_extend_stopping__never_shortens_and_never_puts_off_the_kill() -> None:
    web = Story().runs().stop().needs(1.0)
    assert web.did == []
    assert web.rings().needs(60.0).did == []
