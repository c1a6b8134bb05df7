"""From a project to one that runs: composed here, as `app` does it for the command line."""

from __future__ import annotations

import os
import sys

from procession.api._project import as_project
from procession.api._running import Running
from procession.doorway import Closed, door_of
from procession.errors import HostError, worded
from procession.process.application import check_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from procession import spec
    from procession.api._life import Door
    from procession.api._project import Path, Project, Task
    from procession.supervisor.output import Output

__tracebackhide__ = worded


def up(
    *what: Project | Task | Path,
    only: Iterable[str] = (),
    without: Iterable[str] = (),
    needed: bool = True,
    log_dir: Path | None = None,
    echo: bool = False,
    environ: Mapping[str, str] | None = None,
    steerable: bool = False,
) -> Running:
    """Start a project in a thread of this process: a Project, or files, tasks, or tasks laid over
    files. Returns when its first tasks were started; `ready()` waits for more.

    `only`, `without`, `needed`: as `--only`, `--except` and (the contrary of) `--no-deps` of
    `procession up`. `log_dir`: where log folders are made, by default in the user's log place.
    `echo`: show output on this process's own stdout and stderr; else nothing is written there, and
    what the supervisor says goes to the logger `procession`. `environ`: what tasks inherit instead
    of this process's environment. `steerable`: `procession ps`, `stop` and the others find it (by
    `-p NAME`; POSIX only), as long as nobody else runs the same file under the same name.

    Raises ConfigError with every problem, UsageError, HostError: nothing was started then. From any
    thread, under an asyncio loop too (it takes some milliseconds: `up_async` does not block).
    """
    return up_project(
        as_project(what, sys._getframe(1)),
        only=only,
        without=without,
        needed=needed,
        log_dir=log_dir,
        echo=echo,
        environ=environ,
        steerable=steerable,
    )


async def up_async(
    *what: Project | Task | Path,
    only: Iterable[str] = (),
    without: Iterable[str] = (),
    needed: bool = True,
    log_dir: Path | None = None,
    echo: bool = False,
    environ: Mapping[str, str] | None = None,
    steerable: bool = False,
) -> Running:
    """`up` for a coroutine of asyncio: files are read in another thread. Cancelled, it leaves
    nothing running."""
    import asyncio

    project = as_project(what, sys._getframe(1))
    begun = asyncio.get_running_loop().run_in_executor(
        None,
        lambda: up_project(
            project,
            only=only,
            without=without,
            needed=needed,
            log_dir=log_dir,
            echo=echo,
            environ=environ,
            steerable=steerable,
        ),
    )
    try:
        return await asyncio.shield(begun)
    except asyncio.CancelledError:
        begun.add_done_callback(_regretted)
        raise


def _regretted(begun: object) -> None:
    import asyncio

    assert isinstance(begun, asyncio.Future)
    if not begun.cancelled() and begun.exception() is None:
        begun.result().force()


def up_project(
    project: Project,
    *,
    only: Iterable[str] = (),
    without: Iterable[str] = (),
    needed: bool = True,
    log_dir: Path | None = None,
    echo: bool = False,
    environ: Mapping[str, str] | None = None,
    steerable: bool = False,
) -> Running:
    """`up` of a project."""
    check_host("a project in a program", "`procession up` beside it")
    inherited = dict(os.environ if environ is None else environ)
    loaded = project.load(inherited)
    model = loaded.project
    only, without = tuple(only), tuple(without)
    if only or without:
        from procession.core.selection import select

        model = select(model, only, without, needed=needed)
    refuse_places(model)

    def make_output(drained: Callable[[Hashable], None]) -> Output:
        from procession.supervisor.output import Output

        return Output(
            model.name,
            [replica.name for replica in model.replicas()],
            drained,
            log_dir=None if log_dir is None else os.fspath(log_dir),
            log_limits=(model.log_file_limit, model.log_total, model.log_runs),
            shown=echo,
            on_said=None if echo else _say,
        )

    if sys.platform == "win32":
        from procession.supervisor.guest_windows import Guest
    else:
        from procession.supervisor.guest import Guest

    guest = Guest(model, loaded.launches, make_output=make_output, environ=inherited)
    door: Door = Closed()
    if steerable:
        said_in = loaded.file if project.files else sys.argv[0] or sys.executable
        try:
            door = door_of(model, said_in, loaded)
        except BaseException:
            guest.abandon()
            raise
    running = Running(model, guest, door, loaded.project)
    running.begin()
    return running


def _say(text: str) -> None:
    import logging

    logging.getLogger("procession").info("%s", text)


def refuse_places(project: spec.Project) -> None:
    """Raises HostError for a probe that needs a descriptor of a certain number: in a program they
    are not ours to give away."""
    from procession.spec import FdProbe

    for task in project.tasks:
        for check in (task.ready, task.health):
            if check is not None and any(isinstance(p, FdProbe) for p in check.probes):
                raise HostError(
                    f"tasks.{task.name}",
                    "a probe of kind `fd` needs a descriptor number that this program may use",
                    "`notify`, `log` or another kind",
                    "`procession up` has it",
                )
