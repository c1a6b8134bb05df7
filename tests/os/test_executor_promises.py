"""The executor, promise by promise, with real processes: who starts, and who is served."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import threading
import time
from typing import Any

import pytest

import procession.executor as face
from procession.executor import (
    PIPE,
    ExecHandle,
    Executor,
    ExecutorStopped,
    NotServedError,
    WrongThreadError,
    _launching,
    _queue,
    executor,
)
from procession.process.latch import Latch
from tests.support.executor_kinds import ex, inside
from tests.support.executors import PY, in_thread
from tests.support.processes import BOUND

__all__ = ["ex", "inside"]


# --- starting (C.14 to C.18)


@pytest.mark.quick
def test_the_instance_is_ready_to_use() -> None:
    assert type(executor) is Executor
    assert face.executor is executor
    assert "should not be instantiated" in (face.__doc__ or "")


@pytest.mark.quick
def test_requests_of_other_threads_are_launched_in_the_main_thread() -> None:
    ex = Executor()
    seen: list[str] = []
    launch = _launching.launch

    def spy(*args: Any) -> ExecHandle:
        seen.append(threading.current_thread().name)
        return launch(*args)

    def work() -> int:
        try:
            return ex.create_process(["true"]).wait()
        finally:
            ex.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_launching, "launch", spy)
        wait = in_thread(work)
        ex.run()
    assert wait() == 0
    assert seen == [threading.main_thread().name]


@pytest.mark.quick
@pytest.mark.parametrize("blocked", [(), (signal.SIGUSR1,)], ids=["fit", "with a blocked signal"])
def test_where_a_thread_of_ours_serves_the_others_launch(
    ex: Executor, blocked: tuple[signal.Signals, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    launch = _launching.launch

    def spy(*args: Any) -> ExecHandle:
        seen.append(threading.get_ident())
        return launch(*args)

    def work() -> tuple[int, int]:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return ex.create_process(["true"]).wait(), threading.get_ident()

    monkeypatch.setattr(_launching, "launch", spy)
    code, caller = in_thread(work)()
    assert code == 0
    assert seen == [ex._keeper.turner if blocked else caller]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_stop_in_the_midst_of_a_launch(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a signal handler calls it, in the thread that launches."""
    ex = Executor()
    ex.start()
    launch = _launching.launch

    def interrupted(*args: Any) -> ExecHandle:
        if moment == "before":
            ex.stop()
            # the loop has seen that there is nothing to stop
            assert not ex.join(0.05)
        handle = launch(*args)
        if moment == "after":
            ex.stop()
        return handle

    monkeypatch.setattr(_launching, "launch", interrupted)
    handle = ex.create_process(["sleep", "60"])
    assert ex.join(BOUND)
    assert handle.result(0).signal == signal.SIGTERM
    assert ex.processes == ()


@pytest.mark.quick
def test_output_is_discarded_unless_asked_for(ex: Executor) -> None:
    out = "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in (0, 1, 2)])"
    with ex.create_process([*PY, "-c", out], stdout=PIPE) as handle:
        told = handle.communicate()[0].decode()
    assert re.fullmatch(r"\['/dev/null', 'pipe:\[\d+\]', '/dev/null'\]\n", told)
    quiet = ex.create_process(["true"])
    assert (quiet.stdin, quiet.stdout, quiet.stderr) == (None, None, None)
    with ex.create_process(["sh", "-c", "echo a; echo b >&2"], discard_output=False) as loud:
        assert loud.communicate() == (b"a\n", b"b\n")
    with ex.create_process("sh -c 'echo a'", False, encoding="utf-8") as text:
        assert text.communicate() == ("a\n", "")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("command", "options", "error"),
    [
        (["/no/such/program"], {}, FileNotFoundError),
        (["no-such-program-anywhere"], {}, FileNotFoundError),
        (["/etc/passwd"], {}, PermissionError),
        (["true"], {"cwd": "/no/such/folder"}, FileNotFoundError),
        (["true\0"], {}, ValueError),
        (["true"], {"env": {"A=B": "c"}}, ValueError),
    ],
)
def test_a_bad_command_raises_in_the_calling_thread_as_popen_does(
    ex: Executor, command: list[str], options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as theirs:
        subprocess.Popen(command, **options)
    with pytest.raises(error) as ours:
        in_thread(lambda: ex.create_process(command, **options))()
    assert getattr(ours.value, "errno", 0) == getattr(theirs.value, "errno", 0)
    assert getattr(ours.value, "filename", 0) == getattr(theirs.value, "filename", 0)
    assert ex.processes == ()


def test_nobody_serves(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    ex = Executor()
    monkeypatch.setattr(_queue, "_WARN_AFTER", 0.05)
    began = time.monotonic()
    with pytest.raises(NotServedError, match=r"executor\.run\(\)") as late:
        in_thread(lambda: ex.create_process(["true"], start_timeout=0.2))()
    assert isinstance(late.value, TimeoutError)
    assert time.monotonic() - began >= 0.2
    assert ["executor.run()" in text for text in caplog.messages] == [True]
    with ex:  # what was withdrawn is not started later
        assert ex.processes == ()


def test_what_is_short_for_a_moment_is_tried_again(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, tries = _launching.launch, []

    def short(*args: Any) -> ExecHandle:
        tries.append(args)
        if len(tries) < 3:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return launch(*args)

    monkeypatch.setattr(_launching, "launch", short)
    assert ex.create_process(["true"]).wait(BOUND) == 0
    assert len(tries) == 3


@pytest.mark.parametrize("where", ["in place", "in a callback"])
def test_who_launches_in_place_has_patience_too(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, tries = _launching.launch, []

    def short(*args: Any) -> ExecHandle:
        tries.append(args)
        if len(tries) < 3:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return launch(*args)

    monkeypatch.setattr(_launching, "launch", short)
    ex = Executor()
    if where == "in place":
        assert ex.create_process(["true"]).wait(BOUND) == 0
    else:
        codes: list[int] = []
        ended = threading.Event()

        def create() -> None:
            codes.append(ex.create_process(["true"]).wait(BOUND))
            ended.set()

        ex.start()
        ex._keeper.call_soon(create)
        assert ended.wait(BOUND)
        assert codes == [0]
    ex.stop()
    assert ex.join(BOUND)
    assert len(tries) == 3


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
def test_what_stays_short_is_told(
    ex: Executor, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def short(*_: Any) -> ExecHandle:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_launching, "TRIES", (0.001, 0.001))
    monkeypatch.setattr(_launching, "launch", short)
    with pytest.raises(OSError, match=os.strerror(number)) as told:
        ex.create_process(["true"])
    assert told.value.errno == number
    assert "tried for" in told.value.__notes__[0]


def test_a_request_that_waits_for_what_is_short_is_refused_by_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ex = Executor()
    ex.start()
    tried = threading.Event()

    def short(*_: Any) -> ExecHandle:
        tried.set()
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr(_launching, "TRIES", (BOUND,))
    monkeypatch.setattr(_launching, "launch", short)
    wait = in_thread(lambda: ex.create_process(["true"]))
    assert tried.wait(BOUND)
    ex.stop()
    with pytest.raises(ExecutorStopped):
        wait()
    assert ex.join(BOUND)


@pytest.mark.quick
def test_run_elsewhere_names_start(ex: Executor) -> None:
    with pytest.raises(WrongThreadError, match=r"executor\.start\(\)"):
        in_thread(Executor().run)()
    with pytest.raises(WrongThreadError, match="already"):
        ex.start()


@pytest.mark.quick
def test_the_main_thread_launches_in_place_where_no_loop_runs() -> None:
    ex = Executor()
    handle = ex.create_process(["sleep", "60"])
    assert ex.processes == (handle,)
    handle.kill()
    assert handle.returncode == -signal.SIGTERM
    assert ex.processes == ()
    ex.stop()
    assert ex.join(BOUND)


def test_a_loop_takes_over_what_was_launched_in_place() -> None:
    ex = Executor()
    handle = ex.create_process(["sleep", "60"], timeout=30)
    ex.start()
    assert ex.processes == (handle,)
    ex.stop()
    assert handle.result(BOUND).reason == "stopped"
    assert ex.join(BOUND)


def test_a_callback_may_create_and_stop(ex: Executor) -> None:
    made: list[Any] = []
    done = threading.Event()

    def more(handle: ExecHandle) -> None:
        second = ex.create_process(["sleep", "60"])
        second.kill()
        made.append(second.result().reason)
        done.set()

    ex.create_process(["true"]).add_done_callback(more)
    assert done.wait(BOUND)
    assert made == ["stopped"]


def test_one_who_hears_of_the_end_is_called_after_those_who_were_to_be(ex: Executor) -> None:
    told: list[str] = []
    gate, last = threading.Event(), threading.Event()

    class Held(Latch):
        """Who lets it fall goes on when the gate is open."""

        __slots__ = ()

        def fall(self) -> None:
            super().fall()
            gate.wait(BOUND)

    handle = ex.create_process(["cat"], stdin=PIPE)
    assert handle.stdin is not None
    handle._latch = Held()
    handle.add_done_callback(lambda _: told.append("first"))
    handle.stdin.close()
    handle.result(BOUND)
    handle.add_done_callback(lambda _: (told.append("late"), last.set()))
    gate.set()
    assert last.wait(BOUND)
    assert told == ["first", "late"]


def test_what_a_callback_raises_is_logged(ex: Executor, caplog: pytest.LogCaptureFixture) -> None:
    def fails(handle: ExecHandle) -> None:
        raise RuntimeError("mine")

    handle = ex.create_process(["true"])
    told = threading.Event()
    handle.add_done_callback(fails)
    handle.add_done_callback(lambda _: told.set())  # they are called in order
    assert handle.result(BOUND).ok
    assert told.wait(BOUND)
    assert ex.run_command(["true"]) == 0  # the loop lives
    assert "a callback of the executor failed" in caplog.text
