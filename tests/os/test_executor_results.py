"""How it ended: every reason, every field, the short ways, and what `kill` and `stop` promise."""

from __future__ import annotations

import errno
import inspect
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from procession.executor import (
    PIPE,
    Capture,
    CommandFailed,
    ExecHandle,
    Executor,
    ExecutorStopped,
    Output,
    Result,
    Step,
    TimeoutExpired,
    _queue,
)
from procession.process.handle import Usage
from tests.support.executors import PY, in_thread, lives, program
from tests.support.processes import BOUND, Lines

BUSY = "x = 0\nfor n in range(2_000_000): x += n\n"


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    yield found
    found.close()


# --- the result


@pytest.mark.quick
def test_every_field_of_a_success(ex: Executor) -> None:
    code = BUSY + "import os\nos.write(1, b'out'); os.write(2, b'err')"
    began = time.monotonic()
    handle = ex.create_process([*PY, "-c", code], stdout=Capture(), stderr=Capture())
    result = handle.result(BOUND)
    lasted = time.monotonic() - began
    assert result.args == [*PY, "-c", code]
    assert result.pid == handle.pid
    assert (result.exit_code, result.signal, result.returncode) == (0, None, 0)
    assert result.reason == "exited"
    assert 0 < result.duration <= lasted
    assert isinstance(result.usage, Usage)
    assert 0 < result.usage.user + result.usage.system <= result.duration + 0.1
    assert result.usage.max_rss > 1_000_000
    assert result.stdout == Output(b"out")
    assert result.stderr == Output(b"err")
    assert (result.survivors, result.stop_trace) == ((), ())
    assert result.ok
    assert not result.incomplete
    assert handle.result() is result
    assert handle.return_code == handle.returncode == 0


@pytest.mark.quick
def test_it_is_frozen(ex: Executor) -> None:
    result = ex.create_process(["true"]).result(BOUND)
    for name in (*Result._fields, "more"):
        with pytest.raises(AttributeError):
            setattr(result, name, 1)
    assert result.stdout is result.stderr is None


Case = tuple[list[str], dict[str, Any], Callable[[ExecHandle], object] | None, tuple[Any, ...]]
TERM, KILL = signal.SIGTERM, signal.SIGKILL
# command, options, what is done to it; reason, exit code, signal, ok
REASONS: dict[str, Case] = {
    "exited": (["sh", "-c", "exit 3"], {}, None, ("exited", 3, None, False)),
    "signalled": (["sh", "-c", "kill -9 $$"], {}, None, ("signalled", None, KILL, False)),
    "kill_now": (["sleep", "60"], {}, ExecHandle.kill_now, ("signalled", None, KILL, False)),
    "terminate": (["sleep", "60"], {}, ExecHandle.terminate, ("signalled", None, TERM, False)),
    "stopped": (["sleep", "60"], {}, ExecHandle.kill, ("stopped", None, TERM, True)),
    "forced": (["sleep", "60"], {}, lambda h: h.stop([]), ("forced", None, KILL, True)),
    "timed out": (["sleep", "60"], {"timeout": 0.05}, None, ("timed out", None, TERM, False)),
    "idle": (
        ["sleep", "60"],
        {"idle_timeout": 0.05, "stdout": Capture()},
        None,
        ("idle", None, TERM, False),
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_every_reason(ex: Executor, case: str) -> None:
    command, options, act, expected = REASONS[case]
    handle = ex.create_process(command, **options)
    if act is not None:
        act(handle)
    result = handle.result(BOUND)
    assert (result.reason, result.exit_code, result.signal, result.ok) == expected
    asked = [text for _, text in result.stop_trace]
    assert bool(asked) == (expected[0] in ("stopped", "forced", "timed out", "idle"))
    assert handle.returncode == result.returncode


def test_one_that_is_told_to_stop_and_ends_well_is_stopped(ex: Executor, lines: Lines) -> None:
    handle = ex.create_process(program("tree_obedient"), stdout=lines.fd)
    lines.next()
    handle.stop()
    result = handle.result()
    assert (result.reason, result.signal, result.ok) == ("stopped", None, True)
    assert result.exit_code == handle.returncode


def test_a_result_that_is_not_there_yet(ex: Executor) -> None:
    handle = ex.create_process(["sleep", "60"])
    assert not handle.done
    with pytest.raises(TimeoutExpired) as late:
        handle.result(0.02)
    assert (late.value.cmd, late.value.timeout) == (["sleep", "60"], 0.02)
    handle.kill()
    assert handle.done


@pytest.mark.quick
def test_callbacks(ex: Executor) -> None:
    called: list[Any] = []
    rung = threading.Event()
    handle = ex.create_process(["cat"], stdin=PIPE)
    assert handle.stdin is not None
    handle.add_done_callback(called.append)
    handle.add_done_callback(lambda h: called.append(h.result().exit_code))
    handle.add_done_callback(print)
    handle.remove_done_callback(print)
    handle.remove_done_callback(print)
    assert called == []
    handle.stdin.close()
    handle.result(BOUND)
    handle.add_done_callback(lambda _: rung.set())  # late: soon
    assert rung.wait(BOUND)
    assert called == [handle, 0]


# --- kill and stop


@pytest.mark.quick
def test_the_graces_that_are_promised() -> None:
    for call in (ExecHandle.kill, ExecHandle.kill_async, Executor.stop):
        assert inspect.signature(call).parameters["grace"].default == 3.0
    parameters = inspect.signature(Executor.create_process).parameters
    assert parameters["start_timeout"].default is None
    assert repr(parameters["discard_output"].default) == "True"
    assert _queue._WARN_AFTER == 5.0


def test_kill_asks_waits_three_seconds_and_kills(ex: Executor, lines: Lines) -> None:
    handle = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    began = time.monotonic()
    handle.kill()
    assert time.monotonic() - began >= 3.0
    (asked, term), (killed, kill) = handle.result().stop_trace
    assert (term, kill) == ("SIGTERM to the tree", "SIGKILL to the tree")
    assert 3.0 <= killed - asked < BOUND
    assert handle.returncode == -signal.SIGKILL


def test_kill_joins_a_kill_under_way(ex: Executor, lines: Lines) -> None:
    """No second SIGTERM, no second grace; a shorter one counts, and all return at the end."""
    handle = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    waits = [in_thread(lambda grace=grace: handle.kill(grace)) for grace in (60.0, 0.3, 60.0)]
    for wait in waits:
        wait()
    assert [text for _, text in handle.result().stop_trace] == [
        "SIGTERM to the tree",
        "SIGKILL to the tree",
    ]
    handle.kill()  # of one that is over: nothing happens
    assert len(handle.result().stop_trace) == 2


def test_kill_now_is_for_the_process_alone(ex: Executor, lines: Lines) -> None:
    handle = ex.create_process(program("tree_family", "child=obeys"), stdout=lines.fd)
    pids = lines.expect("leader", "child")
    handle.kill_now()
    assert handle.wait(BOUND) == -signal.SIGKILL
    assert lives(pids["child"])
    assert not handle.done
    handle.kill()
    assert not lives(pids["child"])
    assert handle.result().reason == "signalled"


def test_a_ladder_is_data(ex: Executor, lines: Lines) -> None:
    """Names or numbers of signals; what nobody could climb is refused where it is given."""
    handle = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    handle.stop([Step(signal.SIGUSR2, "leader", 0.05)])  # type: ignore[arg-type]
    assert handle.result().stop_trace[0][1] == "SIGUSR2 to the leader"
    handle = ex.create_process(["sleep", "60"])
    for wrong, error in (
        (Step("SIGNONE", "tree", 1.0), ValueError),
        (Step("SIGTERM+100", "tree", 1.0), ValueError),
        (Step(0, "tree", 1.0), ValueError),  # type: ignore[arg-type]
        (Step("SIGTERM", "world", 1.0), ValueError),
        (Step("SIGTERM", "tree", -1.0), ValueError),
        (Step("SIGTERM", "tree", float("nan")), ValueError),
        (Step("SIGTERM", "tree", "1"), TypeError),  # type: ignore[arg-type]
        (["SIGTERM"], TypeError),
    ):
        with pytest.raises(error):
            handle.stop(wrong)  # type: ignore[arg-type]
        with pytest.raises(error):
            ex.create_process(["true"], stop=wrong)  # type: ignore[arg-type]
    assert handle.poll() is None
    assert ex.processes == (handle,)


@pytest.mark.parametrize("grace", [-1, float("nan"), "3"])
def test_a_grace_that_is_none(ex: Executor, grace: Any) -> None:
    handle = ex.create_process(["sleep", "60"])
    for call in (handle.kill, ex.stop):
        with pytest.raises((ValueError, TypeError), match="grace is"):
            call(grace)
    assert ex.run_command(["true"]) == 0
    assert handle.poll() is None


@pytest.mark.parametrize("seconds", [float("inf"), 1e12])
def test_times_without_end(ex: Executor, seconds: float) -> None:
    """No clock of the system takes such; they mean that nothing is limited."""
    timed = ex.create_process(
        ["sleep", "60"], timeout=seconds, stop=Step("SIGTERM", "tree", seconds)
    )
    piped = ex.create_process(["cat"], stdin=PIPE, stdout=PIPE)
    assert piped.communicate(b"x", timeout=seconds) == (b"x", None)
    assert piped.wait(seconds) == 0
    assert ex.run_command(["true"], start_timeout=seconds) == 0
    timed.stop()
    assert timed.result(seconds).reason == "stopped"
    other = ex.create_process(["sleep", "60"])
    other.kill(grace=seconds)
    assert other.result().reason == "stopped"
    ex.create_process(["sleep", "60"])
    ex.stop(grace=seconds)
    assert ex.join(timeout=seconds)


def test_stop_is_idempotent_in_any_thread_and_begins_anew() -> None:
    ex = Executor()
    for _ in range(2):
        ex.start()
        handle = ex.create_process(["sleep", "60"])
        for wait in [in_thread(ex.stop) for _ in range(5)]:
            wait()
        with pytest.raises(ExecutorStopped, match=r"`run\(\)` or `start\(\)` begins anew"):
            ex.create_process(["true"])
        assert ex.join(BOUND)
        assert not lives(handle.pid)
        assert handle.result().reason in ("stopped", "forced")
        ex.stop()
        assert ex.join()


def test_join_waits_for_run_too() -> None:
    ex = Executor()
    told: list[Any] = []

    def work() -> None:
        handle = ex.create_process(["sleep", "60"])
        ex.stop()
        told.append(ex.join(BOUND))
        told.append(handle.done)

    wait = in_thread(work)
    ex.run()
    wait()
    assert told == [True, True]


def test_join_in_a_callback_says_why_not(ex: Executor) -> None:
    told: list[str] = []
    done = threading.Event()

    def fails(_: ExecHandle) -> None:
        try:
            ex.join()
        except RuntimeError as e:
            told.append(str(e))
        done.set()

    ex.create_process(["true"]).add_done_callback(fails)
    assert done.wait(BOUND)
    assert "in the executor's own thread" in told[0]


# --- the short ways


@pytest.mark.quick
def test_commands_wait_for_the_tree(ex: Executor, lines: Lines) -> None:
    family = program("tree_family", "leader=leaves", "daemon=obeys")
    wait = in_thread(lambda: ex.run_command(family, stdout=lines.fd))
    daemon = lines.expect("leader", "daemon")["daemon"]
    assert lives(daemon)
    os.kill(daemon, signal.SIGTERM)
    assert wait() == 0
    assert not lives(daemon)


def test_a_command_that_ctrl_c_breaks_off_is_stopped(ex: Executor, lines: Lines) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        in_thread(lambda: (lines.next(), os.kill(os.getpid(), signal.SIGINT)))
        with pytest.raises(KeyboardInterrupt):
            ex.run_command(program("tree_obedient"), stdout=lines.fd)
    finally:
        signal.signal(signal.SIGINT, before)
    for handle in ex.processes:
        assert handle.result(BOUND).reason == "stopped"


@pytest.mark.quick
def test_a_command_that_fails_says_how(ex: Executor) -> None:
    for command, options, words in (
        (["sh", "-c", "echo why >&2; exit 4"], {}, "sh: exited with 4\nwhy"),
        (["sh", "-c", "kill -15 $$"], {}, "sh: killed by SIGTERM"),
        (["sleep", "60"], {"timeout": 0.05}, "sleep: timed out, killed by SIGTERM"),
        (["sh", "-c", "exit 4"], {"name": "the backup"}, "sh: exited with 4"),
        (["sh", "-c", "echo why >&2; exit 4"], {"discard_output": True}, "sh: exited with 4"),
    ):
        with pytest.raises(CommandFailed) as failed:
            ex.run_command_or_fail(command, **options)
        assert str(failed.value) == words
        assert failed.value.result.args == command


@pytest.mark.quick
@pytest.mark.parametrize("way", ["start", "run", "in place"])
def test_a_bad_command_keeps_its_cause(way: str, tmp_path: Any) -> None:
    """The kind that Popen raises, named as the caller named it, and where it came from; whichever
    thread was the one to launch."""
    ex = Executor()
    program = tmp_path / "odd"
    program.write_text("just text\n")
    program.chmod(0o755)
    long = ["true", "x" * 3_000_000]

    def work() -> None:
        try:
            for command, number in (([str(program)], errno.ENOEXEC), (long, errno.E2BIG)):
                with pytest.raises(OSError, match=os.strerror(number)) as told:
                    ex.create_process(command, False, stdin=PIPE)
                assert told.value.errno == number
                assert told.value.filename == command[0]
                assert isinstance(told.value.__cause__, OSError)
                assert told.value.__cause__.errno == number
            assert ex.processes == ()
        finally:
            ex.stop()

    before = set(os.listdir("/proc/self/fd"))
    if way == "in place":
        work()
    else:
        if way == "start":
            ex.start()
        wait = in_thread(work)
        if way == "run":
            ex.run()
        wait()
    assert ex.join(BOUND)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.quick
def test_discarding_and_an_explicit_target(ex: Executor) -> None:
    for explicit in (True, 1):
        with pytest.raises(ValueError, match="contradict"):
            ex.create_process(["true"], explicit, stdout=PIPE)  # type: ignore[arg-type]
    with ex.create_process(["echo", "a"], 0) as loud:  # type: ignore[arg-type]
        assert loud.communicate() == (b"a\n", b"")
    with ex.create_process(["sh", "-c", "echo a; echo b >&2"], False, stderr=Capture()) as mixed:
        assert mixed.communicate() == (b"a\n", None)
    assert mixed.result(BOUND).stderr == Output(b"b\n")
    assert ex.create_process("sh -c 'exit 7' ignored").wait(BOUND) == 7


def test_who_waits_is_not_kept_by_a_leader_alone(ex: Executor, lines: Lines) -> None:
    """`wait`, `poll` and `returncode` answer as soon as the process itself has ended."""
    handle = ex.create_process(
        program("tree_family", "leader=leaves", "daemon=obeys"), stdout=lines.fd
    )
    lines.expect("leader", "daemon")
    pidfd = os.pidfd_open(handle.pid)
    try:
        assert select.select([pidfd], [], [], BOUND)[0]
    finally:
        os.close(pidfd)
    assert handle.poll() == handle.returncode == handle.wait(0) == 0
    assert not handle.done
    assert "exited with 0" in repr(handle)
    assert sys.getrefcount(handle) < 12
