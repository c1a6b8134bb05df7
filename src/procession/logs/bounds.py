"""How much a project's logs may take, and what goes when that is too much. The oldest goes first.

A log file that has reached its size is *turned*: what is in it becomes a piece, `web.log.1`,
later `web.log.2` and so on, and an empty `web.log` goes on. Pieces are dropped, oldest first, when
all that the project keeps is more than its total; before them the logs of its earlier runs.
"""

from __future__ import annotations

import os
from collections import deque

from procession._record import Record

MIB = 1 << 20
SMALLEST = 64 << 10  # bytes of a file before it is turned, however many files share the total
OVERRUN = MIB  # bytes a line without end may add to a file before it is cut in its midst
TELL_EVERY = 60.0  # seconds between two sentences about what was dropped


class Limits(Record):
    """In bytes, and in runs of the project."""

    file: int = 64 * MIB
    total: int = 1024 * MIB
    runs: int = 10

    def file_limit(self, files: int) -> int:
        """At how many bytes a file is turned where `files` are written at a time: all of them
        together take half of the total at the most, so that the other half is left for pieces."""
        return max(SMALLEST, min(self.file, self.total // (2 * max(1, files))))


class Bounds:
    """The account of one project's logs. One thread: the one that writes them."""

    def __init__(self, limits: Limits, files: int) -> None:
        self.limits = limits
        self.file_limit = limits.file_limit(files)
        self.used = 0  # bytes on the disk, as far as they were told
        self._pieces: deque[tuple[str, int]] = deque()  # path, bytes; the oldest first
        self._dropped = self._dropped_bytes = 0  # since the last telling
        self._tell_at: float | None = None

    def older(self, pieces: list[tuple[str, int]]) -> None:
        """Files that were there before all of ours, the oldest first."""
        self._pieces.extendleft(reversed(pieces))
        self.used += sum(size for _, size in pieces)

    def turned(self, path: str, size: int) -> None:
        """A file has become a piece. Its bytes were told while they were written."""
        self._pieces.append((path, size))

    def grew(self, size: int, now: float) -> str | None:
        """`size` bytes were written. A sentence where something had to go and nobody was told."""
        self.used += size
        if self.used <= self.limits.total:
            return None
        while self._pieces and self.used > self.limits.total:
            self._drop()
        return self._told(now)

    def settle(self) -> str | None:
        """What was dropped and not told yet."""
        self._tell_at = None
        return self._told(0.0)

    def _drop(self) -> None:
        path, size = self._pieces.popleft()
        self.used -= size
        try:
            os.unlink(path)
        except FileNotFoundError:
            return  # somebody was tidying up: it takes no room, and is not ours to tell of
        except OSError:
            self._dropped += 1  # it may not be removed: that it is not counted any more is all
            return
        self._dropped += 1
        self._dropped_bytes += size
        remove_if_empty(os.path.dirname(path))

    def _told(self, now: float) -> str | None:
        if not self._dropped or (self._tell_at is not None and now < self._tell_at):
            return None
        count, size = self._dropped, self._dropped_bytes
        self._dropped = self._dropped_bytes = 0
        self._tell_at = now + TELL_EVERY
        files = "1 file" if count == 1 else f"{count} files"
        return (
            f"logs: the oldest {files} ({shown(size)}) went: all of them may take "
            f"{shown(self.limits.total)} (`logs: {{max-total: …}}`)"
        )


def remove_if_empty(folder: str) -> None:
    """Of an earlier run, all of whose files are gone."""
    try:
        os.rmdir(folder)
    except OSError:
        return  # something is in it, which nobody told us to remove


def shown(size: int) -> str:
    """`640 KiB`, `64 MiB`, `1 GiB`"""
    for unit, name in ((1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
