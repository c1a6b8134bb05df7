"""What the executor's thread sleeps in: descriptors, timers and posted calls.

One thread turns it at a time; `post` may be called from any, and from signal handlers.
"""

from __future__ import annotations

import heapq
import sys
import time
from collections import deque
from itertools import count

from procession.process.patience import slice_of

if sys.platform == "win32":
    from procession.executor._sleep_windows import Sleep
else:
    from procession.executor._sleep_posix import Sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    import selectors
    from collections.abc import Callable

_BUSY = 0.005  # seconds for which the descriptors may wait while there are calls
LONGEST = 86_400.0  # seconds of one sleep: epoll and poll take an int of milliseconds, never inf


class Timer:
    """Something to be called once, unless it is called off."""

    __slots__ = ("call", "number", "when")

    def __init__(self, when: float, number: int, call: Callable[[], object]) -> None:
        self.when = when
        self.number = number
        self.call: Callable[[], object] | None = call

    def __lt__(self, other: Timer) -> bool:
        return (self.when, self.number) < (other.when, other.number)


class Loop:
    """Has descriptors only between `open` and `close`; what is posted meanwhile is kept."""

    def __init__(self) -> None:
        self.selector: selectors.BaseSelector | None = None
        self._calls: deque[Callable[[], object]] = deque()
        self._timers: list[Timer] = []
        self._called_off = 0
        self._numbers = count()
        self._asleep = False
        self._look_at = 0.0
        self._sleep: Sleep | None = None  # while it is open

    @property
    def is_open(self) -> bool:
        return self.selector is not None

    @property
    def has_calls(self) -> bool:
        return bool(self._calls)

    def open(self) -> None:
        """Idempotent. Raises OSError where no descriptor is left, and leaves none."""
        if self._sleep is None:
            self._sleep = Sleep()
            self.selector = self._sleep.selector

    def close(self) -> None:
        """Idempotent. Timers are forgotten."""
        sleep, self._sleep, self.selector = self._sleep, None, None
        if sleep is not None:
            sleep.close()
        self._timers.clear()

    def abandon(self) -> None:
        """In a forked child: `close`, but for the locks, which threads of the parent may hold."""
        if self._sleep is not None:
            self._sleep.abandon()
        self.close()

    def post(self, call: Callable[[], object]) -> None:
        """Have it called in the thread that turns the loop, soon."""
        self._calls.append(call)
        if self._asleep:
            self.wake()

    def wake(self) -> None:
        sleep = self._sleep
        if sleep is not None:
            sleep.wake()

    def at(self, when: float, call: Callable[[], object]) -> Timer:
        """Have it called once at `when`, on the monotonic clock. From the turning thread only."""
        timer = Timer(when, next(self._numbers), call)
        heapq.heappush(self._timers, timer)
        return timer

    def call_off(self, timer: Timer) -> None:
        """Idempotent, and harmless after the call."""
        if timer.call is None:
            return
        timer.call = None
        self._called_off += 1
        # a million short processes with a timeout of an hour must not be kept for that hour
        if self._called_off > 64 and self._called_off > len(self._timers) // 2:
            self._timers = [one for one in self._timers if one.call is not None]
            heapq.heapify(self._timers)
            self._called_off = 0

    def turn(self, most: float | None = None) -> None:
        """Sleep until there is something to do, `most` seconds at the longest, and do it."""
        assert self.selector is not None, "open the loop first"
        now = time.monotonic()
        if not self._calls or now >= self._look_at:
            self._asleep = True
            try:
                most = LONGEST if most is None else most
                timeout = 0.0 if self._calls else slice_of(self._patience(most))
                ready = self.selector.select(timeout)
            finally:
                self._asleep = False
            for key, _ in ready:
                key.data()
            now = time.monotonic()
            self._look_at = now + _BUSY
        if self._timers:
            while self._timers and self._timers[0].when <= now:
                due = heapq.heappop(self._timers)
                late, due.call = due.call, None
                if late is not None:
                    late()
                else:
                    self._called_off -= 1
        for _ in range(len(self._calls)):
            try:
                call = self._calls.popleft()
            except IndexError:
                break  # one of them has turned the loop itself
            call()

    def _patience(self, most: float) -> float:
        most = min(most, LONGEST)
        if not self._timers:
            return most
        return min(most, max(0.0, self._timers[0].when - time.monotonic()))
