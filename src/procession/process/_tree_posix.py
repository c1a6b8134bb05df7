"""Trees on POSIX hosts without /proc: the leader's group, and lineage while parents live.

What `ps` tells (POSIX columns pid, ppid, pgid; `stat` and `lstart` as BSD, macOS and procps have
them), asked once for a whole wave of exits. A descendant that moved to another group *and* lost
its parent cannot be found: that takes a subreaper, which only Linux and FreeBSD have. Tested on
Linux, where it is never chosen; not run anywhere else yet.
"""

from __future__ import annotations

import os
import signal
import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession._record import Record
from procession.process._tree import TARGETS, AdoptsNobody, Member, Sent, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from procession.process.handle import Handle, Usage

_NO_CONT = frozenset(
    {0, signal.SIGKILL, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP}
    | {signal.SIGTTIN, signal.SIGTTOU}
)
_ROUNDS = 8  # of one kill, while new processes come to light; each costs a `ps`


class Line(Record):
    """What `ps` says of one process. `start_time`: its start in seconds after the epoch, so two
    processes with one pid in one second are not told apart."""

    pid: int
    ppid: int
    pgrp: int
    state: str
    start_time: int
    name: str


def processes() -> dict[int, Line]:
    """Everything that lives, by pid. Takes 10 ms or more. Raises OSError without `ps`."""
    import subprocess
    import time

    asked = ["-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat=", "-o", "lstart="]
    done = subprocess.run(
        ["ps", "-A", *asked, "-o", "comm="],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},  # lstart in English
    )
    table: dict[int, Line] = {}
    for text in done.stdout.decode("utf-8", "surrogateescape").splitlines():
        pid, ppid, pgrp, state, *rest = text.split(None, 9)
        if state.startswith("Z"):
            continue
        start = int(time.mktime(time.strptime(" ".join(rest[:5]))))
        table[int(pid)] = Line(int(pid), int(ppid), int(pgrp), state, start, rest[5])
    return table


class PosixTree(Tree):
    """See `Tree`."""

    def __init__(self, trees: PosixTrees, run: Hashable, handle: Handle) -> None:
        self.run = run
        self.handle = handle
        self._trees = trees
        self._heard: set[tuple[int, int]] = set()

    def is_empty(self) -> bool:
        # `killpg(pid, 0)` cannot answer: the unreaped leader is still in the group.
        return self.handle.poll_exit() is not None and not self.living(self._trees.look())

    def members(self) -> list[Member]:
        return [_member(line) for line in self.living(self._trees.look())]

    def living(self, table: dict[int, Line]) -> list[Line]:
        """The group, and the descendants of whoever is in it, leader first."""
        below: dict[int, list[Line]] = {}
        for line in table.values():
            below.setdefault(line.ppid, []).append(line)
        queue = [table[self.handle.pid]] if self.handle.pid in table else []
        if self.handle.own_group and not self.handle.reaped:
            queue += [line for line in table.values() if line.pgrp == self.handle.pid]
        found: dict[int, Line] = {}
        while queue:
            line = queue.pop(0)
            if line.pid not in found:
                found[line.pid] = line
                queue += below.get(line.pid, [])
        return list(found.values())

    def has_unheard(self, table: dict[int, Line]) -> bool:
        return any(_key(line) not in self._heard for line in self.living(table))

    def signal(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        if to not in TARGETS:
            raise ValueError(f"{to!r} is none of {', '.join(TARGETS)}")
        found = self.living(self._trees.look())
        if to == "leader":
            found = [line for line in found if line.pid == self.handle.pid]
        elif to == "group" and not only_new:
            return self._signal_group(number, found)
        if only_new:
            found = [line for line in found if _key(line) not in self._heard]
        else:
            self._heard.clear()
        return self._signal_each(number, found)

    def _signal_group(self, number: int, found: list[Line]) -> Sent:
        self._heard = {_key(line) for line in found if line.pgrp == self.handle.pid}
        try:
            self._group(number)
        except PermissionError:
            return Sent((), tuple(_member(line) for line in found))
        return Sent((self.handle.pid,) if self.handle.poll_exit() is None else ())

    def _group(self, number: int) -> None:
        if self.handle.kill_group(number) and number not in _NO_CONT:
            self.handle.kill_group(signal.SIGCONT)

    def _signal_each(self, number: int, found: list[Line]) -> Sent:
        pids: list[int] = []
        refused: list[Member] = []
        for line in found:
            self._heard.add(_key(line))
            try:
                if line.pid == self.handle.pid:
                    self.handle.send(number)
                else:
                    os.kill(line.pid, number)
                    if number not in _NO_CONT:
                        os.kill(line.pid, signal.SIGCONT)
                pids.append(line.pid)
            except ProcessLookupError:
                continue
            except PermissionError:
                refused.append(_member(line))
        return Sent(tuple(pids), tuple(refused))

    def kill(self) -> Sent:
        self._heard.clear()
        pids: list[int] = []
        refused: list[Member] = []
        for _ in range(_ROUNDS):
            found = self.living(self._trees.look())
            new = [line for line in found if _key(line) not in self._heard]
            if not new:
                break
            try:
                if self.handle.own_group:
                    self.handle.kill_group(signal.SIGKILL)
            except PermissionError:
                pass  # not one of them: each is asked below, and named
            sent = self._signal_each(signal.SIGKILL, new)
            pids += sent.pids
            refused += sent.refused
        return Sent(tuple(pids), tuple(refused))

    def finish(self) -> Usage | None:
        usage = self.handle.reap()
        self._trees.drop(self)
        return usage


class PosixTrees(AdoptsNobody):
    """See `Trees`. Adopts nobody, so nothing is ever unclaimed. Knows no control `groups`."""

    def __init__(
        self, groups: object = None, *, look: Callable[[], dict[int, Line]] = processes
    ) -> None:
        self.look = look
        self._trees: dict[Hashable, PosixTree] = {}

    def prepare(self) -> None:
        return None

    def plant(
        self, run: Hashable, cookie: str, handle: Handle, pipes: Iterable[int] = ()
    ) -> PosixTree:
        if run in self._trees:
            raise ValueError(f"{run!r} has been planted before")
        tree = self._trees[run] = PosixTree(self, run, handle)
        return tree

    def scan(self, ended: Iterable[Tree] = ()) -> list[Hashable]:
        over = [tree for tree in self._trees.values() if tree.handle.poll_exit() is not None]
        if not over:
            return []
        table = self.look()
        return [tree.run for tree in over if tree.has_unheard(table)]

    def forget(self, run: Hashable) -> None:
        tree = self._trees.pop(run)
        if tree.handle.poll_exit() is not None:
            tree.handle.reap()

    def drop(self, tree: PosixTree) -> None:
        self._trees.pop(tree.run, None)

    def close(self) -> None:
        self._trees.clear()


def _key(line: Line) -> tuple[int, int]:
    return line.pid, line.start_time


def _member(line: Line) -> Member:
    return Member(line.pid, line.start_time, line.name)
