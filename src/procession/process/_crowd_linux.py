"""Trees of a process that is no subreaper: an application's own, which is not ours to make one.

Orphans go elsewhere, so they are looked for in /proc: one reading of all `stat` files for a whole
wave of exits, never one for each exit, never periodically. What ties a process to a run:

- The session or the group of a leader, which is on the table until its tree is empty: exact.
- A living parent that is tied to it, or to have been seen tied before: exact.
- The cookie in the environment it was executed with.
- A session or a group that somebody tied to a run is in.

A daemon that made a session of its own *and* was executed with an empty environment *and* lost its
parent before anybody looked shows nothing of that: it is not found.
"""

from __future__ import annotations

import os
import signal
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux
from procession.process._seen_linux import read_crowd
from procession.process._tree import COOKIE, TARGETS, AdoptsNobody, Member, Sent, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence, Sized

    from procession.process._seen_linux import Seen
    from procession.process.handle import Handle, Usage

    Key = tuple[int, int]  # pid and start time: one process for ever

_NO_CONT = frozenset(
    {0, signal.SIGKILL, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP}
    | {signal.SIGTTIN, signal.SIGTTOU}
)
_ROUNDS = 32  # of one kill, while new processes come to light
_EXEC_TRIES = 200  # of asking a process that is being executed; it takes some 50 us


class CrowdTree(Tree):
    """See `Tree`. What it says of descendants holds as of the last look."""

    found: Sequence[Seen] = ()
    known: frozenset[tuple[int, ...]] = frozenset()  # see `Seen.lasting`
    looked = False  # the last look came after the leader was seen to end

    def __init__(self, trees: CrowdTrees, run: Hashable, cookie: str, handle: Handle) -> None:
        self.run = run
        self.cookie = cookie
        self.handle = handle
        self._trees = trees
        self._heard: set[Key] = set()
        self._refused: dict[int, Member] = {}

    @property
    def leader_lives(self) -> bool:
        return self.handle.poll_exit() is None

    def is_empty(self) -> bool:
        if self.leader_lives:
            return False
        if not self.looked:
            self._trees.look()
        return not self.found

    def members(self) -> list[Member]:
        return [seen.member for seen in self.found]

    def is_not_leader(self, seen: Seen) -> bool:
        return seen.pid != self.handle.pid

    def has_unheard(self) -> bool:
        return any(seen.key not in self._heard for seen in self.found)

    # --- signals ---------------------------------------------------------------------------------

    def signal(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        if to not in TARGETS:
            raise ValueError(f"{to!r} is none of {', '.join(TARGETS)}")
        if to != "leader":
            self._trees.look()
        return self.tell(number, to=to, only_new=only_new)

    def tell(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        """As `signal`, for one who has just looked."""
        if not only_new:
            self._heard.clear()
        leader = self.handle.pid
        if to == "leader":
            chosen = [seen for seen in self.found if seen.pid == leader]
            if not chosen:
                return self._tell_leader(number)
        elif to == "group":
            # at once, by the kernel: a fork under way cannot slip through
            by_group = [seen for seen in self.found if seen.pgrp == leader]
            sent = self._tell_group(number, by_group)
            rest = [seen for seen in self.found if seen.pgrp != leader and seen.ppid <= 1]
            more = self._tell_each(number, rest, only_new=True)
            return Sent(sent.pids + more.pids, sent.refused + more.refused)
        else:
            chosen = list(self.found)
        return self._tell_each(number, chosen, only_new)

    def _tell_leader(self, number: int) -> Sent:
        """It was started since the last look."""
        try:
            if not self._send_leader(number):
                return Sent()
        except PermissionError:
            return Sent((), (Member(self.handle.pid, 0, "?"),))
        return Sent((self.handle.pid,))

    def _tell_group(self, number: int, members: list[Seen]) -> Sent:
        self._heard.update(seen.key for seen in members)
        try:
            if self.handle.kill_group(number) and number not in _NO_CONT:
                self.handle.kill_group(signal.SIGCONT)
        except PermissionError:
            return Sent((), tuple(seen.member for seen in members))
        return Sent((self.handle.pid,) if self.leader_lives else ())

    def _tell_each(self, number: int, chosen: Iterable[Seen], only_new: bool) -> Sent:
        pids: list[int] = []
        refused: list[Member] = []
        for seen in chosen:
            if only_new and seen.key in self._heard:
                continue
            self._heard.add(seen.key)
            try:
                if self._send(seen, number):
                    pids.append(seen.pid)
            except PermissionError:
                refused.append(seen.member)
        return Sent(tuple(pids), tuple(refused))

    def _send(self, seen: Seen, number: int) -> bool:
        """With SIGCONT, where that belongs to it."""
        if seen.pid == self.handle.pid:
            return self._send_leader(number)
        after = None if number in _NO_CONT else signal.SIGCONT
        return _linux.signal_pinned(seen.pid, seen.start, number, after)

    def _send_leader(self, number: int) -> bool:
        if not self.handle.send(number):
            return False
        if number not in _NO_CONT:
            self.handle.send(signal.SIGCONT)
        return True

    # --- the end ---------------------------------------------------------------------------------

    def kill(self) -> Sent:
        return self._trees.kill_many((self,))[0]

    def begin_kill(self) -> None:
        self._heard.clear()
        self._refused.clear()

    def strike(self) -> bool:
        """Kill who has not been killed yet. False: there was nobody new."""
        try:
            self.handle.kill_group(signal.SIGKILL)
        except PermissionError:
            pass  # not one of them may be signalled: each is asked below, and named
        new = [seen for seen in self.found if seen.key not in self._heard]
        sent = self._tell_each(signal.SIGKILL, new, only_new=True)
        self._refused.update((member.pid, member) for member in sent.refused)
        return bool(new)

    def killed(self) -> Sent:
        pids = (pid for pid, _ in self._heard if pid not in self._refused)
        return Sent(tuple(pids), tuple(self._refused.values()))

    def finish(self) -> Usage | None:
        usage = self.handle.reap()
        self._trees.drop(self)
        return usage


class CrowdTrees(AdoptsNobody):
    """See `Trees`. Adopts nobody, so nothing is ever unclaimed; and whoever else starts processes
    in this application is not disturbed. `prepare` is due before each spawn: it costs nothing.

    `launches`: those under way, in threads that do not wait for each other. A launch is among them
    before it prepares, and until its tree is planted.
    """

    def __init__(self, cookie_name: str = COOKIE, launches: Sized = ()) -> None:
        self._cookie_name = cookie_name
        self._launches = launches
        self._trees: dict[Hashable, CrowdTree] = {}
        self._leaders: dict[int, CrowdTree] = {}
        self._cookies: dict[str, CrowdTree] = {}
        self._strangers: set[Key] = set()  # whose environment is known to name none of our runs
        self._mark = ""  # what all our cookies begin with; "" until there is one
        self._since = 0  # in boot ticks: who is older cannot descend from a leader of ours

    def prepare(self) -> None:
        if not self._trees:
            now = _linux.boot_ticks() - 1
            # in this order: nobody can have begun before the look at the clock, and be unseen
            if len(self._launches) <= 1 and not self._trees:
                self._since = now

    def plant(
        self, run: Hashable, cookie: str, handle: Handle, pipes: Iterable[int] = ()
    ) -> CrowdTree:
        if run in self._trees:
            raise ValueError(f"{run!r} has been planted before")
        if not handle.own_group:
            raise ValueError(f"process {handle.pid} has no session of its own to know it by")
        if ":" in cookie:
            cookie = cookie.rpartition(":")[2]
        tree = CrowdTree(self, run, cookie, handle)
        if not self._mark:
            self._mark = cookie.partition(".")[0]
        self._trees[run] = self._leaders[handle.pid] = self._cookies[cookie] = tree
        return tree

    # --- looking ---------------------------------------------------------------------------------

    def scan(self, ended: Iterable[Tree] = ()) -> list[Hashable]:
        self.look()
        return [tree.run for tree in list(self._trees.values()) if tree.has_unheard()]

    def look(self) -> None:
        """Read all of /proc once, and tell the trees who is in them."""
        trees = list(self._trees.values())
        over = [tree for tree in trees if not tree.leader_lives]
        crowd = read_crowd(self._since, [tree.handle for tree in over])
        owner = self._resolve(crowd)
        found: dict[CrowdTree, list[Seen]] = {tree: [] for tree in trees}
        for seen in crowd.values():
            tree = owner.get(seen.pid)
            if tree in found:
                found[tree].append(seen)
        for tree, members in found.items():
            members.sort(key=tree.is_not_leader)
            tree.found = members
            tree.known = frozenset(seen.lasting for seen in members) - {()}
        for tree in over:
            tree.looked = True
        self._strangers &= {seen.key for seen in crowd.values()}

    def _resolve(self, crowd: dict[int, Seen]) -> dict[int, CrowdTree]:
        owner: dict[int, CrowdTree] = {}
        # by session and group; a leader that somebody else reaped keeps no number for us
        # copied: `list` makes tuples, hence collects garbage, hence lets other threads plant
        leaders = {pid: t for pid, t in self._leaders.copy().items() if not t.handle.reaped}
        company: dict[int, CrowdTree] = dict(leaders)
        known = {key: tree for tree in list(self._trees.values()) for key in tree.known}
        ours = os.getsid(0), os.getpgrp(), 0

        def tie(seen: Seen, tree: CrowdTree) -> None:
            owner[seen.pid] = tree
            for number in (seen.session, seen.pgrp):
                if number not in ours:
                    company.setdefault(number, tree)

        for seen in crowd.values():
            tree = leaders.get(seen.pid) or known.get(seen.key)
            tree = tree or known.get((*seen.key, seen.session))
            if tree is not None:
                tie(seen, tree)
        left = [seen for seen in crowd.values() if seen.pid not in owner]
        asked = False
        while left:
            rest = []
            for seen in left:
                tree = company.get(seen.session) or company.get(seen.pgrp)
                if tree is None:
                    parent = crowd.get(seen.ppid)
                    if parent is not None and parent.start <= seen.start:
                        tree = owner.get(parent.pid)
                if tree is None and not asked:
                    tree = self._by_cookie(seen)
                if tree is None:
                    rest.append(seen)
                else:
                    tie(seen, tree)
            if len(rest) == len(left):
                break
            left, asked = rest, True
        return owner

    def _by_cookie(self, seen: Seen) -> CrowdTree | None:
        """What a process shows of its own; that it shows nothing is remembered, since nobody can
        be given our cookie later but by birth."""
        if seen.key in self._strangers:
            return None
        for _ in range(_EXEC_TRIES):
            try:
                value = _linux.environ_cookie(seen.pid, self._cookie_name)
                break
            except BlockingIOError:
                os.sched_yield()
            except (PermissionError, ProcessLookupError):
                return None  # unreadable is not "not ours": it may be readable later
        else:
            return None
        for part in value.split(":") if value else ():
            if part in self._cookies:
                return self._cookies[part]
        # One of ours may be running already, and not be planted yet, where threads start them.
        if self._mark not in (value or ""):
            self._strangers.add(seen.key)
        return None

    # --- signals, and the end --------------------------------------------------------------------

    def tell_many(self, asks: Iterable[tuple[Tree, int, str, bool]]) -> list[Sent]:
        self.look()
        return [
            tree.tell(number, to=to, only_new=only_new)
            for tree, number, to, only_new in asks
            if isinstance(tree, CrowdTree)
        ]

    def kill_many(self, doomed: Iterable[Tree]) -> list[Sent]:
        """The look before anything dies remembers who descends from whom; then again and again,
        until nobody new comes to light."""
        trees = [tree for tree in doomed if isinstance(tree, CrowdTree)]
        self.look()
        for tree in trees:
            tree.begin_kill()
        for _ in range(_ROUNDS):
            if sum(tree.strike() for tree in trees) == 0:  # all of them, not the first
                break
            self.look()
        return [tree.killed() for tree in trees]

    def drop(self, tree: CrowdTree) -> None:
        if self._trees.pop(tree.run, None) is not None:
            tree.run = None  # else it waits for the garbage collector, and its run with it
            del self._cookies[tree.cookie]
            if self._leaders.get(tree.handle.pid) is tree:  # else one with its number was planted
                del self._leaders[tree.handle.pid]

    def forget(self, run: Hashable) -> None:
        tree = self._trees[run]
        if not tree.leader_lives:
            tree.handle.reap()
        self.drop(tree)

    def close(self) -> None:
        self._trees.clear()
        self._leaders.clear()
        self._cookies.clear()
        self._strangers.clear()
