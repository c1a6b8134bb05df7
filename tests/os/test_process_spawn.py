"""What a child starts with, what a failed start leaves (nothing), by each mechanism."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from procession.process import _spawn_posix, host
from procession.process.command import Command
from procession.process.handle import Handle
from procession.process.spawn import dirty_signals, encoded
from tests.support.processes import PROGRAMS, Lines, Started, await_exit, command
from tests.support.programs import as_ordinary_user

Spawn = Callable[[Command], Handle]
MECHANISMS = [_spawn_posix.spawn_fork_exec, _spawn_posix.spawn_popen]


@pytest.fixture(params=MECHANISMS, ids=["fork_exec", "popen"])
def by(request: pytest.FixtureRequest) -> Spawn:
    return request.param  # type: ignore[no-any-return]


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


def report_of(started: Started, by: Spawn, **more: object) -> dict[str, object]:
    reads, writes = os.pipe()
    handle = started(command("tree_reports", stdout=writes, **more), by)  # type: ignore[arg-type]
    os.close(writes)
    with open(reads, "rb") as file:
        report: dict[str, object] = json.load(file)
    assert report["pid"] == handle.pid
    return report


@pytest.mark.quick
def test_it_leads_its_own_session_with_clean_signals_and_null_input(
    by: Spawn, started: Started
) -> None:
    report = report_of(started, by)
    assert report["sid"] == report["pgid"] == report["pid"]
    assert report["ppid"] == os.getpid()
    assert (report["blocked"], report["ignored"]) == (0, 0)
    fds = report["fds"]
    assert isinstance(fds, dict)
    assert fds["0"] == fds["2"] == "/dev/null"


def test_without_a_session_it_stays_in_ours(by: Spawn, started: Started) -> None:
    report = report_of(started, by, session=False)
    assert (report["sid"], report["pgid"]) == (os.getsid(0), os.getpgrp())


@pytest.mark.quick
def test_only_the_wanted_descriptors_are_inherited(by: Spawn, started: Started) -> None:
    kept, inheritable = os.open("/dev/zero", os.O_RDONLY), os.open("/dev/full", os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    try:
        fds = report_of(started, by, pass_fds=(kept,))["fds"]
    finally:
        os.close(kept)
        os.close(inheritable)
    assert isinstance(fds, dict)
    assert fds[str(kept)] == "/dev/zero"
    assert set(fds) - {"0", "1", "2", str(kept)} <= {
        fd for fd, target in fds.items() if target.startswith("/proc/")
    }


def test_arguments_folder_and_environment_are_the_commands_own(
    by: Spawn, started: Started, tmp_path: Path
) -> None:
    env = {"PATH": "/nowhere", "EMPTY": "", "ODD": "a=b\n\udcff", "LC_ALL": "C.UTF-8"}
    reads, writes = os.pipe()
    argv = ("another name", "-I", "-S", str(PROGRAMS / "tree_reports.py"), "", "two words", "ü")
    started(Command(argv, sys.executable, cwd=str(tmp_path), env=env, stdout=writes), by)
    os.close(writes)
    with open(reads, "rb") as file:
        report = json.load(file)
    assert report["argv"][1:] == ["", "two words", "ü"]
    assert report["cwd"] == str(tmp_path)
    assert {name: report["env"].get(name) for name in env} == env
    assert set(report["env"]) - {"LC_CTYPE"} == set(env)


def test_descriptors_may_trade_places(by: Spawn, started: Started) -> None:
    """stdout and stderr handed over under each other's number, and one descriptor for both."""
    reads, writes = os.pipe()
    other_reads, other_writes = os.pipe()
    script = "echo out; echo err >&2"
    started(Command(("sh", "-c", script), "/bin/sh", stdout=writes, stderr=other_writes), by)
    both = started(Command(("sh", "-c", script), "/bin/sh", stdout=writes, stderr=writes), by)
    await_exit(both)
    os.close(writes)
    os.close(other_writes)
    with open(reads, "rb") as file, open(other_reads, "rb") as other:
        assert sorted(file.read().split()) == [b"err", b"out", b"out"]
        assert other.read() == b"err\n"


def test_it_works_where_our_own_standard_descriptors_are_closed(by: Spawn, tmp_path: Path) -> None:
    """Then pipes get the numbers 0, 1, 2, which the child is about to overwrite."""
    out = tmp_path / "out"
    script = f"""
import os, select
from procession.process import _spawn_posix
from procession.process.command import Command
os.closerange(0, 3)
reads, writes = os.pipe()
assert (reads, writes) == (0, 1)
handle = _spawn_posix.{by.__name__}(
    Command(("sh", "-c", "echo out; echo err >&2"), "/bin/sh", stdout=writes, stderr=writes)
)
os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
handle.reap()
with open({str(out)!r}, "wb") as file:
    file.write(os.read(reads, 100))
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=20, check=False)
    assert done.returncode == 0
    assert out.read_bytes() == b"out\nerr\n"


# --- failures


def failing(tmp_path: Path) -> list[tuple[Command, int, str | None]]:
    plain, folder = tmp_path / "plain", tmp_path / "folder"
    plain.write_text("no program\n")
    folder.mkdir()
    garbage, orphaned = tmp_path / "garbage", tmp_path / "orphaned"
    garbage.write_bytes(b"\0\1\2 no format we know")
    orphaned.write_text("#!/no/such/interpreter\n")
    garbage.chmod(0o755)
    orphaned.chmod(0o755)
    missing, true = str(tmp_path / "missing"), "/bin/true"
    return [
        (Command(("x",), missing), errno.ENOENT, missing),
        (Command(("x",), str(plain / "x")), errno.ENOTDIR, str(plain / "x")),
        (Command(("x",), str(plain)), errno.EACCES, str(plain)),
        (Command(("x",), str(folder)), errno.EACCES, str(folder)),
        (Command(("x",), str(garbage)), errno.ENOEXEC, str(garbage)),
        (Command(("x",), str(orphaned)), errno.ENOENT, str(orphaned)),
        (Command(("x",), true, cwd=missing), errno.ENOENT, missing),
        (Command(("x",), true, cwd=str(plain)), errno.ENOTDIR, str(plain)),
        (Command(("x", "y" * (1 << 20)), true), errno.E2BIG, true),
        (Command(("x",), true, env={"A": "y" * (1 << 20)}), errno.E2BIG, true),
    ]


@pytest.mark.quick
def test_a_failed_start_is_an_os_error_with_the_file_and_leaves_nothing(
    by: Spawn, tmp_path: Path
) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for wanted, number, name in failing(tmp_path):
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            by(wanted)
        assert (caught.value.errno, caught.value.filename) == (number, name), wanted.executable
        assert type(caught.value) is type(OSError(number, ""))
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    "wanted",
    [
        Command((), "/bin/true"),
        Command(("true",), "true"),
        Command(("true",), "/bin/tr\0ue"),
        Command(("tr\0ue",), "/bin/true"),
        Command(("true",), "/bin/true", cwd="/\0"),
        Command(("true",), "/bin/true", env={"A=B": "c"}),
        Command(("true",), "/bin/true", env={"A": "c\0d"}),
        Command(("true",), "/bin/true", env={"": "c"}),
    ],
    ids=lambda wanted: repr(wanted)[8:60],
)
def test_what_cannot_be_said_to_the_kernel_is_a_value_error(by: Spawn, wanted: Command) -> None:
    with pytest.raises(ValueError, match=r"argv|absolute|null byte|variable name"):
        by(wanted)


def test_whichever_descriptor_is_refused_nothing_is_left(by: Spawn, started: Started) -> None:
    """Limits from "not one more" up to "enough"; a child whose pidfd was refused is ended."""
    command_, soft_hard = (
        Command(("true",), "/bin/true"),
        resource.getrlimit(resource.RLIMIT_NOFILE),
    )
    started(command_, by)  # imports and caches are out of the way
    refused = 0
    for room in range(8):
        fillers: list[int] = []
        next_free = os.open("/dev/null", os.O_RDONLY)
        os.close(next_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_free + room, soft_hard[1]))
        try:
            while True:  # holes below the limit would let it succeed by accident
                fillers.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            for _ in range(min(room, len(fillers))):
                os.close(fillers.pop())
            before = os.listdir("/proc/self/fd") if room else None
            try:
                started(command_, by)
            except OSError as e:
                assert e.errno == errno.EMFILE  # noqa: PT017 - either outcome is right
                refused += 1
                if before is not None:
                    assert os.listdir("/proc/self/fd") == before
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, soft_hard)
            for fd in fillers:
                os.close(fd)
    assert 3 <= refused < 8
    own = {handle.pid for handle in started.handles}
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        assert {int(pid) for pid in file.read().split()} <= own


def test_a_process_limit_is_an_eagain(by: Spawn) -> None:
    """As an ordinary user: root has no limit."""
    script = f"""
import errno, os, resource
from procession.process import _spawn_posix
from procession.process.command import Command
before = os.listdir("/proc/self/fd")
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
try:
    _spawn_posix.{by.__name__}(Command(("true",), "/bin/true"))
except BlockingIOError as e:
    assert e.errno == errno.EAGAIN
    assert os.listdir("/proc/self/fd") == before
    print("told")
"""
    done = subprocess.run(
        as_ordinary_user([sys.executable, "-c", script]),
        capture_output=True,
        timeout=20,
        check=True,
        env={**os.environ, "PYTHONPATH": "src"},
    )
    assert done.stdout == b"told\n"


def test_an_exception_right_after_the_start_ends_the_child(
    by: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal handler may raise one: nobody would know of the process."""
    seen: list[int] = []

    def interrupted(pid: int, *args: object, **more: object) -> None:
        seen.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(_spawn_posix, "PosixHandle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        by(Command(("sleep", "1000"), "/bin/sleep"))
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_who_was_reaped_by_others_at_once_is_unknown(
    by: Spawn, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGCHLD ignored: the child may be gone before its pidfd is opened."""
    monkeypatch.setattr(host, "_known", {"pidfd": True})

    def gone(pid: int) -> int:
        os.waitpid(pid, 0)
        raise ProcessLookupError(errno.ESRCH, "gone")

    monkeypatch.setattr(os, "pidfd_open", gone)
    handle = started(Command(("true",), "/bin/true"), by)
    status = handle.poll_exit()
    assert status is not None
    assert status.unknown
    assert handle.reaped


def test_the_environment_is_not_in_the_repr() -> None:
    assert "hush" not in repr(Command(("x",), "/x", env={"TOKEN": "hush"}))


# --- signals of ours that a child would inherit


@pytest.mark.quick
def test_this_interpreter_uses_the_quick_mechanism() -> None:
    verified = sys.implementation.name == "cpython" and sys.version_info[:2] in (
        (3, 11),
        (3, 12),
        (3, 13),
    )
    wanted = _spawn_posix.spawn_fork_exec if verified else _spawn_posix.spawn_popen
    assert _spawn_posix.spawn is wanted


IGNORED = "SIGINT,SIGHUP,SIGQUIT,SIGTERM,SIGUSR1,SIGCHLD,SIGTSTP,SIGTTOU,SIGRTMIN"


@pytest.mark.quick
def test_nothing_ignored_or_blocked_leaks_into_children() -> None:
    """A shell's background job ignores INT and QUIT, nohup HUP; exec keeps it, trap cannot undo
    it. What we must not die of, we still do not die of."""
    numbers = sorted(int(signal.Signals[name]) for name in IGNORED.split(","))
    done = subprocess.run(
        [
            *(sys.executable, PROGRAMS / "tree_dirty.py", IGNORED, "SIGTERM,SIGUSR2"),
            *(sys.executable, PROGRAMS / "tree_cleans_and_spawns.py"),
            "SIGINT,SIGHUP,SIGQUIT,SIGTERM,SIGUSR1",
        ],
        capture_output=True,
        timeout=20,
        check=True,
    )
    report = json.loads(done.stdout)
    assert (report["ignored"], report["blocked"]) == (0, 0)
    told = done.stderr.decode().splitlines()
    blocked = sorted([int(signal.SIGUSR2), int(signal.SIGTERM)])
    assert told == [f"before {numbers} {blocked}", "after [] []", "alive"]


def test_dirt_is_seen() -> None:
    previous = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        dirt = dirty_signals()
    finally:
        signal.signal(signal.SIGUSR1, previous)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    assert signal.SIGUSR1 in dirt.ignored
    assert signal.SIGUSR2 in dirt.blocked
    assert dirt


def test_an_environment_may_be_encoded_before(by: Spawn) -> None:
    """For one of many commands: what was encoded for another is not encoded again."""
    known: dict[tuple[str, str], bytes] = {}
    first = encoded({"A": "1", "B": "x=\u00e9"}, known)
    second = encoded({"B": "x=\u00e9", "C": "3"}, known)
    assert first == [b"A=1", "B=x=\u00e9".encode()]
    assert second[0] is first[1]
    with pytest.raises(ValueError, match="variable name"):
        encoded({"": "c"}, known)
    read, write = os.pipe()
    try:
        handle = by(Command(("env",), "/usr/bin/env", env=second, stdout=write))
    finally:
        os.close(write)
    with open(read, "rb") as pipe:
        assert pipe.read() == "B=x=\u00e9\nC=3\n".encode()
    await_exit(handle)
    handle.reap()
    handle.close()
