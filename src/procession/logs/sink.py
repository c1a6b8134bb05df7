"""A log file that takes blocks of bytes, and never stops a task when it cannot."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    Block = bytes | memoryview

RETRY = 1.0  # seconds after a failed write in which what comes is dropped without trying
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
FLAGS |= getattr(os, "O_NONBLOCK", 0)  # opening a FIFO that a task put there must not wait


class Sink:
    """Appends blocks to a file as they are. Nothing raises: trouble comes back as a sentence.

    While the file cannot be written to (no space, an I/O error, too many open files) what comes
    is dropped and counted; the first failure is told, then the count when writing works again
    or at `settle`. The file itself gets no mark: what is in it is what the task wrote. One
    thread at a time. O_APPEND is kept although it forbids splice(2): a file that somebody
    truncates under us goes on at its new end instead of growing a hole.
    """

    __slots__ = ("_fd", "_lost", "_owned", "_path", "_retry_at", "_trouble", "name")

    def __init__(self, name: str, *, path: str | None = None, fd: int = -1) -> None:
        self.name = name  # what messages call it
        self._path = path  # opened (and created, mode 0600) by `open`, closed by `close`
        self._fd = fd  # of somebody else, who keeps it open as long as the sink is used
        self._owned = path is not None
        self._lost = 0  # bytes dropped since the last telling
        self._trouble: str | None = None  # why nothing can be written now
        self._retry_at = 0.0

    def open(self, now: float) -> str | None:
        """Open the file if it is not open. A sentence if that fails; it is tried again later."""
        if self._fd >= 0 or self._path is None:
            return None
        try:
            self._fd = os.open(self._path, FLAGS, 0o600)
        except OSError as e:
            return self._failed(e, now)
        return None

    def write(self, block: Block, now: float) -> str | None:
        """Append all of `block`, or count what could not be. A sentence where there is news."""
        if self._trouble is not None and now < self._retry_at:
            self._lost += len(block)
            return None
        if self._fd < 0:
            told = self.open(now)
            if self._fd < 0:
                self._lost += len(block)
                return told
        done = 0
        try:
            done = os.write(self._fd, block)
            while done < len(block):  # a full disk, or a file size limit, cuts a write short
                done += os.write(self._fd, memoryview(block)[done:])
        except OSError as e:
            self._lost += len(block) - done
            return self._failed(e, now)
        return None if self._trouble is None else self._recovered()

    def settle(self) -> str | None:
        """A run ended: say what was lost and not told yet."""
        if not self._lost:
            return None
        lost, self._lost = self._lost, 0
        return f"{self.name}: {lost:,} bytes were lost: {self._trouble}"

    def close(self) -> str | None:
        """Close what `open` opened; say what was lost. A second call does nothing."""
        told = self.settle()
        if self._owned and self._fd >= 0:
            fd, self._fd = self._fd, -1
            try:
                os.close(fd)
            except OSError as e:  # network file systems tell of lost writes here
                told = told or f"{self.name}: some of it may be lost: {e.strerror}"
        return told

    def _failed(self, e: OSError, now: float) -> str | None:
        self._retry_at = now + RETRY
        first = self._trouble is None
        self._trouble = e.strerror or str(e)
        if not first:
            return None
        return f"{self.name}: {self._trouble}; what is written is lost until this ends"

    def _recovered(self) -> str:
        lost, why = self._lost, self._trouble
        self._lost = 0
        self._trouble = None
        meanwhile = f"; {lost:,} bytes were lost meanwhile: {why}" if lost else ""
        return f"{self.name}: is written again{meanwhile}"
