"""Niceness, processors and limits hold for the program from its first instruction on."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest

from procession.process.command import Command
from procession.process.spawn import spawn
from tests.support.processes import await_exit

PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable  # of everybody
TELL = (
    "import json, os, resource, signal, sys\n"
    "print(json.dumps({'nice': os.getpriority(os.PRIO_PROCESS, 0),"
    " 'cpus': sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else [],"
    " 'nofile': resource.getrlimit(resource.RLIMIT_NOFILE),"
    " 'core': resource.getrlimit(resource.RLIMIT_CORE),"
    " 'sid': os.getsid(0), 'pid': os.getpid(), 'argv': sys.argv[1:],"
    " 'uid': os.getuid(), 'groups': os.getgroups(),"
    " 'mask': oct(os.umask(0)), 'blocked': len(signal.pthread_sigmask(0, ())),"
    " 'fds': sorted(int(n) for n in os.listdir('/proc/self/fd'))}))\n"
)


def told(tmp_path: Path, **options: object) -> dict[str, object]:
    """What the program finds, started with these options."""
    path = tmp_path / "told"
    with path.open("wb") as out:
        words = (PYTHON, "-I", "-S", "-c", TELL, "an argument", "")
        command = Command(words, PYTHON, env=dict(os.environ), stdout=out.fileno())
        process = spawn(command.replace(**options))
    try:
        await_exit(process)
        assert str(process.poll_exit()) == "exited with 0"
        process.reap()
    finally:
        process.close()
    found: dict[str, object] = json.loads(path.read_text())
    assert found["pid"] == found["sid"] == process.pid
    assert found["argv"] == ["an argument", ""]
    return found


@pytest.mark.quick
def test_limits_are_soft_and_hard_and_the_rest_stays(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = told(tmp_path, limits=(("nofile", (100, 200)), ("core", (0, 0))))
    assert found["nofile"] == [100, 200]
    assert found["core"] == [0, 0]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
    assert found["nice"] == os.getpriority(os.PRIO_PROCESS, 0)
    assert found["fds"] == [0, 1, 2, 3]  # 3: of the look itself


@pytest.mark.quick
def test_niceness_and_a_mask(tmp_path: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    found = told(tmp_path, nice=own + 3, umask=0o077)
    assert found["nice"] == own + 3
    assert found["mask"] == "0o77"
    assert found["blocked"] == 0
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_processors(tmp_path: Path) -> None:
    ours = os.sched_getaffinity(0)
    one = min(ours)
    assert told(tmp_path, cpus=(one,))["cpus"] == [one]
    assert os.sched_getaffinity(0) == ours


@pytest.mark.root
def test_limits_are_set_before_the_user_who_may_not(tmp_path: Path) -> None:
    found = told(
        tmp_path, limits=(("core", (None, None)),), nice=-3,
        uid=65534, gid=65534, groups=(65534, 7),
    )  # fmt: skip
    assert (found["uid"], found["groups"], found["nice"]) == (65534, [7, 65534], -3)
    assert found["core"] == [resource.RLIM_INFINITY] * 2


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"limits": (("core", (0, 0)), ("nofile", (200, 100)))}, "limits: nofile"),
        ({"cpus": (100_000,)}, "cpus"),
    ],
)
def test_what_may_not_be_is_told_by_name_and_leaves_nothing(
    options: dict[str, object], subject: str
) -> None:
    with pytest.raises(OSError, match=subject) as refused:
        spawn(Command(("true",), "/bin/true").replace(**options))
    assert refused.value.filename == subject
    assert refused.value.errno in (errno.EINVAL, errno.EPERM)


def test_a_program_that_is_not_there_is_told_as_ever() -> None:
    with pytest.raises(FileNotFoundError) as missing:
        spawn(Command(("none",), "/none", limits=(("core", (0, 0)),)))
    assert missing.value.filename == "/none"


@pytest.mark.quick
def test_its_signal_ends_it(tmp_path: Path) -> None:
    process = spawn(Command(("sleep", "60"), "/bin/sleep", limits=(("core", (0, 0)),)))
    try:
        process.kill_group(signal.SIGTERM)
        await_exit(process)
        assert str(process.poll_exit()) == "killed by SIGTERM"
        process.reap()
    finally:
        process.close()
