"""The pipe through which a run says by a newline that it is ready (s6's convention)."""

from __future__ import annotations

import os
import sys

from procession.supervisor.probes.sign import Sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.supervisor.probes.throttle import Ears

BLOCK = 4096


class FdSign(Sign):
    """`number`: under which the run has the write end. Until the run's end all that is written is
    read, so that nobody is cut off by what comes after the newline."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self._reads, self._writes = os.pipe()
        if sys.platform != "win32":  # where no run can be given one
            os.set_blocking(self._reads, False)
        self._ears: Ears | None = None

    @property
    def writes(self) -> int:
        """The end that is for the run."""
        return self._writes

    def spawned(self, ears: Ears) -> None:
        """The run has its end: ours is closed, and listened to."""
        self._close_writes()
        self._ears = ears
        ears.listen(self._reads, self._read)

    def _read(self) -> bool:
        """True: there may be more."""
        try:
            block = os.read(self._reads, BLOCK)
        except BlockingIOError:
            return False
        if b"\n" in block:
            self.say()
        if not block:
            self.close()
            self.give_up(f"descriptor {self.number} was closed without a newline")
        return bool(block)

    def close(self) -> None:
        """Idempotent."""
        self._close_writes()
        if self._reads >= 0:
            reads, self._reads = self._reads, -1
            if self._ears is not None:
                self._ears.ignore(reads)
            os.close(reads)

    def _close_writes(self) -> None:
        if self._writes >= 0:
            writes, self._writes = self._writes, -1
            os.close(writes)
