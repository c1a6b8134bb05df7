"""A file that is there, and was made or changed since a run began."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    Stamp = tuple[int, ...]

# Not by the time of day: a file server has a clock of its own, and a local file system's is behind
# ours by up to a tick, so that what is written right after a start would look older than it.


def stamp(path: str) -> Stamp | None:
    """What changes when the file does; None: there is none. Raises OSError where that cannot be
    told. May take as long as the file system does."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def judged(before: Stamp | None, answer: object) -> str:
    """What is wrong, in words, with what `stamp` gave, or raised; empty: nothing."""
    if isinstance(answer, OSError):
        return (answer.strerror or str(answer)).lower()
    if isinstance(answer, ValueError):
        return str(answer)
    if answer is None:
        return "it is not there"
    return "it has not changed since the run began" if answer == before else ""
