from __future__ import annotations

import pytest

from procession.supervisor.timers import Timers

pytestmark = pytest.mark.quick


def test_what_is_due_comes_in_order_and_once() -> None:
    timers = Timers()
    timers.set("b", 1, 2.0)
    timers.set("a", 7, 1.0)
    timers.set("c", 1, 9.0)
    assert timers.next() == 1.0
    assert timers.due(2.0) == [("a", 7), ("b", 1)]
    assert timers.due(2.0) == []
    assert timers.next() == 9.0


def test_setting_again_replaces_whether_earlier_or_later() -> None:
    timers = Timers()
    timers.set("a", 1, 1.0)
    timers.set("a", 2, 5.0)
    timers.set("b", 1, 5.0)
    timers.set("b", 2, 1.0)
    assert timers.due(1.0) == [("b", 2)]
    assert timers.due(5.0) == [("a", 2)]
    assert timers.next() is None


def test_a_dropped_timer_never_fires() -> None:
    timers = Timers()
    timers.set("a", 1, 1.0)
    timers.drop("a")
    timers.drop("unknown")
    assert timers.next() is None
    assert timers.due(10.0) == []
    timers.set("a", 2, 3.0)
    assert timers.due(3.0) == [("a", 2)]


def test_timers_that_are_replaced_for_ever_take_no_memory() -> None:
    timers = Timers()
    for number in range(1000):
        timers.set("a", number, 1e6 - number)
        timers.set("b", number, 1e6 + number)
    assert len(timers._heap) < 100
    assert timers.due(2e6) == [("a", 999), ("b", 999)]
