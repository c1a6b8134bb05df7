"""The launches that are under way, and how to wait until they are over."""

from __future__ import annotations

import threading


class Births:
    """Any thread. What begins here and ends here costs no lock, unless somebody waits for it."""

    def __init__(self) -> None:
        self.count = 0  # that began so far
        self._under_way: dict[object, tuple[int, int]] = {}  # the thread each is in, and its number
        # Reentrant: a signal handler in the thread that holds it may call `stop`, which waits here.
        self._over = threading.Condition(threading.RLock())
        self._awaited = 0

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
        if self._awaited:  # after the `pop`: who counts himself in looks again after that
            with self._over:
                self._over.notify_all()

    def are_over(self, count: int) -> bool:
        """All that began when there were so many?"""
        under_way = list(self._under_way.values())
        return not under_way or under_way[0][1] > count

    def await_others(self) -> None:
        """Until those of other threads are over that are under way now."""
        me = threading.get_ident()
        # copied: `list` makes tuples, hence collects garbage, hence lets other threads run
        keys = [key for key, (thread, _) in self._under_way.copy().items() if thread != me]
        if not keys:
            return
        with self._over:
            self._awaited += 1
            try:
                while any(key in self._under_way for key in keys):
                    self._over.wait()
            finally:
                self._awaited -= 1
