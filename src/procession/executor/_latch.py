"""What waiting threads and those who end their waiting share."""

from __future__ import annotations

import sys
import threading
import time
from _thread import allocate_lock

from procession.process.patience import slice_of


class Latch:
    """Falls once, for everybody who waits. Lighter than an Event: there is one in each handle."""

    __slots__ = ("_fell", "_lock")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        self._fell = False

    @property
    def fell(self) -> bool:
        return self._fell

    def fall(self) -> None:
        if not self._fell:
            self._fell = True
            self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        if self._fell:
            return True
        if sys.platform == "win32":
            return self._wait_in_slices(timeout)
        limit = -1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)
        if self._lock.acquire(timeout=limit):
            self._lock.release()
        return self._fell

    def _wait_in_slices(self, timeout: float | None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        while not self._fell:
            left = None if until is None else max(0.0, until - time.monotonic())
            part = slice_of(left)
            if self._lock.acquire(timeout=-1 if part is None else min(part, threading.TIMEOUT_MAX)):
                self._lock.release()
            elif left is not None and left <= 0:
                break
        return self._fell
