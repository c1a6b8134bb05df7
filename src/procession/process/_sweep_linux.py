"""What a guardian does when its supervisor is gone: end everything that is left, gracefully first.

With the supervisor gone, everything it was to look after has come to us: its runs' leaders (dead
ones too, so their numbers are theirs still) and all orphans. The same trees as the supervisor's
tell whose they are. Each process hears the stop signal of its run once, has its run's grace
(capped) to end, and is killed then, until nothing is left or only what we may not signal.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux, host
from procession.process._lineage_linux import LinuxTrees
from procession.process._sweep import KILL_WAIT, ROUND, Swept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procession.process._cgroup_linux import Groups
    from procession.process._rescue_linux import Rescue
    from procession.process._sweep import Listens, Remains
    from procession.process._tree_linux import LinuxTree
    from procession.process.link import Known

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})


class _Stop:
    """The end of one tree."""

    def __init__(self, tree: LinuxTree, number: int, deadline: float) -> None:
        self.tree = tree
        self.number = number
        self.deadline = deadline
        self.kill_at = deadline
        self.told = False
        self.refused: frozenset[int] = frozenset()

    def act(self, grew: bool, now: float) -> None:
        """Tell who has not heard; past the deadline, kill, again and again."""
        if now >= self.kill_at:
            self.kill_at = now + ROUND
            self.refused = frozenset(member.pid for member in self.tree.kill().refused)
        elif now < self.deadline and (grew or not self.told):
            self.told = True
            self.tree.tell(self.number, only_new=True)

    def is_hopeless(self, now: float) -> bool:
        """Only those are left that we may not signal."""
        if now < self.deadline:
            return False
        left = {member.pid for member in self.tree.members()}
        return bool(left) and left <= self.refused


def sweep(
    posts: Remains,
    cap: float,
    ears: Listens,
    older: Iterable[int],
    rescue: Rescue,
    groups: Groups | None = None,
) -> Swept:
    """End all that is left below this process, but for `older` children of its own. What they
    write meanwhile is read, so that nobody is cut off by it, and goes to the logs.

    `cap`: seconds that no grace exceeds. After it, ends at the latest when nobody new came to
    light for KILL_WAIT, and after 12 times that in a storm of forks that does not end. A Ctrl-C
    typed meanwhile ends all graces.
    """
    trees = LinuxTrees(groups)
    trees.ignore((*older, *(pid for pid, start in posts.spared if _is_still(pid, start))))
    began = time.monotonic()
    stops = [_Stop(trees.lost, signal.SIGTERM, began + cap)]
    for cookie, known in posts.runs.items():
        tree = trees.expect(cookie, cookie, known.pid, _inodes(known))
        stops.append(_Stop(tree, known.signal, began + max(0.0, min(known.grace, cap))))
    for cookie, known in posts.left.items():
        trees.expect(cookie, cookie, known.pid, _inodes(known))
        trees.leave(cookie)
    rescue.begin(ears.fd)
    give_up = began + cap + KILL_WAIT
    reached = 0
    while True:
        now = time.monotonic()
        try:
            trees.look()
        except OSError as e:
            # Last words are worth less than an end.
            if e.errno not in _NO_DESCRIPTOR or (not rescue.drop() and now >= give_up):
                raise
            rescue.wait(ROUND)
            continue
        grown = set(trees.news())
        now = time.monotonic()
        if not posts.left and all(now >= stop.deadline for stop in stops):
            trees.spare_nobody()
        alive = [stop for stop in stops if not stop.tree.is_empty()]
        for stop in alive:
            if now < stop.deadline and (not stop.told or stop.tree.run in grown):
                rescue.take_over((member.pid for member in stop.tree.members()), posts.runs)
            stop.act(stop.tree.run in grown, now)
        if groups is not None and not posts.left and all(now >= stop.deadline for stop in stops):
            groups.kill_all()  # also who hid from all trees; last, since nobody counts them
        # One process may be reached twice: with its run, and as nobody's when nobody asks any more.
        if reached != (reached := len(set().union(*(stop.tree.reached for stop in stops)))):
            give_up = min(max(give_up, now + KILL_WAIT), began + cap + 12 * KILL_WAIT)
        if not alive or now >= give_up:
            break
        if all(stop.is_hopeless(now) for stop in alive):
            break
        left = max(0.0, min(stop.kill_at for stop in alive) - now)
        rescue.wait(0 if trees.again else left)
        if any(number == signal.SIGINT and typed for number, typed in ears.read()):
            for stop in stops:
                stop.kill_at = stop.deadline = 0.0
    rescue.close()
    trees.close()
    survivors = [str(member) for stop in alive for member in stop.tree.members()]
    if alive and not survivors:
        survivors = ["what forks faster than it can be killed"]
    return Swept(reached, tuple(survivors))


def _inodes(known: Known) -> tuple[int, ...]:
    return tuple(inode for _, inode in known.outputs)


def _is_still(pid: int, start_time: int) -> bool:
    try:
        return _linux.stat(pid).start_time == start_time
    except ProcessLookupError:
        return False


def meet_strangers(known: Iterable[int], lives: Callable[[], bool]) -> list[int] | None:
    """Reap our dead children that are not among `known`, and tell the living: orphans that came
    to us because we are the first process of a container, or because an older child of ours left
    them. None once the supervisor does not live: while it `lives` it adopts all that is ours; that
    is asked after the look, since when it dies its dead leaders come to us, and have to stay:
    their numbers are evidence.
    """
    pids = _linux.children() if host.has_children_files() else ()
    strangers = set(pids).difference(known)
    living: list[int] = []
    if not lives():
        return None
    for pid in strangers:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                living.append(pid)
        except ChildProcessError:
            continue
    return living
