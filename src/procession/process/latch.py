"""What waiting threads and those who end their waiting share."""

from __future__ import annotations

import threading
import time
from _thread import allocate_lock

from procession.process.patience import slice_of


class Latch:
    """Falls once, for everybody who waits. Lighter than an Event: there is one in each handle.

    And one in which Ctrl-C is Ctrl-C: where it comes while an Event gives its lock back in order to
    wait, that ends with `RuntimeError: release unlocked lock`.
    """

    __slots__ = ("_fell", "_lock")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        self._fell = False

    @property
    def fell(self) -> bool:
        return self._fell

    # Who waits next gets the lock, which is given back without a call of ours: Python looks for
    # Ctrl-C where a function of it begins, and nobody would give it back after that.

    def fall(self) -> None:
        """Idempotent, in any thread."""
        if not self._fell:
            self._fell = True
            try:
                self._lock.release()
            except RuntimeError:
                pass  # nobody has it

    def wait(self, timeout: float | None = None) -> bool:
        """Up to `timeout` seconds (None: no bound). Has it fallen?"""
        if self._fell:
            return True
        try:
            self._wait_in_slices(timeout)
        finally:
            if self._fell:
                try:
                    self._lock.release()  # also where Ctrl-C came just when we had it
                except RuntimeError:
                    pass  # nobody has it
        return self._fell

    def _wait_in_slices(self, timeout: float | None) -> None:
        until = None if timeout is None else time.monotonic() + timeout
        while not self._fell:
            left = None if until is None else max(0.0, until - time.monotonic())
            if self._lock.acquire(timeout=_limit(slice_of(left))) or left == 0:
                return


def _limit(timeout: float | None) -> float:
    return -1 if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)
