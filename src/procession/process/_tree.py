"""The contract of trees. `tree.py` has the mechanism of this platform under the same names."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Any

    from procession.process.command import Command
    from procession.process.handle import Handle, Usage

COOKIE = "PROCESSION_RUN"  # the environment variable that carries a run's cookie
OWNER = "PROCESSION_OWNER"  # and the one that names the application, of all its runs
TARGETS = ("leader", "group", "tree")


class Member(Record):
    """One living process of a tree. `start_time` pins the pid (see `Handle.start_time`)."""

    pid: int
    start_time: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


class Sent(Record):
    """What became of a signal. `pids` got it; `refused` belong to somebody we may not signal.

    A group is signalled in one go: then `pids` names its leader alone, and only if that lives.
    """

    pids: tuple[int, ...] = ()
    refused: tuple[Member, ...] = ()


class Tree(ABC):
    """One run's leader and everything it started. Belongs to the thread that owns its `Trees`."""

    run: Hashable

    @abstractmethod
    def is_empty(self) -> bool:
        """The leader has ended and nothing that is known to be of this run lives.

        The children are read again if that did not happen since the leader was seen to end, so
        the answer never overlooks an orphan. It is final, except for a process that left no
        evidence at all: that one is among the unclaimed.
        """

    @abstractmethod
    def members(self) -> list[Member]:
        """What lives, leader first: a snapshot, as of the last scan where orphans are concerned."""

    def holds(self, pid: int) -> bool:
        """Is the process with this number, which the caller holds on to or has just heard of, of
        this tree? Also where it has ended and its parent, which is of the tree, has not reaped it.
        Looks for orphans that came to us where it has to."""
        return any(member.pid == pid for member in self.members())

    @abstractmethod
    def signal(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        """Send a signal to the `leader`, its process `group` (also after the leader's end) and
        the orphans seen so far (their parents, who might have told them, are gone), or the whole
        `tree`.

        Each process is held (pidfd, or it is our child, and start time) before it is signalled.
        SIGCONT follows, so that a stopped process can act on it. `only_new` speaks to those of
        the tree that have not heard since the last call without `only_new`; so a process that
        comes to light later hears of a stop exactly once. Never raises for a process that is
        gone or that we may not signal: the first is fine, the second is told in `Sent.refused`.
        Raises ValueError for another `to`, and for `group` when the leader leads none.
        """

    @abstractmethod
    def kill(self) -> Sent:
        """SIGKILL to everything, repeated until nothing new comes to light. Does not wait for
        the ends; what comes to light later makes `scan` tell of this run again."""

    @abstractmethod
    def finish(self) -> Usage | None:
        """The run is over: reap the leader and drop what was remembered.

        Due once the tree is empty. Idempotent. Raises RuntimeError while the leader runs. What
        is left alive (there should be nothing) becomes unclaimed.
        """


class Trees(ABC):
    """All trees of one process. Its owner must be the only one that reaps in this process, and
    the only one that starts processes: each is planted before the next scan, or it is taken for
    an adopted orphan. One thread; no method blocks."""

    @property
    @abstractmethod
    def again(self) -> bool:
        """True: call `scan` once more soon. Something came to light that it has not told yet, or
        orphans died faster than one scan may reap."""

    @abstractmethod
    def prepare(self) -> None:
        """Before the first spawn. Raises HostError when this host refuses."""

    def spawn(self, cookie: str, command: Command) -> Handle:
        """Start the leader of a run that is about to be planted with this cookie, where this
        host lets us tell all that comes of it. Raises what `spawn.spawn` raises."""
        from procession.process.spawn import spawn

        return spawn(command)

    @abstractmethod
    def plant(self, run: Hashable, cookie: str, handle: Handle, pipes: Iterable[int] = ()) -> Tree:
        """A run began: `handle` is its leader, started with `COOKIE=cookie` in its environment.

        `pipes`: inodes of pipes of ours whose other end was given to this run
        alone, as its stdout; who holds such a pipe and shows nothing else is of this run.

        `run` and `cookie` must be new. A supervisor under a supervisor keeps the outer cookie by
        writing `outer:own`, in the environment and here; each finds the part it planted.
        """

    def catch_up(self) -> None:  # noqa: B027 - nothing to do, for most
        """From here on `poll_exit` tells of all ends of leaders that the kernel knew of when this
        was called. Nothing to do but where somebody else has to tell. From any thread."""

    def tell_many(self, asks: Iterable[tuple[Tree, int, str, bool]]) -> list[Sent]:
        """`tree.signal(number, to=to, only_new=only_new)` of each; at the price of one look, where
        looks are dear."""
        return [tree.signal(number, to=to, only_new=new) for tree, number, to, new in asks]

    def kill_many(self, doomed: Iterable[Tree]) -> list[Sent]:
        """`tree.kill()` of each, likewise."""
        return [tree.kill() for tree in doomed]

    @abstractmethod
    def scan(self, ended: Iterable[Tree] = ()) -> list[Hashable]:
        """Look at our children once for a whole wave of exits: adopt, assign and reap orphans.

        Returns the runs in which processes came to light that have not heard the last signal to
        their tree. `ended`: trees whose leaders were seen to end; saves each `is_empty` a look
        of its own. Idempotent and cheap when nothing happened (0.02 ms, and 0.3 us for each
        child). Orphans that ended are reaped one by one; leaders never are.
        """

    @abstractmethod
    def unclaimed(self) -> list[Member]:
        """Living orphans that nothing ties to a run, and their descendants."""

    @abstractmethod
    def sweep_unclaimed(self, number: int, *, only_new: bool = False) -> Sent:
        """Signal those; SIGKILL is repeated until nothing new comes to light."""

    @abstractmethod
    def drop(self, tree: Any) -> None:
        """What `finish` does, for a tree of these whose leader was let go of by its handle."""

    @abstractmethod
    def forget(self, run: Hashable) -> None:
        """The run's `leftover` is `leave`, or it cannot be killed: what is left of it is reaped
        when it ends, and is never signalled, told of, or unclaimed. A leader that has ended is
        reaped; the handle of one that lives is not to be used any more."""

    @abstractmethod
    def left(self) -> set[Hashable]:
        """The forgotten runs of which something lives, as of the last scan. The others are
        forgotten for good, and are in no later answer."""

    @abstractmethod
    def left_of(self, run: Hashable) -> list[Member]:
        """What lives of a forgotten run."""

    def pause(self) -> None:  # noqa: B027 - as a rule there is nothing to give back
        """Nobody waits for news: give back what is held for these alone. Planting goes on, or
        `resume` does. Trees that have to be asked hold nothing."""

    def resume(self) -> None:  # noqa: B027 - the same
        """Somebody waits again."""

    @abstractmethod
    def close(self) -> None:
        """Close all descriptors. Whatever lives stays alive."""


class AdoptsNobody(Trees):
    """Of a process that is no subreaper: orphans go to another, and are never ours to claim."""

    if sys.platform != "win32":

        def spawn(self, cookie: str, command: Command) -> Handle:
            """Also from an application that ignores or blocks signals."""
            from procession.process.defaults import spawn_anyhow

            return spawn_anyhow(command)

    @property
    def again(self) -> bool:
        return False

    def unclaimed(self) -> list[Member]:
        return []

    def sweep_unclaimed(self, number: int, *, only_new: bool = False) -> Sent:
        return Sent()

    def left(self) -> set[Hashable]:
        return set()

    def left_of(self, run: Hashable) -> list[Member]:
        return []
