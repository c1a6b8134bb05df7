"""The executor on Windows itself: output, times, the trace, coroutines, our own end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from procession.executor import (
    PIPE,
    STDOUT,
    Capture,
    CommandFailed,
    Event,
    ExecHandle,
    Executor,
    Lines,
    _launch,
)
from tests.support.small import SLEEPS, TRUE, exits, open_descriptors, python, says
from tests.support.windows import BOUND, PROGRAMS, Program, until
from tests.support.windows_executor import in_thread, program
from tests.support.windows_trees import ended

pytestmark = pytest.mark.windows


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


# ---- output and time


def test_a_flood_is_captured_and_never_blocks(ex: Executor) -> None:
    flood = "import os\nfor _ in range(160): os.write(1, b'x' * 65536)\nos.write(2, b'done')"
    result = ex.create_process(python(flood), stdout=Capture(100), stderr=Capture()).result(BOUND)
    assert result.stdout is not None
    assert result.stderr is not None
    assert (len(result.stdout.head), len(result.stdout.tail)) == (50, 50)
    assert result.stdout.dropped == 160 * 65536 - 100
    assert bytes(result.stderr) == b"done"
    assert not result.incomplete


def test_lines_by_callback_and_by_iterator(ex: Executor) -> None:
    heard: list[str] = []
    told = Lines()
    speak = says("a\r\nb\nc", "x\r\n")
    handle = ex.create_process(speak, stdout=heard.append, stderr=told)
    assert list(told) == ["x"]
    handle.result(BOUND)
    with ex.create_process(speak, stdout=PIPE, stderr=STDOUT) as both:
        assert both.communicate()[0] == b"a\r\nb\ncx\r\n"
    ex.run_command(TRUE)  # callbacks come in order: all were called
    assert heard == ["a", "b", "c"]


def test_output_of_many_at_a_time(ex: Executor) -> None:
    handles = [
        ex.create_process(says(f"out {n}\n", f"err {n}\n"), stdout=Capture(), stderr=Capture())
        for n in range(12)
    ]
    for n, handle in enumerate(handles):
        result = handle.result(BOUND)
        assert result.stdout is not None
        assert result.stderr is not None
        assert (bytes(result.stdout), bytes(result.stderr)) == (
            f"out {n}\n".encode(),
            f"err {n}\n".encode(),
        )
        assert not result.incomplete


def test_a_pipe_held_by_a_stranger_is_given_up_and_flagged(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that reads it is called off, and ends."""
    held: list[int] = []
    pipe = os.pipe

    def holding() -> tuple[int, int]:
        reads, writes = pipe()
        held.append(os.dup(writes))
        return reads, writes

    monkeypatch.setattr(_launch.os, "pipe", holding)  # type: ignore[attr-defined]
    handle = ex.create_process(says("all\n"), stdout=Capture())
    reader = f"procession-pipe-{handle._drains['stdout'].fd}"
    monkeypatch.undo()
    result = handle.result(BOUND)
    assert result.incomplete
    assert result.stdout is not None
    assert bytes(result.stdout) == b"all\n"
    until(lambda: reader not in [t.name for t in threading.enumerate()], "end of the reader")
    (writes,) = held
    os.close(writes)


def test_a_life_has_an_end(ex: Executor) -> None:
    result = ex.create_process(SLEEPS, timeout=0.3).result(BOUND)
    assert result.reason == "timed out"
    assert result.duration >= 0.3


def test_without_output_for_too_long(ex: Executor) -> None:
    script = "import os, time\nos.write(1, b'here')\ntime.sleep(60)"
    result = ex.create_process(python(script), stdout=Capture(), idle_timeout=1.5).result(BOUND)
    assert result.reason == "idle"
    assert result.stdout is not None
    assert bytes(result.stdout) == b"here"


def test_communicate_writes_the_line_ends_of_windows_into_text(ex: Executor) -> None:
    shows = python("import os; os.write(1, repr(os.read(0, 100)).encode())")
    with ex.create_process(shows, stdin=PIPE, stdout=PIPE, text=True) as handle:
        assert handle.communicate("a\nb")[0] == repr(b"a\r\nb")


# ---- the trace


def test_whose_they_are(ex: Executor) -> None:
    mine = ex.create_process(SLEEPS)
    theirs: ExecHandle = in_thread(lambda: ex.create_process(SLEEPS))()
    me = threading.current_thread()
    assert ex.children_of(me) == ex.children_of(threading.get_ident()) == (mine,)
    theirs.take_ownership()
    assert ex.children_of(me) == ex.processes == (mine, theirs)
    mine.kill(0.1)
    assert ex.processes == (theirs,)


def test_events_tell_all_but_the_environment(
    ex: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []
    caplog.set_level(logging.DEBUG, "procession.executor")
    remove = ex.on_event(heard.append)
    env = {**os.environ, "SECRET": "hush"}
    with ex.events() as events:
        handle = ex.create_process(SLEEPS, env=env, name="sleeper", stop=())
        handle.stop()
        ex.run_command(TRUE)
        remove()
    told = [event.what for event in events if event.name == "sleeper"]
    assert told == ["requested", "started", "stop step", "exited", "tree empty"]
    assert [event.what for event in heard if event.name == "sleeper"] == told
    assert "hush" not in caplog.text + repr(heard) + repr(handle)


def test_the_environment_is_what_was_given_and_our_marks(ex: Executor) -> None:
    env = {"SYSTEMROOT": os.environ["SYSTEMROOT"], "Given": "ä €"}
    shows = python("import os; print(ascii(dict(os.environ)))")
    with ex.create_process(shows, env=env, stdout=PIPE, text=True) as handle:
        assert handle.stdout is not None
        found = eval(handle.stdout.read(), {"__builtins__": {}})
    assert found.pop("PROCESSION_RUN").endswith(f".{ex._keeper._number}")
    assert found.pop("PROCESSION_OWNER") == ex._keeper.token
    assert {"GIVEN": "ä €"}.items() <= found.items()
    assert "PATH" not in found or found["PATH"] != os.environ["PATH"]


def test_many_short_ones_leave_nothing(ex: Executor) -> None:
    """Descriptors, threads and trace are flat; none is lost, none told twice."""

    def work() -> list[int]:
        return [ex.create_process(exits(n), stdout=Capture()).result().returncode for n in range(4)]

    def readers() -> list[str]:
        names = [thread.name for thread in threading.enumerate()]
        return [name for name in names if name.startswith("procession-pipe")]

    work()
    assert ex.processes == ()
    until(lambda: not readers(), "end of the readers")
    fds, threads = open_descriptors(), threading.active_count()
    waits = [in_thread(work) for _ in range(6)]
    assert [wait() for wait in waits] == [[0, 1, 2, 3]] * 6
    assert ex.processes == ()
    until(lambda: not readers(), "end of the readers")
    gc.collect()
    assert open_descriptors() == fds
    assert threading.active_count() == threads
    assert ex._keeper.trees._trees == {}  # type: ignore[attr-defined]


# ---- coroutines


@pytest.mark.parametrize("loop", [asyncio.ProactorEventLoop, asyncio.SelectorEventLoop])
def test_await_in_asyncio(ex: Executor, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> list[Any]:
        handles = [ex.create_process(exits(n)) for n in range(3)]
        late = ex.create_process(SLEEPS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late.result_async(), 0.05)
        late.kill_now()
        assert (await late).exit_code == 1
        return [(await handle).exit_code for handle in handles]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(main()) == [0, 1, 2]


def test_commands(ex: Executor) -> None:
    assert ex.run_command(exits(3)) == 3
    with pytest.raises(CommandFailed, match="no good") as failed:
        ex.run_command_or_fail(python("import sys; sys.exit('no good')"))
    assert failed.value.result.exit_code == 1
    result = ex.run_command_or_fail(says("a"), stdout=Capture())
    assert result.stdout is not None
    assert result.stdout.text() == "a"

    async def both() -> None:
        assert await ex.run_command_async(exits(1)) == 1
        with pytest.raises(CommandFailed):
            await ex.run_command_or_fail_async(exits(1))

    asyncio.run(both())


def test_a_cancelled_command_is_stopped(ex: Executor) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(ex.run_command_async(SLEEPS, stop=()))
        await asyncio.sleep(0)
        assert len(ex.processes) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    for handle in ex.processes:
        assert handle.result(BOUND).reason == "forced"


# ---- the application


@pytest.mark.parametrize("call", ["wait", "result", "iterate", "kill"])
def test_ctrl_c_ends_what_the_main_thread_waits_in(call: str) -> None:
    """Which no wait of Python's own does on Windows. The process, in its own console, lives on."""
    with Program("windows_executor", call) as app:
        app.expect("ready")
        app.ctrl_c()
        app.expect("interrupted None", "forced")
        assert app.ended() == 0


def test_ctrl_c_comes_out_of_run_when_all_have_ended() -> None:
    with Program("windows_executor", "run") as app:
        app.expect("ready")
        app.ctrl_c()
        app.expect("interrupted True ()")
        assert app.ended() == 0


def test_after_a_stop_ctrl_c_still_reaches_the_application() -> None:
    with Program("windows_executor", "after") as app:
        app.expect("stopped 5", "ready")
        app.ctrl_c()
        app.expect("interrupted")
        assert app.ended() == 0


def test_a_close_of_our_window_stops_all() -> None:
    """`wait_exit_callback(executor.stop)`, then `run()`."""
    with Program("windows_executor", "shutdown") as app:
        app.expect("ready")
        app.close_window()
        line = app.line()
        assert line in ("stopped ()", "forced ()")
        assert app.ended() == 0


def pids_of(app: Program, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        line = app.line()
        assert line is not None, app.seen
        if line.startswith("level "):
            found.append(int(line.removeprefix("level ")))
    return found


@pytest.mark.parametrize("how", ["dies", "ends"])
def test_when_the_application_ends_nothing_is_left(how: str) -> None:
    """Terminated, or at its end without any stop: four trees of three levels."""
    with Program("windows_executor", how, "sweep", "4") as app:
        pids = pids_of(app, 12)
        if how == "dies":
            app.popen.terminate()
        else:
            app.end_input()
        assert [pid for pid in pids if not ended(pid, 1.0 if how == "dies" else BOUND)] == []
        app.ended()


def test_what_is_to_be_left_outlives_the_application() -> None:
    with Program("windows_executor", "dies", "leave", "1") as app:
        pids = pids_of(app, 3)
        app.popen.terminate()
        app.popen.wait(BOUND)
        try:
            assert [pid for pid in pids if ended(pid, 0.2)] == []
        finally:
            for pid in pids:
                os.kill(pid, 9)
        assert all(ended(pid) for pid in pids)
        app.ended()


def test_a_process_that_uses_our_console_stays_in_it(tmp_path: Path) -> None:
    """In a group of its own: Ctrl-C cannot be typed for it alone, so the next step is due at once;
    Ctrl-Break can."""
    command = [sys.executable, str(PROGRAMS / "windows_executor.py"), "console"]
    app = subprocess.Popen(
        [*command, str(tmp_path / "told")], creationflags=subprocess.CREATE_NEW_CONSOLE
    )
    assert app.wait(BOUND) == 0
    assert (tmp_path / "told").read_text().splitlines() == [
        "console 1",
        "ready",
        "stopped 5",
        "SIGINT to the tree",
        "SIGTERM to the tree",
    ]


def test_an_application_without_standard_streams(tmp_path: Path) -> None:
    with Program("windows_executor", "bare", str(tmp_path / "told")) as app:
        assert app.ended() == 0, app.seen
    assert (tmp_path / "told").read_text() == "7"


def test_the_handle_says_what_it_is(ex: Executor) -> None:
    handle = ex.create_process(program("windows_console.exe", "deaf"), name="deaf")
    handle.kill(0)
    assert repr(handle) == f"<ExecHandle deaf pid {handle.pid} killed by SIGKILL>"
