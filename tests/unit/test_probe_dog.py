"""The watchdog of a run, in virtual time."""

from __future__ import annotations

import pytest

from procession.supervisor.probes.dog import Watchdog
from tests.support.looped import FakeLoop

pytestmark = pytest.mark.quick


class Kennel:
    def __init__(self, seconds: float = 10.0) -> None:
        self.loop = FakeLoop()
        self.told: list[str] = []
        self.dog = Watchdog(self.loop, lambda: self.loop.now, "?", seconds, self.told.append)
        self.dog.begin()


def test_who_is_heard_in_time_is_well_and_that_is_told_once() -> None:
    kennel = Kennel()
    for _ in range(20):
        kennel.loop.run(9.9)
        kennel.dog.alive()
    assert kennel.told == [""]


def test_who_is_silent_fails_once_and_is_well_when_heard_again() -> None:
    kennel = Kennel()
    kennel.loop.run(9.9)
    assert kennel.told == []
    kennel.loop.run(0.2)
    kennel.loop.run(100)
    assert kennel.told == ["watchdog: nothing heard for 10 s"]
    kennel.dog.alive()
    kennel.loop.run(9)
    assert kennel.told[1:] == [""]
    kennel.loop.run(2)
    assert kennel.told[2:] == ["watchdog: nothing heard for 10 s"]


def test_the_time_counts_from_the_last_word() -> None:
    kennel = Kennel()
    kennel.loop.run(6)
    kennel.dog.alive()
    kennel.loop.run(9.9)
    assert kennel.told == [""]
    kennel.loop.run(0.2)
    assert kennel.told == ["", "watchdog: nothing heard for 10 s"]


def test_many_words_cost_no_timers() -> None:
    kennel = Kennel()
    for _ in range(1000):
        kennel.dog.alive()
    assert kennel.loop.armed == 1


def test_a_run_can_say_so_itself() -> None:
    kennel = Kennel()
    kennel.dog.trigger()
    kennel.dog.trigger()
    assert len(kennel.told) == 1
    assert "WATCHDOG=trigger" in kennel.told[0]


def test_the_time_can_be_changed_and_taken_away() -> None:
    kennel = Kennel()
    kennel.dog.change(1.0)
    kennel.loop.run(0.9)
    assert kennel.told == []
    kennel.dog.change(float("inf"))
    kennel.loop.run(1000)
    assert (kennel.told, kennel.loop.armed) == ([], 0)
    kennel.dog.alive()
    kennel.dog.change(1.0)
    kennel.loop.run(1.1)
    assert kennel.told == ["", "watchdog: nothing heard for 1 s"]


def test_an_end_is_an_end() -> None:
    kennel = Kennel()
    kennel.dog.end()
    kennel.loop.run(1000)
    assert kennel.told == []
