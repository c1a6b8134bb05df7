"""A bounded queue before one output of ours, and the thread that empties the queues.

Tasks, and the supervisor's own thread, must never wait for a terminal: what they have to show
goes into a queue, and only the thread here meets the terminal. It never blocks there either,
so it can always be ended.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from itertools import islice

from procession.logs import fds
from procession.logs.wake import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BATCH = 512  # blocks looked at for one write
CLOSED = "closed"  # why an outlet is dead that did not fail


class Share:
    """What one stream has waiting in one outlet, and what of it was not shown."""

    __slots__ = ("lost_bytes", "lost_lines", "queued")

    def __init__(self) -> None:
        self.queued = 0
        self.lost_bytes = 0
        self.lost_lines = 0


class Outlet:
    """The queue before one output. `offer` from any thread; the rest is for the writing thread.

    It has room while less than `limit` bytes wait; a full one still takes blocks of streams that
    have less than `limit / 128` waiting, so that one flood does not silence the others.
    """

    def __init__(self, fd: int, title: str, *, limit: int, wake: Callable[[], None]) -> None:
        self.title = title
        self.fd = fd  # what is written to; a second open file on `given` where that can be had
        self.given = fd
        self.dead: str | None = None  # why nothing is written any more
        self.stalls = 0  # how often it became full
        self.lost_bytes = 0  # given to us and never written
        self._limit = limit
        self._reserve = max(1, limit // 128)
        self._wake = wake
        self._lock = threading.Lock()
        self._items: deque[tuple[Share, fds.Block]] = deque()
        self._queued = 0
        self._full = False
        self._waiters: list[Callable[[], None]] = []
        self._ask_first = False
        self._no_space = False

    @property
    def queued(self) -> int:
        """Bytes that wait to be written."""
        return self._queued

    def offer(self, share: Share, block: bytes, on_room: Callable[[], None] | None) -> bool:
        """Queue `block`; or False: full, and `on_room` is called once when half of it is empty.

        A dead outlet takes everything and shows nothing.
        """
        with self._lock:
            if self.dead is not None:
                self.lost_bytes += len(block)
                return True
            if self._queued >= self._limit:
                if not self._full:
                    self._full = True
                    self.stalls += 1
                if share.queued >= self._reserve:
                    if on_room is not None:
                        self._waiters.append(on_room)
                    return False
            self._items.append((share, block))
            self._queued += len(block)
            share.queued += len(block)
        self._wake()
        return True

    def open(self) -> None:
        """Find out how this output is written to without blocking."""
        own = fds.reopen_nonblocking(self.given)
        if own is not None:
            self.fd = own
        elif fds.blocks(self.given):
            self._ask_first = True

    def close(self) -> None:
        """Give back what `open` took; what is queued, or comes later, is lost."""
        with self._lock:
            self.dead = self.dead or CLOSED
        self._discard()
        if self.fd != self.given:
            os.close(self.fd)
            self.fd = self.given

    def pump(self, writable: bool) -> tuple[bool, str | None]:
        """Write once. (whether to wait until it is writable, what is to be told)."""
        with self._lock:
            blocks: Sequence[fds.Block] = [b for _, b in islice(self._items, _BATCH)]
        if not blocks:
            return False, None
        try:
            if not self._ask_first:
                size = fds.write_blocks(self.fd, blocks)
            elif writable:
                size = os.write(self.fd, memoryview(blocks[0])[: fds.CHUNK])
            else:
                return True, None
        except BlockingIOError:
            return True, None
        except OSError as e:
            return False, self._failed(e)
        self._written(size)
        return False, None

    def _written(self, size: int) -> None:
        self._no_space = False
        with self._lock:
            self._queued -= size
            while size:
                share, block = self._items[0]
                done = min(size, len(block))
                share.queued -= done
                size -= done
                if done == len(block):
                    self._items.popleft()
                else:
                    self._items[0] = share, memoryview(block)[done:]
            waiters = self._room()
        for waiter in waiters:
            waiter()

    def _room(self) -> list[Callable[[], None]]:
        if not self._full or self._queued > self._limit // 2:
            return []
        self._full = False
        waiters, self._waiters = self._waiters, []
        return waiters

    def _discard(self) -> None:
        with self._lock:
            self.lost_bytes += self._queued
            for share, block in self._items:
                share.queued -= len(block)
            self._items.clear()
            self._queued = 0
            waiters = self._room()
        for waiter in waiters:
            waiter()

    def _failed(self, e: OSError) -> str | None:
        """The output refused: for good, or (a file on a full disk) for now. What to tell of it."""
        if e.errno in NO_SPACE:
            told, self._no_space = self._no_space, True
            self._discard()
            return None if told else f"{self.title}: {e.strerror}: output is lost until it has room"
        if e.errno == errno.EPIPE:
            why = "nobody reads it any more"
        elif e.errno == errno.EIO:
            why = "the terminal is gone"
        else:
            why = str(e.strerror)
        with self._lock:
            self.dead = why
        self._discard()
        return f"{self.title}: {why}; the tasks go on, their output is in the logs only"


class Writer:
    """The thread that empties the outlets. It starts with the first block, and sleeps between.

    `on_trouble` is called from the thread, with a sentence; it must not block.
    """

    def __init__(self, on_trouble: Callable[[str], None]) -> None:
        self.outlets: list[Outlet] = []
        self._on_trouble = on_trouble
        self._waker = Waker()  # made now: later, descriptors may have run out
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._silence = 0.0
        self._end_by = 0.0
        self._end_at: float | None = None
        self._muted = False

    def wake(self) -> None:
        """There is something new. Any thread."""
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closed:
                    self._start()
        self._waker.wake()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="procession-console", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the host has no thread to give: what is queued waits for the next
            return
        self._thread = thread

    def mute(self, muted: bool) -> None:
        """While muted nothing is written; what is queued waits."""
        self._muted = muted
        self._waker.wake()

    def close(self, timeout: float, cap: float | None = None) -> bool:
        """Write what is queued, and end: once nothing was taken for `timeout` seconds, and after
        `cap` seconds (the same, if None) at the latest. False if the thread hangs in a write (a
        regular file on a dead disk): it is then left behind, and ends with us."""
        cap = timeout if cap is None else max(cap, timeout)
        with self._lock:
            if self._thread is None and any(outlet.queued for outlet in self.outlets):
                self._start()
            self._closed = True
        if self._thread is None:
            for outlet in self.outlets:
                outlet.close()
            self._waker.close()
            return True
        self._silence = timeout
        self._end_by = time.monotonic() + cap
        self._end_at = time.monotonic() + timeout
        self._waker.wake()
        self._thread.join(cap + 1.0)
        if self._thread.is_alive():
            return False
        self._waker.close()
        return True

    def _run(self) -> None:
        fds.block_broken_pipe_signal()
        for outlet in self.outlets:
            outlet.open()
        try:
            self._loop(self._waker)
        finally:
            for outlet in self.outlets:
                outlet.close()

    def _loop(self, waker: Waker) -> None:
        ready: set[int] = set()
        while True:
            outlets = [] if self._muted else [o for o in self.outlets if o.queued]
            waiting: set[int] = set()
            before = sum(outlet.queued for outlet in outlets)
            for outlet in outlets:
                wait, trouble = outlet.pump(outlet.fd in ready)
                if wait:
                    waiting.add(outlet.fd)
                if trouble:
                    self._on_trouble(trouble)
            if self._end_at is not None and sum(o.queued for o in outlets) < before:
                # somebody reads, if slowly: a pager, a filter
                self._end_at = min(self._end_by, time.monotonic() + self._silence)
            busy = any(o.queued and o.fd not in waiting for o in outlets)
            timeout: float | None = 0.0 if busy else None
            if self._end_at is not None:
                left = self._end_at - time.monotonic()
                if left <= 0 or not any(o.queued for o in outlets):
                    return
                timeout = 0.0 if busy else left
            ready = set()
            if waiting or not busy:
                ready = waker.wait(waiting, timeout)
                if waker.fd in ready:
                    waker.clear()
