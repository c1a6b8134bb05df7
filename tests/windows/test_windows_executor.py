"""The executor on Windows itself, promise by promise: starting, stopping, trees.

The face of Popen is in tests/os/test_executor_popen_face.py, which runs here as well.
"""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import procession.executor as face
from procession.errors import HostError
from procession.executor import (
    PIPE,
    Capture,
    ExecHandle,
    Executor,
    ExecutorStopped,
    Lines,
    NotServedError,
    Step,
    TimeoutExpired,
    WrongThreadError,
    _launching,
    executor,
)
from procession.process import _win32 as win
from tests.support.small import NO_FOLDER, NO_PROGRAM, SLEEPS, TRUE, exits, python
from tests.support.windows import BOUND, until
from tests.support.windows_executor import Said, in_thread, program
from tests.support.windows_trees import ended

pytestmark = pytest.mark.windows

DEAF = program("windows_console.exe", "deaf")


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


@pytest.fixture
def said() -> Iterator[Said]:
    found = Said()
    yield found
    found.close()


def told(stdout: Lines, *words: str) -> None:
    for word in words:
        assert next(stdout) == word


# ---- starting


def test_the_instance_is_ready_to_use() -> None:
    assert type(executor) is Executor
    assert face.executor is executor


def test_requests_of_other_threads_are_launched_in_the_main_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ex = Executor()
    seen: list[str] = []
    launch = _launching.launch

    def spy(*args: Any) -> ExecHandle:
        seen.append(threading.current_thread().name)
        return launch(*args)

    def work() -> int:
        try:
            return ex.create_process(exits(3)).wait()
        finally:
            ex.stop()

    monkeypatch.setattr(_launching, "launch", spy)
    wait = in_thread(work)
    ex.run()
    assert wait() == 3
    assert seen == [threading.main_thread().name]


def test_where_a_thread_of_ours_serves_the_others_launch(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    launch = _launching.launch

    def spy(*args: Any) -> ExecHandle:
        seen.append(threading.get_ident())
        return launch(*args)

    monkeypatch.setattr(_launching, "launch", spy)
    code, caller = in_thread(lambda: (ex.create_process(TRUE).wait(), threading.get_ident()))()
    assert code == 0
    assert seen == [caller]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_stop_in_the_midst_of_a_launch(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ex = Executor()
    ex.start()
    launch = _launching.launch

    def interrupted(*args: Any) -> ExecHandle:
        if moment == "before":
            ex.stop()
            assert not ex.join(0.05)  # the loop has seen that there is nothing to stop
        handle = launch(*args)
        if moment == "after":
            ex.stop()
        return handle

    monkeypatch.setattr(_launching, "launch", interrupted)
    handle = ex.create_process(SLEEPS)
    assert ex.join(BOUND)
    assert handle.result(0).reason in ("stopped", "forced")
    assert ex.processes == ()


def test_output_is_discarded_unless_asked_for(ex: Executor) -> None:
    streams = python(
        "import os, sys; print(sys.stdin.read() == '', os.isatty(0), os.isatty(2))"
    )  # of what is no file, NUL alone passes for a terminal
    with ex.create_process(streams, stdout=PIPE, text=True) as handle:
        assert handle.communicate()[0] == "True True True\n"
    quiet = ex.create_process(TRUE)
    assert (quiet.stdin, quiet.stdout, quiet.stderr) == (None, None, None)
    with ex.create_process(python("print('a')"), discard_output=False) as loud:
        assert loud.communicate() == (b"a\r\n", b"")
    words = f'"{TRUE[0]}" -c "print(1)"'
    with ex.create_process(words, False, encoding="utf-8") as text:
        assert text.communicate() == ("1\n", "")


@pytest.mark.parametrize(
    ("command", "options", "error"),
    [
        ([NO_PROGRAM], {}, FileNotFoundError),
        (["no-such-program-anywhere"], {}, FileNotFoundError),
        (TRUE, {"cwd": NO_FOLDER}, NotADirectoryError),
        (["true\0"], {}, ValueError),
        (TRUE, {"env": {"A=B": "c"}}, ValueError),
    ],
)
def test_a_bad_command_raises_in_the_calling_thread_as_popen_does(
    ex: Executor, command: list[str], options: dict[str, Any], error: type[Exception]
) -> None:
    if error is not ValueError:
        with pytest.raises(error) as theirs:
            subprocess.Popen(command, **options)
    with pytest.raises(error) as ours:
        in_thread(lambda: ex.create_process(command, **options))()
    if isinstance(ours.value, OSError):
        assert ours.value.errno == theirs.value.errno  # type: ignore[attr-defined]
        assert ours.value.filename in (command[0], options.get("cwd"))
    assert ex.processes == ()


@pytest.mark.parametrize(
    "options", [{"user": "nobody"}, {"group": 0}, {"extra_groups": [0]}, {"umask": 0o77}]
)
def test_what_windows_cannot_give_a_process_is_refused(
    ex: Executor, options: dict[str, Any]
) -> None:
    with pytest.raises(HostError, match=rf"{next(iter(options))}=.*expected a POSIX host"):
        ex.create_process(TRUE, **options)


def test_nobody_serves() -> None:
    ex = Executor()
    with pytest.raises(NotServedError, match=r"executor\.run\(\)"):
        in_thread(lambda: ex.create_process(TRUE, start_timeout=0.2))()
    with ex:  # what was withdrawn is not started later
        assert ex.processes == ()


def test_run_elsewhere_names_start(ex: Executor) -> None:
    with pytest.raises(WrongThreadError, match=r"executor\.start\(\)"):
        in_thread(Executor().run)()
    with pytest.raises(WrongThreadError, match="already"):
        ex.start()


def test_the_main_thread_launches_in_place_where_no_loop_runs() -> None:
    ex = Executor()
    handle = ex.create_process(SLEEPS)
    assert ex.processes == (handle,)
    handle.kill()
    assert handle.poll() is not None
    assert ex.processes == ()
    ex.stop()
    assert ex.join(BOUND)


def test_a_loop_takes_over_what_was_launched_in_place(said: Said) -> None:
    """Ends are told to the new one, of descendants as well."""
    ex = Executor()
    waits = ex.create_process(SLEEPS, timeout=30)
    reads, writes = os.pipe()
    family = ex.create_process(
        program("windows_family", "2", "leaves"), stdin=reads, stdout=said.fd
    )
    os.close(reads)
    _, child = said.pids(2)
    ex.start()
    assert ex.processes == (waits, family)
    os.close(writes)
    assert family.wait(BOUND) == 7
    assert ex.processes == (waits, family)
    with pytest.raises(TimeoutExpired):
        family.result(0.3)  # it has been looked at, and is not over
    ended_by_us(child)
    assert family.result(BOUND).exit_code == 7
    ex.stop()
    assert waits.result(BOUND).reason in ("stopped", "forced")
    assert ex.join(BOUND)


def ended_by_us(pid: int) -> None:
    process = win.open_process(pid, win.SYNCHRONIZE | win.PROCESS_TERMINATE)
    win.terminate(process, 1)
    win.close(process)


def test_a_callback_may_create_and_stop(ex: Executor) -> None:
    made: list[Any] = []
    done = threading.Event()

    def more(handle: ExecHandle) -> None:
        second = ex.create_process(SLEEPS)
        second.kill(0.1)
        made.append(second.result().reason)
        done.set()

    ex.create_process(TRUE).add_done_callback(more)
    assert done.wait(BOUND)
    assert made[0] in ("stopped", "forced")


# ---- stop


def test_stop_before_run_and_anew_after() -> None:
    ex = Executor()
    ex.stop()
    with pytest.raises(ExecutorStopped):
        ex.create_process(TRUE)
    ex.run()
    ex.start()
    assert ex.run_command(TRUE) == 0
    ex.stop()
    assert ex.join(BOUND)


def test_stop_returns_at_once_and_stops_all_trees_at_the_same_time() -> None:
    ex = Executor()
    ex.start()
    lines = [Lines() for _ in range(12)]  # more than one typist goes through
    deaf = [ex.create_process(DEAF, stdout=out, stop=Step("SIGTERM", "tree", 60)) for out in lines]
    for out in lines:
        told(out, "ready")
    began = time.monotonic()
    ex.stop(grace=5)
    assert time.monotonic() - began < 2.0
    with pytest.raises(ExecutorStopped):
        ex.create_process(TRUE)
    for out in lines:
        told(out, "event 1")
    ex.stop()
    assert ex.join(BOUND)
    assert [handle.result().reason for handle in deaf] == ["forced"] * 12
    assert all(ended(handle.pid, 0) for handle in deaf)


def test_a_second_stop_forces() -> None:
    ex = Executor()
    ex.start()
    lines = Lines()
    deaf = ex.create_process(DEAF, stdout=lines)
    told(lines, "ready")
    ex.stop(grace=60)
    ex.stop(grace=60)
    assert ex.join(BOUND)
    assert deaf.result().reason == "forced"


def interrupt_once_it_runs(ex: Executor) -> None:
    until(lambda: ex._mode == "run" and ex._keeper.loop._asleep, "sleeping loop")
    _thread.interrupt_main()


def test_an_interrupted_run_stops_all_before_it_comes_out() -> None:
    ex = Executor()
    lines = Lines()
    handle = ex.create_process(program("windows_sigbreak", "break"), stdout=lines)
    told(lines, "ready")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        in_thread(lambda: interrupt_once_it_runs(ex))
        with pytest.raises(KeyboardInterrupt):
            ex.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert handle.result(0).exit_code == 5


def test_many_threads_create_while_another_stops() -> None:
    """Nothing outlives `run()`, nothing starts after, and all are told of."""
    ex = Executor()
    made: list[ExecHandle] = []
    begun = threading.Semaphore(0)

    def work() -> None:
        while True:
            try:
                made.append(ex.create_process(SLEEPS, stop=Step("SIGTERM", "tree", 0)))
            except ExecutorStopped:
                return
            finally:
                begun.release()

    threads = [threading.Thread(target=work) for _ in range(10)]

    def stop() -> None:
        for _ in range(20):
            begun.acquire()
        ex.stop(0)

    stopper = in_thread(stop)
    for thread in threads:
        thread.start()
    ex.run()
    for thread in threads:
        thread.join(BOUND)
    stopper()
    assert ex.processes == ()
    assert len(made) == ex._keeper._number
    assert all(handle.done and ended(handle.pid, 0) for handle in made)


# ---- trees


@pytest.mark.parametrize(
    ("name", "how", "words", "code"),
    [
        ("windows_hears", "wait", ["heard window WM_CLOSE"], 0),
        ("windows_sigbreak", "break", ["clean after break"], 5),
        ("windows_console.exe", "hears", ["event 1", "clean"], 3),
        ("windows_box.exe", "top", ["close top", "clean"], 4),
        ("windows_box.exe", "message", ["close message", "clean"], 4),
    ],
)
def test_kill_lets_each_kind_of_program_clean_up(
    ex: Executor, name: str, how: str, words: list[str], code: int
) -> None:
    lines = Lines()
    handle = ex.create_process(program(name, how), stdout=lines)
    told(lines, "ready")
    handle.kill(grace=BOUND)
    assert list(lines) == words
    result = handle.result(0)
    assert (result.reason, result.exit_code, result.signal, result.ok) == (
        "stopped", code, None, True,
    )  # fmt: skip
    assert handle.returncode == code
    assert [text for _, text in result.stop_trace] == ["SIGTERM to the tree"]


@pytest.mark.parametrize("step", ["SIGTERM", "CLOSE_STDIN"])
def test_who_hears_nothing_else_hears_the_end_of_its_input(ex: Executor, step: str) -> None:
    """It has no console, and is told by what `stdin=PIPE` made: it is closed."""
    lines = Lines()
    handle = ex.create_process(program("windows_reads", "none"), stdin=PIPE, stdout=lines)
    told(lines, "ready")
    handle.stop([Step(step, "tree", BOUND)])
    assert list(lines) == ["clean after input"]
    assert handle.result(BOUND).reason == "stopped"
    assert handle.returncode == 8
    assert handle.stdin is not None
    assert handle.stdin.closed


@pytest.mark.parametrize("way", ["kill", "stop", "executor"])
def test_the_whole_tree_ends(way: str, said: Said) -> None:
    """Three generations, of which the last is in the midst of starting, and a deaf program."""
    ex = Executor()
    ex.start()
    reads, writes = os.pipe()
    family = ex.create_process(program("windows_family", "4", "late"), stdin=reads, stdout=said.fd)
    os.close(reads)
    pids = said.pids(3)
    os.close(writes)
    deaf = ex.create_process(DEAF, stdout=said.fd)
    for handle in (family, deaf):
        if way == "kill":
            handle.kill(grace=0.2)
        elif way == "stop":
            handle.stop([Step("SIGINT", "leader", 0.1), Step("WM_CLOSE", "group", 0.1)])
    ex.stop(grace=0.2)
    assert ex.join(BOUND)
    result = deaf.result(0)
    assert (result.reason, result.signal, deaf.returncode) == ("forced", 9, 137)
    assert family.result(0).survivors == result.survivors == ()
    assert [pid for pid in (*pids, family.pid, deaf.pid) if not ended(pid, 0)] == []
    assert result.stop_trace[-1][1] == "SIGKILL to the tree"


def test_kill_joins_a_stop_under_way(ex: Executor) -> None:
    lines = Lines()
    handle = ex.create_process(DEAF, stdout=lines)
    told(lines, "ready")
    slow = in_thread(lambda: handle.stop(Step("SIGTERM", "tree", 60.0)))
    began = time.monotonic()
    handle.kill(grace=0.2)
    assert time.monotonic() - began < BOUND
    slow()
    assert handle.result().reason == "forced"


@pytest.mark.parametrize("leftover", ["wait", "stop", "leave"])
def test_who_outlives_the_leader(ex: Executor, said: Said, leftover: str) -> None:
    reads, writes = os.pipe()
    handle = ex.create_process(
        program("windows_family", "2", "leaves"), stdin=reads, stdout=said.fd, leftover=leftover
    )
    os.close(reads)
    _, child = said.pids(2)
    os.close(writes)
    assert handle.wait(BOUND) == 7
    if leftover == "wait":
        assert ex.processes == (handle,)
        with pytest.raises(TimeoutExpired):
            handle.result(0.2)
        ended_by_us(child)
    assert handle.result(BOUND).reason == "exited"
    assert ex.processes == ()
    if leftover == "leave":
        assert not ended(child, 0.2)
        ended_by_us(child)
    assert ended(child)


def test_kill_now_and_terminate_are_popens(ex: Executor) -> None:
    for end in (ExecHandle.kill_now, ExecHandle.terminate):
        handle = ex.create_process(SLEEPS)
        end(handle)
        assert handle.wait(BOUND) == 1
        result = handle.result(BOUND)
        assert (result.reason, result.exit_code, result.signal) == ("exited", 1, None)


@pytest.mark.parametrize(
    ("number", "kind", "words", "code"),
    [
        (signal.CTRL_BREAK_EVENT, "break", "clean after break", 5),
        (signal.SIGBREAK, "break", "clean after break", 5),
        (signal.CTRL_C_EVENT, "int", "clean after ctrl-c", 6),
        (signal.SIGINT, "int", "clean after ctrl-c", 6),
    ],
)
def test_console_events_as_signals(
    ex: Executor, number: int, kind: str, words: str, code: int
) -> None:
    lines = Lines()
    handle = ex.create_process(program("windows_sigbreak", kind), stdout=lines)
    told(lines, "ready")
    handle.send_signal(number)
    assert handle.wait(BOUND) == code
    assert list(lines) == [words]


def test_the_application_itself_is_in_no_job_of_ours(ex: Executor) -> None:
    handle = ex.create_process(SLEEPS)
    job = handle._process.job  # type: ignore[attr-defined]
    assert [member.pid for member in handle._tree.members()] == [handle.pid]
    assert not win.in_job(win.current_process(), job)
    before = subprocess.Popen(SLEEPS)
    handle.kill(0)
    assert before.poll() is None, "another child of the application"
    before.kill()
    before.wait()


def test_a_missed_wait_has_no_end_of_its_own(ex: Executor) -> None:
    """Popen waits for ever where the time is negative."""
    handle = ex.create_process(SLEEPS, stdout=Capture())
    with pytest.raises(TimeoutExpired):
        handle.wait(-1)
    handle.kill_now()
