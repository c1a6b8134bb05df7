"""A project that runs in a thread of this process: what it is, and a hand on it."""

from __future__ import annotations

import os

from procession.api._life import WHO, Life
from procession.core.view import Row
from procession.errors import worded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__tracebackhide__ = worded
TIMEOUT = 60.0  # seconds that a wish may take where nothing else is said
LINES = 100  # of each stream that `logs` gives


class Running(Life):
    """A project under way; `up` gives it. Leaving `with` (or `async with`) stops it gracefully and
    returns when nothing of it lives; so does the end of the interpreter. If this process dies, a
    sentinel ends what it started (on Linux; on Windows the system does).

    Every method may be called from any thread, and each `..._async` from a coroutine of asyncio,
    trio or anyio. Names are those of tasks or replicas; UsageError for one that nobody has. Every
    `timeout` is in seconds (None: no bound); past it LateError, a TimeoutError, says who was waited
    for and why it took so long. TypeError for what is no number, ValueError for NaN, before
    anything moves. To stop waiting (a timeout, a cancelled coroutine, Ctrl-C) takes no wish back.
    In a forked child it is not to be used: ProcessionError.
    """

    def __repr__(self) -> str:
        state = "running" if self._status is None else f"ended with {self._status}"
        return f"<Running {self._project.name}: {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if os.getpid() != self._pid:
            return  # a forked child leaves the block, too: the project is its parent's
        try:
            self._drive(self._down(False, None, _why_left(kind)))
        except BaseException:
            self._force_and_wait()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._drive_async(self._down(False, None, _why_left(kind)))
        except BaseException:
            self.force()  # cancelled: the loop it would wait in may be on its way down
            raise

    def force(self) -> None:
        """Kill all that is left of it; returns at once."""
        self._force()

    # --- looking -----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Of the project."""
        return self._project.name

    @property
    def status(self) -> int | None:
        """As `procession up` would exit; None while it runs. Where the supervisor itself failed,
        None too: `wait` and `down` raise that."""
        return self._status

    @property
    def log_dir(self) -> str | None:
        """The folder with what its tasks wrote (`NAME.log`, `NAME.stderr.log`) and what happened
        (`procession.log`); None where none could be made."""
        return self._logs

    def ps(self, *names: str) -> list[Row]:
        """All replicas, or just these, as `procession ps --json` shows them: `name`, `task`,
        `state`, `ready`, `healthy`, `pid`, `run`, `restarts`, `exit`, `reason` and more."""
        return [Row(**row) for row in self._rows(names)]

    def why(self, name: str) -> str:
        """How a task is, why, and what came before: what `procession why` prints."""
        from procession.control.words import told

        self._drive(self._written())
        rows = self._rows((name,))
        return "\n".join("".join(f"{line}\n" for line in told(row, self._logs)) for row in rows)

    def logs(self, *names: str, lines: int | None = LINES, prefix: bool | None = None) -> str:
        """What tasks wrote, of each stream the last `lines` (None: all that is kept), stdout first.
        `prefix`: each line behind the name of its replica; None: where there are several. Bytes
        that are no UTF-8 are replaced. Empty where no logs are written."""
        from procession.api._output import written

        self._drive(self._written())
        found = [str(row["name"]) for row in self._rows(names)]
        if self._logs is None:
            return ""
        return written(self._logs, found, lines, len(found) > 1 if prefix is None else prefix)

    # --- wishes ------------------------------------------------------------------------------

    def ready(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """Wait until these (without names: all that are wanted) are ready, all at the same time;
        their rows. Raises TaskFailedError as soon as one of them is at rest and will not be ready,
        though it was before, or where the whole project was stopped. A task without `ready` is
        ready once it was started, also when it ended well since."""
        return self._drive(self._ready(names, timeout))

    async def ready_async(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """`ready` for a coroutine."""
        return await self._drive_async(self._ready(names, timeout))

    def start(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """Have them started, with what they depend on, and wait until they are ready (0: do not
        wait). Raises TaskFailedError when one of them ends, or backs off, instead."""
        return self._drive(self._wish("start", names, timeout))

    async def start_async(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """`start` for a coroutine."""
        return await self._drive_async(self._wish("start", names, timeout))

    def stop(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """Have them stopped gracefully, and wait until nothing of them lives (0: do not wait).
        They stay down until somebody starts them. The whole project: `down`."""
        return self._drive(self._wish("stop", names, timeout))

    async def stop_async(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """`stop` for a coroutine."""
        return await self._drive_async(self._wish("stop", names, timeout))

    def restart(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """Have them stopped and started again, and wait as `start` does."""
        return self._drive(self._wish("restart", names, timeout))

    async def restart_async(self, *names: str, timeout: float | None = TIMEOUT) -> list[Row]:
        """`restart` for a coroutine."""
        return await self._drive_async(self._wish("restart", names, timeout))

    def wait(self, *names: str, timeout: float | None = None) -> int:
        """Wait until the whole project has ended by itself or by somebody's wish; its status, as
        `procession up` would exit. With names: until these have ended for good; 0, or 1 where one
        of them failed."""
        return self._drive(self._wait(names, timeout))

    async def wait_async(self, *names: str, timeout: float | None = None) -> int:
        """`wait` for a coroutine."""
        return await self._drive_async(self._wait(names, timeout))

    def down(self, *, force: bool = False, timeout: float | None = None) -> int:
        """Stop the whole project, gracefully, in reverse order (`force`: kill it); returns its
        status when nothing of it lives. Idempotent. How long it may take is said by the tasks'
        `stop` and the project's `stop_timeout`."""
        return self._drive(self._down(force, timeout, WHO))

    async def down_async(self, *, force: bool = False, timeout: float | None = None) -> int:
        """`down` for a coroutine."""
        return await self._drive_async(self._down(force, timeout, WHO))


def _why_left(kind: type[BaseException] | None) -> str:
    return WHO if kind is None else f"{WHO}, which was left by {kind.__name__}"
