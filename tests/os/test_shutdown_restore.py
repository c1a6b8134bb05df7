"""What was found is given back: handlers, mask, wakeup descriptor, threads, descriptors.

In this very process: the fixture around every test compares it before and after.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from procession import shutdown
from procession.shutdown import Request, Shutdown, _hub

pytestmark = pytest.mark.quick

STOPS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def previous() -> Iterator[list[int]]:
    """The program had handlers of its own; what they heard."""
    heard: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    found = {number: signal.signal(number, handler) for number in STOPS}
    yield heard
    for number, former in found.items():
        signal.signal(number, former)


def _wakeup() -> int:
    found = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(found, warn_on_full_buffer=False)
    return found


def test_the_block_hears_and_its_end_gives_back(previous: list[int]) -> None:
    handlers = [signal.getsignal(number) for number in STOPS]
    with Shutdown() as stop:
        assert not stop.requested
        assert (stop.request, stop.count) == (None, 0)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        request = stop.request
        assert isinstance(request, Request)
        assert (request.source, request.signal, request.count) == ("signal", signal.SIGTERM, 1)
        assert 0 <= time.monotonic() - request.time < 60
        assert _wakeup() != -1
    assert [signal.getsignal(number) for number in STOPS] == handlers
    assert _wakeup() == -1
    assert stop.request == request
    signal.raise_signal(signal.SIGINT)
    assert (previous, stop.count) == ([signal.SIGINT], 1)


def test_asking_starts_no_thread() -> None:
    before = threading.enumerate()
    with Shutdown() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        assert threading.enumerate() == before


def test_a_new_block_has_not_been_requested() -> None:
    with Shutdown() as stop:
        stop.trigger("first")
        assert stop.wait() == stop.request
    with stop:
        assert not stop.requested
    with pytest.raises(RuntimeError, match="block was left"):
        stop.wait()


def test_the_last_user_gives_back_not_the_first() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with Shutdown():
        registration = shutdown.wait_exit_callback(bool)
    assert signal.getsignal(signal.SIGTERM) != handler
    assert registration.cancel()
    assert registration.cancel()
    assert signal.getsignal(signal.SIGTERM) == handler


def test_blocked_signals_are_let_in_and_blocked_again() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        with Shutdown() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(5)
        assert set(STOPS) <= signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_handler_set_by_another_meanwhile_stays() -> None:
    found = signal.getsignal(signal.SIGTERM)

    def other(number: int, frame: FrameType | None) -> None:
        raise AssertionError

    try:
        with Shutdown():
            signal.signal(signal.SIGTERM, other)
        assert signal.getsignal(signal.SIGTERM) == other
    finally:
        signal.signal(signal.SIGTERM, found)


def test_what_a_loop_reset_to_the_default_is_taken_back_by_the_next_wait() -> None:
    with Shutdown() as stop:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # asyncio's remove_signal_handler
        with Shutdown():
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(5)


def test_reraising_meets_the_handler_that_was_there(previous: list[int]) -> None:
    with Shutdown(reraise=True) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(5)
        assert previous == []
    assert previous == [signal.SIGINT]


def test_an_exception_out_of_the_block_is_not_covered_by_reraising(previous: list[int]) -> None:
    stop = Shutdown(reraise=True)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), stop:
        raise ZeroDivisionError
    assert previous == []


@pytest.fixture
def owner() -> Iterator[tuple[socket.socket, int]]:
    """Somebody owns the wakeup descriptor: the end it reads from, and the number it set."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.settimeout(5)
    signal.set_wakeup_fd(theirs.fileno())
    yield ours, theirs.fileno()
    signal.set_wakeup_fd(-1)
    ours.close()
    theirs.close()


def test_the_owner_of_the_wakeup_descriptor_is_chained_and_gets_it_back(
    owner: tuple[socket.socket, int],
) -> None:
    reading, number = owner
    with Shutdown() as stop:
        assert _wakeup() == number  # nobody waits yet: nobody would pass its bytes on
        assert stop.wait(0.001) is None
        assert _wakeup() != number
        signal.raise_signal(signal.SIGTERM)
        assert reading.recv(8) == bytes([signal.SIGTERM])
        signal.raise_signal(signal.SIGURG)  # no handler: the C level is not called
        assert stop.wait(5)
    assert _wakeup() == number
    signal.raise_signal(signal.SIGCHLD)


def test_signals_that_are_not_ours_reach_the_owner(owner: tuple[socket.socket, int]) -> None:
    reading, _ = owner
    found = signal.signal(signal.SIGUSR1, lambda number, frame: None)
    try:
        with Shutdown() as stop:
            assert stop.wait(0.001) is None
            signal.raise_signal(signal.SIGUSR1)
            assert reading.recv(8) == bytes([signal.SIGUSR1])
            assert not stop.requested
    finally:
        signal.signal(signal.SIGUSR1, found)


def test_an_owner_that_closed_its_descriptor_meanwhile_is_not_given_another_file() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    number = theirs.fileno()
    signal.set_wakeup_fd(number)
    with Shutdown() as stop:
        assert stop.wait(0.001) is None
        reading, writing = os.pipe()
        os.dup2(writing, number)  # the number means another file now
        signal.raise_signal(signal.SIGTERM)
        assert stop.wait(5)
    assert _wakeup() == -1
    assert not select.select([reading], [], [], 0)[0]
    for fd in (reading, writing):
        os.close(fd)
    ours.close()
    theirs.close()


def test_a_descriptor_taken_by_another_after_us_stays_theirs() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        with Shutdown() as stop:
            signal.set_wakeup_fd(theirs.fileno())
            signal.raise_signal(signal.SIGTERM)
            assert stop.requested
            assert ours.recv(8) == bytes([signal.SIGTERM])
        assert _wakeup() == theirs.fileno()
    finally:
        signal.set_wakeup_fd(-1)
        ours.close()
        theirs.close()


def test_the_wakeup_descriptor_is_left_alone_where_that_was_chosen() -> None:
    with Shutdown(wakeup_fd=False) as stop:
        assert _wakeup() == -1
        assert stop.wait(0.001) is None
        assert _wakeup() == -1
        with Shutdown() as inner:
            assert inner.wait(0.001) is None
            assert _wakeup() == -1
        signal.raise_signal(signal.SIGTERM)
        assert stop.wait(5)
    with Shutdown():
        assert _wakeup() != -1
        with Shutdown(wakeup_fd=False):
            assert _wakeup() == -1


@pytest.mark.parametrize("wakeup_fd", [True, False])
def test_the_main_thread_hears_a_signal_that_did_not_interrupt_it(wakeup_fd: bool) -> None:
    """Delivered to another thread it sets CPython's flag and wakes nobody, as one does that falls
    just before the system call that blocks."""
    in_wait = threading.Event()
    done = threading.Event()

    def receive() -> None:
        in_wait.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        done.wait()

    receiver = threading.Thread(target=receive)
    receiver.start()
    try:
        with Shutdown(wakeup_fd=wakeup_fd) as stop:
            watcher = threading.Thread(target=_set_when_main_blocks, args=(in_wait,))
            watcher.start()
            began = time.monotonic()
            assert stop.wait(40)
            assert time.monotonic() - began < 30
            watcher.join()
    finally:
        in_wait.set()
        done.set()
        receiver.join()


def _set_when_main_blocks(event: threading.Event) -> None:
    """The main thread sleeps in a futex, as the kernel says, twice in a row."""
    main = threading.main_thread().native_id
    seen = 0
    while seen < 20:
        with open(f"/proc/self/task/{main}/stat", "rb") as file:
            seen = seen + 1 if file.read().rpartition(b")")[2].split()[0] == b"S" else 0
    event.set()


def test_no_lock_of_ours_is_taken_in_the_handler() -> None:
    with Shutdown() as stop:
        session = stop._session
        with session._lock, session.ear._lock, _hub._lock:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        assert stop.count == 2


def test_a_signal_to_oneself_is_seen_in_the_next_line_also_when_threads_listen() -> None:
    with Shutdown() as stop:
        assert stop.wait(0.001) is None
        for _ in range(50):
            signal.raise_signal(signal.SIGTERM)
            assert stop.requested


def test_several_threads_wait_and_all_are_told() -> None:
    got: list[Request | None] = []
    with Shutdown() as stop:
        threads = [threading.Thread(target=lambda: got.append(stop.wait(5))) for _ in range(5)]
        for thread in threads:
            thread.start()
        os.kill(os.getpid(), signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert [request and request.signal for request in got] == [signal.SIGTERM] * 5


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("reused", [False, True])
def test_descriptors_closed_under_us_do_not_make_us_deaf(listening: bool, reused: bool) -> None:
    """Programs that make themselves daemons close all descriptors they know nothing of."""
    with Shutdown() as stop:
        if listening:
            assert stop.wait(0.001) is None
        pipe = stop._session.ear._pipe  # type: ignore[attr-defined]
        for fd in (pipe.writing, pipe.reading):
            os.close(fd)
        mine = os.pipe() if reused else ()
        assert stop.wait(0.001) is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    if reused:
        assert not select.select([mine[0]], [], [], 0)[0]
    for fd in mine:
        os.close(fd)
