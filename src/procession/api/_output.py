"""What tasks wrote, from the log files."""

from __future__ import annotations

import os

from procession.logs.files import LogFolder
from procession.logs.follow import Follower
from procession.logs.prefix import Prefixer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STREAMS = ("stdout", "stderr")


def written(folder: str, names: Sequence[str], lines: int | None, prefix: bool) -> str:
    """The last lines of each stream of these replicas, one after the other."""
    width = max(map(len, names), default=0)
    found: list[bytes] = []
    for name in names:
        label = f"{name.ljust(width)} | ".encode() if prefix else b""
        for path in _paths(folder, name):
            follower, prefixer = Follower(path), Prefixer(raw=True)
            try:
                follower.from_the_last(lines)
                while block := follower.read():
                    found.append(prefixer.feed(block, label))
                found.append(prefixer.flush(label))
            finally:
                follower.close()
    return b"".join(found).decode("utf-8", "replace")


def last_words(folder: str, names: Iterable[str]) -> str:
    """A few lines of each replica, each behind a line end, for the end of a message."""
    from procession.logs.tail import last_lines

    return "".join(
        f"\n  {name} | {line}"
        for name in names
        for line in last_lines([(path, 0) for path in _paths(folder, name)])
    )


def _paths(folder: str, name: str) -> list[str]:
    return [os.path.join(folder, LogFolder.file_of(name, which)) for which in STREAMS]
