"""Alarms of who works in the loop, some of which go off in the same moment."""

from __future__ import annotations

from collections import deque

import pytest

from procession.core.events import TimerFired
from procession.supervisor.course import Course
from procession.supervisor.timers import Timers

pytestmark = pytest.mark.quick


class Loop(Course):
    """Of a course, its timers alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self._clock = lambda: self.now
        self._timers = Timers()
        self._own_timers = {}
        self._alarms = {}
        self._alarm_number = 0
        self._inbox = deque()
        self.gone: list[str] = []

    def set(self, key: str, seconds: float) -> None:
        self.alarm(key, seconds, lambda: self.gone.append(key))

    def pass_to(self, now: float) -> list[str]:
        self.now = now
        self._fire()
        gone, self.gone = self.gone, []
        return gone


def test_an_alarm_goes_off_once_at_its_time() -> None:
    loop = Loop()
    loop.set("? b", 2)
    loop.set("? a", 1)
    assert loop.pass_to(0.9) == []
    assert loop.pass_to(5) == ["? a", "? b"]
    assert loop.pass_to(9) == []


def test_set_again_it_goes_off_at_the_later_time_alone() -> None:
    loop = Loop()
    loop.set("? a", 1)
    loop.set("? a", 3)
    assert loop.pass_to(2) == []
    assert loop.pass_to(3) == ["? a"]


def test_one_that_goes_off_may_disarm_another_of_the_same_moment() -> None:
    loop = Loop()
    loop.alarm("? a", 1, lambda: loop.disarm("? b"))
    loop.set("? b", 1)
    assert loop.pass_to(1) == []
    assert not loop._inbox, "and it is nobody's timer"


def test_or_set_it_anew() -> None:
    loop = Loop()
    loop.alarm("? a", 1, lambda: loop.set("? b", 5))
    loop.set("? b", 1)
    assert loop.pass_to(1) == []
    assert loop.pass_to(5) == []
    assert loop.pass_to(6) == ["? b"]


def test_the_timers_of_replicas_go_to_the_core() -> None:
    loop = Loop()
    loop._timers.set("web", 7, 1)
    assert loop.pass_to(1) == []
    assert list(loop._inbox) == [TimerFired("web", 7)]
