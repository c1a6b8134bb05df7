"""What a child's signals are, whatever those of the application are."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from procession.core.status import ExitStatus
from procession.process import _linux
from procession.process.command import Command
from procession.process.defaults import blocks, ignores, spawn_clean
from procession.process.handle import Handle
from tests.support.processes import BOUND, PROGRAMS

OF_THE_C_LIBRARY = 3 << 31  # signals 32 and 33, which nobody can send, reset or miss


def ended(process: Handle) -> ExitStatus | None:
    assert process.pidfd is not None
    status = process.await_exit(process.pidfd)
    process.reap()
    process.close()
    return status


@pytest.mark.parametrize("way", ["start", "run", pytest.param("place", marks=pytest.mark.quick)])
def test_a_child_of_an_application_that_ignores_and_blocks(way: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", PROGRAMS / "executor_dirty.py", way, tmp_path],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.stderr == ""
    told = json.loads(done.stdout)
    none = "0000000000000000"
    shown = told["shown"]
    shown[3] = f"{int(shown[3], 16) & ~OF_THE_C_LIBRARY:016x}"
    assert shown == ["SigBlk:", none, "SigIgn:", none, "/usr", "0027"]
    assert (told["reason"], told["signal"]) == ("stopped", signal.SIGTERM)
    assert told["program"] == ["FileNotFoundError", True]
    assert told["script"] == ["OSError", True]


@pytest.mark.quick
def test_it_stays_the_same_process(tmp_path: Path) -> None:
    """Who is asked for is who it becomes, with pid, session and descriptors as they were."""
    words = ("the name", "-c", "echo $0 $$ $A; ls /proc/$$/fd")
    env = {"A": os.fsdecode(b"\xe9"), "PATH": os.environ["PATH"]}
    out = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
    try:
        process = spawn_clean(Command(words, "/bin/sh", env=env, stdout=out))
    finally:
        os.close(out)
    assert _linux.stat(process.pid).session == process.pid
    assert ended(process) == ExitStatus(code=0)
    first, *fds = (tmp_path / "out").read_bytes().splitlines()
    assert first == b"the name %d \xe9" % process.pid
    assert fds[:3] == [b"0", b"1", b"2"]
    assert all(int(fd) >= 10 for fd in fds[3:]), "the shell's own"


def test_as_somebody_else() -> None:
    """Who may not so much as find our Python."""
    if os.geteuid() != 0:
        uid, gid, groups = os.geteuid(), os.getegid(), None
    else:
        entry = pwd.getpwnam("nobody")
        uid, gid, groups = entry.pw_uid, entry.pw_gid, ()
    reads, writes = os.pipe()
    try:
        process = spawn_clean(
            Command(("id", "-u"), "/usr/bin/id", stdout=writes, uid=uid, gid=gid, groups=groups)
        )
        os.close(writes)
        with open(reads, closefd=False) as file:
            assert file.read().split() == [str(uid)]
        assert ended(process) == ExitStatus(code=0)
    finally:
        os.close(reads)


def test_what_is_asked() -> None:
    assert not ignores()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert ignores()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not ignores()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR2,))
    try:
        assert blocks()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert not blocks()
