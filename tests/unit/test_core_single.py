"""What `procession run` decides, as histories: no process, no clock."""

from __future__ import annotations

import pytest

from procession.core import single
from procession.core.single import ASKED, LEFT, OWN_FAILURE, TIME_IS_UP, TIMED_OUT, Course
from procession.core.status import ExitStatus
from procession.core.stop import KILL_WAIT, Ask, GiveUp, Kill
from procession.spec import Stop

WELL = ExitStatus(code=0)
TERMED = ExitStatus(signal=15)
KILLED = ExitStatus(signal=9)


def course(timeout: float | None = None, grace: float = 10.0) -> Course:
    return Course(Stop(timeout=grace), 100.0, timeout)


@pytest.mark.quick
def test_an_end_that_leaves_nothing_is_the_commands_own() -> None:
    for status, code, reason in (
        (WELL, 0, "exited"),
        (ExitStatus(code=7), 7, "exited"),
        (KILLED, 137, "signalled"),
        (ExitStatus(), OWN_FAILURE, "status unknown"),
    ):
        ended, move = single.leader_ended(course(), status, False, 101.0)
        assert move is None
        assert single.end(ended) == single.End(code, reason)


@pytest.mark.quick
def test_what_the_leader_left_is_told_at_once_and_killed_after_the_grace() -> None:
    ended, move = single.leader_ended(course(grace=2.0), ExitStatus(code=3), True, 101.0)
    assert move == Ask("SIGTERM", "tree")
    assert (ended.cause, ended.due) == (LEFT, 103.0)
    ended, move = single.expired(ended, 103.0)
    assert move == Kill()
    assert ended.due == 103.0 + KILL_WAIT
    assert single.end(ended) == single.End(3, "exited"), "the leader ended before"
    ended, move = single.expired(ended, 108.0)
    assert move == GiveUp()
    lost = ended.replace(survivors=("deaf (pid 5)",))
    assert single.end(lost) == single.End(OWN_FAILURE, "exited")


@pytest.mark.quick
def test_a_stop_that_was_asked_for_speaks_to_the_group_and_is_not_begun_twice() -> None:
    asked, move = single.asked(course(), 101.0)
    assert move == Ask("SIGTERM", "group")
    again, move = single.asked(asked, 105.0)
    assert (again, move) == (asked, None), "a manager that resends neither hastens nor delays"
    ended, move = single.leader_ended(again, TERMED, False, 106.0)
    assert move is None
    assert single.end(ended) == single.End(143, "stopped")


def test_after_the_leader_the_rest_hears_of_the_stop_once() -> None:
    asked, _ = single.asked(course(), 101.0)
    assert single.grew(asked, 102.0) == (asked, None), "the leader lives: these may be its clean-up"
    ended, move = single.leader_ended(asked, WELL, True, 103.0)
    assert move == Ask("SIGTERM", "tree", unheard=True)
    assert ended.due == asked.due, "no second grace"
    assert single.grew(ended, 104.0)[1] == Ask("SIGTERM", "tree", unheard=True)
    assert single.end(ended) == single.End(0, "stopped")


@pytest.mark.quick
def test_the_timeout_is_of_the_leaders_life() -> None:
    begun = course(timeout=5.0)
    assert begun.due == 105.0
    stopped, move = single.expired(begun, 105.0)
    assert move == Ask("SIGTERM", "group")
    assert (stopped.cause, stopped.due) == (TIME_IS_UP, 115.0)
    ended, _ = single.leader_ended(stopped, WELL, False, 106.0)
    assert single.end(ended) == single.End(TIMED_OUT, "timed out")
    left, _ = single.leader_ended(begun, WELL, True, 104.0)
    assert left.due == 114.0, "the grace of what it left, not the time of who is gone"
    assert single.end(left) == single.End(0, "exited")
    over, _ = single.leader_ended(begun, WELL, False, 104.0)
    assert over.due is None


def test_who_is_killed_after_the_grace_was_forced() -> None:
    asked, _ = single.asked(course(), 101.0)
    killed, move = single.expired(asked, 111.0)
    assert move == Kill()
    ended, move = single.leader_ended(killed, KILLED, False, 111.1)
    assert move is None
    assert single.end(ended) == single.End(137, "forced")


def test_force_kills_now_and_is_nothing_without_a_stop() -> None:
    assert single.force(course(), 101.0) == (course(), None)
    asked, _ = single.asked(course(), 101.0)
    forced, move = single.force(asked, 102.0)
    assert move == Kill()
    assert forced.due == 102.0 + KILL_WAIT
    again, move = single.force(forced, 104.0)
    assert (again.due, move) == (forced.due, Kill()), "it never gets longer"


def test_a_stop_during_the_sweep_of_what_was_left_changes_nothing() -> None:
    left, _ = single.leader_ended(course(), ExitStatus(code=4), True, 101.0)
    assert single.asked(left, 102.0) == (left, None)
    assert single.end(left) == single.End(4, "exited")
    assert {ASKED, LEFT, TIME_IS_UP} == {"asked", "left by its leader", "timed out"}


def test_without_grace_it_is_killed_in_the_next_moment() -> None:
    asked, move = single.asked(course(grace=0.0), 101.0)
    assert move == Ask("SIGTERM", "group")
    assert asked.due == 101.0
    assert single.expired(asked, 101.0)[1] == Kill()


def test_who_comes_to_light_while_it_is_killed_is_killed() -> None:
    asked, _ = single.asked(course(), 101.0)
    killed, _ = single.expired(asked, 111.0)
    assert single.grew(killed, 112.0) == (killed, Kill())
