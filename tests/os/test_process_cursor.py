"""The number that the kernel gave last, and what it tells of a process that has ended.

Others start processes on this host too, and take numbers: what may be known is asked for until it
is, and what must never be said is asked for again and again.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from procession.process import cursor
from procession.process.command import Command
from procession.process.cursor import PidCursor, pid_cursor
from procession.process.handle import Handle
from procession.process.spawn import spawn

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel tells")
TRIES = 500


@pytest.fixture
def asked() -> Iterator[PidCursor]:
    found = pid_cursor()
    assert found is not None
    yield found
    found.close()


def ended(script: str) -> Handle:
    """Of a shell that has ended, and is not reaped."""
    handle = spawn(Command(("sh", "-c", script), "/bin/sh"))
    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    return handle


def let_go(*handles: Handle) -> None:
    for handle in handles:
        handle.reap()
        handle.close()


def test_who_left_nobody_is_known_for_that(asked: PidCursor) -> None:
    for _ in range(TRIES):
        handle = ended(":")
        known = asked.had_none(handle.pid, asked.last())
        let_go(handle)
        if known:
            return
    pytest.fail("somebody else was born each time")


def test_others_of_ours_may_be_born_meanwhile(asked: PidCursor) -> None:
    for _ in range(TRIES):
        handles = [ended(":") for _ in range(3)]
        known = asked.had_none(handles[0].pid, asked.last())
        let_go(*handles)
        if known:
            return
    pytest.fail("somebody else was born each time")


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & echo $!",
        "setsid sleep 60 & echo $!",
        "(sleep 60 & echo $!) &",
        "env -i setsid sleep 60 & echo $!",
    ],
    ids=["child", "daemon", "grandchild", "daemon without environment"],
)
def test_who_left_somebody_is_never_taken_for_alone(asked: PidCursor, script: str) -> None:
    for _ in range(10):
        reads, writes = os.pipe()
        handle = spawn(Command(("sh", "-c", script), "/bin/sh", stdout=writes))
        os.close(writes)
        child = int(os.read(reads, 100))
        try:
            os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
            assert not asked.had_none(handle.pid, asked.last())
        finally:
            os.kill(child, 9)
            os.close(reads)
            let_go(handle)


def test_nor_if_that_one_has_ended_as_well(asked: PidCursor) -> None:
    """It may have left somebody in turn."""
    for _ in range(10):
        handle = ended(":")
        other = ended("/bin/true & wait")
        last = asked.last()
        assert not asked.had_none(handle.pid, last)
        assert not asked.had_none(other.pid, last)
        let_go(handle, other)


def test_a_thread_takes_a_number_too(asked: PidCursor) -> None:
    handle = ended(":")
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert not asked.had_none(handle.pid, asked.last())
    let_go(handle)


def test_a_closed_one_knows_nothing(asked: PidCursor) -> None:
    asked.close()
    asked.close()
    assert asked.last() == 0


def test_a_forked_child_has_started_nobody(asked: PidCursor) -> None:
    let_go(ended(":"))
    assert cursor._runs
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writes, b"some" if cursor._runs else b"none")
        finally:
            os._exit(0)
    os.close(writes)
    assert os.read(reads, 10) == b"none"
    os.close(reads)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_file_of_somebody_else_in_its_place_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """As containers have it: its last number is made up."""
    opened = os.open

    def stranger(path: str, flags: int) -> int:
        assert path == "/proc/loadavg"
        with open(f"{tmp_path}/loadavg", "w") as file:
            file.write(f"0.00 0.00 0.00 1/100 {os.getpid()}\n")
        return opened(f"{tmp_path}/loadavg", flags)

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(cursor.os, "open", stranger)
    assert pid_cursor() is None
    monkeypatch.undo()
    assert len(os.listdir("/proc/self/fd")) == before
