"""The live runs of a supervisor: what has been spawned and has not ended yet."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.lookup import Launch
    from procession.process.command import Command
    from procession.process.handle import Handle
    from procession.process.tree import Tree
    from procession.spec import Task
    from procession.supervisor.probes.outfit import Outfit

    RunKey = tuple[str, int] | tuple[str, int, int]


def cookie_of(token: str, replica: str, run: int | str) -> str:
    """What marks the processes of a run of the supervisor with that token (without dots)."""
    return f"{token}.{replica}.{run}"


def replica_of(cookie: str) -> str:
    """Of a cookie that `cookie_of` made."""
    return cookie.partition(".")[2].rpartition(".")[0]


class LiveRun:
    """One run between its spawn and the end of its tree."""

    __slots__ = (
        "command",
        "cookie",
        "ending",
        "handle",
        "inherited",
        "input",
        "key",
        "killed",
        "launch",
        "leader_told",
        "marks",
        "outfit",
        "owner",
        "task",
        "tree",
    )

    def __init__(self, key: RunKey, cookie: str, handle: Handle, tree: Tree) -> None:
        self.key = key
        self.cookie = cookie
        self.handle = handle
        self.tree = tree
        self.input = -1  # the write end of its input, where that is no null
        self.killed = False
        self.leader_told = False  # LeaderExited was posted
        self.ending = False  # the tree is empty; its output is being read to the end
        self.owner: LiveRun | None = None  # beside which it runs, of an errand
        self.outfit: Outfit | None = None  # for its checks
        self.task: Task  # but of an errand
        # how it was started, for the errands that are started likewise
        self.launch: Launch
        self.command: Command  # without what it has for itself alone
        self.inherited: list[bytes]  # its environment, but for
        self.marks: dict[str, str]  # the variables of ours

    @property
    def replica(self) -> str:
        return self.key[0]

    @property
    def number(self) -> int:
        return self.key[1]

    @property
    def run(self) -> tuple[str, int]:
        """For the events of it: of an errand, the run beside which it is."""
        return self.key[0], self.key[1]

    def end_input(self) -> None:
        """Idempotent."""
        fd, self.input = self.input, -1
        if fd >= 0:
            os.close(fd)
