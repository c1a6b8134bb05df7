"""`Trees` of an application whose processes a starter starts: see `_starter_linux`.

The trees themselves are in the starter, as a supervisor has them: a control group each, lineage,
session, cookie. Here is what was told of them. Where a starter was lost another one goes on with
the groups; of the leaders nothing but the moment of their end can be learned then.
"""

from __future__ import annotations

import sys
import threading

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.errors import HostError
from procession.process import _cgroup_linux as files
from procession.process import _starter_linux
from procession.process._starter_wire import StarterGone
from procession.process._tree import TARGETS, AdoptsNobody, Member, Sent, Tree
from procession.process.handle import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Any

    from procession.process._cgroup_linux import Groups
    from procession.process._starter_handle_linux import StarterHandle
    from procession.process._starter_linux import Starter
    from procession.process.command import Command
    from procession.process.handle import Handle

_TRIES = 3  # of a start, while somebody kills one starter after the other


class ContainedTree(Tree):
    """See `Tree`."""

    def __init__(
        self, trees: ContainedTrees, run: Hashable, cookie: str, handle: StarterHandle
    ) -> None:
        self.run = run
        self.cookie = cookie
        self.handle = handle
        self.looked = False  # since the leader was seen to end
        self.over = False
        self.usage: Usage | None = None
        self._trees = trees

    @property
    def leader_lives(self) -> bool:
        return self.handle.poll_exit() is None

    def is_empty(self) -> bool:
        if self.leader_lives:
            return False
        if not self.looked:
            self._trees.scan((self,))
        return self.over

    def members(self) -> list[Member]:
        return [] if self.over else self._trees.members(self)

    def signal(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        return self._trees.tell_many([(self, number, to, only_new)])[0]

    def kill(self) -> Sent:
        return self._trees.kill_many([self])[0]

    def finish(self) -> Usage | None:
        if self.leader_lives:
            raise RuntimeError(f"process {self.handle.pid} still runs: there is nothing to reap")
        self._trees.drop(self)
        return self.usage


class ContainedTrees(AdoptsNobody):
    """See `Trees`. `spawn` and `plant` from any thread, the rest from the one that turns. What
    nothing ties to a run is ended by the starter, when all else has ended."""

    def __init__(
        self,
        token: str,
        groups: Groups,
        *,
        required: bool,
        leave: bool,
        say: Callable[[str], None],
    ) -> None:
        self._token = token
        self._required = required
        self._leave = leave
        self._say = say
        self._trouble = ""  # that was told last
        self._planted: dict[str, ContainedTree] = {}
        self._alive: dict[str, StarterHandle] = {}  # all that was started, planted yet or not
        self._calm = threading.Condition(threading.Lock())  # of the three below
        self._births = 0
        self._groups: Groups | None = groups  # None: it was given back
        self._starter: Starter | None = None

    def prepare(self) -> None:
        return None

    # --- the starter -----------------------------------------------------------------------------

    def watched(self) -> Starter:
        """The one that serves, or else a new one; its `fd` is watched by the caller from here on,
        who also is the one to `end` it. Raises OSError where none can be started."""
        with self._calm:
            starter = self._get()
            starter.watched = True
            return starter

    def _get(self) -> Starter:
        if self._starter is not None and not self._starter.gone:
            return self._starter
        # what the last one was asked has been answered, or never will be
        self._calm.wait_for(lambda: self._births == 0)
        old = self._starter
        if old is not None and not old.gone:
            return old  # of another thread that waited
        if old is not None and not old.watched:
            old.end()
        if self._groups is None:
            raise HostError("a control group", "ours was given back", "an executor that serves")
        starter = _starter_linux.begin(
            self._token, self._groups, required=self._required, leave=self._leave
        )
        try:
            starter.post("adopt", [(h.cookie, h.pid, h.leaf) for h in list(self._alive.values())])
        except BaseException:
            starter.end()  # it would take all that lives for strangers
            raise
        self._starter = starter
        return starter

    def end(self) -> None:
        """Nothing lives: give back the starter, and the place. Idempotent."""
        with self._calm:
            starter, self._starter = self._starter, None
            groups, self._groups = self._groups, None
        if starter is not None:
            starter.end()
        if groups is not None:
            groups.close()

    def abandon(self) -> None:
        """In a forked child, whose they are not. Without any lock."""
        if self._starter is not None:
            self._starter.abandon()
        if self._groups is not None:
            self._groups.abandon()
        for handle in list(self._alive.values()):
            handle.abandon()

    def _ask(self, *words: object) -> Any:
        """None: there is no starter, and none can be had now."""
        for _ in range(_TRIES):
            try:
                with self._calm:
                    starter = self._get()
                return starter.ask(*words)
            except StarterGone:
                continue
            except (OSError, HostError) as e:
                if str(e) != self._trouble:
                    self._trouble = str(e)
                    self._say(f"the helper that starts processes cannot be asked: {e}")
                break
        return None

    # --- births ----------------------------------------------------------------------------------

    def spawn(self, cookie: str, command: Command) -> Handle:
        own = cookie.rpartition(":")[2]
        for _ in range(_TRIES):
            with self._calm:
                starter = self._get()
                self._births += 1
            try:
                handle = self._alive[own] = starter.start(own, command)
                return handle
            except StarterGone:
                continue
            finally:
                with self._calm:
                    self._births -= 1
                    if not self._births:
                        self._calm.notify_all()
        raise HostError(
            command.executable,
            "the helpers that start processes are killed, one after the other",
            "one that lives as long as this process",
        )

    def plant(
        self, run: Hashable, cookie: str, handle: Handle, pipes: Iterable[int] = ()
    ) -> ContainedTree:
        own = cookie.rpartition(":")[2]
        if own in self._planted:
            raise ValueError(f"{cookie} has been planted before")
        tree = self._planted[own] = ContainedTree(self, run, own, self._alive[own])
        return tree

    def drop(self, tree: ContainedTree) -> None:
        self._planted.pop(tree.cookie, None)
        self._alive.pop(tree.cookie, None)

    # --- looking ---------------------------------------------------------------------------------

    def catch_up(self) -> None:
        if self._planted:
            self._ask("catch up")

    def scan(self, ended: Iterable[Tree] = ()) -> list[Hashable]:
        asked = {
            tree.cookie: tree
            for tree in ended
            if isinstance(tree, ContainedTree) and not tree.over and not tree.leader_lives
        }
        if not self._planted:
            return []
        answer = self._ask("scan", list(asked))
        if answer is None:
            return []  # so nobody is over; it is asked again
        over, grown = answer
        for tree in asked.values():
            tree.looked = True
        for cookie, used in over:
            tree = asked[cookie]
            tree.over = True
            tree.usage = None if used is None else Usage(*used)
            tree.handle.finished(tree.usage)
        return [self._planted[one].run for one in grown if one in self._planted]

    def members(self, tree: ContainedTree) -> list[Member]:
        return [Member(*one) for one in self._ask("members", tree.cookie) or ()]

    # --- signals ---------------------------------------------------------------------------------

    def tell_many(self, asks: Iterable[tuple[Tree, int, str, bool]]) -> list[Sent]:
        asks = list(asks)
        words = []
        for tree, number, to, only_new in asks:
            if to not in TARGETS:
                raise ValueError(f"{to!r} is none of {', '.join(TARGETS)}")
            assert isinstance(tree, ContainedTree), "planted here"
            words.append((tree.cookie, int(number), to, bool(only_new)))
        answers = self._ask("tell", words)
        if answers is None:
            return [Sent()] * len(asks)
        return [_sent(*answer) for answer in answers]

    def kill_many(self, doomed: Iterable[Tree]) -> list[Sent]:
        trees = [tree for tree in doomed if isinstance(tree, ContainedTree)]
        answers = self._ask("kill", [tree.cookie for tree in trees])
        if answers is not None:
            return [_sent(*answer) for answer in answers]
        for tree in trees:  # no helper can be had: the group needs none
            if self._groups is not None and tree.handle.leaf:
                files.kill(f"{self._groups.place}/{tree.handle.leaf}")
        return [Sent()] * len(trees)

    # --- the end ---------------------------------------------------------------------------------

    def forget(self, run: Hashable) -> None:
        for tree in list(self._planted.values()):
            if tree.run == run:
                self._ask("forget", tree.cookie)
                if not tree.leader_lives:
                    tree.handle.finished(None)
                self.drop(tree)

    def close(self) -> None:
        self.end()


def _sent(pids: Iterable[int], refused: Iterable[tuple[int, int, str]]) -> Sent:
    return Sent(tuple(pids), tuple(Member(*one) for one in refused))
