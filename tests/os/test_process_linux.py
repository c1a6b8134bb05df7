"""The bindings: each says what the kernel said."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from procession.process import _linux, host
from procession.process._orphan_linux import Orphan
from tests.support.lone import in_one_thread
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


@contextmanager
def blocked() -> Iterator[list[signal.Signals]]:
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMAX]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    yield numbers
    while signal.sigpending() & set(numbers):
        signal.sigwait(numbers)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- prctl


@pytest.mark.quick
def test_the_subreaper_flag_is_set_and_is_not_inherited() -> None:
    assert not _linux.get_child_subreaper()
    _linux.set_child_subreaper()
    try:
        assert _linux.get_child_subreaper()
        pid = os.fork()
        if pid == 0:
            os._exit(1 if _linux.get_child_subreaper() else 0)
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        _linux.set_child_subreaper(False)
    assert not _linux.get_child_subreaper()


def test_a_failed_prctl_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_linux, "PR_SET_CHILD_SUBREAPER", 123456)
    with pytest.raises(OSError, match=r"PR_SET_CHILD_SUBREAPER.*Invalid argument"):
        _linux.set_child_subreaper()


# --- signalfd


def signals_with_senders() -> None:
    with blocked() as numbers:
        fd = _linux.signalfd(numbers)
        assert _linux.read_signalfd(fd) == []
        os.kill(os.getpid(), signal.SIGUSR1)
        done = subprocess.run(
            [sys.executable, "-c", f"import os; os.kill({os.getpid()}, {int(signal.SIGUSR2)})"],
            check=True,
        )
        assert done.returncode == 0
        assert select.select([fd], [], [], 5)[0]
        one, two = _linux.read_signalfd(fd)
        assert one == _linux.SigInfo(signal.SIGUSR1, _linux.SI_USER, os.getpid(), os.getuid())
        assert (two.signo, two.code) == (signal.SIGUSR2, _linux.SI_USER)
        assert two.pid not in (0, os.getpid())
        assert not os.get_inheritable(fd)


@pytest.mark.quick
def test_signals_are_read_with_their_senders() -> None:
    in_one_thread(signals_with_senders)


def a_long_burst() -> None:
    with blocked() as numbers:
        fd = _linux.signalfd(numbers)
        for _ in range(100):  # a real-time signal is queued as often as it is sent
            os.kill(os.getpid(), signal.SIGRTMAX)
        assert [info.signo for info in _linux.read_signalfd(fd)] == [signal.SIGRTMAX] * 100


def test_a_burst_longer_than_one_reading_is_read_whole() -> None:
    in_one_thread(a_long_burst)


def test_what_is_no_signal_is_refused() -> None:
    with pytest.raises(OSError, match=r"sigaddset\(1000\)"):
        _linux.signalfd([1000])


# --- /proc


def cookie_of(pid: int) -> str | None:
    while True:
        try:
            return _linux.environ_cookie(pid, "COOKIE")
        except BlockingIOError:
            os.sched_yield()


def test_names_with_blanks_and_parentheses_do_not_confuse(started: Started, lines: Lines) -> None:
    script = "import ctypes, os, sys; ctypes.CDLL(None).prctl(15, b') S 1 (a b', 0, 0, 0); "
    script += "os.write(1, b'named %d\\n' % os.getpid()); sys.stdin.read() or os.pause()"
    reads, writes = os.pipe()
    handle = started(command(sys.executable, "-c", script, stdout=lines.fd, stdin=reads))
    os.close(reads)
    lines.expect("named")
    stat = _linux.stat(handle.pid)
    assert stat.name == ") S 1 (a b"
    assert (stat.pid, stat.ppid, stat.pgrp, stat.session) == (
        handle.pid,
        os.getpid(),
        handle.pid,
        handle.pid,
    )
    assert stat.threads == 1
    assert not stat.dead
    handle.send(signal.SIGKILL)
    await_exit(handle)
    assert _linux.stat(handle.pid).dead
    os.close(writes)


@pytest.mark.quick
def test_the_children_of_all_threads_are_seen(started: Started) -> None:
    pids: list[int] = []
    stay = threading.Event()
    ready = threading.Barrier(4)

    def fork_here() -> None:
        pids.append(started(command("/bin/sleep", "1000")).pid)
        ready.wait()
        stay.wait()

    threads = [threading.Thread(target=fork_here) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    try:
        assert sorted(_linux.children()) == sorted(pids)
        assert sorted(_linux.children(os.getpid())) == sorted(pids)
        assert sorted(_linux.children_by_scan(os.getpid())) == sorted(pids)
        assert set(_linux.parents()) >= {os.getpid(), *pids}
    finally:
        stay.set()
        for thread in threads:
            thread.join()


def test_a_list_longer_than_one_reading_is_read_whole(started: Started, lines: Lines) -> None:
    handle = started(command("tree_crowd", "1200", stdout=lines.fd))
    lines.expect("ready")
    found = _linux.children(handle.pid)
    assert len(set(found)) == len(found) == 1200


@pytest.mark.parametrize(
    "ask",
    [
        _linux.stat,
        _linux.children,
        lambda pid: _linux.environ_cookie(pid, "X"),
        _linux.ignored_signals,
    ],
    ids=["stat", "children", "environ", "status"],
)
def test_a_process_that_is_gone_is_a_lookup_error(ask: object, started: Started) -> None:
    handle = started(command("/bin/true"))
    await_exit(handle)
    handle.reap()
    with pytest.raises(ProcessLookupError):
        ask(handle.pid)  # type: ignore[operator]  # each of them takes a pid


@pytest.mark.quick
def test_cookies_there_not_there_and_of_the_dead(started: Started) -> None:
    env = {"A": "1", "XCOOKIE": "wrong", "COOKIE": "a=b:ü\udcff", "COOKIES": "wrong", "Z": "2"}
    handle = started(command("/bin/sleep", "1000", env=env))
    assert cookie_of(handle.pid) == "a=b:ü\udcff"
    assert _linux.environ_cookie(handle.pid, "OOKIE") is None
    assert _linux.environ_cookie(handle.pid, "COOKI") is None
    handle.send(signal.SIGKILL)
    await_exit(handle)
    assert _linux.environ_cookie(handle.pid, "COOKIE") is None


def test_a_large_environment_is_read_whole(started: Started) -> None:
    env = {f"FILL{number}": "x" * 100_000 for number in range(5)} | {"COOKIE": "last"}
    handle = started(command("/bin/sleep", "1000", env=env))
    assert cookie_of(handle.pid) == "last"


def test_who_is_being_executed_has_not_told_yet(started: Started) -> None:
    """A spawn returns when what is closed on exec was closed, some 50 us before the environment
    is there. Taken for "not there", it would make a stranger of every tenth newcomer."""
    for _ in range(300):
        handle = started(command("/bin/true", env={"COOKIE": "mine"}))
        seen = cookie_of(handle.pid)
        assert seen == "mine" or _linux.stat(handle.pid).dead
        await_exit(handle)
        handle.reap()
        handle.close()


def test_a_thread_of_the_kernel_has_none_and_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As /proc has it outside of containers: an empty environment for ever."""
    stat = b"2 (kthreadd) S 0 0 0 0 -1 2129984" + b" 0" * 45
    monkeypatch.setattr(_linux, "read", lambda path: stat if path.endswith("/stat") else b"")
    monkeypatch.setattr(_linux, "_threads", lambda pid: [])
    assert _linux.environ_cookie(2, "COOKIE") is None


def test_an_empty_environment_is_not_there(started: Started) -> None:
    handle = started(command("/bin/sleep", "1000").replace(env={}))
    assert cookie_of(handle.pid) is None


def test_dispositions_and_mask_of_others(started: Started, lines: Lines) -> None:
    deaf = started(command("tree_ignores_term", stdout=lines.fd))
    lines.expect("ready")
    assert _linux.ignored_signals(deaf.pid) >= {signal.SIGTERM, signal.SIGINT}
    assert signal.SIGTERM not in _linux.blocked_signals(deaf.pid)
    blocked = started(command("tree_blocked_mask", stdout=lines.fd))
    lines.expect("ready")
    assert _linux.blocked_signals(blocked.pid) >= {signal.SIGTERM, signal.SIGINT}


def test_a_child_that_proc_hides_is_still_a_child(
    monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    """As /proc mounted with hidepid shows (not) a child that has become another user."""
    handle = started(command("/bin/sleep", "1000"))

    def hidden(pid: int) -> _linux.ProcStat:
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(_linux, "stat", hidden)
    orphan = Orphan(handle.pid)
    assert not orphan.dead
    assert orphan.stat.name == "?"
    assert not orphan.stat.dead
    monkeypatch.undo()


# --- what the host can do


def test_this_host_has_what_the_tests_stand_on() -> None:
    assert host.has_pidfd()
    assert host.has_children_files()
    assert host.has_subreaper()
    assert host.has_proc()


def test_a_pidfd_that_the_kernel_refuses_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library has the call, a seccomp filter does not let it through."""

    def refused(pid: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(host, "_known", {})
    monkeypatch.setattr(os, "pidfd_open", refused)
    assert not host.has_pidfd()
    monkeypatch.setattr(host, "_known", {})
    monkeypatch.delattr(os, "pidfd_open")
    assert not host.has_pidfd()


def test_a_subreaper_that_the_kernel_refuses_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_known", {})
    monkeypatch.setattr(_linux, "PR_GET_CHILD_SUBREAPER", 123456)
    assert not host.has_subreaper()


def test_who_has_begun_to_end_is_told_from_who_lives() -> None:
    """Not the same as having ended: a process with threads gives its children away before."""
    assert not _linux.is_exiting(os.getpid())
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert _linux.is_exiting(pid)
    os.waitpid(pid, 0)
    assert _linux.is_exiting(pid)
