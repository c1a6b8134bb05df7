"""A log file that takes blocks of bytes, and never stops a task when it cannot.

With `Bounds` it is turned when it is full (see there): on a line's end, and with nothing lost.
"""

from __future__ import annotations

import os
import sys

from procession.logs.bounds import OVERRUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.logs.bounds import Bounds
    from procession.logs.place import Place

    Block = bytes | memoryview

_NEWLINE = 10
RETRY = 1.0  # seconds after a failed write in which what comes is dropped without trying
LOOK = 1.0  # seconds between two looks whether the file is still where it was
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
FLAGS |= getattr(os, "O_NONBLOCK", 0)  # opening a FIFO that a task put there must not wait


class _CutShortError(Exception):
    def __init__(self, done: int, cause: OSError) -> None:
        self.done = done
        self.cause = cause


def _is(path: str, status: os.stat_result) -> bool:
    """Is that file still to be found there?"""
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


class Sink:
    """Appends blocks to a file as they are. Nothing raises: trouble comes back as a sentence.

    While the file cannot be written to (no space, an I/O error, too many open files) what comes
    is dropped and counted; the first failure is told, then the count when writing works again
    or at `settle`. The file itself gets no mark: what is in it is what the task wrote. One
    thread at a time. O_APPEND is kept although it forbids splice(2): a file that somebody
    truncates under us goes on at its new end instead of growing a hole. A file that somebody
    removes, with its folder or without, is made anew within LOOK seconds of writing, and told.
    """

    __slots__ = (
        "_bounds", "_fd", "_look_at", "_lost", "_made", "_news", "_owned", "_path", "_pieces",
        "_place", "_retry_at", "_size", "_trouble", "_turn_at", "_within_line", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        path: str | None = None,
        fd: int = -1,
        bounds: Bounds | None = None,
        place: Place | None = None,
    ) -> None:
        self.name = name  # what messages call it
        self._path = path  # opened (and created, mode 0600) by `open`, closed by `close`
        self._fd = fd  # of somebody else, who keeps it open as long as the sink is used
        self._owned = path is not None
        self._lost = 0  # bytes dropped since the last telling
        self._trouble: str | None = None  # why nothing can be written now
        self._retry_at = 0.0
        self._place = place  # the path's folder, if it is to be made anew where it has gone
        self._made = 0  # how often that had been done when the file was opened
        self._look_at = 0.0
        self._bounds = bounds if path is not None else None
        self._size = 0
        self._turn_at = self._bounds.file_limit if self._bounds is not None else 0
        self._within_line = False  # the last byte in the file was no newline
        self._pieces = 0
        self._news: str | None = None  # of the bounds, and not told yet

    def open(self, now: float) -> str | None:
        """Open the file if it is not open. A sentence if that fails; it is tried again later.
        Also if its folder had gone, and was made anew."""
        if self._fd >= 0 or self._path is None:
            return None
        told = None
        try:
            if self._place is not None:
                told = self._place.make()
                self._made = self._place.made
            self._fd = os.open(self._path, FLAGS, 0o600)
            if self._bounds is not None:
                self._size = os.fstat(self._fd).st_size
        except OSError as e:
            return self._failed(e, now)
        self._look_at = now + LOOK
        return told

    def write(self, block: Block, now: float) -> str | None:
        """Append all of `block`, or count what could not be. A sentence where there is news."""
        if self._trouble is not None and now < self._retry_at:
            self._lost += len(block)
            return None
        told = None
        if self._owned and self._fd >= 0 and (now >= self._look_at or self._has_moved):
            told = self._look(now)
        if self._fd < 0:
            told = self.open(now) or told
            if self._fd < 0:
                self._lost += len(block)
                return told
        try:
            if self._bounds is not None:
                self._write_bounded(self._bounds, block, now)
            else:
                self._write_all(block)
        except _CutShortError as e:
            self._lost += len(block) - e.done
            return self._failed(e.cause, now)
        return self._recovered() if self._trouble is not None else told or self._tell_news()

    @property
    def _has_moved(self) -> bool:
        """Was the folder made anew since the file was opened?"""
        return self._place is not None and self._place.made != self._made

    def _look(self, now: float) -> str | None:
        """Is the file still where it was? Else close it; a sentence, unless another tells of it."""
        assert self._path is not None
        self._look_at = now + LOOK
        try:
            status = os.fstat(self._fd)
            if status.st_nlink or _is(self._path, status):  # (not every file system counts links)
                return None
            os.close(self._fd)
        except OSError:
            return None  # what is wrong with it a write tells, with what is lost
        self._fd = -1
        if self._bounds is not None:
            self._bounds.used -= self._size
            self._size, self._turn_at = 0, self._bounds.file_limit
            self._within_line = False
        gone = self._place is not None and not os.path.isdir(self._place.path)
        if gone or self._has_moved:
            return None  # one sentence for all that was in the folder
        return f"{self.name}: is gone, with what was written there, and is made anew"

    def _write_all(self, block: Block, before: int = 0) -> None:
        """Raises _CutShortError, with what was written of it, and `before` it."""
        done = 0
        try:
            done = os.write(self._fd, block)
            while done < len(block):  # a full disk, or a file size limit, cuts a write short
                done += os.write(self._fd, memoryview(block)[done:])
        except OSError as e:
            raise _CutShortError(before + done, e) from e
        finally:
            self._size += done

    def _write_bounded(self, bounds: Bounds, block: Block, now: float) -> None:
        begin = 0
        while begin < len(block):
            room = self._turn_at - self._size
            end = len(block)
            if end - begin > room:
                end = self._line_end(block, begin, room)
            part = block if end - begin == len(block) else memoryview(block)[begin:end]
            if end > begin:
                before = self._size
                try:
                    self._write_all(part, begin)
                finally:
                    self._news = bounds.grew(self._size - before, now) or self._news
                self._within_line = block[end - 1] != _NEWLINE
            full = self._size >= self._turn_at or end < len(block)
            if full and (not self._within_line or self._size >= self._turn_at + OVERRUN):
                self._turn(bounds, len(block) - end)
            begin = end

    def _line_end(self, block: Block, begin: int, room: int) -> int:
        """Where in `block` the file is to end: after the last line that fits, or, if that is none,
        after the first that does not; the block's end where no line ends in it."""
        data = bytes(block)  # once in many blocks
        fits = data.rfind(b"\n", begin, begin + max(0, room)) + 1
        if fits > begin:
            return fits
        if not self._within_line and self._size:
            return begin  # the file is whole as it is
        longer = data.find(b"\n", begin + max(0, room)) + 1
        return longer or len(data)

    def _turn(self, bounds: Bounds, coming: int) -> None:
        """Make a piece of what is in the file, and go on in an empty one. Where that fails the
        file goes on as it is, and it is tried again when as much was added after the bytes that are
        `coming` now (of which a line may be longer than a file)."""
        try:
            size = os.fstat(self._fd).st_size
            if size < self._size // 2:  # somebody truncated it under us: there is room
                bounds.used -= self._size - size
                self._size = size
                return
            piece = self._go_on_anew()
        except FileNotFoundError:  # somebody removed it: the next write looks for it, and tells
            self._turn_at = self._size + coming + bounds.file_limit
            self._look_at = 0.0
            return
        except OSError as e:
            self._turn_at = self._size + coming + bounds.file_limit
            why = f"{e.filename or self.name}: {e.strerror or e}"
            self._news = f"{self.name}: grows beyond its size, it cannot be turned: {why}"
            return
        bounds.turned(piece, self._size)
        self._size, self._turn_at = 0, bounds.file_limit
        self._within_line = False

    def _go_on_anew(self) -> str:
        """Give what is in the file the name of a piece, and open an empty one; the piece's path.
        Whoever looks finds the lines in one of them, and nobody's file is overwritten."""
        assert self._path is not None
        while os.path.lexists(piece := f"{self._path}.{self._pieces + 1}"):
            self._pieces += 1
        if sys.platform == "win32":  # an open file cannot be renamed
            os.close(self._fd)
            self._fd = -1  # where the rest fails, `write` opens the file again
            os.rename(self._path, piece)
            self._fd = os.open(self._path, FLAGS | os.O_EXCL, 0o600)
            return piece
        # opened before anything is moved: a turn that fails loses nothing
        following = f"{self._path}.next"
        fd = os.open(following, FLAGS | os.O_EXCL, 0o600)
        try:
            os.rename(self._path, piece)
            os.rename(following, self._path)
        except OSError:
            os.close(fd)
            os.unlink(following)
            raise
        os.close(self._fd)
        self._fd = fd
        return piece

    def _tell_news(self) -> str | None:
        news, self._news = self._news, None
        return news

    def settle(self) -> str | None:
        """A run ended: say what was lost and not told yet."""
        if not self._lost:
            return self._tell_news()
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
