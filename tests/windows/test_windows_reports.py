"""The port of all jobs: what is to be told later is told, and a thread that ended is no worry."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest

from procession.process import _win32 as win
from procession.process._reports_windows import Reports
from tests.support.windows import BOUND

pytestmark = pytest.mark.windows


class Heard:
    def __init__(self) -> None:
        self.told: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        self.reports = Reports(self._ended)

    def _ended(self, key: int, pid: int) -> bool:
        self.told.put((key, pid))
        return False


@pytest.fixture
def heard() -> Iterator[Heard]:
    found = Heard()
    found.reports.listen()
    yield found
    found.reports.pause(close=True)()


def test_what_is_to_be_told_later_is_told_by_the_thread_that_follows(heard: Heard) -> None:
    heard.reports.tell_later(7)
    heard.reports.pause(close=False)()  # it has read of that, and does not wait for the moment
    heard.reports.listen()
    assert heard.told.get(timeout=BOUND) == (7, 0)


def test_the_word_to_end_for_a_thread_that_is_gone_goes_round_no_more(heard: Heard) -> None:
    heard.reports.pause(close=False)()
    heard.reports.listen()
    win.post(heard.reports._port, 1, 0)  # for the first, which has ended
    heard.reports.tell_later(7)
    assert heard.told.get(timeout=BOUND) == (7, 0)
    heard.reports.pause(close=False)()
    assert win.next_report(heard.reports._port, 0) is None
