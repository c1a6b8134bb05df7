"""Two mechanisms with one contract (see `spawn.spawn`), chosen once at import.

`fork_exec`: the function beneath `subprocess`, called directly. It is private to CPython, so it is
used only on versions whose signature was read and tested (`VERIFIED`), and it saves a third of
what a spawn costs, and the 14 ms of importing `subprocess`. It uses vfork, so the size of this
process does not matter.
`popen`: `subprocess.Popen` itself, for every other Python.

Roads not taken: `preexec_fn` (20 ms a spawn in a large process, and deadlocks with threads; the one
use that has no other road is `Command.foreground`, which only a small process without threads may
ask for), `os.posix_spawn` (no cwd, no closing of descriptors, no faster), `fork` in Python.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import errno
import fcntl
import os

from procession.process import brief, cursor
from procession.process._handle_posix import PosixHandle, pidfd_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from procession.process.command import Command

    Begun = tuple[int, int]  # the child, and a pipe that ends with exec; -1: it was executed

# CPython versions on which the arguments of _posixsubprocess.fork_exec were verified.
VERIFIED = frozenset({(3, 11), (3, 12), (3, 13)})

_BLOCK = 400  # bytes; what the child reports is one short line, in some pieces


def begin_fork_exec(
    argv: tuple[str, ...],
    executable: bytes,
    cwd: str | None,
    environ: list[bytes] | None,
    stdin: int,
    stdout: int,
    stderr: int,
    uid: int | None,
    gid: int | None,
    groups: tuple[int, ...] | None,
    umask: int,
    session: bool = True,
    group: bool = False,
    pass_fds: tuple[int, ...] = (),
    foreground: int | None = None,
) -> Begun:
    """By `_posixsubprocess.fork_exec`."""
    import _posixsubprocess  # here: `up` reads its file first

    # Its type stub is stricter than the function: cwd and preexec_fn may be None.
    fork_exec: Callable[..., Any] = _posixsubprocess.fork_exec
    report, tell = error_pipe()
    pid = 0
    try:
        # args, executables, close_fds, pass_fds, cwd, env; then read and write ends of stdin,
        # stdout, stderr, error pipe; restore_signals, start_new_session, process_group,
        # gid, groups, uid, umask, preexec_fn, allow_vfork
        pid = fork_exec(
            argv,
            (executable,),
            True,
            tuple(sorted({*pass_fds, tell})) if pass_fds else (tell,),
            cwd,
            environ,
            stdin,
            -1,
            -1,
            stdout,
            -1,
            stderr,
            report,
            tell,
            True,
            session,
            0 if group and not session else -1,
            gid,
            None if groups is None else list(groups),
            uid,
            umask,
            None if foreground is None else _before_exec(foreground),
            True,
        )
        cursor.started(pid)
    except BaseException:
        brief.close(report)
        if pid:
            _undo(pid)  # an exception from a signal handler: nobody would know of it
        raise
    finally:
        brief.close(tell)
    return pid, report


def begin_popen(
    argv: tuple[str, ...],
    executable: bytes,
    cwd: str | None,
    environ: list[bytes] | None,
    stdin: int,
    stdout: int,
    stderr: int,
    uid: int | None,
    gid: int | None,
    groups: tuple[int, ...] | None,
    umask: int,
    session: bool = True,
    group: bool = False,
    pass_fds: tuple[int, ...] = (),
    foreground: int | None = None,
) -> Begun:
    """By `subprocess.Popen`, which waits for exec."""
    import subprocess

    # No pipe is made and nothing is waited for: the context manager would wait for the child.
    process = subprocess.Popen(
        argv,
        executable=os.fsdecode(executable),  # as its errors name it
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=None if environ is None else dict(entry.split(b"=", 1) for entry in environ),
        pass_fds=pass_fds,
        close_fds=True,
        restore_signals=True,
        start_new_session=session,
        process_group=0 if group and not session else None,
        user=uid,
        group=gid,
        extra_groups=groups,
        umask=umask,
        preexec_fn=None if foreground is None else _before_exec(foreground),  # noqa: PLW1509
    )
    # Else its destructor warns, and every later Popen would try to reap what is ours to reap.
    process.returncode = 0
    cursor.started(process.pid)
    return process.pid, -1


def conclude(
    begun: Begun, executable: str, cwd: str | None, *, own_group: bool = True, pinned: bool = True
) -> PosixHandle:
    """See `spawn.conclude`."""
    pid, report = begun
    failure = b""
    if report >= 0:
        try:
            failure = os.read(report, _BLOCK)  # ends when exec closes the other side
            while failure and (more := os.read(report, _BLOCK)):
                failure += more
        except BaseException:
            _undo(pid)
            raise
        finally:
            brief.close(report)
    if failure:
        os.waitpid(pid, 0)
        raise _error(failure, executable, cwd)
    pidfd = None
    try:
        if pinned:
            pidfd = pidfd_of(pid)
        return PosixHandle(pid, own_group=own_group, pidfd=pidfd)
    except BaseException:
        # No descriptor left, or an exception from a signal handler: nobody would know of it.
        if pidfd is not None:
            os.close(pidfd)
        _undo(pid)
        raise


def _whole(begin: Callable[..., Begun], command: Command) -> PosixHandle:
    check(command)
    environ = None if command.env is None else entries(command.env)
    stdin, stdout, stderr = command.stdin, command.stdout, command.stderr
    null = -1
    if stdin is None or stdout is None or stderr is None:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        begun = begin(
            command.argv,
            os.fsencode(command.executable),
            command.cwd,
            environ,
            null if stdin is None else stdin,
            null if stdout is None else stdout,
            null if stderr is None else stderr,
            command.uid,
            command.gid,
            command.groups,
            command.umask,
            command.session,
            command.group,
            command.pass_fds,
            command.foreground,
        )
    finally:
        if null >= 0:
            os.close(null)
    return conclude(
        begun,
        command.executable,
        command.cwd,
        own_group=command.session or command.group,
        pinned=command.pinned,
    )


def spawn_fork_exec(command: Command) -> PosixHandle:
    """By `_posixsubprocess.fork_exec`."""
    return _whole(begin_fork_exec, command)


def spawn_popen(command: Command) -> PosixHandle:
    """By `subprocess.Popen`."""
    return _whole(begin_popen, command)


def choose() -> Callable[[Command], PosixHandle]:
    """The mechanism for this interpreter."""
    if sys.implementation.name == "cpython" and sys.version_info[:2] in VERIFIED:
        return spawn_fork_exec
    return spawn_popen


spawn = choose()
begin = begin_fork_exec if spawn is spawn_fork_exec else begin_popen


def check(command: Command) -> None:
    """Raises the ValueErrors of `spawn.spawn` that need no process."""
    if not command.argv:
        raise ValueError(f"{command.executable}: argv is empty, not even a name")
    if not command.executable.startswith("/"):
        raise ValueError(f"{command.executable!r} is not an absolute path; nothing is looked up")
    if "\0" in command.executable:
        raise ValueError("embedded null byte in the executable")


def entries(env: Mapping[str, str] | list[bytes]) -> list[bytes]:
    """Encoded NAME=VALUE. Raises ValueError as `spawn.encoded` does."""
    return env if isinstance(env, list) else encoded(env, {})


def encoded(env: Mapping[str, str], known: dict[tuple[str, str], bytes]) -> list[bytes]:
    """See `spawn.encoded`."""
    found = []
    for item in env.items():
        entry = known.get(item)
        if entry is None:
            entry = known[item] = _entry(*item)
        found.append(entry)
    return found


def _entry(name: str, value: str) -> bytes:
    if "=" in name or not name:
        raise ValueError(f"illegal environment variable name {name!r}")
    entry = f"{name}={value}"
    if "\0" in entry:
        raise ValueError(f"embedded null byte in environment variable {name!r}")
    return os.fsencode(entry)


def error_pipe() -> tuple[int, int]:
    """A close-on-exec pipe whose write end is none of 0, 1, 2, which the child overwrites."""
    report, tell = brief.pipe()
    if tell > 2:
        return report, tell
    try:
        high = fcntl.fcntl(tell, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        brief.close(report)
        raise
    finally:
        brief.close(tell)
    return report, high


def _before_exec(terminal: int) -> Callable[[], None]:
    """Takes the terminal for the child's own group. Done by the parent, after the spawn, a quick
    program finds itself in the background: it is stopped, or gives up."""
    import signal

    def take() -> None:
        # we ask from the background, and would be stopped for it
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
        try:
            os.tcsetpgrp(terminal, os.getpgrp())
        except OSError:
            pass  # the terminal is gone, or not ours any more: the program will find out itself
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTTOU,))

    return take


def _undo(pid: int) -> None:
    """Kill and reap what was just started, and that nobody else knows of."""
    import signal

    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def _error(failure: bytes, executable: str, cwd: str | None) -> Exception:
    """From `name:errno in hex:words`, written by the child between fork and exec."""
    kind, _, rest = failure.partition(b":")
    number, _, words = rest.partition(b":")
    if kind != b"OSError":
        return RuntimeError(f"{executable}: {failure.decode('ascii', 'replace')}")
    code = int(number, 16)
    filename: str | None = executable
    if words.startswith(b"noexec"):
        # Before exec; 3.11 does not say what failed. Only chdir takes a path.
        filename = None
        if words == b"noexec:chdir" or (words == b"noexec" and code in _PATH_ERRORS):
            filename = cwd
    if filename is None:
        return OSError(code, os.strerror(code))
    return OSError(code, os.strerror(code), filename)


_PATH_ERRORS = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO}
)
