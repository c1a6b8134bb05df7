# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""`spawn` on Windows: a member of its job from its first instruction, with no handle but its own.

Each run gets a job object of its own that ends with our last handle to it, which is also how it
ends when we crash. The job goes along in CreateProcess (PROC_THREAD_ATTRIBUTE_JOB_LIST, Windows
10), so that no crash of ours leaves a suspended orphan; where that is not known the process is
created suspended, assigned, and resumed.

`session` gives the child a console of its own that nobody sees: Ctrl-C and Ctrl-Break can then be
typed there (`_typist_windows.py`), and what is typed in ours does not reach it. It does not lead a
console group then, since Windows starts those with Ctrl-C ignored.
"""

from __future__ import annotations

import msvcrt
import os
import sys
from _thread import allocate_lock

assert sys.platform == "win32"

from procession.errors import HostError
from procession.process import _quoting_windows as quoting
from procession.process import _win32 as win
from procession.process._handle_windows import WindowsHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procession.process.command import Command

NESTING = "Windows 8 or newer, or a start outside of that job"
_POSIX_ONLY = ("uid", "gid", "groups", "foreground")
_job_list = True  # the attribute is known; False once the system said that it is not
_inheriting = allocate_lock()


def spawn(command: Command) -> WindowsHandle:
    """See `spawn.spawn`."""
    _refuse(command)
    executable, line = _line(command)
    environment = None if command.env is None else _block(command.env)
    flags, console = _console(command)
    job = win.create_job()
    try:
        win.kill_on_close(job)
        with _Streams(command) as streams:
            started = _start(command, executable, line, flags, environment, streams, job)
    except OSError as error:
        win.close(job)
        raise _named(error, command) from None
    except BaseException:
        win.close(job)
        raise
    win.close(started.thread)
    return WindowsHandle(started.process, started.pid, job, console)


def _refuse(command: Command) -> None:
    if not command.argv:
        raise ValueError("an empty argv")
    if not os.path.isabs(command.executable):
        raise ValueError(f"not an absolute path: {command.executable!r}")
    wanted = [name for name in _POSIX_ONLY if getattr(command, name) is not None]
    if command.umask != -1:
        wanted.append("umask")
    if command.prepares:
        wanted.append("a niceness, processors or limits")
    if wanted:
        raise HostError(command.executable, f"cannot be given {wanted[0]}", "a POSIX host")


def _line(command: Command) -> tuple[str, str]:
    if quoting.is_batch(command.executable):
        shell = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "cmd.exe")
        return shell, quoting.for_batch(shell, command.executable, command.argv[1:])
    return command.executable, quoting.for_program(command.argv)


def _block(env: Mapping[str, str] | list[bytes]) -> str:
    """NAME=VALUE, in the order of the names without regard to case, as CreateProcess asks."""
    if isinstance(env, list):
        pairs = [os.fsdecode(entry).partition("=")[::2] for entry in env]
    else:
        pairs = list(env.items())
    for name, value in pairs:
        # the system keeps the folders of drives in variables such as `=C:`
        if not name or "=" in name[1:] or "\0" in name + value:
            raise ValueError(f"not the name and value of a variable: {name!r}")
    return "".join(f"{n}={v}\0" for n, v in sorted(pairs, key=lambda p: p[0].upper())) + "\0"


def _console(command: Command) -> tuple[int, str]:
    if command.session:
        return win.CREATE_NO_WINDOW, "own"
    if command.group:
        return win.CREATE_NEW_PROCESS_GROUP, "group"
    return 0, "shared"


class _Streams:
    """Inheritable duplicates of the wanted descriptors, for as long as the spawn takes.

    Another thread's `subprocess` that inherits everything inheritable would get them too: the
    handle list protects our child from others' handles, nothing protects others from ours.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._made: list[int] = []
        self._null = -1

    def __enter__(self) -> tuple[tuple[int, int, int], list[int]]:
        _inheriting.acquire()
        try:
            wanted = (self._command.stdin, self._command.stdout, self._command.stderr)
            first, second, third = [self._handle(fd) for fd in wanted]
            return (first, second, third), [self._handle(fd) for fd in self._command.pass_fds]
        except BaseException:
            self._close()
            raise

    def __exit__(self, *_: object) -> None:
        self._close()

    def _handle(self, fd: int | None) -> int:
        if fd is None:
            if self._null < 0:
                self._null = os.open(os.devnull, os.O_RDWR)
            fd = self._null
        made = win.duplicate(msvcrt.get_osfhandle(fd), True)
        self._made.append(made)
        return made

    def _close(self) -> None:
        for handle in self._made:
            win.close(handle)
        if self._null >= 0:
            os.close(self._null)
        _inheriting.release()


def _start(
    command: Command,
    executable: str,
    line: str,
    flags: int,
    environment: str | None,
    streams: tuple[tuple[int, int, int], list[int]],
    job: int,
) -> win.Started:
    global _job_list

    def create(more: int, member_of: int | None) -> win.Started:
        return win.create_process(
            executable, line, flags=flags | more, environment=environment, cwd=command.cwd,
            streams=streams[0], inherited=streams[1], job=member_of,
        )  # fmt: skip

    if _job_list:
        try:
            return create(0, job)
        except OSError as error:
            if error.winerror not in (win.ERROR_NOT_SUPPORTED, win.ERROR_INVALID_PARAMETER):
                raise
            unknown = True
    started = create(win.CREATE_SUSPENDED, None)
    try:
        _assign(command, job, started.process)
        win.resume(started.thread)
    except BaseException:
        win.terminate(started.process, 1)
        win.close(started.thread)
        win.close(started.process)
        raise
    if _job_list and unknown:
        _job_list = False  # it was the attribute that was refused, not this command
    return started


def _assign(command: Command, job: int, process: int) -> None:
    try:
        win.assign(job, process)
    except PermissionError:
        if win.in_job(process):
            raise HostError(
                command.executable,
                "is in a job object of our own starter already, and this system nests none",
                NESTING,
            ) from None
        raise


def _named(error: OSError, command: Command) -> OSError:
    """With the file that is at fault, as POSIX tells it."""
    if error.filename is not None:
        return error
    where = command.executable
    if command.cwd is not None and not os.path.isdir(command.cwd):
        where = command.cwd
    return OSError(error.errno, error.strerror, where, error.winerror)
