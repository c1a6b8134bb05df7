"""The launches that are under way, and who waits for them."""

from __future__ import annotations

import threading

import pytest

from procession.executor._births import Births

pytestmark = pytest.mark.quick
BOUND = 10.0  # seconds


def test_what_is_under_way_is_counted() -> None:
    births = Births()
    assert len(births) == 0
    assert births.are_over(births.count)
    births.begin("a")
    before = births.count
    births.begin("b")
    assert len(births) == 2
    assert not births.are_over(before)
    births.end("a")
    assert births.are_over(before)  # what began later does not count
    assert not births.are_over(births.count)
    births.hand_over("b", 7)
    assert not births.are_over(births.count)
    births.end("b")
    births.end("b")
    assert births.are_over(births.count)


def test_own_launches_are_not_waited_for() -> None:
    births = Births()
    births.begin("mine")
    births.await_others()


@pytest.mark.parametrize("handed", [False, True])
def test_those_of_others_are(handed: bool) -> None:
    births = Births()
    waited = threading.Event()

    def wait() -> None:
        births.await_others()
        waited.set()

    if handed:
        births.begin("a")
        births.hand_over("a", -1)
    else:
        other = threading.Thread(target=births.begin, args=("a",))
        other.start()
        other.join(BOUND)
    births.begin("mine")
    waiter = threading.Thread(target=wait)
    births.hand_over("mine", waiter.ident or 0)
    waiter.start()
    while not births._waiting and waiter.is_alive():
        pass
    assert not waited.is_set()
    births.begin("later")  # is refused, where it matters
    births.end("a")
    births.end("mine")
    waiter.join(BOUND)
    assert waited.is_set()
    assert births._waiting == []
