"""What becomes of output: limits, lines, odd bytes, and pipes that somebody else holds."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from procession.executor import (
    PIPE,
    STDOUT,
    Capture,
    ExecHandle,
    Executor,
    Lines,
    Output,
    TimeoutExpired,
    _finish,
)
from tests.support.executors import PY, armed, called
from tests.support.processes import BOUND

LONG = [*PY, "-c", "import os; os.write(1, b'a' * 500 + b'b' * 500); os.write(2, b'e' * 30)"]


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


# --- limit=


@pytest.mark.quick
def test_limit_is_that_of_a_capture_without_one(ex: Executor) -> None:
    result = ex.create_process(LONG, stdout=Capture(), stderr=Capture(10), limit=20).result(BOUND)
    assert result.stdout == Output(b"a" * 10, b"b" * 10, 980)
    assert result.stderr == Output(b"e" * 5, b"e" * 5, 20)
    assert ex.run_command_or_fail(LONG, limit=4).stderr == Output(b"ee", b"ee", 26)
    flood = [*PY, "-c", "import os\nfor _ in range(4): os.write(1, b'x' * 65536)"]
    result = ex.create_process(flood, stdout=Capture()).result(BOUND)
    assert result.stdout is not None
    assert len(bytes(result.stdout)) == 65536, "where nobody says more"


@pytest.mark.quick
@pytest.mark.parametrize("timeout", [None, BOUND])
def test_limit_is_what_communicate_keeps(ex: Executor, timeout: float | None) -> None:
    """Of each stream; the process writes on, and none of it waits for a reader."""
    both = ex.create_process(LONG, False, limit=20)
    assert both.communicate(timeout=timeout) == (b"a" * 10 + b"b" * 10, b"e" * 20)
    one = ex.create_process(LONG, stdout=PIPE, stderr=STDOUT, limit=2000)
    out, _ = one.communicate(timeout=timeout)
    assert sorted(out) == sorted(b"a" * 500 + b"b" * 500 + b"e" * 30)
    text = ex.create_process(LONG, stdout=PIPE, encoding="utf-8", limit=10)
    out, _ = text.communicate(timeout=timeout)
    assert out == "aaaaa\n[990 bytes dropped]\nbbbbb"


def test_a_character_that_the_limit_cuts_is_no_error(ex: Executor) -> None:
    speak = [*PY, "-c", "import os; os.write(1, 'é'.encode() * 100)"]
    handle = ex.create_process(speak, stdout=PIPE, encoding="utf-8", limit=10)
    assert handle.communicate()[0] == "éé\ufffd\n[190 bytes dropped]\n\ufffdéé"


def test_limit_and_a_timeout(ex: Executor) -> None:
    """What was read before is told by the same measure, and not lost."""
    script = (
        "import os, signal\n"
        "signal.signal(15, lambda *_: (os.write(1, b'z' * 50), os._exit(0)))\n"
        "os.write(1, b'a' * 50)\n"
        "while True: signal.pause()\n"
    )
    with ex.create_process([*PY, "-c", script], stdout=PIPE, limit=10) as handle:
        assert select.select([handle.stdout], [], [], BOUND)[0]
        with pytest.raises(TimeoutExpired) as late:
            handle.communicate(timeout=0.05)
        assert late.value.output == b"a" * 10
        handle.terminate()
        assert handle.communicate(timeout=BOUND) == (b"a" * 5 + b"z" * 5, None)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, ValueError),
        ({"stdout": None}, ValueError),
        ({"stdout": Capture(10)}, ValueError),
        ({"stdout": print}, ValueError),
        ({"stdin": PIPE}, ValueError),
        ({"stdout": PIPE, "limit": 1}, ValueError),
        ({"stdout": PIPE, "limit": 1.5}, TypeError),
    ],
)
def test_a_limit_that_would_say_nothing(
    ex: Executor, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"limit|integer"):
        ex.create_process(["true"], **{"limit": 100, **options})
    with pytest.raises(ValueError, match="limit"):
        ex.create_process(["true"], stdout=Lines(), limit=100)


@pytest.mark.quick
@pytest.mark.parametrize("limit", [1, -1, "x", 2.5])
def test_targets_check_their_own(limit: Any) -> None:
    for target in (Capture, Lines):
        if (target, limit) != (Lines, 1):
            with pytest.raises((ValueError, TypeError)):
                target(limit)


# --- lines


def test_strict_lines_raise_where_they_are_read(ex: Executor) -> None:
    """In the thread that asked for it, after what was well; the process and the loop go on."""
    lines = Lines(errors="strict")
    speak = ["sh", "-c", "echo one; echo two; printf 'x\\377y\\nthree\\n'; exit 5"]
    handle = ex.create_process(speak, stdout=lines)
    seen: list[str] = []
    with pytest.raises(UnicodeDecodeError):
        seen.extend(lines)
    assert seen in (["one", "two"], ["one", "two", "x"])
    assert list(lines) == []
    assert handle.result(BOUND).exit_code == 5
    assert ex.run_command(["true"]) == 0


@pytest.mark.parametrize("encoding", ["utf-16", "ascii"])
def test_bytes_that_are_none_of_the_encoding(ex: Executor, encoding: str) -> None:
    lines = Lines(encoding=encoding, errors="strict")
    handle = ex.create_process(["printf", "\\377ab\\n"], stdout=lines)
    with pytest.raises(UnicodeError):
        list(lines)
    assert handle.result(BOUND).ok


@pytest.mark.quick
@pytest.mark.parametrize(
    "options",
    [{"encoding": "none"}, {"encoding": "hex"}, {"errors": "none"}, {"encoding": "rot13"}],
)
def test_what_makes_no_text_is_told_at_once(ex: Executor, options: dict[str, str]) -> None:
    with pytest.raises(LookupError):
        Lines(**options)  # type: ignore[arg-type]
    with pytest.raises(LookupError):
        ex.create_process(["true"], stdout=PIPE, **options)
    assert ex.processes == ()


def test_a_function_hears_what_is_no_text_too(ex: Executor) -> None:
    heard: list[str] = []
    ex.create_process(["printf", "\\377a\\r\\n\\nrest"], stdout=heard.append).result(BOUND)
    called(ex)
    assert heard == ["\ufffda", "", "rest"]


def test_one_that_raises_is_logged_and_stops_nobody(
    ex: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what is no Exception: the thread is not its own to end."""
    for error in (ZeroDivisionError, SystemExit, KeyboardInterrupt):

        def fails(line: str, error: type[BaseException] = error) -> None:
            raise error(line)

        result = ex.create_process(["sh", "-c", "echo a; echo b"], stdout=fails).result(BOUND)
        assert result.ok
        called(ex)
    assert caplog.text.count("a callback of the executor failed") == 6


def test_a_flood_of_short_lines_is_not_one_of_posted_calls(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, posts = [0], [0]
    post = ex._keeper.loop.post

    def counted(call: Callable[[], object]) -> None:
        posts[0] += 1
        post(call)

    def hear(line: str) -> None:
        count[0] += 1

    monkeypatch.setattr(ex._keeper.loop, "post", counted)
    flood = [*PY, "-c", "import os\nfor _ in range(4): os.write(1, b'a\\n' * 30000)"]
    assert ex.create_process(flood, stdout=hear).result(BOUND).ok
    called(ex)
    assert count == [120_000]
    assert posts[0] < 1000


def test_lines_come_in_order_though_a_callback_turns_the_loop(ex: Executor) -> None:
    """It starts a process and waits for it, while there is more to hear."""
    heard: list[str] = []
    ends: list[int] = []

    def hear(line: str) -> None:
        heard.append(line)
        if line in "13":
            assert ex.create_process(["sh", "-c", "sleep 0.05"]).result(BOUND).ok

    speak = ["sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.01; done"]
    handle = ex.create_process(speak, stdout=hear)
    handle.add_done_callback(lambda _: ends.append(len(heard)))
    assert handle.result(BOUND).ok
    called(ex)
    assert heard == list("123456")
    assert ends == [6]


def test_lines_of_a_process_that_never_was(ex: Executor) -> None:
    """They are free for another; nobody would ever end them."""
    lines = Lines()
    for options in ({"stdout": lines, "stderr": lines}, {"stdout": lines, "cwd": "/no/such"}):
        with pytest.raises((ValueError, FileNotFoundError)):
            ex.create_process(["echo", "a"], **options)  # type: ignore[arg-type]
    ex.create_process(["echo", "a"], stdout=lines)
    assert list(lines) == ["a"]
    with pytest.raises(ValueError, match="another stream"):
        ex.create_process(["echo", "a"], stdout=lines)


def test_a_very_long_line_comes_in_pieces(ex: Executor) -> None:
    lines = Lines()
    ex.create_process(["sh", "-c", "head -c 3000000 /dev/zero; echo; echo end"], stdout=lines)
    found = list(lines)
    assert found[-1] == "end"
    assert sum(map(len, found[:-1])) == 3_000_000
    assert max(map(len, found)) <= 1 << 20


@pytest.mark.quick
def test_no_output_at_all(ex: Executor) -> None:
    lines = Lines()
    heard: list[str] = []
    result = ex.create_process(["true"], stdout=Capture(), stderr=lines).result(BOUND)
    assert result.stdout == Output()
    assert list(lines) == []
    assert ex.create_process(["true"], stdout=heard.append).result(BOUND).ok
    called(ex)
    assert heard == []


def test_one_that_closes_its_output_lives_on(ex: Executor) -> None:
    handle = ex.create_process(
        ["sh", "-c", "echo a; exec >&-; read x; exit 6"], stdin=PIPE, stdout=Capture()
    )
    assert handle.stdin is not None
    with handle.stdin:
        handle.stdin.write(b"\n")
    result = handle.result(BOUND)
    assert (result.exit_code, result.stdout) == (6, Output(b"a\n"))


# --- a pipe that somebody else holds when all is over


class Stranger:
    """Nobody of the tree, who holds the process's stdout, and writes until told otherwise."""

    def __init__(self, pid: int, pause: float, times: int) -> None:
        self._fd = os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)
        self._pause = pause
        self._times = times
        self._go = threading.Event()
        self._stop = threading.Event()
        self.written = 0
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        self._go.wait(BOUND)
        for _ in range(self._times):
            try:
                os.write(self._fd, b"more\n")
            except BrokenPipeError:
                return
            self.written += 1
            if self._stop.wait(self._pause):
                return

    def go(self) -> None:
        self._go.set()

    def close(self) -> None:
        self._go.set()
        self._stop.set()
        self._thread.join()
        os.close(self._fd)


@pytest.mark.parametrize("kind", ["re-armed", "capped"])
def test_it_is_read_until_it_is_idle_and_no_longer_than_the_cap(
    ex: Executor, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block gives it the same time again; one that never ends is given up all the same."""
    assert (_finish._IDLE, _finish._CAP) == (0.1, 1.0)
    monkeypatch.setattr(_finish, "_IDLE", 2.0)
    monkeypatch.setattr(_finish, "_CAP", BOUND if kind == "re-armed" else 2.5)
    handle = ex.create_process(["sh", "-c", "echo all; read x"], stdin=PIPE, stdout=Capture())
    assert handle.stdin is not None
    pause, times = (0.6, 4) if kind == "re-armed" else (0.05, 100_000)
    stranger = Stranger(handle.pid, pause, times)
    try:
        with handle.stdin:
            handle.stdin.write(b"\n")
        handle.wait(BOUND)
        began = time.monotonic()
        stranger.go()
        result = handle.result(BOUND)
        lasted = time.monotonic() - began
    finally:
        stranger.close()
    assert lasted >= 2.4
    assert result.incomplete
    assert result.stdout is not None
    if kind == "re-armed":
        assert bytes(result.stdout) == b"all\n" + b"more\n" * 4
    else:
        assert 4 < bytes(result.stdout).count(b"more\n") <= stranger.written


@contextlib.contextmanager
def held(ex: Executor, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ExecHandle, int]]:
    """A process whose tree is over, and the write end of its stdout. It is given up much later."""
    monkeypatch.setattr(_finish, "_IDLE", 3600.0)
    monkeypatch.setattr(_finish, "_CAP", 3600.0)
    handle = ex.create_process(["sh", "-c", "echo all; read x"], stdin=PIPE, stdout=Capture())
    fd = os.open(f"/proc/{handle.pid}/fd/1", os.O_WRONLY)
    try:
        assert handle.stdin is not None
        handle.stdin.close()
        handle.wait(BOUND)
        ex._keeper.want(handle)
        deadline = time.monotonic() + BOUND
        while not handle._over or len(armed(ex)) != 1:
            assert time.monotonic() < deadline
            os.sched_yield()
        yield handle, fd
    finally:
        os.close(fd)


def test_one_that_is_let_go_of_in_time_is_not_waited_for_any_more(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(ex, monkeypatch) as (handle, fd):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, fd, inheritable=False)
        os.close(null)
        result = handle.result(BOUND)
    assert result.stdout is not None
    assert (bytes(result.stdout), result.incomplete) == (b"all\n", False)
    assert armed(ex) == []


def test_who_takes_the_loop_over_gives_it_up_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop that waited for it had that time in mind alone."""
    ex = Executor()
    with held(ex, monkeypatch) as (handle, _):
        monkeypatch.setattr(_finish, "_IDLE", 0.01)
        with ex:
            assert handle.result(BOUND).incomplete
            assert armed(ex) == []
