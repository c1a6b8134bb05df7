"""One timer per replica; setting it again replaces it. Owned by one thread."""

from __future__ import annotations

import heapq

SPARE = 64  # replaced timers that may stay in the heap


class Timers:
    """Deadlines by key. Times are seconds of whatever clock the owner uses."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._current: dict[str, tuple[float, int]] = {}

    def set(self, key: str, number: int, at: float) -> None:
        self._current[key] = (at, number)
        heapq.heappush(self._heap, (at, number, key))
        if len(self._heap) > 2 * len(self._current) + SPARE:  # timers of days that were replaced
            self._heap = [(at, number, key) for key, (at, number) in self._current.items()]
            heapq.heapify(self._heap)

    def drop(self, key: str) -> None:
        """The key's timer is not to fire any more."""
        self._current.pop(key, None)

    def next(self) -> float | None:
        """When the first timer is due; None: never."""
        while self._heap:
            at, number, key = self._heap[0]
            if self._current.get(key) == (at, number):
                return at
            heapq.heappop(self._heap)  # replaced since
        return None

    def due(self, now: float) -> list[tuple[str, int]]:
        """Take out what is due at `now`, in order: (key, number)."""
        fired = []
        while (at := self.next()) is not None and at <= now:
            _, number, key = heapq.heappop(self._heap)
            del self._current[key]
            fired.append((key, number))
        return fired
