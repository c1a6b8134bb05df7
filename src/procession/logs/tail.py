"""The last lines of what a run wrote, for who did not see them pass."""

from __future__ import annotations

import os
import re

from procession.errors import one_line
from procession.logs.tame import tame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

LINES = 10  # of both streams together
WIDTH = 500  # characters of a line that are shown
_BLOCK = 16 * 1024  # bytes read of each file
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")


def last_lines(files: Iterable[tuple[str, int]], count: int = LINES) -> list[str]:
    """The last `count` lines of log files: of each (path, where the run began in it), in bytes.

    Lines of one file stay in order; whose last line came last comes last. What is between two
    files cannot be known. Each file gets half of the lines, and what another leaves over. Every
    line is shortened, and free of all that would do more than show text. A file that is not there
    or cannot be read has no lines. Blocks as long as the disk does.
    """
    found = [(at, lines) for at, lines in (_end_of(*file, count) for file in files) if lines]
    found.sort(key=lambda one: one[0])
    fair = count // max(1, len(found))
    spare = sum(max(0, fair - len(lines)) for _, lines in found)
    return [line for _, lines in found for line in lines[-(fair + spare) :]][-count:]


def _end_of(path: str, begin: int, count: int) -> tuple[int, list[str]]:
    """(when the file was written last, its last lines)"""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if begin > status.st_size:  # it was turned since: all that is in it is of the run
                begin = 0
            start = max(begin, status.st_size - _BLOCK)
            file.seek(start)
            data = file.read(_BLOCK)
    except OSError:  # our own log was not opened, or was taken away: nothing can be shown of it
        return 0, []
    lines = data.split(b"\n")
    if not lines[-1]:
        del lines[-1]
    if start > begin and len(lines) > 1:
        del lines[0]  # it began before the block
    return status.st_mtime_ns, [_shown(line) for line in lines[-count:]]


def _shown(line: bytes) -> str:
    # cut before and after: an escape sequence may be long, and a character four bytes
    tamed = _COLOUR.sub(b"", tame(line[: WIDTH * 16]))
    text = one_line(tamed.decode("utf-8", "backslashreplace").expandtabs().rstrip())
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."
