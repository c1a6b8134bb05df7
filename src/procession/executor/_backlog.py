"""What waits to be taken by an iterator: at most so much, then the oldest makes room.

Not a Condition: where Ctrl-C comes just when the one who takes has got its lock, nobody gives that
back (measured: 47 of 164 that came while lines came fast), and the loop, which puts, would wait for
ever. Nor is it Ctrl-C any more where it comes between giving the lock back and the wait.
"""

from __future__ import annotations

from _thread import RLock
from queue import Empty, SimpleQueue

from procession.process.patience import slice_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Backlog:
    """From any thread, and from signal handlers; whoever takes waits."""

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self.ended = False
        self._limit = limit
        self._waiting: SimpleQueue[Any] = SimpleQueue()  # None is the last: there is no more
        self._lock = RLock()  # of those who put

    def put(self, one: object) -> bool:
        """Anything but None; nothing once it has ended. False: there was no room, and the oldest
        made it."""
        with self._lock:
            if self.ended:
                return True
            full = self._waiting.qsize() >= self._limit and self._drop()
            self._waiting.put(one)
            return not full

    def _drop(self) -> bool:
        try:
            self._waiting.get_nowait()
        except Empty:
            return False  # it was taken just now
        self.dropped += 1
        return True

    def end(self) -> None:
        """Idempotent. What waits may still be taken."""
        with self._lock:
            if not self.ended:
                self.ended = True
                self._waiting.put(None)

    def take(self) -> Any:
        """Wait for the oldest. None: there is no more."""
        while True:
            try:
                one = self._waiting.get(timeout=0 if self.ended else slice_of(None))
            except Empty:
                if self.ended:
                    return None  # Ctrl-C took what was there to say so
                continue
            if one is None:
                self._waiting.put(None)  # for the next one who waits, and who asks again
            return one
