"""Waking a thread that sleeps on file descriptors."""

from __future__ import annotations

import os
import sys
import threading

from procession.logs import fds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


if sys.platform != "win32":

    class Waker:
        """A pipe whose read end becomes readable by `wake`. Any thread; not for signal handlers.

        The sleeper calls `clear` first and looks for what is new afterwards: then nothing is
        missed. A wake-up that was not cleared yet is not repeated, so a flood of them costs one
        system call, and the pipe never holds more than one byte: neither end ever blocks.
        """

        def __init__(self) -> None:
            self.fd, self._write_fd = os.pipe()  # not inherited by any child
            self._lock = threading.Lock()
            self._awake = False

        def wake(self) -> None:
            """Make `fd` readable. After `close` it does nothing."""
            if self._awake:
                return
            with self._lock:
                if not self._awake and self._write_fd >= 0:
                    self._awake = True
                    os.write(self._write_fd, b"\0")

        def clear(self) -> None:
            """Make `fd` unreadable again."""
            with self._lock:
                if self._awake:
                    os.read(self.fd, 1)
                    self._awake = False

        def wait(self, write_fds: Iterable[int], timeout: float | None) -> set[int]:
            """See `fds.wait`."""
            return fds.wait(self.fd, write_fds, timeout)

        def close(self) -> None:
            """Give both ends back; a second call does nothing."""
            with self._lock:
                if self._write_fd >= 0:
                    os.close(self.fd)
                    os.close(self._write_fd)
                    self._write_fd = -1

else:

    class Waker:
        """The same where a thread sleeps on a condition. `told` is called with each wake-up."""

        fd = -1

        def __init__(self, told: Callable[[], object] = bool) -> None:
            self._told = told
            self._event = threading.Event()

        def wake(self) -> None:
            """From any thread."""
            if not self._event.is_set():
                self._event.set()
                self._told()

        def clear(self) -> None:
            """Make it sleep again."""
            self._event.clear()

        def wait(self, write_fds: Iterable[int], timeout: float | None) -> set[int]:
            """Until it is woken: `fd` is in the answer then. Nothing else can be waited for."""
            return {self.fd} if self._event.wait(timeout) else set()

        def close(self) -> None:
            """Nothing is held."""
