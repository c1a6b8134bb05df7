"""How the guardian hears on Linux: a signalfd, which tells who sent a signal."""

from __future__ import annotations

import os
import signal
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Ears:
    """Hears signals that are blocked in this process; loses none while nobody listens."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self.fd = _linux.signalfd(numbers)

    def read(self) -> list[tuple[int, bool | None]]:
        """(signal, typed) of all that came. The terminal's Ctrl-C comes from the kernel itself;
        whatever a program sends carries the program."""
        return [
            (info.signo, info.signo == signal.SIGINT and info.code == _linux.SI_KERNEL)
            for info in _linux.read_signalfd(self.fd)
        ]

    def close(self) -> None:
        os.close(self.fd)
