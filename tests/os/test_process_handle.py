"""A handle: an exit is observed, never taken; one reaper; no signal to a reaped pid."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from procession.core.status import ExitStatus
from procession.process import _handle_posix, _linux, _waitid
from procession.process._handle_posix import PosixHandle
from procession.process.command import Command
from procession.process.handle import UNKNOWN, signal_name, signal_number
from tests.support.processes import Lines, Started, await_exit, command


@pytest.fixture
def started() -> Iterator[Started]:
    found = Started()
    yield found
    found.close()


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    yield found
    found.close()


def shell(script: str) -> Command:
    return Command(("sh", "-c", script), "/bin/sh")


@pytest.fixture(params=["pidfd", "pid"])
def without_pidfd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test that asks for it runs on both: a host with pidfds, and one without."""
    if request.param == "pid":
        monkeypatch.setattr("procession.process.host.has_pidfd", lambda: False)


@pytest.mark.quick
@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_an_exit_is_seen_again_and_again_until_it_is_reaped(
    started: Started, code: int, without_pidfd: None
) -> None:
    handle = started(shell(f"exit {code}"))
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    assert handle.poll_exit() == ExitStatus(code=code)
    assert _linux.stat(handle.pid).dead  # still on the table
    assert handle.poll_exit() == ExitStatus(code=code)
    assert not handle.reaped
    usage = handle.reap()
    assert usage is not None
    assert usage.max_rss > 100_000
    assert handle.reaped
    assert handle.reap() is usage
    assert handle.poll_exit() == ExitStatus(code=code)
    with pytest.raises(ProcessLookupError):
        _linux.stat(handle.pid)


def test_a_running_process_has_no_status_and_is_not_reaped(
    started: Started, without_pidfd: None
) -> None:
    handle = started(shell("exec sleep 1000"))
    assert handle.poll_exit() is None
    with pytest.raises(RuntimeError, match="still runs"):
        handle.reap()
    assert handle.send(0)
    assert not handle.reaped


@pytest.mark.quick
def test_a_signal_is_told_as_one(started: Started, without_pidfd: None) -> None:
    handle = started(command("tree_blocked_mask"))
    assert handle.send(signal.SIGKILL)
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    status = handle.poll_exit()
    assert status == ExitStatus(signal=signal.SIGKILL)
    assert str(status) == "killed by SIGKILL"
    assert status.shell_status == 137


def test_a_core_dump_is_told() -> None:
    status = _handle_posix.exit_status(os.CLD_DUMPED, signal.SIGSEGV)
    assert str(status) == "killed by SIGSEGV (segmentation fault, core dumped)"
    assert _handle_posix.exit_status(os.CLD_KILLED, signal.SIGSEGV) == ExitStatus(
        signal=signal.SIGSEGV
    )


def test_no_signal_goes_to_one_that_ended(started: Started, without_pidfd: None) -> None:
    handle = started(shell("exit 0"))
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    assert not handle.send(signal.SIGTERM)
    handle.reap()
    assert not handle.send(signal.SIGTERM)
    assert not handle.kill_group(signal.SIGTERM)


@pytest.mark.quick
def test_a_status_somebody_else_took_is_unknown_and_never_0(
    started: Started, without_pidfd: None
) -> None:
    handle = started(shell("exit 0"))
    os.waitpid(handle.pid, 0)  # as a foreign waitpid(-1) would
    assert handle.poll_exit() is UNKNOWN
    assert handle.reaped
    assert handle.reap() is None
    assert not handle.send(signal.SIGTERM)
    assert not handle.kill_group(signal.SIGTERM)


def test_with_sigchld_ignored_the_status_is_unknown(started: Started, without_pidfd: None) -> None:
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        handle = started(shell("exec sleep 1000"))
        assert handle.poll_exit() is None
        handle.send(signal.SIGKILL)
        with pytest.raises(ChildProcessError):
            os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
        assert handle.poll_exit() is UNKNOWN
    finally:
        signal.signal(signal.SIGCHLD, previous)


def test_a_zombie_stolen_after_it_was_seen_costs_only_the_usage(started: Started) -> None:
    """The number may be a new child's by then: reaping it would take that one's status."""
    handle = started(shell("exit 5"))
    await_exit(handle)
    assert handle.poll_exit() == ExitStatus(code=5)
    os.waitpid(handle.pid, 0)
    assert handle.reap() is None
    assert handle.poll_exit() == ExitStatus(code=5)


@pytest.mark.quick
def test_the_group_hears_after_the_leaders_end(
    started: Started, lines: Lines, without_pidfd: None
) -> None:
    handle = started(command("tree_family", "leader=leaves", "child=obeys", stdout=lines.fd))
    child = lines.expect("leader", "child")["child"]
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    assert handle.poll_exit() == ExitStatus(code=0)
    assert handle.kill_group(signal.SIGTERM)
    assert lines.rest() == [f"heard child {child}"]
    # Why a group cannot be asked whether it is empty: the zombie answers for it.
    os.killpg(handle.pid, 0)


def test_a_group_that_is_not_its_own_is_never_signalled(started: Started) -> None:
    handle = started(shell("exec sleep 1000").replace(session=False))
    with pytest.raises(ValueError, match="shares the group"):
        handle.kill_group(signal.SIGTERM)


def test_everybody_who_asks_gets_the_same_answer(started: Started) -> None:
    """32 threads poll and send while one reaps: none sees "running" after the end, none raises."""
    handle = started(shell("exec sleep 1000"))
    ended = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while True:
            was_over = ended.is_set()
            status = handle.poll_exit()
            handle.send(0)
            if was_over and status != ExitStatus(signal=signal.SIGKILL):
                wrong.append(status)
            if was_over:
                return

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    handle.send(signal.SIGKILL)
    await_exit(handle)
    ended.set()
    handle.reap()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_start_time_names_one_process(started: Started) -> None:
    before = _linux.boot_ticks()
    handle = started(shell("exit 0"))
    assert handle.start_time is not None
    assert before <= handle.start_time <= _linux.boot_ticks()
    await_exit(handle)
    handle.reap()
    assert handle.start_time is not None  # remembered

    late = started(shell("exit 0"))
    await_exit(late)
    late.reap()
    assert late.start_time is None


def test_closing_twice_closes_one_descriptor(started: Started) -> None:
    handle = started(shell("exit 0"))
    fd = handle.pidfd
    assert fd is not None
    handle.close()
    other = os.open("/dev/null", os.O_RDONLY)
    assert other == fd
    handle.close()
    os.fstat(other)
    os.close(other)
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    assert handle.poll_exit() == ExitStatus(code=0)  # by its pid, which is still ours


@pytest.mark.parametrize("script", ["exit 0", "exit 7", "kill -9 $$", "kill -15 $$"])
def test_the_c_librarys_waitid_gives_the_same_answer(started: Started, script: str) -> None:
    """What macOS uses below Python 3.13."""
    handle = started(shell(f"read x; {script}").replace(stdin=(pipe := os.pipe())[0]))
    os.close(pipe[0])
    assert _waitid.waitid_ctypes(handle.pid, None) is None
    os.close(pipe[1])
    assert _waitid.waitid_ctypes(handle.pid, None, block=True) == _waitid.waitid(
        handle.pid, handle.pidfd
    )
    handle.reap()
    with pytest.raises(ChildProcessError):
        _waitid.waitid_ctypes(handle.pid, None)


def test_a_pidfd_of_a_zombie_stays_readable(started: Started) -> None:
    """The fact behind the rule to unregister it after the first event."""
    handle = started(shell("exit 0"))
    await_exit(handle)
    assert handle.pidfd is not None
    assert [select.select([handle.pidfd], [], [], 0)[0] for _ in range(3)] == [[handle.pidfd]] * 3


def test_a_pidfd_may_come_later_but_never_for_a_pid_that_is_nobodys(started: Started) -> None:
    handle = started(shell("exit 0").replace(pinned=False))
    assert handle.pidfd is None
    handle.pin()
    pidfd = handle.pidfd
    assert pidfd is not None
    handle.pin()
    assert handle.pidfd == pidfd, "once"
    await_exit(handle)
    handle.reap()
    handle.close()
    handle.pin()
    assert handle.pidfd is None, "the number may be a stranger's by now"


def test_repr_says_what_is_known() -> None:
    handle = PosixHandle(os.getpid(), own_group=False)
    assert repr(handle) == f"<Handle {os.getpid()} running>"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX"])
def test_signals_have_names_both_ways(name: str) -> None:
    assert signal_name(signal_number(name)) == name


def test_what_is_no_signal_here_is_said(caplog: object) -> None:
    assert signal_name(99) == "signal 99"
    with pytest.raises(ValueError, match="no signal 'SIGNOPE'"):
        signal_number("SIGNOPE")
