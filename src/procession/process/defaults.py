"""`spawn` for what only the process itself can set up before it becomes the program.

An application that ignores or blocks signals is not ours to be changed.

What is ignored stays so over exec, and what the spawning thread blocks stays blocked: the program
would never hear its SIGTERM. No call gives it back from outside, and none of those `subprocess`
makes in the child does. So such a program is started by a small Python (`_defaults_program`) that
resets all signals, and then becomes it: same pid, session, descriptors. It costs 10 to 20 ms, in
such applications only: under nohup, or in the background of a shell without job control.

Niceness, processors and resource limits go the same way: set from outside after the start
(`prlimit(2)`), they would come late for the program's first instructions and children; set on
ourselves for the moment of the spawn, they could not be taken back.

Roads not taken: a handler in place of what is ignored, for the moment of the spawn (only the main
thread may, and a signal of that moment would be lost); an empty mask for that moment (a pending
signal would end the application); `os.posix_spawn` (no cwd, umask, user).
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import errno
import os
import signal

from procession.process._spawn_posix import error_pipe, spawn
from procession.process._waitid import waitid
from procession.process.command import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.process.handle import Handle

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_defaults_program.py")
# Python ignores these at its start, and each spawn gives them back.
_GIVEN_BACK = frozenset(
    getattr(signal, name) for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, name)
)
_ASKED = tuple(
    int(one) for one in signal.valid_signals() - _GIVEN_BACK - {signal.SIGKILL, signal.SIGSTOP}
)
_ignored = int(signal.SIG_IGN)
# Not the `signal` module's own, which make enum members of all they answer: 2 us and 60 against 4.
_getsignal: Callable[[int], object] = sys.modules["_signal"].getsignal
_sigmask: Callable[[int, tuple[int, ...]], set[int]] = sys.modules["_signal"].pthread_sigmask
_BLOCK = int(signal.SIG_BLOCK)


def blocks() -> bool:
    """Would a child of the calling thread have blocked signals?"""
    return bool(_sigmask(_BLOCK, ()))


def ignores() -> bool:
    """Would a child of this process ignore signals? As far as Python knows: it looks at its start,
    and at each change of its own."""
    return _ignored in map(_getsignal, _ASKED)


def spawn_anyhow(command: Command) -> Handle:
    """`spawn` where that will do, else `spawn_clean`: from an application."""
    return spawn_clean(command) if ignores() or blocks() or command.prepares else spawn(command)


def spawn_clean(command: Command) -> Handle:
    """As `spawn`, from a process or thread that is not clean, or for a command that `prepares`.
    Blocks until the program runs. Raises OSError for a limit that may not be set, too, whose
    filename is `limits: nofile` or the like."""
    if not sys.executable:  # Python inside another program: there is none to be had
        if command.prepares:
            raise OSError(errno.ENOSYS, "no Python interpreter is known to prepare it by")
        return spawn(command)
    report, tell = error_pipe()
    try:
        try:
            process = spawn(_wrapped(command, tell))
        finally:
            os.close(tell)
        try:
            failure = os.read(report, 64)  # ends with exec
        except BaseException:
            process.kill_group(signal.SIGKILL)
            _bury(process)
            raise
    finally:
        os.close(report)
    if not failure:
        return process
    _bury(process)
    number, _, named = failure.partition(b":")
    code = int(number)
    if not named:
        raise OSError(code, os.strerror(code))
    subject = command.executable if named == b"=" else named.decode()
    raise OSError(code, os.strerror(code), subject)


def _bury(process: Handle) -> None:
    """It ends, and nobody else knows of it."""
    try:
        waitid(process.pid, None, block=True)
    except ChildProcessError:
        pass  # somebody else has reaped it
    if process.poll_exit() is not None:
        process.reap()
    process.close()


def _wrapped(command: Command, tell: int) -> Command:
    def word(value: int | None) -> str:
        return "-" if value is None else str(value)

    groups = "-" if command.groups is None else ",".join(map(str, command.groups))
    ctype = _ctype(command)
    return Command(
        (
            sys.executable, "-I", "-S", _PROGRAM, str(tell), word(command.uid), word(command.gid),
            groups, "-" if ctype is None else "=" + ctype, word(command.nice),
            ",".join(map(str, command.cpus)) or "-", _limits(command), command.executable,
            *command.argv,
        ),
        os.path.abspath(sys.executable),
        command.cwd,
        command.env,
        command.stdin,
        command.stdout,
        command.stderr,
        command.session,
        (*command.pass_fds, tell),
        umask=command.umask,
        pinned=command.pinned,
        group=command.group,
    )  # fmt: skip


def _limits(command: Command) -> str:
    """`nofile=7=1024=4096,core=4=0=-`: names, their numbers, soft and hard; `-` where there is
    none."""
    import resource

    found: list[str] = []
    for name, pair in command.limits:
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        soft, hard = ("-" if value is None else str(value) for value in pair)
        found.append(f"{name}={number}={soft}={hard}")
    return ",".join(found) or "-"


def _ctype(command: Command) -> str | None:
    env = os.environ if command.env is None else command.env
    if not isinstance(env, list):
        return env.get("LC_CTYPE")
    for entry in env:
        if entry.startswith(b"LC_CTYPE="):
            return os.fsdecode(entry.partition(b"=")[2])
    return None
