"""The executor in hosts that do everything wrong, and under callers who do."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
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
    _request,
)
from tests.support.executors import PY, in_thread, lives, program
from tests.support.processes import BOUND, PROGRAMS
from tests.support.processes import Lines as SharedLines
from tests.support.programs import as_ordinary_user, gone


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


@pytest.fixture
def lines() -> Iterator[SharedLines]:
    found = SharedLines()
    yield found
    found.close()


def app(*words: str | Path, before: tuple[str, ...] = (), bound: float = 30.0) -> str:
    """What an application says that has nothing to complain of."""
    done = subprocess.run(
        [*before, sys.executable, "-W", "error", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=bound,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# --- what is short


@pytest.mark.parametrize("way", ["start", pytest.param("place", marks=pytest.mark.quick)])
def test_no_descriptor_is_left(way: str) -> None:
    """What cannot be started is told; what runs lives on, ends, and is killed in time."""
    told = json.loads(app(PROGRAMS / "executor_short.py", way))
    short = ["OSError", 24, ["tried for 0.002 s: processes, memory or descriptors are short"]]
    assert told["start"] == short
    assert told["serve"] == ["OSError", 24, []]
    assert told["served"] == 0
    assert (told["ended"], told["result"]) == (-9, "later")
    assert told["while short"] == [-9, -9, None]
    assert told["after"] == ["signalled", "forced", "forced"]
    assert told["left"]
    assert (told["lives"], told["again"], told["joined"], told["other"]) == (
        None,
        4,
        True,
        "stopped",
    )
    once = "WARNING the executor cannot look after processes, and will try again"
    assert once in told["logged"]
    assert all(line.startswith("WARNING") for line in told["logged"])
    if way == "place":
        assert told["cold"] == short
        assert (told["code"], told["early"]) == (3, 3)


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom nobody could look after is not left running."""
    ex = Executor()
    made: list[ExecHandle] = []
    launch = _driver.launch
    start = threading.Thread.start

    def spy(*args: Any) -> ExecHandle:
        made.append(launch(*args))
        return made[-1]

    def refuses(thread: threading.Thread) -> None:
        if len(made) < 4:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(_driver, "launch", spy)
    monkeypatch.setattr(_driver, "_TRIES", (0.001, 0.001))
    monkeypatch.setattr(threading.Thread, "start", refuses)
    with pytest.raises(BlockingIOError) as told:
        ex.create_process(["sleep", "60"], stdin=PIPE, stdout=Capture(), stderr=PIPE)
    assert "tried for" in told.value.__notes__[0]
    assert len(made) == 3
    assert not any(lives(handle.pid) for handle in made)
    assert ex.processes == ()
    assert ex.create_process(["sh", "-c", "exit 3"]).result(BOUND).exit_code == 3  # the fifth
    ex.stop()
    assert ex.join(BOUND)


@pytest.mark.root
@pytest.mark.parametrize("level", ["1", "2"])
def test_a_proc_that_hides_other_peoples_processes(level: str) -> None:
    code = (
        "from procession.executor import Executor\n"
        "with Executor() as ex:\n"
        "    handle = ex.create_process(['sh', '-c', 'setsid sleep 60 & sleep 60'])\n"
        "    handle.kill(5)\n"
        "    print(handle.result().reason, handle.result().survivors, ex.processes)\n"
    )
    # somebody else's process has to be there to be hidden
    mount = f'mount -t proc -o hidepid={level} proc /proc; sleep 20 & exec "$@"'
    before = (
        "unshare",
        "--pid",
        "--fork",
        "--mount",
        "sh",
        "-c",
        mount,
        "sh",
        *as_ordinary_user([]),
    )
    assert app("-c", code, before=before) == "stopped () ()\n"


# --- what is not there


@pytest.mark.quick
@pytest.mark.parametrize("closed", [("0",), ("1",), ("0", "1"), ("0", "1", "2")])
def test_an_application_without_standard_streams(tmp_path: Path, closed: tuple[str, ...]) -> None:
    """Their numbers are given to pipes and epolls then, which no child may come by."""
    report = tmp_path / "report"
    subprocess.run(
        [sys.executable, PROGRAMS / "executor_headless.py", report, *closed],
        timeout=BOUND,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    told = json.loads(report.read_text())
    assert told == {
        "has": {"0": "/dev/null", "1": "pipe", "2": "pipe"},
        "said": ["out\nin", "err\n"],
        "inherits": {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null"},
    }


def test_the_folder_is_gone(tmp_path: Path) -> None:
    """Programs on PATH and absolute ones are found all the same, as by exec."""
    folder = tmp_path / "gone"
    folder.mkdir()
    code = (
        "import os, sys\n"
        "from procession.executor import Executor\n"
        "os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])\n"
        "with Executor() as ex:\n"
        "    print(ex.run_command(['true']), ex.run_command(['/bin/true']))\n"
        "    print(ex.run_command(['true'], env={'PATH': '.:/bin'}))\n"
        "    print(ex.run_command(['./true'], cwd='/bin'))\n"
        "    for options in ({}, {'cwd': 'bin'}):\n"
        "        try: ex.create_process(['./true'], **options)\n"
        "        except FileNotFoundError as e: print(e.filename)\n"
    )
    assert app("-c", code, folder).split() == ["0", "0", "0", "0", "./true", "bin"]


def test_a_program_that_is_replaced_and_removed(ex: Executor, tmp_path: Path) -> None:
    """While it runs, and between two starts: nothing of it is remembered that does not hold."""
    tool = tmp_path / "tool"
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def install(code: int) -> None:
        new = tmp_path / "new"
        new.write_text(f"#!/bin/sh\nread x\nexit {code}\n")
        new.chmod(0o755)
        new.rename(tool)

    install(3)
    with ex.create_process(["tool"], env=env, stdin=PIPE) as first:
        install(4)
        with ex.create_process(["tool"], env=env, stdin=PIPE) as second:
            tool.unlink()
            with pytest.raises(FileNotFoundError):
                ex.create_process(["tool"], env=env)
            tool.mkdir()
            with pytest.raises(PermissionError):
                ex.create_process(["tool"], env=env)
    assert (first.returncode, second.returncode) == (3, 4)


@pytest.mark.quick
def test_names_and_values_that_are_no_utf_8(ex: Executor, tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe")
    folder = tmp_path / odd
    folder.mkdir()
    show = ["sh", "-c", 'printf %s "$ODD|$0|$(pwd)"', odd]
    for env in ({"ODD": odd, **os.environ}, {b"ODD": b"\xff\xfe", **os.environb}):
        result = ex.create_process(show, env=env, cwd=folder, stdout=Capture()).result(BOUND)  # type: ignore[arg-type]
        assert result.stdout is not None
        assert bytes(result.stdout) == b"\xff\xfe|\xff\xfe|" + os.fsencode(folder)
    with pytest.raises(UnicodeEncodeError):
        ex.create_process(["true"], env={"ODD": "\ud800"})
    assert ex.processes == ()


def test_a_path_of_bytes_is_searched(ex: Executor) -> None:
    _request._found.clear()
    env: Any = {b"PATH": b"/bin:/usr/bin"}
    assert ex.run_command(["true"], env=env) == 0
    with pytest.raises(FileNotFoundError):
        ex.create_process(["true"], env={b"PATH": b"/nowhere"})  # type: ignore[dict-item]


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
    ex._keeper.loop.post(int)
    assert handle.result(BOUND).reason == "stopped"
    assert ex.join(BOUND)
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


Way = Callable[[str], list[str]]


@pytest.mark.parametrize("way", ["started", "in place", "captured", "in a thread"])
def test_an_interpreter_that_ends_without_a_word(way: str) -> None:
    """No hang, no traceback, and nobody is left: the sentinel tells them."""
    code = (
        "import sys, threading\n"
        "from procession.executor import *\n"
        "from procession.executor import executor as ex\n"
        "way, fd = sys.argv[1], int(sys.argv[2])\n"
        "def make():\n"
        "    for _ in range(3): print(ex.create_process(['sleep', '60'], stdout=fd).pid)\n"
        "    if way == 'captured': print(ex.create_process(['yes'], stdout=Capture()).pid)\n"
        "if way != 'in place': ex.start()\n"
        "if way == 'in a thread':\n"
        "    thread = threading.Thread(target=make); thread.start(); thread.join()\n"
        "else: make()\n"
    )
    reads, writes = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, way, str(writes)],
            capture_output=True,
            text=True,
            timeout=BOUND,
            pass_fds=[writes],
            check=False,
        )
        os.close(writes)
        assert (done.returncode, done.stderr) == (0, "")
        assert os.read(reads, 1) == b"", "all who had it are gone"
        assert all(gone(int(pid)) for pid in done.stdout.split())
    finally:
        os.close(reads)


# --- hosts


@pytest.mark.quick
def test_a_real_subinterpreter_is_told() -> None:
    code = """
import sys
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
run = getattr(interpreters, "exec", None) or interpreters.run_string
one = interpreters.create()
assert run(one, f"import sys; sys.path[:] = {sys.path!r}") is None
assert run(one, '''
from procession.executor import executor
for call in (lambda: executor.create_process(["true"]), executor.start, executor.run):
    try: call()
    except Exception as e: print(type(e).__name__, str(e).partition(",")[0], flush=True)
''') is None
interpreters.destroy(one)
"""
    told = "HostError procession.executor: this is a subinterpreter"
    assert app("-W", "ignore", "-c", code).splitlines() == [told] * 3


def test_gevent_that_comes_late(ex: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first process had been started without it."""

    class Monkey:
        @staticmethod
        def is_module_patched(name: str) -> bool:
            return name == "threading"

    assert ex.run_command(["true"]) == 0
    monkeypatch.setitem(sys.modules, "gevent.monkey", Monkey)  # type: ignore[arg-type]
    with pytest.raises(ProcessionError, match="gevent has replaced threading"):
        ex.create_process(["true"])


def test_an_application_that_ignores_sigchld(ex: Executor) -> None:
    """The kernel reaps then: a status is unknown, and never told as success."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        result = ex.create_process([*PY, "-c", "print('out')"], stdout=Capture()).result(BOUND)
        assert (result.reason, result.returncode, result.ok) == ("status unknown", 255, False)
        assert result.stdout is not None
        assert bytes(result.stdout) == b"out\n"
        stopped = ex.create_process(["sleep", "60"])
        stopped.kill()
        assert stopped.result().reason == "stopped"
    finally:
        signal.signal(signal.SIGCHLD, before)
