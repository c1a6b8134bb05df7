"""How the guardian hears elsewhere: handlers and a wakeup descriptor. Who sent it is not told."""

from __future__ import annotations

import os
import signal
import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession.process._signals_posix import noop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Ears:
    """Hears signals that were blocked until now. Main thread only."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = frozenset(numbers)
        self.fd, self._writes = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._writes, False)
        self._wakeup = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, noop) for number in self._numbers}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._numbers)

    def read(self) -> list[tuple[int, bool | None]]:
        """(signal, None) of all that came."""
        try:
            return [(number, None) for number in os.read(self.fd, 4096)]
        except BlockingIOError:
            return []

    def close(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.close(self.fd)
        os.close(self._writes)
