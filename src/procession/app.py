"""The composition root: the one module that knows everybody. Here a verb becomes running parts.

Imports happen inside the functions, in the order they are needed: what stands between the command
line and the first task is paid by every start.
"""

from __future__ import annotations

import gc
import os
import sys

from procession._record import Record
from procession.errors import ConfigError, HostError, ProcessionError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from typing import Protocol

    from procession.lookup import Launch
    from procession.process.link import Link
    from procession.spec import Defaults, Project, Replica
    from procession.supervisor.command import RunOptions
    from procession.supervisor.course import Course
    from procession.supervisor.output import Output
    from procession.supervisor.steering import Steering

    if sys.platform != "win32":
        from procession.supervisor.engine import Engine

    class Loop(Protocol):
        """Either platform's engine."""

        on_started: Callable[[Course], Steering | None]

        def run(self) -> int: ...


FAILED = 1  # exit status for what is not the user's doing
USAGE = 2  # exit status for the user's mistakes
DESCRIPTORS = 6  # that a run may take: two pipes, two logs, a pidfd, and one while it starts
BESIDE = 6  # for its checks: a socket, a pipe, or a command with its pipes and pidfd


class UpOptions(Record):
    """What the command line of `up` says."""

    files: tuple[str, ...] = ()  # each laid over those before it; empty: the one that is found
    cwd: str | None = None
    name: str | None = None
    quiet: bool = False
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    needed: bool = True  # what the chosen tasks need runs too
    exit_code_from: str | None = None  # None, here and below: as the files say
    abort_on_failure: bool = False
    stop_timeout: float | None = None
    log_dir: str | None = None
    color: bool | None = None  # None: as the terminal and the environment say
    timestamps: bool = False
    raw: bool = False
    crash_grace: float = 1.0
    template: bool = False  # the file is one, whatever its name
    variables: tuple[tuple[str, str], ...] = ()
    defaults: Defaults | None = None


if sys.platform == "win32":

    def run(options: RunOptions) -> int:
        """Run one command until nothing of it lives; the status to exit with, which Python takes
        as a signed number of 32 bits where Windows has an unsigned one."""
        from procession.supervisor.command import supervise as supervise_command

        status = supervise_command(options)
        return status if status < 2**31 else status - 2**32

    def up(options: UpOptions) -> int:
        """Run a project until it ends; its exit status. In this very process: its own job object
        is the guardian."""
        from procession.supervisor.engine_windows import Engine

        def make(project: Project, launches: Mapping[str, Launch | None]) -> Engine:
            return Engine(
                project,
                launches,
                make_output=lambda drained: _output(options, project, drained),
                environ=dict(os.environ),
            )

        status = supervise(options, make)
        return status if status < 2**31 else status - 2**32

else:

    def run(options: RunOptions) -> int:
        """Run one command until nothing of it lives; the status to exit with. Forks: call
        single-threaded, and early. Where the command was killed by a Ctrl-C typed at our terminal
        this process ends by the same signal: a script around it would go on otherwise."""
        from procession.core.single import OWN_FAILURE
        from procession.process.guardian import guard
        from procession.process.terminal import Terminal
        from procession.supervisor.command import supervise as supervise_command
        from procession.supervisor.single import FORWARDED

        terminal = Terminal.find()
        heard, tell = os.pipe()
        os.set_blocking(heard, False)
        status = guard(
            lambda link: supervise_command(options, link, terminal, lambda: os.write(tell, b"\0")),
            crash_grace=min(options.grace, 1.0),
            session=terminal is None,
            forwards=FORWARDED,
            failed=OWN_FAILURE,
        )
        os.close(tell)
        interrupted = bool(os.read(heard, 1))
        os.close(heard)
        if terminal is not None:
            terminal.take_back(0)  # where the supervisor could not
            if status == OWN_FAILURE:
                terminal.restore()
            if interrupted:
                terminal.interrupt()
        return status

    def up(options: UpOptions) -> int:
        """Run a project until it ends; its exit status. Forks: call single-threaded, and early."""
        from procession.process.guardian import guard

        def supervised(link: Link) -> int:
            def make(project: Project, launches: Mapping[str, Launch | None]) -> Engine:
                from procession.process.limits import demand_room, make_room
                from procession.process.tree import Trees
                from procession.supervisor.engine import Engine

                make_room(sum(map(_descriptors, project.replicas())))
                demand_room()
                trees = Trees(link.groups)
                trees.prepare()
                return Engine(
                    project,
                    launches,
                    trees=trees,
                    link=link,
                    make_output=lambda drained: _output(options, project, drained),
                    environ=dict(os.environ),
                )

            return supervise(options, make)

        return guard(
            supervised,
            crash_grace=options.crash_grace,
            logs=_Logs(),
        )

    class _Logs:
        """For the guardian, which goes on with the logs when the supervisor was lost."""

        def open(self, folder: str, cookie: str, stream: str) -> int:
            from procession.logs.files import open_stream
            from procession.supervisor.runs import replica_of

            return open_stream(folder, replica_of(cookie), stream)

        def event(self, folder: str, text: str) -> None:
            from procession.logs.files import event_line

            event_line(folder, text)


def _descriptors(replica: Replica) -> int:
    task = replica.task
    checked = task.ready is not None or task.health is not None or task.watchdog is not None
    return DESCRIPTORS + BESIDE * checked


def supervise(
    options: UpOptions, make: Callable[[Project, Mapping[str, Launch | None]], Loop]
) -> int:
    """The supervisor's whole life: read the file, start, keep, stop. Exit status as `up`'s."""
    # Nearly all that a start builds lives on: the collector would only look at it, again and again.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _supervise(options, make, gc.enable if collecting else gc.disable)
    finally:
        if collecting:
            gc.enable()


def _supervise(
    options: UpOptions,
    make: Callable[[Project, Mapping[str, Launch | None]], Loop],
    collect: Callable[[], object],
) -> int:
    """`collect` is called when the first tasks were started."""
    from procession.config.load import load
    from procession.doorway import door_of

    try:
        loaded = load(
            options.files or None,
            cwd=current_folder(),
            base=options.cwd,
            name=options.name,
            environ=dict(os.environ),
            template=options.template,
            variables=dict(options.variables),
            defaults=options.defaults,
        )
        for note in loaded.notes:
            sys.stderr.write(f"procession: {note}\n")
        project = wanted(loaded.project, options)
        door = door_of(project, loaded.file, loaded)
        try:
            engine = make(project, loaded.launches)
        except BaseException:
            door.close()
            raise
    except ConfigError as e:
        from procession.config.telling import told

        count = len(e.problems)
        counted = f"{count} problem{'' if count == 1 else 's'}; nothing was started\n"
        sys.stderr.write(told(e.problems, color=wants_color(options.color, 2)) + counted)
        return USAGE
    except (ProcessionError, OSError) as e:
        words = _lacks_room(e)
        if isinstance(e, OSError) and not words:
            raise
        words = words or str(e)
        print(f"procession: {words}", file=sys.stderr)  # noqa: T201 - worded, and no traceback
        return USAGE if isinstance(e, ProcessionError) and not isinstance(e, HostError) else FAILED

    def started(course: Course) -> Steering | None:
        gc.freeze()
        collect()
        return door.open(course)

    engine.on_started = started
    try:
        return engine.run()
    except HostError as e:  # a limit of this host; the guardian ends what was started
        print(f"procession: {e}", file=sys.stderr)  # noqa: T201 - worded, and no traceback
        return FAILED
    finally:
        door.close()


def _lacks_room(error: Exception) -> str:
    """Descriptors ran out before anything was started: in words, with what to do; else nothing."""
    from procession.process.spare import MORE_ROOM, NO_ROOM

    lack = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(lack, OSError) or lack.errno not in NO_ROOM:
        return ""
    said = str(error) if error is not lack else f"the supervisor cannot be set up: {lack.strerror}"
    return f"{said}; {MORE_ROOM}"


def current_folder() -> str:
    """The folder we are called in. Raises UsageError if it is gone or cannot be known."""
    try:
        return os.getcwd()
    except OSError as e:  # it was removed, or a folder above it may not be read
        raise UsageError(
            "the current folder", (e.strerror or str(e)).lower(), "", "Change to one that is there"
        ) from e


def wanted(project: Project, options: UpOptions) -> Project:
    """The project as the command line wants it. Raises UsageError for names that mean nothing."""
    if options.only or options.without:
        from procession.core.selection import select

        project = select(project, options.only, options.without, needed=options.needed)
    if options.exit_code_from is not None:
        from procession.core.selection import task_called

        name = task_called(project, options.exit_code_from, "--exit-code-from")
        project = project.replace(exit_code_from=name)
    if options.abort_on_failure:
        project = project.replace(abort_on_failure=True)
    if options.stop_timeout is not None:
        project = project.replace(stop_timeout=options.stop_timeout)
    return project


def _output(options: UpOptions, project: Project, drained: Callable[[Hashable], None]) -> Output:
    from procession.supervisor.output import Output

    return Output(
        project.name,
        [replica.name for replica in project.replicas()],
        drained,
        quiet=options.quiet,
        log_dir=options.log_dir,
        log_limits=(project.log_file_limit, project.log_total, project.log_runs),
        colors=(wants_color(options.color, 1), wants_color(options.color, 2)),
        timestamps=options.timestamps,
        raw=options.raw,
    )


def wants_color(asked: bool | None, fd: int) -> bool:
    """Colour only where this descriptor is a terminal: escapes in a file are noise.

    NO_COLOR forbids it, unless it is empty (no-color.org); FORCE_COLOR asks for it everywhere
    (force-color.org), and yields to NO_COLOR.
    """
    if asked is not None:
        return asked
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("TERM") == "dumb":
        return False
    try:
        return os.isatty(fd)
    except OSError:
        return False
