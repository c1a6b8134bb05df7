"""What the loop sleeps on: a selector of the system, and a pipe of ours that wakes it."""

from __future__ import annotations

import os
import selectors
import sys
import threading

assert sys.platform != "win32", "for POSIX only"


class Sleep:
    """Raises OSError where no descriptor is left, and leaves none. Keys have a function as data."""

    def __init__(self) -> None:
        self._waked, self._wakes = os.pipe()
        # else a wake-up could be written into a stranger's file, opened after our `close`
        self._pipe = threading.RLock()
        try:
            os.set_blocking(self._waked, False)
            os.set_blocking(self._wakes, False)
            self.selector: selectors.BaseSelector = selectors.DefaultSelector()
            self.selector.register(self._waked, selectors.EVENT_READ, self._wake_up)
        except BaseException:
            os.close(self._waked)
            os.close(self._wakes)
            raise

    def wake(self) -> None:
        """From any thread, and from signal handlers."""
        with self._pipe:
            if self._wakes >= 0:
                try:
                    os.write(self._wakes, b"\0")
                except BlockingIOError:
                    pass  # full of wake-ups, of which one will do

    def close(self) -> None:
        self.selector.close()
        with self._pipe:
            wakes, self._wakes = self._wakes, -1
            os.close(self._waked)
            os.close(wakes)

    def abandon(self) -> None:
        """In a forked child: a thread of the parent may hold the lock."""
        self._pipe = threading.RLock()

    def _wake_up(self) -> None:
        try:
            os.read(self._waked, 4096)
        except BlockingIOError:
            pass
