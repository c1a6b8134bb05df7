"""The ladder of one tree: also longer ones than a task's, as others than the supervisor climb."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import stop
from procession.core.stop import KILL_WAIT, Ask, Climb, GiveUp, Kill, Ladder, Move, Step
from procession.spec import Stop

TWO = Ladder((Step("SIGINT", "leader", 2.0), Step("SIGTERM", "group", 3.0)), kill_wait=4.0)

waits = st.floats(0, 1e6)
steps = st.builds(Step, st.sampled_from(["SIGTERM", "SIGINT"]), st.just("group"), waits)
ladders = st.builds(Ladder, st.lists(steps, max_size=4).map(tuple), waits)


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


@given(ladders, st.floats(0, 1e6), st.lists(st.booleans(), max_size=12))
def test_every_climb_ends_in_time(ladder: Ladder, began: float, forces: list[bool]) -> None:
    """Whoever forces, and however often: one ask a step, at least one kill, then giving up."""
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
    assert len([m for m in moves if isinstance(m, Ask)]) <= len(ladder.steps)
    assert any(isinstance(m, Kill) for m in moves)
