"""The live runs of a supervisor: what has been spawned and has not ended yet."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.process.handle import Handle
    from procession.process.tree import Tree


def cookie_of(token: str, replica: str, run: int) -> str:
    """What marks the processes of a run of the supervisor with that token (without dots)."""
    return f"{token}.{replica}.{run}"


def replica_of(cookie: str) -> str:
    """Of a cookie that `cookie_of` made."""
    return cookie.partition(".")[2].rpartition(".")[0]


class LiveRun:
    """One run between its spawn and the end of its tree."""

    __slots__ = (
        "cookie",
        "ending",
        "handle",
        "input",
        "killed",
        "leader_told",
        "number",
        "replica",
        "tree",
    )

    def __init__(self, replica: str, number: int, cookie: str, handle: Handle, tree: Tree) -> None:
        self.replica = replica
        self.number = number
        self.cookie = cookie
        self.handle = handle
        self.tree = tree
        self.input = -1  # the write end of its input, where that is no null
        self.killed = False
        self.leader_told = False  # LeaderExited was posted
        self.ending = False  # the tree is empty; its output is being read to the end

    @property
    def key(self) -> tuple[str, int]:
        return self.replica, self.number

    def end_input(self) -> None:
        """Idempotent."""
        fd, self.input = self.input, -1
        if fd >= 0:
            os.close(fd)
