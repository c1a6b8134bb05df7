"""The executor, promise by promise, with real processes."""

from __future__ import annotations

import asyncio
import errno
import gc
import grp
import logging
import os
import pwd
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio

import procession.executor as face
from procession.errors import HostError
from procession.executor import (
    PIPE,
    STDOUT,
    Capture,
    CommandFailed,
    Event,
    ExecHandle,
    Executor,
    ExecutorStopped,
    Ladder,
    Lines,
    NotServedError,
    Step,
    TimeoutExpired,
    WrongThreadError,
    _hosts,
    _launching,
    _queue,
    executor,
)
from tests.support.executors import PY, in_thread, lives, program
from tests.support.groups import inside
from tests.support.processes import BOUND
from tests.support.processes import Lines as SharedLines

__all__ = ["inside"]


@pytest.fixture(params=["marks", pytest.param("group", marks=pytest.mark.root)])
def ex(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Each kind of containment: all promises are the same."""
    if request.param == "group":
        request.getfixturevalue("inside")
    with Executor(containment=request.param) as found:
        yield found


@pytest.fixture
def parent() -> Iterator[Executor]:
    """One whose processes are this one's own children."""
    with Executor() as found:
        yield found


@pytest.fixture
def lines() -> Iterator[SharedLines]:
    found = SharedLines()
    yield found
    found.close()


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


def test_what_a_callback_raises_is_logged(ex: Executor, caplog: pytest.LogCaptureFixture) -> None:
    def fails(handle: ExecHandle) -> None:
        raise RuntimeError("mine")

    handle = ex.create_process(["true"])
    handle.add_done_callback(fails)
    assert handle.result(BOUND).ok
    assert ex.run_command(["true"]) == 0  # the loop lives
    assert "a callback of the executor failed" in caplog.text


# --- stop (C.19)


@pytest.mark.quick
def test_stop_before_run_and_anew_after() -> None:
    ex = Executor()
    ex.stop()
    with pytest.raises(ExecutorStopped):
        ex.create_process(["true"])
    ex.run()
    with pytest.raises(ExecutorStopped):
        ex.create_process(["true"])
    wait = in_thread(lambda: serve_one(ex))
    ex.run()
    assert wait() == 0


def serve_one(ex: Executor) -> int:
    until = time.monotonic() + BOUND
    while True:
        try:
            code = ex.create_process(["true"]).wait()
            break
        except ExecutorStopped:
            assert time.monotonic() < until
            os.sched_yield()
    ex.stop()
    return code


def test_stop_returns_at_once_and_stops_all_trees_at_the_same_time(lines: SharedLines) -> None:
    ex = Executor()
    ex.start()
    deaf = [
        ex.create_process(
            program("tree_ignores_term"), stdout=lines.fd, stop=Step("SIGTERM", "tree", 60)
        )
        for _ in range(3)
    ]
    for _ in deaf:
        lines.next()
    began = time.monotonic()
    ex.stop(grace=0.3)
    assert time.monotonic() - began < 0.2
    with pytest.raises(ExecutorStopped):
        ex.create_process(["true"])
    assert ex.join(BOUND)
    assert 0.3 <= time.monotonic() - began < 3.0
    assert [handle.result().reason for handle in deaf] == ["forced"] * 3
    assert not any(lives(handle.pid) for handle in deaf)


def test_a_second_stop_forces(lines: SharedLines) -> None:
    ex = Executor()
    ex.start()
    deaf = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    ex.stop(grace=60)
    ex.stop(grace=60)
    assert ex.join(BOUND)
    assert deaf.result().reason == "forced"


def test_stop_in_a_signal_handler(lines: SharedLines) -> None:
    ex = Executor()
    handle = ex.create_process(program("tree_obedient"), stdout=lines.fd)
    lines.next()
    before = signal.signal(signal.SIGUSR1, lambda *_: ex.stop())
    try:
        in_thread(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        ex.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not lives(handle.pid)


def interrupt_once_it_runs(ex: Executor) -> None:
    until = time.monotonic() + BOUND
    while not (ex._mode == "run" and ex._keeper.loop._asleep):
        assert time.monotonic() < until
        os.sched_yield()
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_in_run_stops_all_before_it_comes_out(lines: SharedLines) -> None:
    ex = Executor()
    handle = ex.create_process(program("tree_obedient"), stdout=lines.fd)
    lines.next()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        in_thread(lambda: interrupt_once_it_runs(ex))
        with pytest.raises(KeyboardInterrupt):
            ex.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not lives(handle.pid)
    assert handle.result().reason == "stopped"


@pytest.mark.parametrize("round_", range(5))
def test_many_threads_create_while_another_stops(round_: int) -> None:
    """Nothing outlives `run()`, nothing starts after, and all are told of."""
    ex = Executor()
    made: list[ExecHandle] = []
    begun = threading.Semaphore(0)

    def work() -> None:
        while True:
            try:
                made.append(ex.create_process(["sleep", "60"]))
            except ExecutorStopped:
                return
            finally:
                begun.release()

    threads = [threading.Thread(target=work) for _ in range(40)]

    def stop() -> None:
        for _ in range(20 * (round_ + 1)):
            begun.acquire()
        ex.stop()
        count = ex._keeper._number
        assert not begun.acquire(blocking=False) or ex._keeper._number == count

    stopper = in_thread(stop)
    for thread in threads:
        thread.start()
    ex.run()
    for thread in threads:
        thread.join(BOUND)
    stopper()
    assert ex.processes == ()
    assert len(made) == ex._keeper._number
    assert all(handle.done and not lives(handle.pid) for handle in made)


# --- trees


FAMILY = ("leader=deaf", "child=deaf", "daemon=deaf")


@pytest.mark.parametrize("way", ["kill", "stop", "executor"])
def test_the_whole_tree_ends(way: str, lines: SharedLines) -> None:
    """A child in the group and a daemon in a session of its own, all deaf to SIGTERM."""
    ex = Executor()
    ex.start()
    handle = ex.create_process(program("tree_family", *FAMILY), stdout=lines.fd)
    pids = lines.expect("leader", "child", "daemon")
    if way == "kill":
        handle.kill(grace=0.2)
    elif way == "stop":
        handle.stop([Step("SIGINT", "leader", 0.1), Step("SIGTERM", "group", 0.1)])
    else:
        ex.stop(grace=0.2)
    result = handle.result(BOUND)
    assert result.reason == "forced"
    assert result.survivors == ()
    assert not [name for name, pid in pids.items() if lives(pid)]
    assert result.stop_trace[-1][1] == "SIGKILL to the tree"
    ex.stop()
    assert ex.join(BOUND)


def test_an_obedient_tree_ends_without_force(ex: Executor, lines: SharedLines) -> None:
    handle = ex.create_process(
        program("tree_family", "child=obeys", "daemon=obeys"), stdout=lines.fd
    )
    pids = lines.expect("leader", "child", "daemon")
    handle.kill(grace=BOUND)
    assert handle.result().reason == "stopped"
    assert [text for _, text in handle.result().stop_trace] == ["SIGTERM to the tree"]
    assert not any(lives(pid) for pid in pids.values())


def test_kill_joins_a_stop_under_way(ex: Executor, lines: SharedLines) -> None:
    handle = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    slow = in_thread(lambda: handle.stop(Step("SIGTERM", "tree", 60.0)))
    began = time.monotonic()
    handle.kill(grace=0.2)
    assert time.monotonic() - began < BOUND
    slow()
    assert handle.result().reason == "forced"


def test_what_outlives_its_leader_keeps_it_in_the_trace(ex: Executor, lines: SharedLines) -> None:
    handle = ex.create_process(
        program("tree_family", "leader=leaves", "daemon=obeys"), stdout=lines.fd
    )
    pids = lines.expect("leader", "daemon")
    assert handle.wait(BOUND) == 0
    assert ex.processes == (handle,)
    with pytest.raises(TimeoutExpired):
        handle.result(0.2)
    os.kill(pids["daemon"], signal.SIGTERM)
    assert handle.result(BOUND).reason == "exited"
    assert ex.processes == ()


def test_leftovers_are_stopped_or_left(ex: Executor, lines: SharedLines) -> None:
    family = program("tree_family", "leader=leaves", "daemon=obeys")
    handle = ex.create_process(family, stdout=lines.fd, leftover="stop")
    stopped = lines.expect("leader", "daemon")
    assert handle.result(BOUND).reason == "exited"
    assert not lives(stopped["daemon"])
    handle = ex.create_process(family, stdout=lines.fd, leftover="leave")
    left = lines.expect("leader", "daemon")
    assert handle.result(BOUND).reason == "exited"
    assert lives(left["daemon"])
    assert ex.processes == ()
    os.kill(left["daemon"], signal.SIGKILL)


# --- time and output


@pytest.mark.quick
def test_a_life_has_an_end(ex: Executor) -> None:
    result = ex.create_process(["sleep", "60"], timeout=0.1).result(BOUND)
    assert (result.reason, result.signal, result.ok) == ("timed out", signal.SIGTERM, False)
    assert result.duration >= 0.1


def test_without_output_for_too_long(ex: Executor) -> None:
    talks = (
        "import sys,time\nfor n in range(4): print(n, flush=True); time.sleep(.1)\ntime.sleep(60)"
    )
    handle = ex.create_process([*PY, "-c", talks], stdout=Capture(), idle_timeout=0.4)
    result = handle.result(BOUND)
    assert result.reason == "idle"
    assert result.duration > 0.7
    assert result.stdout is not None
    assert bytes(result.stdout).split() == [b"0", b"1", b"2", b"3"]


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
    ex.run_command(["true"])  # callbacks come in order: all were called
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

    monkeypatch.setattr(_hosts, "_checked", False)
    monkeypatch.setitem(sys.modules, "gevent.monkey", Monkey)  # type: ignore[arg-type]
    with pytest.raises(HostError, match="gevent has replaced threading, select"):
        Executor().create_process(["true"])
    monkeypatch.delitem(sys.modules, "gevent.monkey")
    monkeypatch.setattr(_hosts, "_in_subinterpreter", lambda: True)
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
