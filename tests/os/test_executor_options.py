"""The options of `create_process` that have no file of their own, right ones and wrong ones."""

from __future__ import annotations

import grp
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import procession.executor as face
from procession.executor import (
    DEVNULL,
    PIPE,
    STDOUT,
    Capture,
    Executor,
    ExecutorStopped,
    Lines,
    NotServedError,
    _launching,
)
from tests.support.executors import in_thread
from tests.support.processes import BOUND


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


def said(ex: Executor, command: Any, **options: Any) -> str:
    result = ex.run_command_or_fail(command, **{"stdout": Capture(), **options})
    assert result.stdout is not None
    return result.stdout.text()


@pytest.mark.quick
def test_the_instance_is_recommended_where_people_look() -> None:
    for doc in (face.__doc__, Executor.__doc__):
        assert "should not be instantiated, except in tests" in " ".join((doc or "").split())


@pytest.mark.quick
def test_a_string_is_split_and_never_given_to_a_shell(ex: Executor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert said(ex, f"printf '%s|' a\\ b \"c  d\" $HOME * > {out}") == f"a b|c  d|$HOME|*|>|{out}|"
    assert not out.exists()
    with pytest.raises(ValueError, match="No closing quotation"):
        ex.create_process("echo 'a")
    for empty in ("", "  ", [], ()):
        with pytest.raises(ValueError, match="the command is empty"):
            ex.create_process(empty)  # type: ignore[arg-type]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"leftover": "keep"}, ValueError, "wait, stop, leave"),
        ({"timeout": -1}, ValueError, "timeout is -1"),
        ({"timeout": "3"}, TypeError, "timeout is '3'"),
        ({"start_timeout": float("nan")}, ValueError, "start_timeout is nan"),
        ({"idle_timeout": 1}, ValueError, "idle_timeout needs a stream"),
        ({"idle_timeout": 1, "stdout": PIPE}, ValueError, "idle_timeout needs a stream"),
        ({"stdout": "file"}, TypeError, "stdout: 'file' is no place"),
        ({"stdin": Capture()}, TypeError, "stdin: "),
        ({"stdin": STDOUT}, ValueError, "STDOUT can only be used for stderr"),
        ({"user": "nobody-at-all"}, ValueError, "no user"),
        ({"group": "nobody-at-all"}, ValueError, "no group"),
        ({"cwd": 5}, TypeError, "os.PathLike"),
        ({"cwd": "/\0"}, ValueError, "null byte"),
        ({"env": {"A": 1}}, TypeError, "str, bytes or os.PathLike"),
        ({"env": {"": "a"}}, ValueError, "illegal environment variable name"),
        ({"umask": "022"}, TypeError, "integer"),
        ({"bogus": 1}, TypeError, "bogus"),
    ],
)
def test_what_is_wrong_is_raised_where_it_was_said(
    ex: Executor, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    assert ex.run_command(["true"]) == 0  # with the first one comes the helper
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(error, match=words):
        in_thread(lambda: ex.create_process(["true"], **options))()
    assert ex.processes == ()
    assert len(os.listdir("/proc/self/fd")) == before
    assert ex.run_command(["true"]) == 0


def test_orphans_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="sweep or leave"):
        Executor(orphans="keep")


@pytest.mark.quick
def test_streams_that_are_ours_or_files(ex: Executor, tmp_path: Path) -> None:
    """None inherits, as with Popen; a file and a descriptor are what they are."""
    show = "readlink /proc/self/fd/0; readlink /proc/self/fd/2"
    ours = "".join(f"{os.readlink(f'/proc/self/fd/{fd}')}\n" for fd in (0, 2))
    assert said(ex, ["sh", "-c", show], stdin=None, stderr=None) == ours
    with open(tmp_path / "f", "w+b") as file:
        assert (
            said(ex, ["sh", "-c", show], stdin=file, stderr=file.fileno()) == f"{file.name}\n" * 2
        )
        assert not file.closed
    assert said(ex, ["sh", "-c", show], stdin=DEVNULL, stderr=DEVNULL) == "/dev/null\n" * 2


@pytest.mark.root
def test_whom_to_run_as(ex: Executor) -> None:
    """By name or number; a user brings their own groups, unless these are said."""
    tty = grp.getgrnam("tty").gr_gid
    show = ["sh", "-c", "echo $(id -u) $(id -g) $(id -G)"]
    assert said(ex, show, user="nobody").split() == ["65534"] * 3
    assert said(ex, show, user=4711, group="tty", extra_groups=[]).split() == [
        "4711", str(tty), str(tty),
    ]  # fmt: skip
    assert said(ex, show, group=4712, extra_groups=["tty", 4713]).split() == [
        "0", "4712", "4712", str(tty), "4713",
    ]  # fmt: skip
    assert said(ex, ["sh", "-c", "umask"], umask=0o027) == "0027\n"


def test_start_timeout_and_what_ends_the_waiting_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ex = Executor()
    with pytest.raises(NotServedError, match=r"true: not started within 0\.05 s"):
        in_thread(lambda: ex.create_process(["true"], start_timeout=0.05))()
    waiting = [in_thread(lambda: ex.create_process(["true"])) for _ in range(3)]
    until = time.monotonic() + BOUND
    while len(ex._queue) < 3:
        assert time.monotonic() < until
        os.sched_yield()
    ex.stop()
    for wait in waiting:
        with pytest.raises(ExecutorStopped):
            wait()
    ex.run()
    # one that is being served at the moment its time is up, is served
    launch = _launching.launch
    begun = threading.Event()

    def slow(*args: Any) -> Any:
        begun.set()
        threading.Event().wait(0.1)
        return launch(*args)

    monkeypatch.setattr(_launching, "launch", slow)

    def work() -> int:
        try:
            return ex.create_process(["true"], start_timeout=0.05).wait(BOUND)
        finally:
            ex.stop()

    def once_it_runs() -> int:
        while True:
            try:
                return work()
            except ExecutorStopped:
                os.sched_yield()

    wait = in_thread(once_it_runs)
    while not begun.is_set():
        ex.run()
    assert wait() == 0


def test_idle_is_about_any_stream_that_is_read(ex: Executor) -> None:
    talks = "i=0; while [ $i -lt 8 ]; do echo >&2; sleep 0.2; i=$((i+1)); done; exec sleep 60"
    targets: tuple[dict[str, Any], ...] = (
        {"stderr": Capture()},
        {"stderr": Lines()},
        {"stderr": lambda line: None},
        {"stdout": Capture(), "stderr": Capture()},
    )
    talk = ["sh", "-c", talks]
    for handle in [ex.create_process(talk, idle_timeout=2.0, **options) for options in targets]:
        result = handle.result(BOUND)
        assert result.reason == "idle"
        assert result.duration > 3, "as long as one of them speaks it is not"
