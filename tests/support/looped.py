"""A loop in virtual time, for what works in the real one: alarms go off when the test says so."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import TypeVar

from procession.core.events import Event

T = TypeVar("T")


class FakeLoop:
    """See `procession.supervisor.loop.Loop`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[Event] = []
        self.notes: list[str] = []
        self._alarms: dict[str, tuple[float, int, Callable[[], object]]] = {}
        self._calls: list[Callable[[], object]] = []
        self._count = 0

    def call(self, action: Callable[[], object]) -> None:
        self._calls.append(action)

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def say(self, text: str) -> None:
        self.notes.append(text)

    def alarm(self, key: str, seconds: float, action: Callable[[], object]) -> None:
        assert seconds >= 0
        self._count += 1
        self._alarms[key] = self.now + seconds, self._count, action

    def disarm(self, key: str) -> None:
        self._alarms.pop(key, None)

    def listen(self, fd: int, readable: Callable[[], object]) -> None:
        raise AssertionError("there is nothing to listen to")

    def unlisten(self, fd: int) -> None:
        raise AssertionError("there is nothing to listen to")

    def put(self, places: Mapping[int, int], spawn: Callable[[], T]) -> T:
        return spawn()

    def killed(self) -> None: ...

    # --- for the test ------------------------------------------------------------------------

    @property
    def armed(self) -> int:
        """How many alarms are to go off."""
        return len(self._alarms)

    def settle(self) -> None:
        """What was called for is done."""
        while self._calls:
            self._calls.pop(0)()

    def run(self, seconds: float) -> None:
        """Let that time pass, and what is due in it happen, each at its time."""
        end = self.now + seconds
        self.settle()
        while True:
            due = [(at, number, key) for key, (at, number, _) in self._alarms.items() if at <= end]
            if not due:
                break
            heapq.heapify(due)
            at, _, key = heapq.heappop(due)
            self.now = max(self.now, at)
            self._alarms.pop(key)[2]()
            self.settle()
        self.now = end
