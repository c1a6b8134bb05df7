"""Reads a log file from somewhere to its end and on, over its turns (`bounds`).

For who looks at logs from outside: nothing here knows whether the project runs.
"""

from __future__ import annotations

import os

BLOCK = 256 * 1024  # bytes of one reading


class Follower:
    """One log file. `read` never waits for more. One thread; `close` gives the descriptor back."""

    def __init__(self, path: str) -> None:
        """From the oldest line there is on. A file that is not there yet begins when it is."""
        self._path = path
        self._fd = -1

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def from_the_last(self, count: int | None) -> None:
        """Begin with the last `count` lines, of all pieces; None: with the oldest there is."""
        self.close()
        if count is None:
            return
        found = [*_pieces(self._path), self._path]
        for at in range(len(found) - 1, -1, -1):
            start, seen = _last_lines(found[at], count)
            if seen >= count or at == 0:
                if self._open(found[at]):
                    os.lseek(self._fd, start, os.SEEK_SET)
                return
            count -= seen

    def read(self) -> bytes:
        """What comes next, at most `BLOCK` bytes; empty: there is no more for now."""
        while True:
            if self._fd < 0 and not self._open(*_pieces(self._path), self._path):
                return b""
            data = os.read(self._fd, BLOCK)
            if data:
                return data
            following = self._following()
            if not following:
                return b""
            # nobody writes to it any more; but since that reading, and before the turn, somebody
            # may have
            data = os.read(self._fd, BLOCK)
            if data:
                return data
            self.close()
            if not self._open(*following):
                return b""

    def _open(self, *paths: str) -> bool:
        """The first that is there: a piece may be dropped at any time, its lines are gone then."""
        for path in paths:
            try:
                self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            except OSError:
                continue
            return True
        return False

    def _following(self) -> list[str]:
        """What comes after the open file, the oldest first; nothing if it is still written to."""
        ours = os.fstat(self._fd)
        try:
            now = os.stat(self._path)
        except OSError:
            return []  # in the midst of a turn, or taken away
        if os.path.samestat(ours, now):
            if now.st_size < os.lseek(self._fd, 0, os.SEEK_CUR):  # truncated under us
                os.lseek(self._fd, 0, os.SEEK_SET)
            return []
        pieces = _pieces(self._path)
        for at, piece in enumerate(pieces):
            try:
                if os.path.samestat(os.stat(piece), ours):
                    return [*pieces[at + 1 :], self._path]
            except OSError:
                continue  # dropped in this moment
        # ours was dropped, and so were all before it: the oldest goes first
        return [*pieces, self._path]


def _pieces(path: str) -> list[str]:
    """The pieces of a log file, the oldest first."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    before = f"{name}."
    numbers = (n.removeprefix(before) for n in names if n.startswith(before))
    return [f"{path}.{n}" for n in sorted((n for n in numbers if n.isdecimal()), key=int)]


def _last_lines(path: str, count: int) -> tuple[int, int]:
    """(where the last `count` lines begin, how many lines that are)"""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            seen, at, behind = 0, end, b""
            while at > 0:
                size = min(BLOCK, at)
                at -= size
                file.seek(at)
                data = file.read(size)
                if at + size == end and data.endswith(b"\n"):
                    data = data[:-1]  # ends the last line, and begins none
                if seen + data.count(b"\n") >= count:
                    place = len(data)
                    for _ in range(count - seen):
                        place = data.rindex(b"\n", 0, place)
                    return at + place + 1, count
                seen += data.count(b"\n")
                behind = data
            return 0, seen + bool(end or behind)
    except OSError:
        return 0, 0
