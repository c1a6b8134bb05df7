"""What the tries of a check's probes come to."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import checks
from procession.core.checks import FAILED, PASSED, Tally
from procession.spec import Check, FileProbe

ONE = Check((FileProbe("/a"),))
TWO = Check((FileProbe("/a"), FileProbe("/b")))

Try = tuple[int, bool]


def play(check: Check, *tries: Try | bool) -> tuple[list[str | None], Tally]:
    """The answers to these tries: of the only probe, or of the one with this number."""
    tally, answers = checks.begin(check), []
    for one in tries:
        probe, ok = (0, one) if isinstance(one, bool) else one
        tally, answer = checks.tell(tally, probe, ok, f"probe {probe} refused")
        answers.append(answer)
    return answers, tally


@pytest.mark.quick
def test_one_success_will_do() -> None:
    answers, tally = play(ONE, False, False, True, True)
    assert answers == [None, None, PASSED, None], "and it is told once"
    assert tally.words == "", "what passes has no failure to tell of"


@pytest.mark.quick
def test_successes_are_counted_in_a_row() -> None:
    answers, _ = play(ONE.replace(successes=3), True, True, False, True, True, True, True)
    assert answers == [None, None, None, None, None, PASSED, None]


@pytest.mark.quick
def test_failures_are_counted_in_a_row() -> None:
    health = ONE.replace(failures=3)
    answers, tally = play(health, True, False, False, True, False, False, False, False, True)
    assert answers == [PASSED, None, None, None, None, None, FAILED, None, PASSED]
    assert tally.passing is True


@pytest.mark.quick
def test_without_a_limit_it_is_tried_for_ever() -> None:
    answers, tally = play(ONE, *[False] * 1000)
    assert set(answers) == {None}
    assert tally.words == "probe 0 refused"


@pytest.mark.quick
def test_all_have_to_pass_and_one_that_fails_is_enough() -> None:
    health = TWO.replace(failures=2)
    answers, _ = play(health, (0, True), (1, False), (1, True), (1, False), (1, False), (1, True))
    assert answers == [None, None, PASSED, None, FAILED, PASSED]


@pytest.mark.quick
def test_with_any_one_is_enough_and_all_have_to_fail() -> None:
    health = TWO.replace(any=True, failures=1)
    answers, _ = play(health, (0, False), (1, True), (1, False), (0, True), (0, False))
    assert answers == [None, PASSED, FAILED, PASSED, FAILED]


@pytest.mark.quick
def test_what_happened_holds_however_many_successes_are_asked_for() -> None:
    tally = checks.begin(TWO.replace(successes=3))
    tally, answer = checks.tell(tally, 0, True, lasting=True)
    assert answer is None
    answers = []
    for _ in range(3):
        tally, answer = checks.tell(tally, 1, True)
        answers.append(answer)
    assert answers == [None, None, PASSED]


@pytest.mark.quick
def test_it_tells_of_the_probe_that_failed_last_among_those_that_do_not_pass() -> None:
    _, tally = play(TWO, (1, False), (0, False))
    assert tally.words == "probe 0 refused"
    _, tally = play(TWO, (1, False), (0, False), (0, True))
    assert tally.words == "probe 1 refused"


@pytest.mark.quick
def test_one_probe_more_than_the_check_names() -> None:
    """A watchdog counts as a part of health."""
    tally = checks.begin(ONE.replace(failures=1), probes=2)
    tally, answer = checks.tell(tally, 0, True)
    assert answer is None
    tally, answer = checks.tell(tally, 1, False, "no WATCHDOG=1 within 5 s")
    assert (answer, tally.words) == (FAILED, "no WATCHDOG=1 within 5 s")


tries = st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=40)


@given(tries, st.booleans(), st.integers(1, 3), st.integers(1, 3))
def test_answers_take_turns_and_say_what_the_rows_say(
    told: list[Try], any_: bool, successes: int, failures: int
) -> None:
    check = Check((FileProbe("/a"),) * 3, any=any_, successes=successes, failures=failures)
    answers, tally = play(check, *told)
    news = [a for a in answers if a is not None]
    assert all(a != b for a, b in pairwise(news))
    assert (tally.passing is True) == (news[-1:] == [PASSED])
    rows = [_passes([ok for p, ok in told if p == n], successes, failures) for n in range(3)]
    if None not in rows:
        expected = any(rows) if any_ else all(rows)
        assert tally.passing is expected


def _passes(row: list[bool], successes: int, failures: int) -> bool | None:
    """Of one probe, from the end: the last row that was long enough decides."""
    for end in range(len(row), 0, -1):
        for ok, length in ((True, successes), (False, failures)):
            if end >= length and set(row[end - length : end]) == {ok}:
                return ok
    return None
