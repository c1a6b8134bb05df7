"""The life of a project in a thread of this process, and what is waited for in it.

Each wish is a plan: a generator that yields what is to be waited for. A thread waits for that with
a lock, a coroutine with a future; what is asked and what is made of it is said once.
"""

from __future__ import annotations

import atexit
import os
import threading
from math import inf

from procession.api._waiting import Coming, Goals, Moment, Waiting, block, block_async
from procession.control import goals
from procession.control.protocol import ENDS, chosen, nobody
from procession.core.timeouts import seconds
from procession.core.view import Row
from procession.errors import (
    HostError,
    LateError,
    ProcessionError,
    TaskFailedError,
    UsageError,
    worded,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Any, Protocol, TypeVar

    from procession import spec
    from procession.supervisor.course import Course
    from procession.supervisor.steering import Steering

    T = TypeVar("T")
    Plan = Generator[Waiting, None, T]

    class Loop(Protocol):
        """Either platform's guest."""

        on_started: Callable[[Course], Steering | None]

        @property
        def logs(self) -> str | None: ...
        def run(self) -> int: ...
        def abandon(self) -> None: ...
        def when_written(self, then: Callable[[], None]) -> None: ...

    class Door(Protocol):
        """By which others find the project, if they may."""

        def open(self, course: Course) -> Steering | None: ...
        def close(self) -> None: ...


__tracebackhide__ = worded
WHO = "asked for by the program it runs in"
_WRITTEN = 1.0  # seconds until the logs are read as they are
_BEGINS = 10.0  # seconds in which a thread that was started has begun


class Life:
    """What `Running` shows of itself is made of this. Its promises are there."""

    def __init__(self, project: spec.Project, loop: Loop, door: Door, whole: spec.Project) -> None:
        """`whole`: what the project was chosen from."""
        self._project = project
        self._whole = whole
        self._loop = loop
        self._door = door
        self._pid = os.getpid()
        self._steering: Steering | None = None
        self._early: tuple[bool, str] | None = None  # a stop asked for before anybody could hear
        self._logs: str | None = None
        self._status: int | None = None
        self._failure: BaseException | None = None
        self._begun = Moment()
        self._end = Moment()
        self._thread = threading.Thread(
            target=self._live, name=f"procession-{project.name}", daemon=True
        )

    # --- its life ----------------------------------------------------------------------------

    def begin(self) -> None:
        """For `up`: once. Returns when the first tasks were started. Raises what kept them."""
        self._loop.on_started = self._started
        atexit.register(self._at_exit)
        try:
            try:
                self._thread.start()
            except RuntimeError as e:
                self._not_begun()
                raise HostError(self._project.name, f"no thread can be started for it: {e}") from e
            block(Coming(self._begun))
        except HostError:
            raise
        except BaseException:  # Ctrl-C, also between the two
            self._force()
            block(Coming(self._begun, _BEGINS))
            if not self._begun.over:
                self._not_begun()
                raise
            block(Coming(self._end))
            raise
        if self._steering is None:
            self._thread.join()
            self._raise_failure()

    def _not_begun(self) -> None:
        """There is no thread, and nothing was started."""
        atexit.unregister(self._at_exit)
        self._loop.abandon()
        self._door.close()

    def _live(self) -> None:
        try:
            self._status = self._loop.run()
        except BaseException as e:  # noqa: BLE001 - it is raised where somebody waits
            self._failure = e
        finally:
            if self._steering is not None:
                self._steering.end()
            self._door.close()
            atexit.unregister(self._at_exit)
            self._begun.come()
            self._end.come()

    def _started(self, course: Course) -> Steering:
        from procession.supervisor.steering import Steering

        self._logs = course.logs
        self._steering = steering = self._door.open(course) or Steering(course)
        if self._early is not None:
            steering.down(*self._early)
        self._begun.come()
        return steering

    def _raise_failure(self) -> None:
        """What ended the loop, if that was no end it was meant to have."""
        if self._failure is not None:
            if isinstance(self._failure, ProcessionError):
                raise self._failure
            raise ProcessionError(
                f"{self._project.name}: it was lost by a mistake of ours, and all of it was killed"
            ) from self._failure

    def _at_exit(self) -> None:
        if os.getpid() == self._pid:
            self._wish_down("asked for by the end of the program it runs in", force=False)
            block(Coming(self._end))

    def _force(self) -> None:
        self._wish_down(WHO, force=True)

    def _force_and_wait(self) -> None:
        """Nobody waits any longer for grace; how long killing takes is bounded."""
        self._force()
        block(Coming(self._end))

    # --- looking -----------------------------------------------------------------------------

    def _rows(self, names: Iterable[str]) -> list[dict[str, Any]]:
        rows = self._steer().rows()[2]
        return self._chosen(rows, names)

    def _chosen(self, rows: Iterable[dict[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
        rows = list(rows)
        try:
            return [dict(row) for row in chosen(rows, names)]
        except KeyError as e:
            from procession.core.selection import left_out

            tasks = ", ".join(sorted({str(row["task"]) for row in rows}))
            name = str(e.args[0])
            why = nobody(left_out(self._whole, self._project), name)
            raise UsageError(name, why, tasks) from None

    def _steer(self) -> Steering:
        if os.getpid() != self._pid:
            raise ProcessionError(
                f"{self._project.name}: it runs in process {self._pid}, which forked this one; "
                "only that one can look at it and steer it"
            )
        if self._steering is None:
            self._raise_failure()
            raise ProcessionError(f"{self._project.name}: it has not begun")
        return self._steering

    # --- plans -------------------------------------------------------------------------------

    def _ready(self, names: Sequence[str], timeout: float | None) -> Plan[list[Row]]:
        _check(timeout)
        rows = yield from self._look(names)
        if not names:
            everybody, rows = rows, goals.meant(rows)
            stopped = any(row["state"] == "stopped" for row in everybody)
            if self._end.over and (not rows or (stopped and self._steer().stopping)):
                raise TaskFailedError(
                    f"{self._project.name}: the project has ended", _rows_of(everybody)
                )
        wanted: dict[str, goals.Goal] = {row["name"]: goals.ready for row in rows}
        return (yield from self._until(goals.DONE["ready"], wanted, timeout))

    def _wish(self, verb: str, names: Sequence[str], timeout: float | None) -> Plan[list[Row]]:
        _check(timeout)  # before anything moves
        if not names:
            raise UsageError(verb, "no task is named", "", "Name tasks; `down` is for all of them")
        rows = yield from self._look(names)
        steering = self._steer()
        if self._end.over or steering.stopping:
            raise TaskFailedError(f"{self._project.name}: the whole project stops", _rows_of(rows))
        wanted: dict[str, goals.Goal] = {}
        for row in rows:
            wanted[row["name"]] = goals.of(verb, row)
        steering.wish(verb, list(wanted), WHO)
        if timeout == 0:
            return _rows_of(rows)
        return (yield from self._until(goals.DONE[verb], wanted, timeout))

    def _wait(self, names: Sequence[str], timeout: float | None) -> Plan[int]:
        _check(timeout)
        if not names:
            return (yield from self._until_end(timeout))
        rows = yield from self._look(names)
        wanted: dict[str, goals.Goal] = {row["name"]: goals.exited for row in rows}
        try:
            yield from self._until(goals.DONE["exit"], wanted, timeout)
        except TaskFailedError:
            return 1
        return 0

    def _down(self, force: bool, timeout: float | None, why: str) -> Plan[int]:
        _check(timeout)
        self._steer()
        self._wish_down(why, force=force)
        return (yield from self._until_end(timeout))

    def _wish_down(self, who: str, *, force: bool) -> None:
        self._early = force, who
        if self._steering is not None:
            self._steering.down(force, who)

    def _until_end(self, timeout: float | None) -> Plan[int]:
        self._steer()
        yield Coming(self._end, timeout)
        if not self._end.over:
            rows = [row for row in self._rows(()) if row["state"] not in ENDS]
            assert timeout is not None
            raise LateError(goals.late(goals.DONE["exit"], timeout, rows), _rows_of(rows))
        self._thread.join()
        self._raise_failure()
        assert self._status is not None
        return self._status

    def _look(self, names: Sequence[str]) -> Plan[list[dict[str, Any]]]:
        look = Goals(self._steer(), {})
        yield look
        return self._chosen(look.rows, names)

    def _until(
        self, what: str, wanted: dict[str, goals.Goal], timeout: float | None
    ) -> Plan[list[Row]]:
        waiting = Goals(self._steer(), wanted, timeout)
        yield waiting
        judge, rows = waiting.judge, waiting.rows
        if not judge.is_over:
            if waiting.ended:  # it was lost
                yield Coming(self._end)
                self._raise_failure()
            rows = yield from self._look(())  # the latest words of a check are no change of state
            judge.look(rows)  # nor is anybody late who has come by now
        rows = [row for row in rows if row["name"] in wanted]
        if judge.failed:
            bad = [row for row in rows if row["name"] in judge.failed]
            words = "\n".join(judge.failed.values())
            raise TaskFailedError(words + (yield from self._last_words(bad)), _rows_of(bad))
        if judge.open:
            late = [row for row in rows if row["name"] in judge.open]
            words = goals.late(what, timeout or 0.0, late)
            raise LateError(words + (yield from self._last_words(late)), _rows_of(late))
        return _rows_of(rows)

    def _last_words(self, rows: Sequence[dict[str, Any]]) -> Plan[str]:
        """What these wrote last, for who reads why it went wrong."""
        if self._logs is None:
            return ""
        from procession.api._output import last_words

        yield from self._written()
        return last_words(self._logs, [str(row["name"]) for row in rows])

    def _written(self) -> Plan[None]:
        """Until the logs have what came so far. Bounded: a dead disk holds up nobody who asks."""
        if not self._end.over:
            written = Moment()
            self._loop.when_written(written.come)
            yield Coming(written, _WRITTEN)

    # --- who waits ---------------------------------------------------------------------------

    def _drive(self, plan: Plan[T]) -> T:
        if threading.current_thread() is self._thread:
            raise RuntimeError("called in the project's own thread, which would wait for itself")
        try:
            waiting = next(plan)
            while True:
                block(waiting)
                waiting = plan.send(None)
        except StopIteration as e:
            value: T = e.value
            return value

    async def _drive_async(self, plan: Plan[T]) -> T:
        try:
            waiting = next(plan)
            while True:
                await block_async(waiting)
                waiting = plan.send(None)
        except StopIteration as e:
            value: T = e.value
        return value


def _check(timeout: float | None) -> None:
    """Raises TypeError or ValueError for what is no time. One that is over already (less than 0,
    as what is left of a longer one may be) is a time."""
    if timeout is not None:
        seconds("timeout", timeout, least=-inf)


def _rows_of(rows: Iterable[dict[str, Any]]) -> list[Row]:
    return [Row(**row) for row in rows]
