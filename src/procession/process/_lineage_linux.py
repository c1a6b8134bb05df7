"""Trees on Linux: lineage by subreaper, a control group, session and group, and a cookie.

We are a child subreaper, so whatever outlives its parent becomes *our* child, whatever session it
moved to. One reading of our own `children` files shows all of them. An orphan that is our child
stays on the table until we reap it, so its pid, its group and its session are nobody else's. Which
run it belongs to is told by `_evidence_linux.py`. Where control groups are ours to divide, each
tree has one as well (`_cgroup_linux.py`).

What nothing tells is *unclaimed*. When a member dies its children become ours: so the tree of a
run whose leader ended is empty when no live orphan of ours belongs to it.

Order matters in a scan: a dead orphan is reaped only after the children have been read once more,
because its own children came to us when it died, and its session may be all that ties them.
"""

from __future__ import annotations

import os
import signal
import sys
import time

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.errors import HostError
from procession.process import _linux, host
from procession.process._evidence_linux import Evidence
from procession.process._orphan_linux import Orphan, stat_of_child
from procession.process._tree import COOKIE, Member, Sent, Tree, Trees
from procession.process._tree_linux import LinuxTree, member_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from procession.process._cgroup_linux import Groups, Leaf
    from procession.process._linux import ProcStat
    from procession.process._orphan_linux import Key
    from procession.process.command import Command
    from procession.process.handle import Handle

_STALE = 0.005  # seconds: how old a reading may be while newcomers are killed on sight
_PASSES = 256  # of one look, while orphans die faster than we reap them
_PATIENCE = 0.1  # seconds, likewise: the owner has other things to do
_EXEC_PATIENCE = 1.0  # seconds: an execution takes less, unless its file cannot be read


class LinuxTrees(Trees):
    """See `Trees`."""

    def __init__(self, groups: Groups | None = None, *, cookie_name: str = COOKIE) -> None:
        self._groups = groups
        self._unfinished = False
        self._evidence = Evidence(cookie_name, None if groups is None else groups.leaf_of)
        self._trees: dict[Hashable, LinuxTree] = {}
        self._leaders: dict[int, LinuxTree] = {}
        self._orphans: dict[int, Orphan] = {}
        self._by_run: dict[Hashable, dict[int, Orphan]] = {}
        self._ignored: frozenset[int] = frozenset()
        self._merciless = False
        self._executing: dict[Key, float] = {}  # since when
        self._left: dict[Hashable, Leaf | None] = {}
        self.doomed: set[Hashable] = set()  # runs that were killed; None: whoever is in none
        self._grown: dict[Hashable, None] = {}
        self.lost = LinuxTree(self, None, None)

    def prepare(self) -> None:
        if not host.has_proc():
            raise HostError(
                "this host",
                "does not show us our own processes: what a task leaves behind would be lost",
                "a /proc of this pid namespace",
                "Mount one (mount -t proc proc /proc)",
            )
        try:
            _linux.set_child_subreaper()
        except OSError as e:
            raise HostError(
                "this process", f"cannot adopt orphans ({e.strerror})", "PR_SET_CHILD_SUBREAPER"
            ) from e

    def spawn(self, cookie: str, command: Command) -> Handle:
        if self._groups is None:
            return super().spawn(cookie, command)
        return self._groups.born_in(
            _own_part(cookie), lambda: super(LinuxTrees, self).spawn(cookie, command)
        )

    def _leaf(self, cookie: str) -> Leaf | None:
        return None if self._groups is None else self._groups.leaf(_own_part(cookie))

    def plant(
        self, run: Hashable, cookie: str, handle: Handle, pipes: Iterable[int] = ()
    ) -> LinuxTree:
        if run is None or run in self._trees or run in self._left:
            raise ValueError(f"{run!r} has been planted before")
        self._evidence.plant(run, cookie, handle.pid if handle.own_group else None, pipes)
        tree = LinuxTree(self, run, handle, self._leaf(cookie))
        self._trees[run] = tree
        self._leaders[handle.pid] = tree
        return tree

    def expect(
        self, run: Hashable, cookie: str, pid: int | None, pipes: Iterable[int] = ()
    ) -> LinuxTree:
        """A run that another process planted, which has died, so that its trees come to us: its
        leader was `pid`. To be said before the first look, since pids are not for ever."""
        self._evidence.plant(run, cookie, None, pipes)
        if pid is not None:
            self._evidence.expect(run, pid)
        tree = self._trees[run] = LinuxTree(self, run, None, self._leaf(cookie))
        return tree

    def leave(self, run: Hashable) -> None:
        """What is left of an expected run is nobody's to end."""
        self._left[run] = self._trees.pop(run).leaf

    def spare_nobody(self) -> None:
        """From now on whoever comes to light is killed, and nobody asks whose it was: in a storm
        of forks that takes longer than a fork."""
        self._merciless = True
        self.doomed.add(None)

    def ignore(self, pids: Iterable[int]) -> None:
        """Children of ours that are not orphans, and that we are not to touch."""
        self._ignored = frozenset(pids)

    # --- looking ---------------------------------------------------------------------------------

    def scan(self, ended: Iterable[Tree] = ()) -> list[Hashable]:
        self.look(tree for tree in ended if isinstance(tree, LinuxTree))
        return [run for run in self.news() if run is not None]

    def news(self) -> list[Hashable]:
        """What the looks since the last call found grown; None among them: the unclaimed."""
        grown, self._grown = list(self._grown), {}
        return grown

    @property
    def again(self) -> bool:
        return self._unfinished or bool(self._grown)

    def look(self, ended: Iterable[LinuxTree] = (), passes: int = _PASSES) -> None:
        """Read our children until no orphan has died in between. What grew is kept for `scan`."""
        over = [tree for tree in ended if not tree.leader_lives]
        # from here: asking a thousand leaders takes longer, and without one pass each of their
        # trees would look by itself
        until = time.monotonic() + _PATIENCE
        dying: list[Orphan] = []
        self._unfinished = True
        for number in range(passes):
            if number and time.monotonic() > until:
                break
            if not self._adopt():
                os.sched_yield()
                continue
            self._evidence.expect_no_more()  # who was not among our children by now is gone
            for orphan in dying:
                self._reap(orphan)
            for tree in over:
                tree.looked = True
            dying = [orphan for orphan in self._orphans.values() if orphan.has_ended()]
            if not dying:
                self._unfinished = False
                break

    def _adopt(self) -> bool:
        """Take in our new children. False: there are more, but what we read is old by now, and in
        a storm of forks those that live are the youngest; read again before going on."""
        began = time.monotonic()
        children = self._children_of(os.getpid())
        until = began + max(_STALE, 3 * (time.monotonic() - began))
        new: list[Orphan] = []
        complete = True
        for pid in reversed(children):
            if pid in self._orphans or self._is_leader(pid) or pid in self._ignored:
                continue
            orphan = Orphan(pid)
            try:
                run = None if self._merciless else self._evidence.of(orphan)
            except BlockingIOError:
                if self._waits_for_exec(orphan):
                    complete = False
                    continue
                run = None
            self._orphans[pid] = orphan
            self._tie(orphan, run)
            if not orphan.dead:
                new.append(orphan)
                if orphan.run is not None or self._merciless:
                    self._strike(orphan)
            if self.doomed and time.monotonic() > until:
                complete = False
                break
        for orphan in (*self._tie_by_others(), *new) if new else ():
            self._strike(orphan)
        for orphan in new:
            tree = self._tree_of(orphan)
            if tree is not None and not tree.has_heard(orphan.stat):
                self._grown[orphan.run] = None
        return complete

    def _waits_for_exec(self, orphan: Orphan) -> bool:
        """It is being executed, and cannot tell whose it is: come back to it. One that hangs in
        there (its file is on a server that does not answer) tells nothing, after a while."""
        now = time.monotonic()
        self._executing = {
            key: since for key, since in self._executing.items() if now - since < 2 * _EXEC_PATIENCE
        }
        return now - self._executing.setdefault(orphan.key, now) < _EXEC_PATIENCE

    def _tie(self, orphan: Orphan, run: Hashable) -> None:
        self._untie(orphan)
        orphan.run = run
        if run is not None or not orphan.dead:  # the dead are nobody's concern
            self._by_run.setdefault(run, {})[orphan.pid] = orphan

    def _untie(self, orphan: Orphan) -> None:
        of_run = self._by_run.get(orphan.run, {})
        if of_run.pop(orphan.pid, None) is not None and not of_run:
            del self._by_run[orphan.run]

    def _tree_of(self, orphan: Orphan) -> LinuxTree | None:
        return self.lost if orphan.run is None else self._trees.get(orphan.run)

    def _is_leader(self, pid: int) -> bool:
        tree = self._leaders.get(pid)
        return tree is not None and tree.handle is not None and not tree.handle.reaped

    def _strike(self, orphan: Orphan) -> None:
        """Whoever comes to light in a tree that was killed dies before we look at the next."""
        tree = self._tree_of(orphan)
        if tree is not None and tree.doomed and not tree.has_heard(orphan.stat):
            tree.strike(orphan.stat)

    def _tie_by_others(self) -> list[Orphan]:
        """Tie what told nothing by itself; those."""
        lost = list(self._by_run.get(None, {}).values())
        if not lost or self._merciless:
            return []
        found = self._evidence.by_others(lost, self._orphans.values())
        tied = [self._orphans[pid] for pid in found]
        for orphan in tied:
            self._tie(orphan, found[orphan.pid])
        return tied

    def _reap(self, orphan: Orphan) -> None:
        del self._orphans[orphan.pid]
        self._untie(orphan)
        if orphan.run is not None:
            self._evidence.reaped(orphan.run, orphan.pid)
        orphan.reap()

    # --- what trees ask --------------------------------------------------------------------------

    def orphans(self) -> Iterable[Orphan]:
        """Those adopted and not reaped yet, for owners who watch them by pidfd."""
        return list(self._orphans.values())

    def may_have_orphan_of(self, run: Hashable) -> bool:
        """Also where orphans have died whose own children were not looked for yet.

        A zombie whose end a tracer holds back from us (ptrace(2)) counts as dead: it is looked
        for its children once more, and reaped when the tracer lets go. Any other is reaped first.
        """
        known = set(self._by_run.get(run, ()))
        if self._unfinished or not known:
            return self._unfinished
        if not all(stat_of_child(pid).dead for pid in known):
            return True
        self.look()
        # Who was dead before the look, and could not be reaped in it, is held.
        return self._unfinished or not known.issuperset(self._by_run.get(run, ()))

    def is_orphan(self, stat: ProcStat) -> bool:
        found = self._orphans.get(stat.pid)
        return found is not None and found.stat.start_time == stat.start_time

    def group_of_its_own(self, stat: ProcStat) -> int | None:
        """The group of our own child, if in a session that is not ours, and led by no planted
        leader (whose handle speaks to it): then all in it descend from us."""
        if not self.is_orphan(stat):
            return None
        if stat.pgrp != stat.pid:
            # Its own number is kept for it by its place on the table; another's may have been
            # given away since it was read.
            stat = stat_of_child(stat.pid)
        if stat.pgrp > 1 and stat.session not in (0, os.getsid(0)):
            return stat.pgrp if stat.pgrp not in self._leaders else None
        return None

    def name_of(self, pid: int) -> Member:
        return member_of(stat_of_child(pid))

    def descend(self, run: Hashable, leader: Handle | None) -> dict[int, ProcStat]:
        """All that lives of a run, leader first, and remember whose they are."""
        ours = os.getpid()
        queue = [(leader.pid, ours)] if leader is not None else []
        queue += [(pid, ours) for pid in self._by_run.get(run, ())]
        children_of = self._children_of
        if not host.has_children_files():
            table = _inverted(_linux.parents())
            children_of = lambda pid: table.get(pid, [])  # noqa: E731
        found: dict[int, ProcStat] = {}
        while queue:
            pid, parent = queue.pop(0)
            if pid in found:
                continue
            try:
                stat = _linux.stat(pid)
                if stat.ppid not in (parent, ours) and stat.ppid not in found:
                    continue  # the child has ended, and somebody else got its number since
                queue += [(child, pid) for child in children_of(pid)]
            except ProcessLookupError:
                orphan = self._orphans.get(pid)
                if orphan is None or orphan.stat.start_time:
                    continue
                stat = orphan.stat  # hidden from us, and still there
            if not stat.dead:
                found[pid] = stat
                if run is not None and pid not in self._orphans and pid not in self._leaders:
                    self._evidence.saw(stat, run)
        return found

    def _children_of(self, pid: int) -> list[int]:
        if host.has_children_files():
            return _linux.children(pid)
        return _linux.children_by_scan(pid)

    # --- the end ---------------------------------------------------------------------------------

    def unclaimed(self) -> list[Member]:
        return self.lost.members()

    def sweep_unclaimed(self, number: int, *, only_new: bool = False) -> Sent:
        if number == signal.SIGKILL:
            return self.lost.kill()
        return self.lost.signal(number, only_new=only_new)

    def drop(self, tree: LinuxTree) -> None:
        """A run is over: forget all that spoke for it."""
        if self._trees.pop(tree.run, None) is None:
            return
        self._evidence.forget(tree.run)
        self._forget(tree)
        if tree.leaf is not None:
            tree.leaf.remove()
        for orphan in list(self._by_run.get(tree.run, {}).values()):
            self._tie(orphan, None)

    def forget(self, run: Hashable) -> None:
        tree = self._trees.pop(run)
        handle = tree.handle
        self._left[run] = tree.leaf
        self._forget(tree)  # but for the evidence, which still tells who is left
        if tree.leaf is not None:
            tree.leaf.spare()
        if handle is None:
            return
        if handle.poll_exit() is not None:
            handle.reap()
            self._evidence.reaped(run, handle.pid)
        else:
            orphan = self._orphans[handle.pid] = Orphan(handle.pid)
            self._tie(orphan, run)

    def left(self) -> set[Hashable]:
        over = [] if self._unfinished else [run for run in self._left if run not in self._by_run]
        for run in over:
            leaf = self._left.pop(run)
            if leaf is not None:
                leaf.remove()
            self._evidence.forget(run)
        return set(self._left)

    def left_of(self, run: Hashable) -> list[Member]:
        return [member_of(stat) for stat in self.descend(run, None).values()]

    def _forget(self, tree: LinuxTree) -> None:
        self.doomed.discard(tree.run)
        self._grown.pop(tree.run, None)
        if tree.handle is not None and self._leaders.get(tree.handle.pid) is tree:
            del self._leaders[tree.handle.pid]

    def close(self) -> None:
        for orphan in self._orphans.values():
            orphan.close()


def _own_part(cookie: str) -> str:
    return cookie.rpartition(":")[2]


def _inverted(parents: dict[int, int]) -> dict[int, list[int]]:
    table: dict[int, list[int]] = {}
    for child, parent in parents.items():
        table.setdefault(parent, []).append(child)
    return table
