"""How a process of the executor comes to its end where the loop need not look for it, and launches
whose two halves are in two threads."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from procession.executor import (
    Capture,
    ExecHandle,
    Executor,
    ExecutorStopped,
    TimeoutExpired,
    _launch,
    _launching,
    _queue,
)
from procession.process import _crowd_linux, _linux
from procession.process.handle import Handle
from tests.support.executors import armed, parked
from tests.support.processes import BOUND

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel tells")
TRIES = 500  # others are born on this host as well, and then it is not known


def until(true: Callable[[], object]) -> bool:
    deadline = time.monotonic() + BOUND
    while time.monotonic() < deadline:
        if true():
            return True
        os.sched_yield()
    return False


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


@contextlib.contextmanager
def served() -> Iterator[Executor]:
    """By a thread that is taken for the main one."""
    ex = Executor()
    thread = threading.Thread(target=ex._serve, args=("run",))
    thread.start()
    assert until(lambda: ex._mode == "run")
    try:
        yield ex
    finally:
        ex.stop()
        thread.join(BOUND)
        assert not thread.is_alive()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who has read all of /proc."""
    found: list[str] = []
    look = _crowd_linux.CrowdTrees.look

    def spy(trees: _crowd_linux.CrowdTrees) -> None:
        found.append(threading.current_thread().name)
        look(trees)

    monkeypatch.setattr(_crowd_linux.CrowdTrees, "look", spy)
    return found


# --- nobody was born since


def test_who_left_nobody_is_let_go_of_by_the_next_launch(ex: Executor, looks: list[str]) -> None:
    """Without the loop, and without a look at /proc."""
    with parked(ex):
        for _ in range(TRIES):
            first = ex.create_process(["true"])
            assert first.wait(BOUND) == 0
            assert not first.done  # its caller does not wait for that
            second = ex.create_process(["true"])
            done = first.done
            assert second.wait(BOUND) == 0
            if done:
                break
        else:
            pytest.fail("somebody else was born each time")
        with pytest.raises(ProcessLookupError):
            os.kill(first.pid, 0)
        assert first._process.pidfd is None
        assert looks == []
    usage = first.result(0).usage
    assert usage is not None
    assert usage.max_rss > 100_000
    assert first not in ex.processes


def test_a_result_is_there_without_the_loop(ex: Executor, looks: list[str]) -> None:
    with parked(ex):
        for _ in range(TRIES):
            handle = ex.create_process(["sh", "-c", "exit 3"])
            try:
                result = handle.result(0.05)
            except TimeoutExpired:
                continue  # somebody else was born: the loop has to look
            break
        else:
            pytest.fail("somebody else was born each time")
        assert (result.exit_code, result.reason) == (3, "exited")
        assert looks == []


def test_many_launches_do_not_hide_each_other(ex: Executor, looks: list[str]) -> None:
    """From many threads at once: numbers of ours lie between those of a process."""
    done: list[int] = []

    def work() -> None:
        done.extend(ex.create_process(["true"]).wait(BOUND) for _ in range(25))

    for _ in range(20):
        before = len(looks)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
        assert until(lambda: not ex._keeper.trace)
        if len(looks) - before < 5:  # a wave each 0.1 s would be more than that, with 8 threads
            break
    else:
        pytest.fail("it looked, each time")
    assert set(done) == {0}


def test_who_left_somebody_is_not_let_go_of(ex: Executor) -> None:
    for _ in range(10):
        reads, writes = os.pipe()
        handle = ex.create_process(["sh", "-c", "setsid sleep 60 & echo $!"], stdout=writes)
        os.close(writes)
        child = int(os.read(reads, 100))
        os.close(reads)
        assert handle.wait(BOUND) == 0
        ex.create_process(["true"]).wait(BOUND)
        ex.create_process(["true"]).wait(BOUND)
        assert not handle.done
        assert handle in ex.processes
        os.kill(child, signal.SIGKILL)
        assert handle.result(BOUND).survivors == ()


def test_what_the_loop_holds_it_gives_back_itself(ex: Executor) -> None:
    """Output that it reads, and a time that it watches."""
    for options in ({"stdout": Capture()}, {"timeout": 3600.0}):
        handles = [ex.create_process(["echo", "a"], **options) for _ in range(5)]  # type: ignore[arg-type]
        for handle in handles:
            assert handle.wait(BOUND) == 0
        for handle in handles:
            assert handle.result(BOUND).reason == "exited"
    assert ex.processes == ()
    assert armed(ex) == []


def test_a_time_that_is_over_after_the_end_stops_nothing(ex: Executor) -> None:
    with parked(ex):
        handles = [ex.create_process(["echo", "a"], timeout=1e-6) for _ in range(5)]
        for handle in handles:
            assert handle.wait(BOUND) == 0
    for handle in handles:
        assert handle.result(BOUND).reason == "exited"
    assert armed(ex) == []


def test_two_threads_wait_for_one(ex: Executor) -> None:
    """Whose descriptor is not closed under the second."""
    for _ in range(50):
        handle = ex.create_process(["sleep", "0.01"])
        codes: list[int] = []
        waits = [
            threading.Thread(target=lambda: codes.append(handle.wait(BOUND)))  # noqa: B023
            for _ in range(3)
        ]
        for wait in waits:
            wait.start()
        ex.create_process(["true"]).wait(BOUND)
        for wait in waits:
            wait.join(BOUND)
        assert codes == [0, 0, 0]
        handle.result(BOUND)
        assert until(lambda: handle._process.pidfd is None)  # noqa: B023


@pytest.mark.parametrize("options", [{}, {"timeout": 3600.0}, {"stdout": Capture()}])
@pytest.mark.parametrize("how", ["wait", "result"])
def test_nothing_of_it_waits_for_the_garbage_collector(
    ex: Executor, how: str, options: dict[str, Any]
) -> None:
    gc.collect()
    gc.disable()
    try:
        handle = ex.create_process(["true"], **options)
        handle.wait(BOUND) if how == "wait" else handle.result(BOUND)
        parts = [
            weakref.ref(part) for part in (handle, handle._process, handle._tree, handle._request)
        ]
        del handle
        assert until(lambda: ex.processes == ())
        assert until(lambda: [part() for part in parts] == [None] * 4)
    finally:
        gc.enable()


# --- two halves in two threads


def test_the_second_half_is_in_the_thread_that_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[int] = []
    started = _launch.started

    def spy(*args: Any) -> Handle:
        where.append(threading.get_ident())
        return started(*args)

    monkeypatch.setattr(_launch, "started", spy)
    with served() as ex:
        assert ex.create_process(["true"]).wait(BOUND) == 0
        with pytest.raises(FileNotFoundError) as missing:
            ex.create_process(["/no/such/program"])
        assert missing.value.filename == "/no/such/program"
        assert ex.processes == ()
    assert where == [threading.get_ident()] * 2


def test_stop_waits_for_a_launch_that_was_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was started; nobody knows of it yet but the thread that asked for it."""
    there, on = threading.Event(), threading.Event()
    started = _launch.started

    def late(*args: Any) -> Handle:
        there.set()
        assert on.wait(BOUND)
        return started(*args)

    monkeypatch.setattr(_launch, "started", late)
    made: list[ExecHandle] = []
    stopped = threading.Event()
    with served() as ex:

        def stop() -> None:
            ex.stop()
            stopped.set()

        asks = threading.Thread(target=lambda: made.append(ex.create_process(["sleep", "60"])))
        asks.start()
        assert there.wait(BOUND)
        stops = threading.Thread(target=stop)
        stops.start()
        assert until(lambda: ex._state != "open")
        with pytest.raises(ExecutorStopped):
            ex.create_process(["true"])
        assert not stopped.is_set()
        on.set()
        asks.join(BOUND)
        stops.join(BOUND)
        assert stopped.is_set()
        assert made[0].result(BOUND).reason == "stopped"
    with pytest.raises(ProcessLookupError):
        _linux.stat(made[0].pid)


def test_what_is_short_in_the_second_half_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptor of the process, say: it is gone by then, and is started anew."""
    pids: list[int] = []
    started = _launch.started

    def short(*args: Any) -> Handle:
        handle = started(*args)
        pids.append(handle.pid)
        if len(pids) < 3:
            _launch.undo(handle)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return handle

    monkeypatch.setattr(_launch, "started", short)
    with served() as ex:
        handle = ex.create_process(["true"])
        assert handle.wait(BOUND) == 0
        assert [handle.pid] == pids[2:]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_stays_short_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*args: Any) -> Handle:
        _launch.undo(started(*args))
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    started = _launch.started
    monkeypatch.setattr(_launch, "started", short)
    monkeypatch.setattr(_launching, "TRIES", (0.001, 0.001))
    with served() as ex:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)) as told:
            ex.create_process(["true"])
        assert "tried for" in told.value.__notes__[0]
        assert ex.processes == ()


def test_who_is_interrupted_while_it_is_started_leaves_it_in_the_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the waiting thread: what was started is known, and is stopped with the rest."""

    class Interrupted(_queue.Latch):
        __slots__ = ("_times",)

        def wait(self, timeout: float | None = None) -> bool:
            self._times = getattr(self, "_times", 0) + 1
            fell = super().wait(None)
            if self._times == 1:
                raise KeyboardInterrupt
            return fell

    with served() as ex:
        monkeypatch.setattr(_queue, "Latch", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            ex.create_process(["sleep", "60"])
        monkeypatch.undo()
        (handle,) = ex.processes
    assert handle.result(BOUND).reason == "stopped"
