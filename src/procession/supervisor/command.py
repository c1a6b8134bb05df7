"""What `procession run` does below its guardian: look the command up, run it, tell its end."""

from __future__ import annotations

import errno
import os
import sys

from procession._record import Record
from procession.core.single import OWN_FAILURE
from procession.errors import HostError, ProcessionError, UsageError
from procession.process.spare import NO_ROOM
from procession.supervisor import unstarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.core.single import End
    from procession.process.command import Command
    from procession.process.link import Link
    from procession.process.terminal import Terminal
    from procession.process.user import User
    from procession.supervisor.result import Result
    from procession.supervisor.single_course import SingleCourse

GRACE = 10.0  # seconds; as a task's `stop.timeout`


class RunOptions(Record):
    """What the command line of `run` says. Times in seconds."""

    command: tuple[str, ...]
    timeout: float | None = None
    grace: float = GRACE
    cwd: str | None = None
    env_files: tuple[str, ...] = ()
    user: str | None = None
    json_result: str | None = None


class StoppedBeforeError(Exception):
    """A signal to end came before the command was started, by this `number`."""

    def __init__(self, number: int) -> None:
        self.number = number
        from procession.process.handle import signal_name

        super().__init__(f"{signal_name(number)} came before it was started")


class NotStarted(Exception):  # noqa: N818 - an outcome, not a mistake
    """The command never was. `status`: what to exit with."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


def say(text: str) -> None:
    """To standard error, whose end is no reason for ours."""
    try:
        sys.stderr.write(f"procession run: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


if sys.platform != "win32":

    def supervise(
        options: RunOptions,
        link: Link,
        terminal: Terminal | None,
        interrupted: Callable[[], object],
    ) -> int:
        """Below a guardian. Calls `interrupted` when the command was killed by a Ctrl-C that was
        typed at the terminal."""

        def make(command: Command, environ: dict[str, str]) -> SingleCourse:
            from procession.process.tree import Trees
            from procession.spec import Stop
            from procession.supervisor.single import Single

            trees = Trees(link.groups)
            trees.prepare()
            return Single(
                command,
                environ,
                stop=Stop(timeout=options.grace),
                timeout=options.timeout,
                trees=trees,
                link=link,
                terminal=terminal,
                say=say,
            )

        return _supervise(options, make, interrupted)

else:

    def supervise(options: RunOptions) -> int:
        """In this very process: its own job object is the guardian."""

        def make(command: Command, environ: dict[str, str]) -> SingleCourse:
            from procession.process._win32 import is_console
            from procession.spec import Stop
            from procession.supervisor.single_windows import Single

            return Single(
                command,
                environ,
                stop=Stop(timeout=options.grace),
                timeout=options.timeout,
                on_console=any(map(is_console, (0, 1, 2))),
                say=say,
            )

        return _supervise(options, make, bool)


def _supervise(
    options: RunOptions,
    make: Callable[[Command, dict[str, str]], SingleCourse],
    interrupted: Callable[[], object],
) -> int:
    """The supervisor's whole life; its exit status."""
    path = None if options.json_result is None else os.path.abspath(options.json_result)
    try:
        if path is not None:
            from procession.supervisor import result

            result.prepare(path)
    except OSError as e:
        say(f"--json-result: {e}")
        return OWN_FAILURE
    try:
        single, end = _run(options, make)
    except NotStarted as e:
        say(str(e))
        if path is None:
            return e.status
        return _write(path, result.not_started(options.command, e.status, str(e)))
    for name in single.course.survivors:
        say(f"could not be killed: {name}")
    if single.was_interrupted:
        interrupted()
    if path is None:
        return end.status
    return _write(path, result.result_of(single, end, options.command))


def _run(
    options: RunOptions, make: Callable[[Command, dict[str, str]], SingleCourse]
) -> tuple[SingleCourse, End]:
    command, environ = _command(options)
    try:
        single = make(command, environ)
        return single, single.run()
    except StoppedBeforeError as e:
        raise NotStarted(128 + e.number, str(e)) from None
    except ProcessionError as e:
        raise NotStarted(OWN_FAILURE, str(e)) from e
    except (OSError, ValueError) as e:
        raise _failed(e, command) from e


def _command(options: RunOptions) -> tuple[Command, dict[str, str]]:
    """All looked up, and its environment. Raises NotStarted."""
    from procession import lookup
    from procession.process.command import Command
    from procession.spec import Task

    environ = dict(os.environ)
    identity = None
    try:
        here = _current_folder()
        if options.user is not None:
            identity = _user(options.user)
            environ.update(identity.variables)
        program, *args = options.command
        task = Task(
            "the command",
            program,
            args=tuple(args),
            cwd=None if options.cwd is None else os.path.join(here, options.cwd),
            env_files=tuple(os.path.join(here, file) for file in options.env_files),
        )
        launch = lookup.resolve(task, here, environ)
    except lookup.LookupProblem as e:
        words = "; ".join(_worded(trouble) for trouble in e.troubles)
        its_own = all(trouble.key == "program" for trouble in e.troubles)
        raise NotStarted(e.status if its_own else OWN_FAILURE, words) from None
    except (UsageError, HostError) as e:
        raise NotStarted(OWN_FAILURE, str(e)) from None
    command = Command(
        launch.argv,
        launch.executable,
        cwd=launch.cwd,
        stdin=0,
        stdout=1,
        stderr=2,
        uid=None if identity is None else identity.uid,
        gid=None if identity is None else identity.gid,
        groups=None if identity is None else identity.groups,
    )
    return command, launch.env


def _write(path: str, told: Result) -> int:
    from procession.supervisor import result

    try:
        result.write(path, told)
    except OSError as e:
        say(f"--json-result: {e}")
        return OWN_FAILURE
    status = told["status"]
    assert isinstance(status, int)
    return status


if sys.platform != "win32":

    def _user(text: str) -> User:
        from procession.process.user import user

        return user(text)

else:

    def _user(text: str) -> User:
        # another's token is not to be had by a name: it takes that user's password
        raise HostError("--user", "a process on Windows runs as who starts it", "a POSIX host")


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError as e:  # it was removed, or a folder above it may not be read
        reason = (e.strerror or str(e)).lower()
        raise UsageError("the current folder", reason, "", "Change to one that is there") from e


def _worded(trouble: object) -> str:
    """As options are called here, where a file has keys."""
    text = str(trouble)
    for key in ("cwd", "env-file"):
        text = text.replace(f"{key}: ", f"--{key}: ", 1) if text.startswith(f"{key}:") else text
    return text.removeprefix("program: ").replace("the task's PATH", "PATH", 1)


# The host has no room for it: not the command's doing.
_NO_ROOM = NO_ROOM | {errno.EAGAIN}


def _failed(e: OSError | ValueError, command: Command) -> NotStarted:
    """What a spawn raised, apart from what is our own failure or this host's."""
    if not isinstance(e, OSError) or e.errno is None:
        return NotStarted(OWN_FAILURE, str(e))
    words = unstarted.why(e, command.executable)
    if e.errno in _NO_ROOM or e.filename is None or e.filename == command.cwd:
        return NotStarted(OWN_FAILURE, words)
    return NotStarted(unstarted.status(e), words)
