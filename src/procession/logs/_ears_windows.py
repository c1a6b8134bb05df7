"""Sleeping on many pipes where none can be read without blocking: a thread reads ahead on each.

On Windows `select` knows sockets alone, and the pipes that a child gets as its output cannot be
made non-blocking by Python. So each pipe has a thread that reads one block and hands it over only
when the one before was taken: what waits in memory is one block for each pipe, and a task whose
output is not taken is held back by its pipe, as elsewhere.

`Ears` has the face of a selector; `fds.read_into` and `fds.close_pipe` come here.
"""

from __future__ import annotations

import os
import threading
import time
from selectors import EVENT_READ, BaseSelector, SelectorKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BLOCK = 64 * 1024

_readers: dict[int, _Reader] = {}  # by descriptor, while that is open
# One for all: a reader may be handed from one sleeper to the next.
_news = threading.Condition()


class _Reader:
    """Reads one pipe. The descriptor is the thread's: only it can close it in the end, for a
    `close` waits in the C runtime for a read that is under way."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.block = b""
        self.ended = False
        self.given_up = False
        thread = threading.Thread(target=self._run, name=f"procession-pipe-{fd}", daemon=True)
        thread.start()

    @property
    def ready(self) -> bool:
        return bool(self.block) or self.ended

    def _run(self) -> None:
        while not self.given_up:
            try:
                block = os.read(self.fd, BLOCK)
            except OSError:  # the other side is gone in a way that is no end
                block = b""
            with _news:
                self.block, self.ended = block, not block
                _news.notify_all()
                if self.ended:
                    break
                _news.wait_for(lambda: not self.block or self.given_up)
        with _news:
            _news.wait_for(lambda: self.given_up)
        os.close(self.fd)

    def take(self, most: int) -> bytes:
        with _news:
            if not self.ready:
                raise BlockingIOError
            taken, self.block = self.block[:most], self.block[most:]
            _news.notify_all()
            return taken

    def give_up(self) -> None:
        with _news:
            self.given_up = True
            _news.notify_all()


class Ears(BaseSelector):
    """A selector for the read ends of pipes. `notify`, from any thread, wakes the sleeper."""

    def __init__(self) -> None:
        self._keys: dict[int, SelectorKey] = {}
        self._notified = False

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        key = SelectorKey(fileobj, fileobj, events, data)
        self._keys[fileobj] = key
        if fileobj not in _readers:
            _readers[fileobj] = _Reader(fileobj)
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, SelectorKey]:
        return self._keys

    def notify(self) -> None:
        with _news:
            self._notified = True
            _news.notify_all()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """The key of the wake-up has no data, as that of a waking pipe."""
        until = None if timeout is None else time.monotonic() + timeout
        with _news:
            while True:
                found = [(key, EVENT_READ) for fd, key in self._keys.items() if _readers[fd].ready]
                if self._notified:
                    self._notified = False
                    found.append((SelectorKey(-1, -1, EVENT_READ, None), EVENT_READ))
                left = None if until is None else until - time.monotonic()
                if found or (left is not None and left <= 0):
                    return found
                _news.wait(left)


def take(fd: int, most: int) -> bytes:
    """What the thread has read of it; empty at the end. Raises BlockingIOError."""
    reader = _readers.get(fd)
    if reader is None:
        raise BlockingIOError
    return reader.take(most)


def give_up(fd: int) -> None:
    """Close the descriptor: now, or when whoever holds the other end lets the read return."""
    reader = _readers.pop(fd, None)
    if reader is None:
        os.close(fd)
    else:
        reader.give_up()
