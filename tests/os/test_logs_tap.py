"""Who listens to a captured pipe: all of it, in the capture's thread, beside log and terminal."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from procession.logs.capture import Capture
from procession.supervisor.probes.log import LineSign, LogEar, Tail
from tests.support.programs import BOUND


class Taps:
    """Pipes that are captured, listened to, and written to by the test."""

    def __init__(self) -> None:
        self.drained: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.capture = Capture(self.drained.put, on_trouble=print)
        self._writes: list[int] = []

    def pipe(self, tap: LogEar | Tail) -> int:
        reads, writes = os.pipe()
        self.capture.add("run", reads, log=None, console=None, tap=tap)
        self._writes.append(writes)
        return writes

    def ear(self, *signs: LineSign) -> LogEar:
        return LogEar(signs, self.calls.put)

    def take(self) -> None:
        self.calls.get(timeout=BOUND)()

    def end(self) -> None:
        """The run is over; all is read when this returns."""
        while self._writes:
            os.close(self._writes.pop())
        self.capture.drain("run")
        assert self.drained.get(timeout=BOUND) == "run"

    def close(self) -> None:
        while self._writes:
            os.close(self._writes.pop())
        assert self.capture.close(BOUND)


@pytest.fixture
def taps() -> Iterator[Taps]:
    made = Taps()
    made.capture.start()
    yield made
    made.close()


@pytest.mark.quick
def test_a_line_is_heard_in_the_loops_thread(taps: Taps) -> None:
    sign = LineSign("^ready$", lasting=True)
    write = taps.pipe(taps.ear(sign))
    os.write(write, b"not yet\nrea")
    os.write(write, b"dy\n")
    taps.take()
    assert sign.said


def test_a_line_without_newline_is_heard_when_its_writer_pauses(taps: Taps) -> None:
    sign = LineSign("^> $", lasting=True)
    write = taps.pipe(taps.ear(sign))
    began = time.monotonic()
    os.write(write, b"> ")
    taps.take()
    assert time.monotonic() - began >= 0.1
    assert sign.said


@pytest.mark.quick
def test_the_last_line_is_heard_at_the_end(taps: Taps) -> None:
    sign = LineSign("bye$", lasting=True)
    os.write(taps.pipe(taps.ear(sign)), b"good bye")
    taps.end()
    taps.take()
    assert sign.said


def test_either_stream_will_do_and_one_pattern_waits_for_no_other(taps: Taps) -> None:
    one, other = LineSign("one", lasting=True), LineSign("other", lasting=True)
    out, err = taps.ear(one, other), taps.ear(one, other)
    writes = [taps.pipe(out), taps.pipe(err)]
    os.write(writes[0], b"one\n")
    taps.take()
    assert (one.said, other.said) == (True, False)
    os.write(writes[1], b"the other\n")
    while not other.said:
        taps.take()
    os.write(writes[0], b"more\n")
    taps.end()
    assert out.closed
    assert err.closed


def test_what_has_to_come_again_is_looked_for_again(taps: Taps) -> None:
    sign = LineSign("beat", lasting=False)
    write = taps.pipe(taps.ear(sign))
    assert not sign.take()
    for _ in range(3):
        os.write(write, b"beat\n")
        deadline = time.monotonic() + BOUND
        while not sign.take():
            assert time.monotonic() < deadline
            os.sched_yield()
        assert not sign.take()


def test_a_flood_is_listened_to_and_read_as_fast(taps: Taps) -> None:
    """20 MB of lines are searched, and nobody is held up for long."""
    sign = LineSign("needle", lasting=True)
    write = taps.pipe(taps.ear(sign))
    block = b"0123456789 abcdefghij ABCDEFGHIJ 0123456789 abcdefghij ABCDEFGHIJ\n" * 1000
    writer = threading.Thread(
        target=lambda: [os.write(write, block) for _ in range(300)] + [os.write(write, b"needle\n")]
    )
    began = time.monotonic()
    writer.start()
    taps.take()
    writer.join(BOUND)
    assert sign.said
    assert time.monotonic() - began < BOUND


def test_of_a_command_the_last_line_is_kept(taps: Taps) -> None:
    tail = Tail()
    write = taps.pipe(tail)
    os.write(write, b"x" * 60_000 + b"\nfirst\n\n  the last \x1b[31mword \n\n")
    taps.end()
    assert tail.last_line() == "the last \\x1b[31mword"


def test_what_looks_like_a_secret_is_not_told(taps: Taps) -> None:
    tail = Tail()
    os.write(taps.pipe(tail), b"cannot log in with password=hunter2\n")
    taps.end()
    assert tail.last_line() == "cannot log in with password=***"


def test_of_a_long_last_line_its_beginning_is_told(taps: Taps) -> None:
    tail = Tail()
    assert tail.last_line() == ""
    os.write(taps.pipe(tail), b"before\n" + b"word " * 60)
    taps.end()
    assert tail.last_line() == ("word " * 24)[:120]
