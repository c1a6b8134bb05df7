"""One tree on Linux: who is in it, who has heard what, and how all of it is killed.

The book of all trees, which knows whose child an orphan was, is `_lineage_linux.py`.
"""

from __future__ import annotations

import os
import signal
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux
from procession.process._tree import TARGETS, Member, Sent, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from procession.process._cgroup_linux import Leaf
    from procession.process._lineage_linux import LinuxTrees
    from procession.process._linux import ProcStat
    from procession.process._orphan_linux import Key
    from procession.process.handle import Handle, Usage

# Signals after which a stopped process must not be continued, or need not be.
_NO_CONT = frozenset(
    {
        0,
        signal.SIGKILL,
        signal.SIGCONT,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
    }
)
_ROUNDS = 32  # of one kill, while new processes come to light


def _send(handle: Handle, number: int) -> bool:
    """With SIGCONT, where that belongs to it."""
    if not handle.send(number):
        return False
    if number not in _NO_CONT:
        handle.send(signal.SIGCONT)
    return True


class LinuxTree(Tree):
    """See `Tree`."""

    def __init__(
        self, trees: LinuxTrees, run: Hashable, handle: Handle | None, leaf: Leaf | None = None
    ) -> None:
        self.run = run
        self.handle = handle  # None: it has no leader, or somebody else spawned that
        self.leaf = leaf  # None: control groups are not ours to divide
        self._trees = trees
        self.looked = False  # our children were read after the leader was seen to end
        self.reached: set[Key] = set()  # whoever got any signal
        self._heard: set[Key] = set()
        self._refused: dict[int, Member] = {}  # by the last kill
        self._group_heard = -1  # in ticks: who was in the group before this has heard

    @property
    def doomed(self) -> bool:
        """It was killed: whoever comes to light is killed on sight."""
        return self.run in self._trees.doomed

    @property
    def leader_lives(self) -> bool:
        return self.handle is not None and self.handle.poll_exit() is None

    def is_empty(self) -> bool:
        if self.leader_lives:
            return False
        if self.handle is not None and not self.looked:
            self._trees.look((self,))
        if self._trees.may_have_orphan_of(self.run):
            return False
        return self.leaf is None or not self.leaf.holds()

    def members(self) -> list[Member]:
        return [member_of(stat) for stat in self._living().values()]

    def holds(self, pid: int) -> bool:
        if self.handle is not None and pid == self.handle.pid:
            return not self.handle.reaped
        if self.leaf is not None and self.leaf.has(pid):
            return True
        for again in (True, False):
            found = self._living()
            if pid in found:
                return True
            try:
                stat = _linux.stat(pid)
            except ProcessLookupError:
                return False
            if stat.dead and stat.ppid in found:
                return True
            if again:
                self._trees.look()  # a daemon that came to us since the last scan
        return False

    def _living(self) -> dict[int, ProcStat]:
        found = self._trees.descend(self.run, self.handle if self.leader_lives else None)
        if self.leaf is not None:
            self._add_hidden(self.leaf, found)
        return found

    def _add_hidden(
        self, leaf: Leaf, found: dict[int, ProcStat], *, detached: bool = False
    ) -> None:
        """Who is in the leaf, whoever's child it is. `detached`: only who has no parent there."""
        for pid in leaf.pids():
            if pid not in found:
                try:
                    stat = _linux.stat(pid)
                except ProcessLookupError:
                    continue
                if stat.dead or (detached and leaf.has(stat.ppid)):
                    continue
                if leaf.has(pid):  # asked last: until then the number was not another's
                    found[pid] = stat

    def has_heard(self, stat: ProcStat) -> bool:
        """Has this process got the last signal to the tree? The group is signalled at once, by
        the kernel: who was born into it before that has heard (start times have 10 ms)."""
        if (stat.pid, stat.start_time) in self._heard:
            return True
        return (
            self.handle is not None
            and stat.pgrp == self.handle.pid
            and stat.start_time <= self._group_heard
        )

    # --- signals ---------------------------------------------------------------------------------

    def signal(self, number: int, *, to: str = "tree", only_new: bool = False) -> Sent:
        if to not in TARGETS:
            raise ValueError(f"{to!r} is none of {', '.join(TARGETS)}")
        if not only_new:
            self._heard.clear()
            self._group_heard = -1
        if to == "leader":
            return self._signal_leader(number, only_new)
        if to == "group" and not only_new:
            return self._signal_group_and_detached(number)
        self._trees.look()  # nothing tells of an adoption: orphans may have come since the scan
        return self.tell(number, only_new=only_new)

    def tell(self, number: int, *, only_new: bool = False) -> Sent:
        """As `signal` to the tree, for one who has just scanned."""
        return self._signal_members(number, self._living(), only_new)

    def _signal_leader(self, number: int, only_new: bool) -> Sent:
        handle = self.handle
        if handle is None or handle.poll_exit() is not None:
            return Sent()
        key = (handle.pid, handle.start_time or 0)
        if only_new and key in self._heard:
            return Sent()
        try:
            if not _send(handle, number):
                return Sent()
        except PermissionError:
            return Sent((), (self._trees.name_of(handle.pid),))
        self._heard.add(key)
        return Sent((handle.pid,))

    def _signal_group(self, number: int) -> Sent:
        handle = self.handle
        if handle is None:
            raise ValueError("what belongs to no run has no group")
        lives = self.leader_lives
        before = _linux.boot_ticks()
        try:
            if not handle.kill_group(number):
                return Sent()
            if number not in _NO_CONT:
                handle.kill_group(signal.SIGCONT)
        except PermissionError:
            return Sent((), tuple(self.members()))
        self._group_heard = before
        return Sent((handle.pid,) if lives else ())

    def _signal_group_and_detached(self, number: int) -> Sent:
        """Orphans left the leader's care, and mostly its group: nobody else would tell them."""
        sent = self._signal_group(number)
        detached = self._trees.descend(self.run, None)
        if self.leaf is not None:
            self._add_hidden(self.leaf, detached, detached=True)
            detached.pop(self.handle.pid if self.handle is not None else 0, None)
        if not detached:
            return sent
        more = self._signal_members(number, detached, only_new=True)
        named = {member.pid: member for member in (*sent.refused, *more.refused)}
        return Sent(sent.pids + more.pids, tuple(named.values()))

    def _signal_members(self, number: int, found: dict[int, ProcStat], only_new: bool) -> Sent:
        pids: list[int] = []
        refused: list[Member] = []
        for stat in found.values():
            if only_new and self.has_heard(stat):
                continue
            try:
                if self._signal_one(stat, number):
                    pids.append(stat.pid)
            except PermissionError:
                refused.append(member_of(stat))
            self._heard.add((stat.pid, stat.start_time))
            self.reached.add((stat.pid, stat.start_time))
        return Sent(tuple(pids), tuple(refused))

    def _signal_one(self, stat: ProcStat, number: int) -> bool:
        """With SIGCONT, where that belongs to it."""
        if self.handle is not None and stat.pid == self.handle.pid:
            return _send(self.handle, number)
        after = None if number in _NO_CONT else signal.SIGCONT
        if self._trees.is_orphan(stat):
            os.kill(stat.pid, number)  # our child: the pid is its own until we reap it
            if after is not None:
                os.kill(stat.pid, after)
            return True
        return _linux.signal_pinned(stat.pid, stat.start_time, number, after)

    # --- the end ---------------------------------------------------------------------------------

    def kill(self) -> Sent:
        """A group dies at once, forks under way included: the kernel lets no fork finish with a
        signal pending. Beyond groups we repeat until a round finds nobody new; and whoever comes
        to light from now on is killed on sight, in any scan."""
        self._heard.clear()
        self._group_heard = -1
        self._refused.clear()
        if not self.leader_lives:
            self._trees.look(passes=1)
        found = self._living()  # before anything dies: remembers who descends from whom
        spare_newcomers = self.run is None and None not in self._trees.doomed
        self._trees.doomed.add(self.run)
        if self.leaf is not None:
            self.leaf.kill()
        # Where all that is known is in the leader's group nothing has to be repeated: what is not
        # known yet comes to light when the leader's end makes the owner scan, at the latest.
        once = self._kill_own_group() and not any(
            stat.pgrp != self.handle.pid for stat in found.values() if self.handle is not None
        )
        for _ in range(1 if once else _ROUNDS):
            new = [stat for stat in found.values() if not self.has_heard(stat)]
            if not new:
                break
            for stat in new:
                self.strike(stat)
            if not once:
                self._trees.look()
                found = self._living()
        if spare_newcomers:  # strangers that come to light later were not meant
            self._trees.doomed.discard(None)
        killed = (pid for pid, _ in self._heard if pid not in self._refused)
        return Sent(tuple(killed), tuple(self._refused.values()))

    def strike(self, stat: ProcStat) -> None:
        """SIGKILL to one member, and to the group it leads or moved to."""
        self._heard.add((stat.pid, stat.start_time))
        self.reached.add((stat.pid, stat.start_time))
        if (group := self._trees.group_of_its_own(stat)) is not None:
            try:
                os.killpg(group, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # it moved on, or nobody in it may be signalled: asked by itself, and named
        try:
            self._signal_one(stat, signal.SIGKILL)
        except PermissionError:
            if self.leaf is None or not self.leaf.kills(stat.pid):
                self._refused[stat.pid] = member_of(stat)

    def _kill_own_group(self) -> bool:
        if self.handle is None or not self.handle.own_group:
            return False
        try:
            return self.handle.kill_group(signal.SIGKILL)
        except PermissionError:
            return False  # not one of them may be signalled: the rounds find out who

    def finish(self) -> Usage | None:
        handle = self.handle
        if handle is None:
            return None
        usage = handle.reap()
        self._trees.drop(self)
        return usage


def member_of(stat: ProcStat) -> Member:
    return Member(stat.pid, stat.start_time, stat.name)
