"""What a starter knows of the runs that it has started: their trees, and what is asked of them.

Part of its program, see `_starter_program`. What it answers is made of numbers and words alone.
"""

from __future__ import annotations

import signal
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession._record import Record
from procession.process._lineage_linux import LinuxTrees
from procession.process._rescue_linux import Rescue
from procession.process._sweep_linux import sweep
from procession.process.link import Known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from procession.process._ahead_linux import Ahead
    from procession.process._sweep import Listens, Remains
    from procession.process._tree import Member, Sent
    from procession.process._tree_linux import LinuxTree
    from procession.process.handle import Handle

    Used: TypeAlias = tuple[float, float, int, int] | None  # the fields of a `Usage`
    Named: TypeAlias = tuple[int, int, str]  # those of a `Member`
    Reached: TypeAlias = tuple[tuple[int, ...], list[Named]]  # those of a `Sent`

CRASH_GRACE = 1.0  # seconds that no grace exceeds once the application is gone


class Told(Record):
    """What there is to end: what was posted, and what is too young for that."""

    runs: dict[str, Known]
    left: dict[str, Known]
    spared: set[tuple[int, int]]


class Book:
    """All runs, by their cookies. One thread."""

    def __init__(self, groups: Ahead) -> None:
        self.groups = groups
        self.trees = LinuxTrees(groups)
        self._planted: dict[str, LinuxTree] = {}
        self._pids: dict[str, int] = {}
        self._forsaken: set[str] = set()  # nobody waits for them
        self._over: dict[str, Used] = {}  # nothing of them is left, and nobody has asked yet
        self.answers: dict[str, Callable[..., Any]] = {
            "scan": self._scan, "tell": self._tell, "kill": self._kill, "members": self._members,
            "forget": self._forget, "send": self._send, "kill group": self._kill_group,
        }  # fmt: skip

    @property
    def is_empty(self) -> bool:
        """Nothing lives of any run, or of nobody's."""
        self.trees.look()
        return not self._planted and not self.trees.unclaimed()

    def plant(self, cookie: str, handle: Handle) -> None:
        self._planted[cookie] = self.trees.plant(cookie, cookie, handle)
        self._pids[cookie] = handle.pid

    def adopt(self, known: Iterable[tuple[str, int, str]]) -> None:
        """What a starter before us has started, which was killed: cookie, pid, leaf. The groups
        are all there is to know their trees by: who lost his parent since has not come to us."""
        known = list(known)
        self.groups.adopt((cookie, name) for cookie, _, name in known)
        for cookie, pid, _ in known:
            self._planted[cookie] = self.trees.expect(cookie, cookie, None)
            self._pids[cookie] = pid

    def undo(self, cookie: str) -> None:
        """Whoever asked for it does not wait any more."""
        self._over.pop(cookie, None)
        if cookie in self._planted:
            self._forsaken.add(cookie)
            self.look()

    def look(self) -> None:
        """Reap orphans that ended, and end whatever came of a start that was given up."""
        self.groups.make_way(self._forsaken)
        self.trees.look(self._planted[cookie] for cookie in self._forsaken)
        self.trees.left()
        for cookie in list(self._forsaken):
            if self._planted[cookie].is_empty():
                self._finish(cookie)
            else:
                self._planted[cookie].kill()

    @property
    def is_pressing(self) -> bool:
        """Is another look due at once? Who comes to light where all were killed dies on sight."""
        return bool(self._forsaken or self.trees.doomed or self.trees.again)

    def settle(self, ended: Iterable[str]) -> None:
        """Their leaders were seen to end. Of most of them nothing is left then: pid and leaf need
        not wait until somebody asks."""
        found = [(one, self._planted[one]) for one in ended if one in self._planted]
        self.trees.look(tree for _, tree in found)
        for cookie, tree in found:
            if cookie not in self._forsaken and tree.is_empty():
                self._over[cookie] = self._finish(cookie)

    def _finish(self, cookie: str) -> Used:
        del self._pids[cookie]
        self._forsaken.discard(cookie)
        tree = self._planted.pop(cookie)
        usage = tree.finish()
        if tree.handle is None:
            self.trees.drop(tree)
        self.groups.give_back(cookie)
        if usage is None:
            return None
        return usage.user, usage.system, usage.max_rss, usage.major_faults

    # --- what is asked ---------------------------------------------------------------------------

    def _scan(self, ended: list[str]) -> tuple[list[tuple[str, Used]], list[str]]:
        """Whose trees are over, with what they consumed; and in whose somebody came to light who
        has heard nothing yet."""
        self.groups.make_way(ended)
        trees = [self._planted[one] for one in ended if one in self._planted]
        grown = [str(run) for run in self.trees.scan(trees)]
        over: list[tuple[str, Used]] = []
        for cookie in ended:
            tree = self._planted.get(cookie)
            if tree is None:
                over.append((cookie, self._over.pop(cookie, None)))
            elif tree.is_empty():
                over.append((cookie, self._finish(cookie)))
        return over, grown

    def _tell(self, asks: list[tuple[str, int, str, bool]]) -> list[Reached]:
        self.groups.make_way([ask[0] for ask in asks])
        self.trees.look()
        found: list[Reached] = []
        for cookie, number, to, only_new in asks:
            tree = self._planted.get(cookie)
            if tree is None:
                found.append(((), []))
            elif to == "tree" or tree.handle is None:
                found.append(_sent(tree.tell(number, only_new=only_new)))
            else:
                found.append(_sent(tree.signal(number, to=to, only_new=only_new)))
        return found

    def _kill(self, cookies: list[str]) -> list[Reached]:
        self.groups.make_way(cookies)
        planted = self._planted
        return [_sent(planted[one].kill()) if one in planted else ((), []) for one in cookies]

    def _members(self, cookie: str) -> list[Named]:
        self.groups.make_way((cookie,))
        tree = self._planted.get(cookie)
        return [] if tree is None else [_member(member) for member in tree.members()]

    def _forget(self, cookie: str) -> None:
        """What is left of it is not to be ended."""
        self.groups.make_way((cookie,))
        self._pids.pop(cookie, None)
        self._over.pop(cookie, None)
        if self._planted.pop(cookie, None) is not None:
            self.trees.forget(cookie)

    def _send(self, cookie: str, number: int) -> bool | None:
        """None: it may not be signalled."""
        handle = self._handle(cookie)
        try:
            return handle is not None and handle.send(number)
        except PermissionError:
            return None

    def _kill_group(self, cookie: str, number: int) -> bool | None:
        handle = self._handle(cookie)
        try:
            return handle is not None and handle.kill_group(number)
        except PermissionError:
            return None

    def _handle(self, cookie: str) -> Handle | None:
        tree = self._planted.get(cookie)
        return None if tree is None else tree.handle

    # --- the end ---------------------------------------------------------------------------------

    def end_all(self, posts: Remains, ears: Listens, owner: int) -> int:
        """End all that is left: each run by its own signal and grace. How many processes."""
        self.groups.go_home()
        unknown = Known(signal.SIGTERM, CRASH_GRACE)
        runs = {c: posts.runs.get(c, unknown).replace(pid=pid) for c, pid in self._pids.items()}
        left = {c: known.replace(pid=None) for c, known in posts.left.items()}
        told = Told(runs, left, posts.spared)
        return sweep(told, CRASH_GRACE, ears, (), Rescue(owner), self.groups).count

    def leave_all(self) -> None:
        """Nothing of it is ours to end."""
        self.groups.go_home()
        for cookie in self._pids:
            self.groups.leaf(cookie).spare()


def _member(member: Member) -> Named:
    return member.pid, member.start_time, member.name


def _sent(sent: Sent) -> Reached:
    return sent.pids, [_member(member) for member in sent.refused]
