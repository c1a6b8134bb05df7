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

from procession.process._handle_posix import PosixHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from procession.process.command import Command

# CPython versions on which the arguments of _posixsubprocess.fork_exec were verified.
VERIFIED = frozenset({(3, 11), (3, 12), (3, 13)})

_ERROR_LIMIT = 50_000  # bytes; what the child reports is one short line


def spawn_fork_exec(command: Command) -> PosixHandle:
    """By `_posixsubprocess.fork_exec`."""
    import _posixsubprocess

    # Its type stub is stricter than the function: cwd and preexec_fn may be None.
    fork_exec: Callable[..., Any] = _posixsubprocess.fork_exec
    check(command)
    executable = os.fsencode(command.executable)
    environ = None if command.env is None else entries(command.env)
    null = -1
    report, tell = error_pipe()
    try:
        try:
            if command.stdin is None or command.stdout is None or command.stderr is None:
                null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            # args, executables, close_fds, pass_fds, cwd, env; then read and write ends of stdin,
            # stdout, stderr, error pipe; restore_signals, start_new_session, process_group,
            # gid, groups, uid, umask, preexec_fn, allow_vfork
            pid: int = fork_exec(
                command.argv,
                (executable,),
                True,
                tuple(sorted({*command.pass_fds, tell})),
                command.cwd,
                environ,
                null if command.stdin is None else command.stdin,
                -1,
                -1,
                null if command.stdout is None else command.stdout,
                -1,
                null if command.stderr is None else command.stderr,
                report,
                tell,
                True,
                command.session,
                0 if command.group and not command.session else -1,
                command.gid,
                None if command.groups is None else list(command.groups),
                command.uid,
                command.umask,
                _before_exec(command),
                True,
            )
        finally:
            os.close(tell)
            if null >= 0:
                os.close(null)
        try:
            failure = os.read(report, _ERROR_LIMIT)  # ends when exec closes the other side
        except BaseException:
            _undo(pid)
            raise
    finally:
        os.close(report)
    if failure:
        os.waitpid(pid, 0)
        raise _error(failure, command)
    return _handle(pid, command)


def spawn_popen(command: Command) -> PosixHandle:
    """By `subprocess.Popen`."""
    import subprocess

    check(command)
    environ: Mapping[Any, Any] | None = None
    if isinstance(command.env, list):
        environ = dict(entry.split(b"=", 1) for entry in command.env)
    elif command.env is not None:
        environ = command.env
        entries(command.env)  # Popen lets an empty name through
    null = subprocess.DEVNULL
    # No pipe is made and nothing is waited for: the context manager would wait for the child.
    process = subprocess.Popen(
        command.argv,
        executable=command.executable,
        stdin=null if command.stdin is None else command.stdin,
        stdout=null if command.stdout is None else command.stdout,
        stderr=null if command.stderr is None else command.stderr,
        cwd=command.cwd,
        env=environ,
        pass_fds=command.pass_fds,
        close_fds=True,
        restore_signals=True,
        start_new_session=command.session,
        process_group=0 if command.group and not command.session else None,
        user=command.uid,
        group=command.gid,
        extra_groups=command.groups,
        umask=command.umask,
        preexec_fn=_before_exec(command),  # noqa: PLW1509 - None but for the one use it is fit for
    )
    # Else its destructor warns, and every later Popen would try to reap what is ours to reap.
    process.returncode = 0
    return _handle(process.pid, command)


def choose() -> Callable[[Command], PosixHandle]:
    """The mechanism for this interpreter."""
    if sys.implementation.name == "cpython" and sys.version_info[:2] in VERIFIED:
        return spawn_fork_exec
    return spawn_popen


spawn = choose()


def check(command: Command) -> None:
    """Raises the ValueErrors of `spawn.spawn` that need no process."""
    if not command.argv:
        raise ValueError(f"{command.executable}: argv is empty, not even a name")
    if not os.path.isabs(command.executable):
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
    report, tell = os.pipe()
    if tell > 2:
        return report, tell
    try:
        high = fcntl.fcntl(tell, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        os.close(report)
        raise
    finally:
        os.close(tell)
    return report, high


def _before_exec(command: Command) -> Callable[[], None] | None:
    """Takes the terminal for the child's own group. Done by the parent, after the spawn, a quick
    program finds itself in the background: it is stopped, or gives up."""
    terminal = command.foreground
    if terminal is None:
        return None
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


def _handle(pid: int, command: Command) -> PosixHandle:
    handle = None
    try:
        handle = PosixHandle(pid, own_group=command.session or command.group)
        if command.pinned:
            handle.pin()
        return handle
    except BaseException:
        # No descriptor left, or an exception from a signal handler: nobody would know of it.
        if handle is not None:
            handle.close()
        _undo(pid)
        raise


def _undo(pid: int) -> None:
    """Kill and reap what was just started, and that nobody else knows of."""
    import signal

    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def _error(failure: bytes, command: Command) -> Exception:
    """From `name:errno in hex:words`, written by the child between fork and exec."""
    kind, _, rest = failure.partition(b":")
    number, _, words = rest.partition(b":")
    if kind != b"OSError":
        return RuntimeError(f"{command.executable}: {failure.decode('ascii', 'replace')}")
    code = int(number, 16)
    filename: str | None = command.executable
    if words.startswith(b"noexec"):
        # Before exec; 3.11 does not say what failed. Only chdir takes a path.
        filename = None
        if words == b"noexec:chdir" or (words == b"noexec" and code in _PATH_ERRORS):
            filename = command.cwd
    if filename is None:
        return OSError(code, os.strerror(code))
    return OSError(code, os.strerror(code), filename)


_PATH_ERRORS = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO}
)
