"""Ctrl-C in a thread that waits for another: it is heard, wherever it comes, and as what it is."""

from __future__ import annotations

import _thread
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from procession.api._waiting import Coming, Moment, block
from procession.executor._births import Births
from procession.executor._keeper import Keeper
from procession.process.latch import Latch
from tests.support.interruptions import came
from tests.support.processes import BOUND

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """As in a program that leaves it to Python."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def in_latch() -> None:
    Latch().wait(0.001)


def in_block() -> None:
    block(Coming(Moment(), 0.001))


def for_a_leader() -> None:
    keeper: Any = SimpleNamespace(want=int, loop=SimpleNamespace(post=id))
    Keeper.await_end(keeper, 0, 0.001)  # type: ignore[arg-type]


@pytest.mark.parametrize("wait", [in_latch, in_block, for_a_leader])
def test_wherever_it_comes_in_a_wait_it_is_raised(wait: Callable[[], None]) -> None:
    place = 0
    while came(wait, place):
        place += 1
    assert place > 5


@pytest.mark.parametrize("timeout", [None, 2 * BOUND])
def test_one_that_comes_just_before_the_wait_is_heard_in_it(timeout: float | None) -> None:
    """Nothing ends the call then. So it is with `interrupt_main`: a signal is noted, no more."""
    latch = Latch()
    late = threading.Timer(BOUND, latch.fall)
    main = threading.get_ident()

    def interrupt() -> None:
        while sys._current_frames()[main].f_code is not Latch._wait_in_slices.__code__:
            os.sched_yield()
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    late.start()
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            latch.wait(timeout)
    finally:
        late.cancel()
        late.join()
        thread.join()
    assert not latch.fell


def test_the_next_one_waits_and_hears_after_it() -> None:
    for place in range(8):
        latch = Latch()
        came(functools.partial(latch.wait, 0.001), place)
        thread = threading.Thread(target=latch.fall)
        thread.start()
        assert latch.wait(BOUND)
        thread.join()


@pytest.mark.parametrize("what", ["falls", "waits"])
def test_whoever_it_comes_to_others_hear_that_the_latch_fell(what: str) -> None:
    place, there = 0, True
    while there:
        latch = Latch()
        if what == "falls":
            there = came(latch.fall, place)
        else:
            falls = threading.Timer(0.001, latch.fall)
            falls.start()
            there = came(latch.wait, place)
            falls.join()
        if latch.fell:
            thread = threading.Thread(target=latch._lock.acquire, daemon=True)
            thread.start()
            thread.join(BOUND)
            assert not thread.is_alive(), place
        place += 1
    assert place > 1


def test_it_keeps_nobody_who_waits_for_a_launch_from_the_end_of_one() -> None:
    place, there = 0, True
    while there:
        births = Births()
        under_way(births, "one")
        ends = threading.Timer(0.001, births.end, ["one"])
        ends.start()
        there = came(births.await_others, place)
        ends.join()
        under_way(births, "two")
        waits = threading.Thread(target=births.await_others, daemon=True)
        waits.start()
        thread = threading.Thread(target=births.end, args=("two",), daemon=True)
        thread.start()
        for one in (thread, waits):
            one.join(BOUND)
            assert not one.is_alive(), place
        place += 1
    assert place > 5


def under_way(births: Births, key: str) -> None:
    """In a thread that is none of those who wait."""
    births.begin(key)
    births.hand_over(key, 0)
