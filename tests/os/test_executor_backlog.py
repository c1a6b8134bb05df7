"""Iterators of lines and events: whatever comes to who takes, who puts goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from procession.executor import Lines
from procession.executor._backlog import Backlog
from procession.executor._events import Events
from procession.executor._values import Event
from tests.support.interruptions import came
from tests.support.processes import BOUND

pytestmark = pytest.mark.quick


def lines() -> tuple[Iterator[object], Callable[[], object], Callable[[], object]]:
    made = Lines()
    return made, lambda: made.put("one"), made.end


def events() -> tuple[Iterator[object], Callable[[], object], Callable[[], object]]:
    made = Events(10, lambda _: None)
    return made, lambda: made.put(Event("started", 0.0, "one")), made.end


@pytest.mark.parametrize("make", [lines, events])
def test_ctrl_c_in_who_takes_holds_up_nobody_who_puts(
    make: Callable[[], tuple[Iterator[object], Callable[[], object], Callable[[], object]]],
) -> None:
    place, there = 0, True
    while there:
        taken, put, end = make()
        put()
        there = came(lambda taken=taken: next(taken), place)  # type: ignore[misc]
        for call in (put, end):
            thread = threading.Thread(target=call, daemon=True)
            thread.start()
            thread.join(BOUND)
            assert not thread.is_alive(), place
        assert len(list(taken)) in (1, 2)
        place += 1
    assert place > 3


@pytest.mark.parametrize("make", [lines, events])
def test_ctrl_c_in_who_waits_for_the_end_does_not_hide_it(
    make: Callable[[], tuple[Iterator[object], Callable[[], object], Callable[[], object]]],
) -> None:
    place, there = 0, True
    while there:
        taken, _, end = make()
        end()
        there = came(lambda taken=taken: next(taken, None), place)  # type: ignore[misc]
        assert list(taken) == []
        place += 1
    assert place > 3


def test_all_who_wait_hear_of_the_end() -> None:
    backlog = Backlog(3)
    threads = [threading.Thread(target=backlog.take) for _ in range(4)]
    for thread in threads:
        thread.start()
    backlog.end()
    for thread in threads:
        thread.join(BOUND)
        assert not thread.is_alive()


def test_nothing_comes_after_the_end_and_the_oldest_makes_room() -> None:
    backlog = Backlog(2)
    assert [backlog.put(number) for number in (1, 2, 3)] == [True, True, False]
    backlog.end()
    assert backlog.put(4)
    assert [backlog.take() for _ in range(4)] == [2, 3, None, None]
    assert backlog.dropped == 1
