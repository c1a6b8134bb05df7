"""When the probes of a check are tried, and what their answers come to, in virtual time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import checks
from procession.core.events import HEALTH, READY
from procession.spec import Check, ExecProbe, FdProbe, NotifyProbe, Probe, TcpProbe
from procession.supervisor.probes.sign import Sign
from procession.supervisor.probes.watch import Watch
from tests.support.looped import FakeLoop

pytestmark = pytest.mark.quick

Done = Callable[[str, bool], object]


class Asked:
    """A try: how long it takes and how it ends is the test's."""

    def __init__(self, world: World, probe: Probe, done: Done) -> None:
        self.world, self.probe, self.done = world, probe, done
        self.at = world.loop.now
        self.cancelled = False

    def end(self, words: str = "", ours: bool = False) -> None:
        self.world.open.remove(self)
        self.done(words, ours)

    def cancel(self) -> None:
        self.cancelled = True
        self.world.open.remove(self)


class World:
    """One watch, and the mechanisms behind it."""

    def __init__(self, check: Check, which: str, signs: dict[int, Sign] | None = None) -> None:
        self.loop = FakeLoop()
        self.told: list[tuple[str | None, str]] = []
        self.tries: list[Asked] = []
        self.open: list[Asked] = []
        self.answers: Callable[[Asked], str | None] = lambda _: None  # None: not yet
        found = {(which, number): sign for number, sign in (signs or {}).items()}
        live: Any = SimpleNamespace(cookie="c", outfit=SimpleNamespace(signs=found))
        desk: Any = SimpleNamespace(
            loop=self.loop,
            prober=SimpleNamespace(ask=lambda probe, timeout, done: self.ask(probe, done)),
            errands=SimpleNamespace(
                start=lambda live, command, done, timeout: self.ask(ExecProbe(command), done)
            ),
        )
        told = lambda news, words: self.told.append((news, words))  # noqa: E731
        self.watch = Watch(desk, live, which, check, told)
        self.watch.begin()

    def ask(self, probe: Probe, done: Done) -> Asked:
        asked = Asked(self, probe, done)
        assert all(other.probe != probe for other in self.open), "it overlaps with itself"
        self.tries.append(asked)
        self.open.append(asked)
        words = self.answers(asked)
        if words is not None:
            self.loop.call(lambda: asked.end(words))
        return asked

    @property
    def times(self) -> list[float]:
        return [round(asked.at - 100, 6) for asked in self.tries]

    @property
    def news(self) -> list[str]:
        return [news for news, _ in self.told if news is not None]


TCP, TRUE = TcpProbe(1), ExecProbe(("true",))


def test_a_cheap_probe_of_readiness_hurries_at_first() -> None:
    world = World(Check((TCP,)), READY)
    world.answers = lambda _: "refused"
    world.loop.run(1.0)
    assert world.times[:7] == [0, 0.01, 0.03, 0.07, 0.15, 0.31, 0.51]
    assert world.told[1:] == [(None, "tcp 127.0.0.1:1: refused")], "told once"


@pytest.mark.parametrize(
    ("check", "which"),
    [
        (Check((TCP,), failures=9), READY),
        (Check((TRUE,)), READY),
        (Check((TCP,), failures=9), HEALTH),
    ],
)
def test_no_other_probe_is_tried_more_often_than_was_said(check: Check, which: str) -> None:
    world = World(check, which)
    world.answers = lambda _: "no"
    world.loop.run(0.9)
    assert world.times == [0, 0.2, 0.4, 0.6, 0.8]


def test_the_pause_begins_when_the_try_has_ended() -> None:
    world = World(Check((TRUE,), interval=1.0), HEALTH)
    world.loop.run(5.0)
    assert world.times == [0.0]
    world.tries[0].end("slow")
    world.loop.run(0.9)
    assert len(world.tries) == 1
    world.loop.run(0.2)
    assert world.times == [0.0, 6.0]


def test_readiness_is_over_with_its_first_answer() -> None:
    world = World(Check((TCP,)), READY)
    world.answers = lambda asked: "" if asked.at > 100 else "no"
    world.loop.run(10.0)
    assert world.news == [checks.PASSED]
    assert world.times == [0, 0.01]
    assert (world.loop.armed, world.open) == (0, [])


def test_successes_in_a_row_are_an_interval_apart() -> None:
    world = World(Check((TCP,), successes=3), READY)
    world.answers = lambda asked: "" if len(world.tries) != 2 else "no"
    world.loop.run(10.0)
    assert world.news == [checks.PASSED]
    assert world.times == [0, 0.2, 0.21, 0.41, 0.61]


def test_health_goes_on_and_tells_what_is_new() -> None:
    world = World(Check((TRUE,), interval=1.0, failures=2), HEALTH)
    words = iter(["", "", "a", "b", "b", "", ""])
    world.answers = lambda _: next(words, None)
    world.loop.run(20.0)
    assert world.told == [
        (checks.PASSED, ""),
        (None, "exec `true`: a"),
        (checks.FAILED, "exec `true`: b"),
        (checks.PASSED, ""),
    ]


def test_what_is_ours_alone_counts_for_nothing() -> None:
    world = World(Check((TRUE,), failures=1, interval=1.0), HEALTH)
    for number in range(3):
        world.loop.run(1.0)
        world.tries[number].end("no descriptor left", ours=True)
    assert world.told == [(None, "exec `true`: no descriptor left")]
    world.loop.run(1.0)
    world.tries[3].end("")
    assert world.news == [checks.PASSED]


def test_what_was_ended_is_not_told_of_and_not_tried_any_more() -> None:
    world = World(Check((TCP, TRUE)), HEALTH)
    world.loop.run(0.0)
    world.watch.end()
    world.watch.end()
    assert [asked.cancelled for asked in world.tries] == [True, True]
    world.loop.run(100.0)
    assert len(world.tries) == 2
    assert (world.told, world.loop.armed) == ([], 0)


# --- what the run itself says ------------------------------------------------------------------


def test_a_word_is_heard_at_once_and_lasts() -> None:
    sign = Sign()
    world = World(Check((FdProbe(3), TRUE), interval=1.0), READY, {0: sign})
    assert world.told == [(None, "fd 3: not yet"), (None, "exec `true`: not tried yet")]
    sign.say()
    assert world.news == []
    world.answers = lambda _: ""
    world.loop.run(0.0)
    assert world.news == [checks.PASSED]
    sign.say()
    assert world.news == [checks.PASSED]


def test_what_was_said_before_is_heard_too() -> None:
    sign = Sign()
    sign.say()
    assert World(Check((NotifyProbe(),)), READY, {0: sign}).news == [checks.PASSED]


def test_what_can_never_be_said_is_a_failure_at_once() -> None:
    sign = Sign()
    world = World(Check((FdProbe(3), TRUE)), READY, {0: sign})
    sign.give_up("it was closed")
    assert world.told[-1] == (checks.FAILED, "fd 3: it was closed")


def test_unless_another_probe_may_do() -> None:
    sign = Sign()
    world = World(Check((FdProbe(3), TRUE), any=True), READY, {0: sign})
    sign.give_up("it was closed")
    assert world.news == []
    world.answers = lambda _: ""
    world.loop.run(1.0)
    assert world.news == [checks.PASSED]


def test_of_health_it_has_to_be_said_in_each_interval() -> None:
    sign = Sign()
    world = World(Check((FdProbe(3),), interval=1.0, failures=2), HEALTH, {0: sign})
    for _ in range(3):
        sign.say()
        world.loop.run(1.0)
    assert world.news == [checks.PASSED]
    world.loop.run(1.0)
    sign.say()
    world.loop.run(1.0)
    assert world.news == [checks.PASSED]
    world.loop.run(2.0)
    assert world.news == [checks.PASSED, checks.FAILED]


# --- any history -------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(["", "no", "ours"]), st.floats(0, 3)), max_size=30),
    st.booleans(),
    st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.sampled_from([READY, HEALTH]),
)
def test_tries_never_overlap_and_news_alternate(
    answers: list[tuple[str, float]], any_: bool, successes: int, failures: int | None, which: str
) -> None:
    check = Check((TCP, TRUE), any_, 0.5, 1.0, 0.0, successes, failures)
    world = World(check, which)
    for words, later in answers:
        world.loop.run(later)
        if world.open:
            world.open[0].end(words, ours=words == "ours")
    news = world.news
    assert all(a != b for a, b in itertools.pairwise(news))
    if which == READY:
        assert len(news) <= 1
        assert not news or (world.loop.armed, world.open) == (0, [])
    if failures is None:
        assert checks.FAILED not in news
