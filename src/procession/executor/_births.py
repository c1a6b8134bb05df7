"""The launches that are under way, and how to wait until they are over."""

from __future__ import annotations

import threading

from procession.process.latch import Latch


class Births:
    """Any thread. What begins here and ends here costs no lock, unless somebody waits for it."""

    def __init__(self) -> None:
        self.count = 0  # that began so far
        self._under_way: dict[object, tuple[int, int]] = {}  # the thread each is in, and its number
        # Of those who wait. No lock: a signal handler in the thread that has it may call `stop`,
        # which waits here, and Ctrl-C could come before it is given back.
        self._waiting: list[Latch] = []

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, key: object) -> None:
        """In this thread."""
        self.count = number = self.count + 1
        self._under_way[key] = threading.get_ident(), number

    def hand_over(self, key: object, thread: int) -> None:
        """It goes on in another thread."""
        self._under_way[key] = thread, self._under_way[key][1]

    def end(self, key: object) -> None:
        """Idempotent."""
        self._under_way.pop(key, None)
        if self._waiting:  # after the `pop`: who comes later looks after that
            for latch in [*self._waiting]:
                latch.fall()

    def are_over(self, count: int) -> bool:
        """All that began when there were so many?"""
        under_way = list(self._under_way.values())
        return not under_way or under_way[0][1] > count

    def await_others(self) -> None:
        """Until those of other threads are over that are under way now."""
        me = threading.get_ident()
        # copied: `list` makes tuples, hence collects garbage, hence lets other threads run
        keys = [key for key, (thread, _) in self._under_way.copy().items() if thread != me]
        while keys:
            latch = Latch()
            try:
                self._waiting.append(latch)
                keys = [key for key in keys if key in self._under_way]
                if keys:
                    latch.wait()
            finally:
                if latch in self._waiting:
                    self._waiting.remove(latch)
