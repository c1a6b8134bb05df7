"""Listening to descriptors on which a run may say more than anybody wants to hear."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.supervisor.loop import Loop

BURST = 64  # reads in a row,
TIME = 0.02  # or so many seconds of reading within a WINDOW, where a queue is shorter than a burst,
WINDOW = 0.1
PAUSE = 0.1  # and then for so long its writer feels that nobody listens


class Ears:
    """The loop's descriptors, with a pause after each burst: who floods is held up by it, and
    nobody else is. POSIX only."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def listen(self, fd: int, read: Callable[[], bool]) -> None:
        """Have `read` called when there is something to read, until it says that there is no more
        (False), but not too often in a row. It may `ignore` its own descriptor."""
        since = spent = 0.0

        def readable() -> None:
            nonlocal since, spent
            began = time.monotonic()
            if began - since > WINDOW:
                since, spent = began, 0.0
            more = all(read() for _ in range(BURST))
            spent += time.monotonic() - began
            if more or spent > TIME:
                self._loop.unlisten(fd)
                self._loop.alarm(_key(fd), PAUSE, lambda: self._loop.listen(fd, readable))

        self._loop.listen(fd, readable)

    def ignore(self, fd: int) -> None:
        """Due before it is closed."""
        self._loop.disarm(_key(fd))
        self._loop.unlisten(fd)


def _key(fd: int) -> str:
    return f"? {fd}"  # no replica is called so
