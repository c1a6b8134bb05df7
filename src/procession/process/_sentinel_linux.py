"""The program of the sentinel: see `sentinel`. Run by path, in isolation.

_sentinel_linux.py ROOT TOKEN OWNER_PID OWNER_START POSTS_FD HEARD_FD
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

if sys.platform != "linux":
    raise ImportError("for Linux only")

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from procession.core.status import ExitStatus
from procession.process import _linux
from procession.process._crowd_linux import CrowdTree, CrowdTrees
from procession.process._seen_linux import Seen
from procession.process._sweep import KILL_WAIT, ROUND, remove_folder
from procession.process._tree import COOKIE
from procession.process.crowd import OWNER
from procession.process.handle import Handle, Usage
from procession.process.link import Posts

CRASH_GRACE = 1.0  # seconds that no grace exceeds once the owner is gone
_PAUSE = 0.1  # seconds between two looks at what was posted


class Lost(Handle):
    """A leader whose parent is gone, and that was never our child: known by pid and start time,
    since the system reaps it, and its number is somebody else's then. (While anybody is in its
    session it is not.) Or nobody at all (pid -1): the leader of those whose run is not known."""

    def __init__(self, pid: int, start_time: int | None = None) -> None:
        self.pid = pid
        self.pidfd = None
        self.own_group = True
        self._start = start_time

    def _stat(self) -> _linux.ProcStat | None:
        try:
            return None if self.pid < 0 else _linux.stat(self.pid)
        except ProcessLookupError:
            return None

    @property
    def start_time(self) -> int | None:
        return self._start

    def poll_exit(self) -> ExitStatus | None:
        stat = self._stat()
        lives = stat is not None and stat.start_time == self._start and not stat.dead
        return None if lives else ExitStatus()

    def reap(self) -> Usage | None:
        return None

    @property
    def reaped(self) -> bool:
        """May its number be a stranger's by now?"""
        stat = self._stat()
        return self.pid < 0 or (stat is not None and stat.start_time != self._start)

    def send(self, number: int) -> bool:
        return self._start is not None and _linux.signal_pinned(self.pid, self._start, number)

    def kill_group(self, number: int) -> bool:
        return False  # each by itself, pinned: the number of a group may change hands

    def forsake(self) -> bool:
        return False  # asked of nobody's child

    def pin(self) -> None:
        return None  # signals go by pid and start time

    def close(self) -> None:
        return None


class Remains(CrowdTrees):
    """All that an owner left, by run; those of no known run are in `lost`."""

    def __init__(self, token: str, posts: Posts, since: int) -> None:
        super().__init__()
        self._since = since
        self._token = token
        self._spared = posts.spared
        self._left = frozenset(posts.left)
        for cookie, known in posts.runs.items():
            if known.pid is not None and known.start_time is not None:
                self.plant(cookie, cookie, Lost(known.pid, known.start_time))
        self.lost = self.plant(None, "", Lost(-1))
        self.trees: tuple[CrowdTree, ...] = tuple(self._trees.values())

    def _by_cookie(self, seen: Seen) -> CrowdTree | None:
        if seen.key in self._strangers or seen.key in self._spared:
            return None
        tree = super()._by_cookie(seen)
        if tree is not None:
            return tree
        try:
            owner = _linux.environ_cookie(seen.pid, OWNER)
            run = _linux.environ_cookie(seen.pid, COOKIE)
        except (PermissionError, ProcessLookupError, BlockingIOError):
            return None
        if owner is None or self._token not in owner.split(":"):
            return None
        if run is not None and not self._left.isdisjoint(run.split(":")):
            return None
        self._strangers.discard(seen.key)
        return self.lost


def sweep(token: str, posts: Posts, since: int) -> int:
    """End all that is left, and that is younger than `since` (boot ticks): each run by its own
    signal and grace. How many processes were told."""
    remains = Remains(token, posts, since)
    began = time.monotonic()
    give_up = began + CRASH_GRACE + KILL_WAIT
    told: set[tuple[int, int]] = set()
    while True:
        remains.look()
        now = time.monotonic()
        alive = [tree for tree in remains.trees if tree.found]
        new = {seen.key for tree in alive for seen in tree.found} - told
        if new:
            told |= new
            give_up = min(max(give_up, now + KILL_WAIT), began + CRASH_GRACE + 12 * KILL_WAIT)
        if not alive or now >= give_up:
            return len(told)
        doomed = []
        for tree in alive:
            known = posts.runs.get(str(tree.run))
            number, grace = (signal.SIGTERM, CRASH_GRACE) if known is None else (
                known.signal, known.grace
            )  # fmt: skip
            if now >= began + min(grace, CRASH_GRACE):
                doomed.append(tree)
            else:
                tree.tell(number, only_new=True)
        if doomed:
            remains.kill_many(doomed)
        time.sleep(ROUND / 5)


def watch(posts: Posts, owner: int) -> bool:
    """Until the owner is gone; False: it said that there is nothing to do."""
    poll = select.poll()
    try:
        pidfd = os.pidfd_open(owner)
    except OSError:
        pidfd = -1  # gone already, or no pidfds here: the pipe tells
    if os.getppid() != owner:
        posts.read()
        return not posts.orderly
    if pidfd >= 0:
        poll.register(pidfd, select.POLLIN)
    poll.register(posts.fd, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if not posts.read() or pidfd in ready:
            posts.read()
            return not posts.orderly
        time.sleep(_PAUSE)  # posts are for later: who reads each as it comes costs the owner time


def main(token: str, owner: int, since: int, posts_fd: int, heard_fd: int) -> None:
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)  # we end when our work is done
    posts = Posts(posts_fd, heard_fd)
    if watch(posts, owner):
        sweep(token, posts, since)
        for folder in posts.folders:
            remove_folder(folder)


if __name__ == "__main__":
    main(sys.argv[2], *map(int, sys.argv[3:7]))
