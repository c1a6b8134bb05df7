"""What can be waited for, by a thread or by a coroutine."""

from __future__ import annotations

import threading
import time

from procession.control.goals import Judge
from procession.process.latch import Latch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from procession.control.goals import Goal
    from procession.supervisor.steering import Steering

    Told = Callable[[], object]


class Waiting:
    """Something that comes, or that has come already. One who waits."""

    def __init__(self, timeout: float | None = None) -> None:
        self._until = None if timeout is None else time.monotonic() + timeout

    @property
    def left(self) -> float | None:
        """Seconds that it may still take; None: there is no bound."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())

    def begin(self, told: Told) -> None:
        """`told` is called when it has come, in any thread, also before this returns; it does not
        block. Once."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Nobody waits any more. Idempotent."""
        raise NotImplementedError


class Moment:
    """Comes once, for all who wait. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tell: list[Told] = []
        self.over = False

    def come(self) -> None:
        """Idempotent."""
        with self._lock:
            self.over = True
            tell, self._tell = self._tell, []
        for told in tell:
            told()

    def add(self, told: Told) -> None:
        with self._lock:
            if not self.over:
                self._tell.append(told)
                return
        told()

    def remove(self, told: Told) -> None:
        with self._lock:
            if told in self._tell:
                self._tell.remove(told)


class Coming(Waiting):
    """Of a moment."""

    def __init__(self, moment: Moment, timeout: float | None = None) -> None:
        super().__init__(timeout)
        self._moment = moment
        self._told: Told | None = None

    def begin(self, told: Told) -> None:
        self._told = told
        self._moment.add(told)

    def cancel(self) -> None:
        if self._told is not None:
            self._moment.remove(self._told)


class Goals(Waiting):
    """Until all of these replicas have come to their goals, or cannot (`goals.Judge`). `rows` are
    the latest; no goals: one look at them.

    What is set is set in the supervisor's thread, before it tells.
    """

    def __init__(
        self, steering: Steering, goals: Mapping[str, Goal], timeout: float | None = None
    ) -> None:
        super().__init__(timeout)
        self._steering = steering
        self._told: Told | None = None
        self.judge = Judge(goals)
        self.rows: list[dict[str, Any]] = []
        self.ended = False  # the loop has, and there will be no other rows

    def begin(self, told: Told) -> None:
        self._told = told
        self._steering.watch(self._look)

    def cancel(self) -> None:
        self._steering.unwatch(self._look)

    def _look(self, rows: list[dict[str, Any]], ended: bool) -> bool:
        if self._told is None:
            return True
        self.rows, self.ended = rows, ended
        self.judge.look(rows)
        over = ended or self.judge.is_over
        if over:
            told, self._told = self._told, None
            told()
        return over


def block(waiting: Waiting) -> None:
    """Until it has come, or its time is over."""
    come = Latch()
    try:
        waiting.begin(come.fall)
        come.wait(waiting.left)
    finally:
        waiting.cancel()


async def block_async(waiting: Waiting) -> None:
    """`block` for a coroutine."""
    from procession.shutdown._async import told

    await told(waiting.begin, lambda _: waiting.cancel(), waiting.left)
