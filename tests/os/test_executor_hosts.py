"""The executor in hosts that are short of something, lack something, or just end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from procession.errors import ProcessionError
from procession.executor import (
    PIPE,
    Capture,
    ExecHandle,
    Executor,
    _launch,
    _launching,
    _request,
)
from tests.support.executors import PY, lives
from tests.support.processes import BOUND, PROGRAMS
from tests.support.programs import as_ordinary_user, gone


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


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
    finish = _launch.Newborn.finish
    start = threading.Thread.start

    def spy(newborn: _launch.Newborn, keeper: Any) -> ExecHandle:
        made.append(finish(newborn, keeper))
        return made[-1]

    def refuses(thread: threading.Thread) -> None:
        if len(made) < 4:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(_launch.Newborn, "finish", spy)
    monkeypatch.setattr(_launching, "TRIES", (0.001, 0.001))
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
        new.write_text(f"#!/bin/sh\necho runs\nread x\nexit {code}\n")
        new.chmod(0o755)
        new.rename(tool)

    def start() -> ExecHandle:
        handle = ex.create_process(["tool"], env=env, stdin=PIPE, stdout=PIPE)
        assert handle.stdout is not None
        assert handle.stdout.readline() == b"runs\n"  # the shell has opened it
        return handle

    install(3)
    with start() as first:
        install(4)
        with start() as second:
            tool.unlink()
            with pytest.raises(FileNotFoundError):
                ex.create_process(["tool"], env=env)
            tool.mkdir()
            with pytest.raises(PermissionError):
                ex.create_process(["tool"], env=env)
    assert (first.returncode, second.returncode) == (3, 4)


def test_a_program_that_was_just_written(ex: Executor, tmp_path: Path) -> None:
    """Another thread's newborn has the writer's descriptor until it is executed: wait for that.
    Whoever keeps it open is told."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o755)
    writer = [open(script, "a")]  # noqa: SIM115 - closed by the second try
    launch = _launching.launch
    tries: list[int] = []

    def counted(*args: Any) -> ExecHandle:
        tries.append(1)
        if len(tries) == 2:
            writer.pop().close()
        return launch(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_launching, "launch", counted)
        assert ex.create_process([str(script)]).wait(BOUND) == 3
        assert len(tries) == 2
        patch.setattr(_launching, "TRIES", (0.001, 0.001))
        with open(script, "a"), pytest.raises(OSError, match="busy") as told:
            ex.create_process([str(script)])
    assert told.value.__notes__ == ["tried for 0.002 s: somebody has it open for writing"]


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


# --- hosts that end, or are none


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
        assert done.returncode == 0
        if way != "captured":
            assert done.stderr == ""
        else:
            assert done.stderr.count("\n") <= 1, "`yes` has more to say than is kept"
        assert os.read(reads, 1) == b"", "all who had it are gone"
        assert all(gone(int(pid)) for pid in done.stdout.split())
    finally:
        os.close(reads)


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
