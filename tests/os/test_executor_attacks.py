"""The executor under callers who fork, interrupt, exit, raise, and forget."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from procession.errors import ProcessionError
from procession.executor import (
    PIPE,
    Capture,
    ExecHandle,
    Executor,
    ExecutorStopped,
    Lines,
    _driver,
    _handle,
)
from procession.process import _handle_posix
from tests.support.executors import in_thread, lives, program
from tests.support.processes import BOUND
from tests.support.processes import Lines as SharedLines


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


@pytest.fixture
def lines() -> Iterator[SharedLines]:
    found = SharedLines()
    yield found
    found.close()


# --- forks


@pytest.mark.parametrize("where", ["elsewhere", "in a callback of run"])
def test_in_a_forked_child_a_handle_is_nobodys(where: str) -> None:
    """Neither ended, nor of unknown status: whoever asks is told whose it is."""
    ex = Executor()
    statuses: list[int] = []

    def fork() -> None:
        handle = ex.create_process(["sleep", "60"], stdout=Capture())
        inherited = set(os.listdir("/proc/self/fd"))
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = child(handle, inherited)
            finally:
                os._exit(status)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        assert handle.poll() is None
        assert ex.processes == (handle,)

    def child(handle: ExecHandle, inherited: set[str]) -> int:
        for call in (
            handle.poll,
            handle.wait,
            handle.result,
            handle.kill,
            handle.kill_now,
            handle.terminate,
            lambda: handle.stop([]),
            lambda: handle.add_done_callback(print),
            lambda: handle.wait_async().send(None),
        ):
            try:
                call()
            except ProcessionError as e:
                if "belongs to the process that forked" in str(e):
                    continue
            return 2
        if ex.processes or "running" not in repr(handle):
            return 3
        if len(os.listdir("/proc/self/fd")) > len(inherited) - 4:
            return 4  # the loop's three, the null device, the pidfd, the pipe
        if ex.create_process(["sh", "-c", "exit 7"]).result(BOUND).exit_code != 7:
            return 5
        ex.start()
        ex.stop()
        return 0 if ex.join(BOUND) else 6

    if where == "elsewhere":
        with ex:
            fork()
    else:
        errors: list[BaseException] = []

        def call(_: ExecHandle) -> None:
            try:
                fork()
            except BaseException as e:  # noqa: BLE001 - raised below
                errors.append(e)
            ex.stop()

        in_thread(lambda: ex.create_process(["true"]).add_done_callback(call))
        ex.run()
        assert errors == []
    assert statuses == [0]


def test_a_fork_while_other_threads_hold_every_lock(ex: Executor) -> None:
    """They are not there in the child to let go of them."""
    handle = ex.create_process(["sleep", "60"], stdout=Capture())
    until = time.monotonic() + BOUND
    while (sentinel := ex._keeper.sentinel) is None:
        assert time.monotonic() < until
        os.sched_yield()
    locks: list[Any] = [
        ex._lock,
        ex._keeper.loop._sleep._pipe,  # type: ignore[union-attr]
        ex._keeper.teller._lock,
        ex._keeper._choosing,
        ex._keeper._collecting,
        handle._lock,
        handle._process._lock,  # type: ignore[attr-defined]
        sentinel.handle._lock,  # type: ignore[attr-defined]
    ]
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            over.wait(BOUND)

    wait = in_thread(hold)
    assert held.wait(BOUND)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)  # who hangs ends by it
        status = 1
        try:
            if ex.create_process(["sh", "-c", "exit 7"]).result(BOUND).exit_code == 7:
                ex.stop()
                status = 0 if ex.join(BOUND) else 2
        finally:
            os._exit(status)
    over.set()
    wait()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# --- interrupts


def test_signals_that_come_all_the_time(ex: Executor) -> None:
    """Every wait goes on where a handler interrupts it."""
    count = [0]

    def tick(*_: object) -> None:
        count[0] += 1

    before = signal.signal(signal.SIGUSR1, tick)
    stop = threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def storm() -> None:
        while not stop.wait(0.0005):
            signal.pthread_kill(main, signal.SIGUSR1)

    wait = in_thread(storm)
    try:
        nap = ["sh", "-c", "sleep 0.05; exit 3"]
        assert ex.create_process(nap).wait() == 3
        assert ex.create_process(nap).wait(BOUND) == 3
        assert ex.create_process(nap).result(BOUND).exit_code == 3
        assert ex.run_command(nap) == 3
        data = b"x" * 500_000
        for timeout in (None, BOUND):
            with ex.create_process(["cat"], stdin=PIPE, stdout=PIPE) as cat:
                assert cat.communicate(data, timeout) == (data, None)
        ex.create_process(["sleep", "60"]).kill()
    finally:
        stop.set()
        wait()
        signal.signal(signal.SIGUSR1, before)
    assert count[0] > 50


@pytest.mark.quick
@pytest.mark.parametrize("within", ["the look at the process", "the note of its end"])
def test_a_signal_handler_may_ask_and_signal(
    ex: Executor, within: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with Popen, and though it interrupts the very same question."""
    handle = ex.create_process(["cat"], stdin=PIPE)
    assert handle.stdin is not None
    answers: list[Any] = []

    def ask(*_: object) -> None:
        monkeypatch.undo()
        handle.send_signal(signal.SIGCONT)
        answers.append((handle.poll(), handle.returncode))

    def interrupted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if threading.current_thread() is threading.main_thread():
                signal.raise_signal(signal.SIGUSR1)
            return real(*args, **options)

        return call

    before = signal.signal(signal.SIGUSR1, ask)
    try:
        if within == "the note of its end":
            clock = SimpleNamespace(monotonic=interrupted(time.monotonic))
            pidfd = os.pidfd_open(handle.pid)
            parked, go = threading.Event(), threading.Event()
            ex._keeper.call_soon(lambda: (parked.set(), go.wait(BOUND)))
            assert parked.wait(BOUND)  # else the loop may be the first to note it
            handle.stdin.close()
            assert select.select([pidfd], [], [], BOUND)[0]
            os.close(pidfd)
            monkeypatch.setattr(_handle, "time", clock)
            assert handle.poll() == 0
            go.set()
            assert answers == [(0, 0)]
        else:
            monkeypatch.setattr(_handle_posix, "waitid", interrupted(_handle_posix.waitid))
            assert handle.poll() is None
            assert answers == [(None, None)]
            handle.stdin.close()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handle.result(BOUND).exit_code == 0


def test_sys_exit_in_a_callback_of_run_ends_the_program_in_order(lines: SharedLines) -> None:
    """A second one only hastens it: nothing is left when it comes out."""
    ex = Executor()
    deaf = in_thread(lambda: ex.create_process(program("tree_ignores_term"), stdout=lines.fd))

    def work() -> None:
        lines.next()
        last = ex.create_process(["true"])
        last.add_done_callback(lambda _: sys.exit(7))
        last.add_done_callback(lambda _: sys.exit(8))

    wait = in_thread(work)
    with pytest.raises(SystemExit) as left:
        ex.run()
    wait()
    assert left.value.code == 7
    assert not lives(deaf().pid)
    assert deaf().result(0).reason == "forced"
    assert ex.processes == ()


def test_a_loop_that_fails_leaves_nobody(
    ex: Executor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours ends the thread that serves, but not before it has stopped everything."""
    handle = ex.create_process(["sleep", "60"])
    tend = ex._keeper._tend
    fails = [RuntimeError("a bug")]

    def once() -> None:
        if fails:
            raise fails.pop()
        tend()

    monkeypatch.setattr(ex._keeper, "_tend", once)
    thread = ex._thread
    assert thread is not None
    ex._keeper.loop.post(int)
    assert handle.result(BOUND).reason == "stopped"
    assert ex.join(BOUND)
    thread.join(BOUND)  # it tells when nothing is served any more
    assert "RuntimeError: a bug" in caplog.text
    with pytest.raises(ExecutorStopped):
        ex.create_process(["true"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_goes_on_failing_is_followed_by_another(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = ex.create_process(["sleep", "60"])
    tend = ex._keeper._tend
    fails = [RuntimeError("a bug")] * (2 + _driver._FORCED)

    def some() -> None:
        if fails:
            raise fails.pop()
        tend()

    monkeypatch.setattr(ex._keeper, "_tend", some)
    ex._keeper.loop.post(int)
    assert handle.result(BOUND).reason == "forced"


def test_ctrl_c_while_one_loop_follows_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost: what lived is looked after, and the next one may serve."""
    ex = Executor()
    handle = ex.create_process(["sleep", "60"])
    house = ex._thread
    assert house is not None

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(house, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ex.run()
    assert handle.poll() is None
    handle.kill_now()
    assert handle.result(BOUND).signal == signal.SIGKILL
    with ex:
        assert ex.run_command(["true"]) == 0


# --- handles that nobody keeps


def test_handles_that_are_dropped_are_looked_after_and_let_go(ex: Executor) -> None:
    watched: list[weakref.ref[ExecHandle]] = []

    def drop(wait: bool) -> None:
        for number in range(20):
            handle = ex.create_process(["sh", "-c", f"exit {number}"])
            watched.append(weakref.ref(handle))
            if wait:
                handle.wait(BOUND)
        watched.append(weakref.ref(ex.create_process(["echo", "a"], stdout=Capture())))
        watched.append(weakref.ref(ex.create_process(["echo", "a"], stdout=Lines())))

    drop(False)
    drop(True)
    until = time.monotonic() + BOUND
    while ex.processes or any(one() for one in watched):
        gc.collect()
        assert time.monotonic() < until, [one() for one in watched if one()]
        os.sched_yield()
