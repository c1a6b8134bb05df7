"""Which numbers follow each other without a gap, as far as one process started who has them."""

from __future__ import annotations

import pytest

from procession.process import cursor
from procession.process.cursor import PidCursor, started

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "_runs", {})
    monkeypatch.setattr(cursor, "_span", 1.0)


def had_none(pid: int, last: int) -> bool:
    return PidCursor(-1).had_none(pid, last)


def test_the_last_who_was_born_had_nobody() -> None:
    assert had_none(7, 7)


def test_the_number_of_a_stranger_is_not_known() -> None:
    started(7)
    assert not had_none(7, 8)
    started(9)
    assert not had_none(7, 9)
    assert not had_none(9, 7)  # they have come round
    assert not had_none(7, 0)  # the kernel did not tell


@pytest.mark.parametrize("order", [(7, 8, 9, 10), (10, 9, 8, 7), (7, 10, 9, 8), (8, 10, 7, 9)])
def test_ours_may_be_born_in_between_whoever_tells_first(order: tuple[int, ...]) -> None:
    for pid in order:
        assert not had_none(7, 10)
        started(pid)
    assert had_none(7, 10)
    assert had_none(7, 9)
    assert had_none(9, 10)
    assert not had_none(7, 11)
    assert not had_none(6, 10)


def test_a_neighbour_of_long_ago_is_of_an_earlier_round() -> None:
    started(7)
    cursor._runs[7][0] -= 1.1
    started(8)
    assert not had_none(7, 8)
    started(20)
    cursor._runs[20][0] -= 1.1
    started(19)
    assert not had_none(19, 20)


def test_a_number_that_is_given_again_ends_all_memories() -> None:
    for pid in (7, 8, 9, 8):
        started(pid)
    assert not had_none(7, 8)
    assert not had_none(8, 9)


def test_not_more_is_remembered_than_is_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "_MOST", 10)
    for pid in range(1000):
        started(pid)
    assert len(cursor._runs) <= 10
    assert had_none(998, 999)
