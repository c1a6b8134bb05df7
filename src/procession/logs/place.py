"""The folder of log files that are written, which somebody may take away meanwhile."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Place:
    """One thread: the one that writes the logs. `on_made` is called when it was made anew."""

    __slots__ = ("_on_made", "made", "path")

    def __init__(self, path: str, on_made: Callable[[], object]) -> None:
        self.path = path
        self.made = 0  # how often it had to be made anew
        self._on_made = on_made

    def make(self) -> str | None:
        """Make it if it is not there, and say so. Raises OSError; also where the place that was
        named for logs is gone itself: who removes that does not want to find it again."""
        if os.path.isdir(self.path):
            return None
        project = os.path.dirname(self.path)
        os.stat(os.path.dirname(project))
        make_private(self.path)
        self.made += 1
        self._on_made()
        return f"logs: {self.path} is gone, with what was written there, and is made anew"


def make_private(path: str) -> None:
    """Make a folder and what leads to it; what we make is for the user alone. Raises OSError."""
    if os.path.isdir(path):
        return
    make_private(os.path.dirname(path))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
