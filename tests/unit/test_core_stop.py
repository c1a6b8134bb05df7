"""The ladder of one tree: also longer ones than a task's, as others than the supervisor climb."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import stop
from procession.core.stop import (
    KILL_WAIT,
    Ask,
    Climb,
    CommandStep,
    GiveUp,
    Kill,
    Ladder,
    Move,
    Step,
)
from procession.spec import COMMAND_TIMEOUT, Stop, StopStep

TWO = Ladder((Step("SIGINT", "leader", 2.0), Step("SIGTERM", "group", 3.0)), kill_wait=4.0)

waits = st.floats(0, 1e6)
steps = st.builds(Step, st.sampled_from(["SIGTERM", "SIGINT"]), st.just("group"), waits)
commands = st.builds(CommandStep, st.just(("ask",)), waits, st.booleans())
ladders = st.builds(Ladder, st.lists(steps | commands, max_size=4).map(tuple), waits)


@pytest.mark.quick
def test_rung_by_rung() -> None:
    climb, move = stop.begin(TWO, 10.0)
    assert (move, climb.deadline, climb.began) == (Ask("SIGINT", "leader"), 12.0, 10.0)
    climb, move = stop.expired(climb, 12.0)
    assert (move, climb.deadline) == (Ask("SIGTERM", "group"), 15.0)
    climb, move = stop.expired(climb, 15.0)
    assert (move, climb.deadline, climb.killing) == (Kill(), 19.0, True)
    again, move = stop.expired(climb, 19.0)
    assert (move, again) == (GiveUp(), climb)


@pytest.mark.quick
def test_a_ladder_without_steps_kills_at_once() -> None:
    climb, move = stop.begin(Ladder(()), 10.0)
    assert (move, climb.deadline) == (Kill(), 10.0 + KILL_WAIT)
    assert not climb.forced, "nobody forced it: it is how this tree is stopped"


@pytest.mark.quick
def test_a_late_alarm_does_not_shorten_the_next_rung() -> None:
    climb, _ = stop.begin(TWO, 10.0)
    climb, _ = stop.expired(climb, 13.5)
    assert climb.deadline == 16.5


@pytest.mark.quick
def test_force_skips_to_the_last_rung_and_extends_nothing() -> None:
    climb, _ = stop.begin(TWO, 10.0)
    climb, move = stop.force(climb, 11.0)
    assert (move, climb.deadline, climb.forced) == (Kill(), 15.0, True)
    assert stop.force(climb, 14.0) == (climb, Kill())


@pytest.mark.quick
@pytest.mark.parametrize(
    ("to", "leader_lives", "move"),
    [
        ("leader", True, None),
        ("group", True, None),
        ("tree", True, Ask("SIGTERM", "tree", unheard=True)),
        ("leader", False, Ask("SIGTERM", "tree", unheard=True)),
        ("group", False, Ask("SIGTERM", "tree", unheard=True)),
    ],
)
def test_who_comes_to_light_hears_unless_a_living_leader_has_the_word(
    to: str, leader_lives: bool, move: Move | None
) -> None:
    climb, _ = stop.begin(stop.ladder_of(Stop(to=to)), 0.0)
    assert stop.grown(climb, leader_lives=leader_lives) == move
    killing, _ = stop.expired(climb, 10.0)
    assert stop.grown(killing, leader_lives=leader_lives) == Kill()


@pytest.mark.quick
def test_the_ladder_of_a_task() -> None:
    described = Stop("SIGINT", "group", 7.0)
    assert stop.ladder_of(described) == Ladder((Step("SIGINT", "group", 7.0),))
    assert stop.ladder_of(described, to="tree") == Ladder((Step("SIGINT", "tree", 7.0),))


QUIT, ASK = ("nginx", "-s", "quit"), ("ask", "it")


@pytest.mark.quick
def test_the_ladder_of_a_task_with_commands() -> None:
    before = Stop("SIGINT", "leader", 7.0, command=QUIT)
    assert stop.ladder_of(before).steps == (
        CommandStep(QUIT, COMMAND_TIMEOUT),
        Step("SIGINT", "leader", 7.0),
    )
    steps = (
        StopStep(command=ASK, wait=5.0),
        StopStep("SIGTERM"),
        StopStep("SIGINT", "tree", wait=2.0),
    )
    assert stop.ladder_of(Stop(timeout=9.0, steps=steps)).steps == (
        CommandStep(ASK, 5.0, lasts=True),
        Step("SIGTERM", "group", 9.0),
        Step("SIGINT", "tree", 2.0),
    )
    assert len(stop.ladder_of(before.replace(steps=steps)).steps) == 4


@pytest.mark.quick
def test_without_its_leader_a_tree_is_asked_by_signals_alone() -> None:
    steps = (StopStep(command=ASK, wait=5.0), StopStep("SIGHUP", "leader", wait=2.0))
    assert stop.ladder_of(Stop(command=QUIT, steps=steps), to="tree") == Ladder(
        (Step("SIGHUP", "tree", 2.0),)
    )
    only = Stop("SIGINT", timeout=4.0, steps=steps[:1])
    assert stop.ladder_of(only, to="tree") == Ladder((Step("SIGINT", "tree", 4.0),)), (
        "nobody is killed without having been asked"
    )


@pytest.mark.quick
def test_the_outline_of_a_ladder_is_for_who_signals_once() -> None:
    ladder = stop.ladder_of(Stop("SIGINT", "leader", 7.0, command=QUIT))
    assert stop.outline(ladder) == ("SIGINT", 7.0 + COMMAND_TIMEOUT)
    assert stop.outline(Ladder(())) == (None, 0)


@pytest.mark.quick
def test_a_command_is_over_when_it_ended_and_at_the_latest_after_its_time() -> None:
    ladder = Ladder((CommandStep(QUIT, 10.0), Step("SIGTERM", "group", 3.0)))
    begun, move = stop.begin(ladder, 100.0)
    assert (move, begun.deadline, begun.running) == (stop.Run(QUIT), 110.0, True)
    climb, move = stop.command_ended(begun, 0, True, 102.0)
    assert (move, climb.deadline, climb.running) == (Ask("SIGTERM", "group"), 105.0, False)
    assert stop.command_ended(climb, 0, True, 103.0) == (climb, None), "told once"
    climb, move = stop.expired(begun, 110.0, leader_lives=False)
    assert (move, climb.running) == (Ask("SIGTERM", "tree"), False)
    assert stop.force(begun, 101.0)[0].running is False


@pytest.mark.quick
def test_a_command_that_lasts_leaves_its_time_to_what_it_began() -> None:
    begun, _ = stop.begin(Ladder((CommandStep(QUIT, 10.0, lasts=True),)), 100.0)
    climb, move = stop.command_ended(begun, 0, True, 102.0)
    assert (move, climb.deadline, climb.killing) == (None, 110.0, False)
    climb, move = stop.command_ended(begun, 0, False, 102.0)
    assert (move, climb.killing) == (Kill(), True), "one that failed has begun nothing"


@pytest.mark.quick
def test_before_anybody_was_signalled_who_comes_has_missed_nothing() -> None:
    steps = (CommandStep(QUIT, 10.0), Step("SIGTERM", "group", 3.0), CommandStep(ASK, 10.0))
    climb, _ = stop.begin(Ladder(steps), 100.0)
    assert stop.grown(climb, leader_lives=False) is None
    climb, _ = stop.expired(stop.expired(climb, 110.0)[0], 113.0)
    assert climb.running
    assert stop.grown(climb, leader_lives=False) == Ask("SIGTERM", "tree", unheard=True)


@pytest.mark.quick
def test_more_time_is_given_from_now_and_up_to_a_cap_in_all() -> None:
    climb, _ = stop.begin(TWO, 10.0)
    assert stop.extend(climb, 1.0, 30.0, 10.5) is climb, "it has that long anyway"
    climb = stop.extend(climb, 5.0, 30.0, 11.0)
    assert (climb.deadline, climb.extended) == (16.0, 4.0)
    climb, _ = stop.expired(climb, 16.0)
    climb = stop.extend(climb, 1e9, 30.0, 17.0)
    assert (climb.deadline, climb.extended) == (19.0 + 26.0, 30.0)
    assert stop.extend(climb, 1e9, 30.0, 40.0) is climb
    killing, _ = stop.force(climb, 40.0)
    assert stop.extend(killing, 1e9, 90.0, 41.0) is killing
    assert stop.extend(climb, float("nan"), 90.0, 41.0) is climb


@given(ladders, st.floats(0, 1e6), st.lists(st.booleans(), max_size=12))
def test_every_climb_ends_in_time(ladder: Ladder, began: float, forces: list[bool]) -> None:
    """Whoever forces, and however often: one move a step, at least one kill, then giving up."""
    climb, move = stop.begin(ladder, began)
    moves, now = [move], began
    for force in forces:
        before: Climb = climb
        # forced halfway; an alarm comes on time
        now = now + (climb.deadline - now) / 2 if force else climb.deadline
        climb, move = (stop.force if force else stop.expired)(climb, now)
        moves.append(move)
        assert climb.rung >= before.rung
        if before.killing:
            assert climb.deadline == before.deadline, "killing takes as long as it takes, once"
    while not isinstance(moves[-1], GiveUp):
        now = climb.deadline
        climb, move = stop.expired(climb, now)
        moves.append(move)
    longest = sum(step.wait for step in ladder.steps) + ladder.kill_wait
    assert now - began <= longest * (1 + 1e-9) + 1e-6
    assert len([m for m in moves if isinstance(m, Ask | stop.Run)]) <= len(ladder.steps)
    assert any(isinstance(m, Kill) for m in moves)
