"""The executor, promise by promise, with real processes: time, output, the trace, other hosts."""

from __future__ import annotations

import asyncio
import gc
import grp
import logging
import os
import pwd
import signal
import sys
import threading
from typing import Any

import pytest
import trio

from procession.errors import HostError
from procession.executor import (
    PIPE,
    STDOUT,
    Capture,
    CommandFailed,
    Event,
    ExecHandle,
    Executor,
    Ladder,
    Lines,
    Step,
)
from procession.process import application
from tests.support.executor_kinds import ex, inside, parent
from tests.support.executors import PY, called, in_thread
from tests.support.processes import BOUND

__all__ = ["ex", "inside", "parent"]


# --- time and output


@pytest.mark.quick
def test_a_life_has_an_end(ex: Executor) -> None:
    result = ex.create_process(["sleep", "60"], timeout=0.1).result(BOUND)
    assert (result.reason, result.signal, result.ok) == ("timed out", signal.SIGTERM, False)
    assert result.duration >= 0.1


def test_without_output_for_too_long(ex: Executor) -> None:
    """The time begins anew with each word; how soon the first comes is the machine's affair."""
    talks = (
        "import sys,time\nfor n in range(4): print(time.monotonic(), flush=True); time.sleep(.5)"
    )
    handle = ex.create_process(
        [*PY, "-c", f"{talks}\ntime.sleep(60)"], stdout=Capture(), idle_timeout=1.5
    )
    result = handle.result(BOUND)
    assert result.reason == "idle"
    assert result.stdout is not None
    said = [float(word) for word in bytes(result.stdout).split()]
    assert handle._started_at + result.duration >= max(said, default=handle._started_at) + 1.5


def test_a_flood_is_captured_and_never_blocks(ex: Executor) -> None:
    flood = "import os\nfor _ in range(160): os.write(1, b'x' * 65536)\nos.write(2, b'done')"
    result = ex.create_process([*PY, "-c", flood], stdout=Capture(100), stderr=Capture()).result(
        BOUND
    )
    assert result.stdout is not None
    assert result.stderr is not None
    assert (len(result.stdout.head), len(result.stdout.tail)) == (50, 50)
    assert result.stdout.dropped == 160 * 65536 - 100
    assert bytes(result.stderr) == b"done"
    assert not result.incomplete


@pytest.mark.quick
def test_lines_by_callback_and_by_iterator(ex: Executor) -> None:
    heard: list[str] = []
    told = Lines()
    speak = ["sh", "-c", "echo a; echo b; printf c; echo x >&2"]
    handle = ex.create_process(speak, stdout=heard.append, stderr=told)
    assert list(told) == ["x"]
    handle.result(BOUND)
    with ex.create_process(speak, stdout=PIPE, stderr=STDOUT) as both:
        assert both.communicate()[0] == b"a\nb\ncx\n"
    called(ex)
    assert heard == ["a", "b", "c"]
    with pytest.raises(ValueError, match="another stream"):
        ex.create_process(speak, stdout=told)


def test_a_pipe_held_by_a_stranger_is_given_up_and_flagged(ex: Executor) -> None:
    reads, writes = os.pipe()
    try:
        handle = ex.create_process(["sh", "-c", "echo all; read x"], stdin=reads, stdout=Capture())
        drain = handle._drains["stdout"]
        held = os.open(f"/proc/{handle.pid}/fd/1", os.O_WRONLY)
        try:
            os.write(writes, b"\n")
            result = handle.result(BOUND)
            assert drain.fd == -1
            assert result.incomplete
            assert result.stdout is not None
            assert bytes(result.stdout) == b"all\n"
        finally:
            os.close(held)
    finally:
        os.close(reads)
        os.close(writes)


def test_a_status_that_somebody_else_took_is_unknown(parent: Executor) -> None:
    handle = parent.create_process(["sleep", "60"])
    parked, taken = threading.Event(), threading.Event()

    def park() -> None:  # the executor would be quicker, now and then
        parked.set()
        taken.wait(BOUND)

    parent._keeper.call_soon(park)
    assert parked.wait(BOUND)
    os.kill(handle.pid, signal.SIGKILL)
    os.waitpid(handle.pid, 0)
    taken.set()
    assert handle.wait(BOUND) == 255
    result = handle.result(BOUND)
    assert (result.reason, result.exit_code, result.signal) == ("status unknown", None, None)
    assert not result.ok


# --- the trace


def test_whose_they_are(ex: Executor) -> None:
    mine = ex.create_process(["sleep", "60"])
    theirs: ExecHandle = in_thread(lambda: ex.create_process(["sleep", "60"]))()
    me = threading.current_thread()
    assert ex.children_of(me) == ex.children_of(threading.get_ident()) == (mine,)
    theirs.take_ownership()
    assert ex.children_of(me) == ex.processes == (mine, theirs)
    mine.kill()
    assert ex.processes == (theirs,)


def test_events_tell_all_but_the_environment(
    ex: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []
    caplog.set_level(logging.DEBUG, "procession.executor")
    remove = ex.on_event(heard.append)
    with ex.events() as events:
        handle = ex.create_process(["sleep", "60"], env={"SECRET": "hush"}, name="sleeper")
        handle.kill()
        ex.run_command(["true"])
        remove()
    told = [event.what for event in events if event.name == "sleeper"]
    assert told == ["requested", "started", "stop step", "exited", "tree empty"]
    assert [event.what for event in heard if event.name == "sleeper"] == told
    assert f"sleeper (pid {handle.pid}): stop step, SIGTERM to the tree" in caplog.messages
    assert "hush" not in caplog.text + repr(heard) + repr(handle)


def test_many_short_ones_leave_nothing(ex: Executor) -> None:
    """Descriptors, threads and trace are flat; none is lost, none told twice."""

    def work() -> list[int]:
        return [ex.create_process(["true"]).wait() for _ in range(20)]

    work()
    assert ex.processes == ()
    fds, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    waits = [in_thread(work) for _ in range(10)]
    assert [wait() for wait in waits] == [[0] * 20] * 10
    assert ex.processes == ()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == fds
    assert threading.active_count() == threads
    timers = list(ex._keeper.loop._timers)  # of those called off some stay, 64 at the most
    assert not any(timer.call for timer in timers)
    assert len(timers) <= 65


# --- asyncio, trio


@pytest.mark.quick
def test_await_in_asyncio(ex: Executor) -> None:
    async def main() -> list[Any]:
        handles = [ex.create_process(["sh", "-c", f"exit {n}"]) for n in range(3)]
        late = ex.create_process(["sleep", "60"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late.result_async(), 0.05)
        late.kill_now()
        assert (await late).signal == signal.SIGKILL
        return [(await handle).exit_code for handle in handles]

    assert asyncio.run(main()) == [0, 1, 2]


@pytest.mark.quick
def test_await_in_trio(ex: Executor) -> None:
    async def main() -> list[Any]:
        with trio.move_on_after(0.05):
            await ex.create_process(["sleep", "60"])
        return [await ex.run_command_async(["sh", "-c", f"exit {n}"]) for n in range(3)]

    assert trio.run(main) == [0, 1, 2]


@pytest.mark.quick
def test_commands(ex: Executor) -> None:
    assert ex.run_command("sh -c 'exit 3'") == 3
    with pytest.raises(CommandFailed, match="no good") as failed:
        ex.run_command_or_fail(["sh", "-c", "echo no good >&2; exit 4"])
    assert failed.value.result.exit_code == 4
    assert ex.run_command_or_fail(["echo", "a"], stdout=Capture()).stdout.text() == "a\n"  # type: ignore[union-attr]

    async def both() -> None:
        assert await ex.run_command_async(["false"]) == 1
        with pytest.raises(CommandFailed):
            await ex.run_command_or_fail_async(["false"])

    asyncio.run(both())


def test_a_cancelled_command_is_stopped(ex: Executor) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(ex.run_command_async(["sleep", "60"]))
        await asyncio.sleep(0)
        assert len(ex.processes) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    for handle in ex.processes:
        assert handle.result(BOUND).reason == "stopped"


# --- hosts


def test_a_forked_child_has_an_empty_executor(ex: Executor) -> None:
    handle = ex.create_process(["sleep", "60"])
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            assert ex.processes == ()
            own = ex.create_process(["true"])
            assert own.wait() == 0
            os.write(writes, b"well")
            status = 0
        finally:
            os._exit(status)
    os.close(writes)
    assert os.read(reads, 10) == b"well"
    os.close(reads)
    assert os.waitpid(pid, 0)[1] == 0
    assert ex.processes == (handle,)
    handle.kill()
    assert handle.returncode == -signal.SIGTERM


@pytest.mark.quick
def test_gevent_and_subinterpreters_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Monkey:
        @staticmethod
        def is_module_patched(name: str) -> bool:
            return name in ("threading", "select")

    monkeypatch.setattr(application, "_checked", False)
    monkeypatch.setitem(sys.modules, "gevent.monkey", Monkey)  # type: ignore[arg-type]
    with pytest.raises(HostError, match="gevent has replaced threading, select"):
        Executor().create_process(["true"])
    monkeypatch.delitem(sys.modules, "gevent.monkey")
    monkeypatch.setattr(application, "_in_subinterpreter", lambda: True)
    with pytest.raises(HostError, match="subinterpreter"):
        Executor().start()


def test_as_somebody_else(ex: Executor) -> None:
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            ex.create_process(["id"], user=0)
        return
    who = "id -u; id -g; id -G; umask"
    result = ex.run_command_or_fail(
        ["sh", "-c", who], user="nobody", umask=0o27, stdout=Capture(), cwd="/"
    )
    assert result.stdout is not None
    group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_gid
    assert result.stdout.text().split() == ["65534", str(group), str(group), "0027"]
    with pytest.raises(ValueError, match="no user"):
        ex.create_process(["id"], user="nobody-at-all")


def test_ladder_is_exported() -> None:
    assert Ladder((Step("SIGTERM", "tree", 1.0),)).steps[0].wait == 1.0
