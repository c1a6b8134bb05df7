"""A control group (version 2) for each run, where our own group is ours to divide.

    OUR OWN GROUP/procession-TOKEN/COOKIE

The place `procession-TOKEN` is made, and locked, by the guardian before it forks; so guardian and
supervisor hold one lock, which the kernel lets go of when both are dead: whoever gets it knows
that the place is nobody's any more. Each run has a leaf there, named by its cookie.

A leaf is joined before the program is executed: the supervisor moves in, spawns, and moves back.
That is sound because nobody else in this process starts anything meanwhile. No controller is
enabled, so groups that hold processes may have groups below them.

Nothing here raises for what the kernel refuses: that costs the run this layer, and lineage,
session and cookie are there as if there were none. Not seen by a group: who was moved elsewhere
by somebody who may, as a process of the same user may itself.

Sources: cgroups(7), the kernel's admin-guide/cgroup-v2, inotify(7), fcntl(2) (F_SETSIG).
"""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

import errno
import fcntl
import signal

from procession.process import limits, spare
from procession.process._delegation_linux import text_of
from procession.process._kernel_texts import path_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from procession.process._kernel_texts import Cgroup

    T = TypeVar("T")

PREFIX = "procession-"
LEFT = "left-on-purpose"  # an empty group in a leaf: what lives in there is not to be ended
_TOKEN = 16  # hexadecimal digits
_LONGEST = 255  # bytes of a name (NAME_MAX)
_ATTEMPTS = 3  # at a place: the sweep of somebody else may take it away while it is new
_ROUNDS = 8  # of setting aside those who fork meanwhile
_FEW_DESCRIPTORS = 64
_IN_MODIFY = 0x2


def claim(own: Cgroup) -> Groups | None:
    """Make and lock a place in our own group; None: the kernel refuses, or descriptors are so few
    that ours is better spent on a task."""
    if limits.descriptors() < _FEW_DESCRIPTORS:
        return None
    for _ in range(_ATTEMPTS):
        name = PREFIX + os.urandom(_TOKEN // 2).hex()
        folder = f"{own.folder}/{name}"
        try:
            os.mkdir(folder, 0o755)
        except OSError:
            return None
        lock = locked(folder, fcntl.LOCK_SH)
        if lock is not None:
            return Groups(own.folder, folder, f"{own.path.rstrip('/')}/{name}/", lock)
        rmdir(folder)
    return None


class Groups:
    """The place of one supervisor. Used by it and, after it, by its guardian; one thread each."""

    def __init__(self, own: str, place: str, prefix: str, lock: int) -> None:
        self.place = place
        self._own = own
        self._prefix = prefix  # of the path by which the kernel calls who is in there
        self._lock = lock
        self._claimant = os.getpid()
        self._wakes = -1
        self.stuck_in: str | None = None  # the leaf that we could not get out of

    @property
    def heritage(self) -> tuple[int, str, str, str]:
        """For another process that is to hold this place as well, and makes `Groups` of it: the
        lock, a descriptor that it is to be given; our own group; the place; the prefix."""
        return self._lock, self._own, self.place, self._prefix

    def leaf(self, cookie: str) -> Leaf:
        """Of the run with this cookie (the supervisor's own part of it), made or not."""
        return Leaf(self, cookie)

    def folder_of(self, cookie: str) -> str:
        return f"{self.place}/{cookie}"

    def leaf_of(self, pid: int) -> str | None:
        """The cookie by whose leaf the process is held, None: by none."""
        path = path_in(text_of(f"/proc/{pid}/cgroup"))
        if path is None or not path.startswith(self._prefix):
            return None
        return path[len(self._prefix) :].partition("/")[0]

    def born_in(self, cookie: str, start: Callable[[], T]) -> T:
        """`start()`, which executes a program, while we are in the leaf of this run, so that
        what is executed is as well. It raises what `start` raises, and then there is no leaf.

        A leaf that cannot be had is done without. Cost: 0.03 ms in a wave of starts, and up to
        some 10 ms where nobody has moved for a while: the kernel waits for a grace period of RCU.
        """
        leaf = self.leaf(cookie)
        entered = self.stuck_in is None and leaf.make() and self._joins(leaf.folder)
        started = False
        try:
            found = start()
            started = True
            return found
        finally:
            if entered:
                self._come_back(leaf)
            if not entered or not started:
                leaf.remove()

    def _come_back(self, leaf: Leaf) -> None:
        """Where our own group does not take us back (somebody enabled a controller there), the
        place does, which holds no other process."""
        if not self._joins(self._own) and not self._joins(self.place):
            self.stuck_in = leaf.cookie

    def _joins(self, folder: str) -> bool:
        return _join(folder)

    def abandon(self) -> None:
        """Close what is open, and no more: in a forked child, whose place it is not."""
        fds, self._lock, self._wakes = (self._lock, self._wakes), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    # --- the ends ----------------------------------------------------------------------------

    def watch(self, folder: str) -> bool:
        """From now on SIGCHLD comes when this group becomes empty: who looks at children then
        looks at groups as well, and needs no other wake-up. False: that cannot be had."""
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if self._wakes < 0:
            self._wakes = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
            if self._wakes < 0:
                return False
            fcntl.fcntl(self._wakes, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(self._wakes, fcntl.F_SETSIG, signal.SIGCHLD)
            flags = fcntl.fcntl(self._wakes, fcntl.F_GETFL)
            fcntl.fcntl(self._wakes, fcntl.F_SETFL, flags | os.O_ASYNC)
        try:
            os.read(self._wakes, 65536)  # what was told before: nobody reads more of it than this
        except BlockingIOError:
            pass
        path = os.fsencode(f"{folder}/cgroup.events")
        return bool(libc.inotify_add_watch(self._wakes, path, _IN_MODIFY) >= 0)

    def kill_all(self) -> None:
        """SIGKILL to whoever is in any leaf, in one go."""
        if self.stuck_in is None and is_populated(self.place):
            kill(self.place)

    def close(self) -> None:
        """Remove what is empty. By who is the last of guardian and supervisor also: what was left
        on purpose goes to our own group, where it would be had there been no leaf."""
        last = os.getpid() == self._claimant or os.getppid() != self._claimant
        for folder in folders(self.place):
            if not os.path.isdir(f"{folder}/{LEFT}"):
                remove(folder)
            elif last:
                set_aside(folder, self._own)
        rmdir(self.place)
        self.abandon()


class Leaf:
    """The group of one run. Where it was not made, or was removed, it answers as an empty one."""

    __slots__ = ("_groups", "_watched", "cookie", "folder")

    def __init__(self, groups: Groups, cookie: str) -> None:
        self._groups = groups
        self._watched: bool | None = None
        self.cookie = cookie
        self.folder = groups.folder_of(cookie)

    def make(self) -> bool:
        """False: it cannot be had, or is frozen: whoever joined would never return."""
        if "/" in self.cookie or len(os.fsencode(self.cookie)) > _LONGEST:
            return False
        try:
            os.mkdir(self.folder, 0o755)
        except (OSError, ValueError):
            return False
        if "frozen 1" not in text_of(f"{self.folder}/cgroup.events"):
            return True
        self.remove()
        return False

    def holds(self) -> bool:
        """Does anything live in it? If so, SIGCHLD tells when that ends."""
        if self._is_ours() or not self.is_populated():
            return False
        if self._watched is None:
            self._watched = self._groups.watch(self.folder)
            # it may have ended before it was watched
            return self._watched and self.is_populated()
        return self._watched  # else nobody would tell us when that changes

    def is_populated(self) -> bool:
        return is_populated(self.folder)

    def pids(self) -> list[int]:
        """Who is in there, and in groups below."""
        ours = os.getpid()
        return [pid for pid in pids_in(self.folder) if pid != ours]

    def has(self, pid: int) -> bool:
        return self._groups.leaf_of(pid) == self.cookie

    def kill(self) -> bool:
        """SIGKILL to all of it in one go, forks under way included, whoever they belong to; False
        where it was not made, or the kernel is older than 5.14."""
        return not self._is_ours() and kill(self.folder)

    def kills(self, pid: int) -> bool:
        """As `kill`, of one process that may be in there, and that we may not signal."""
        return self.has(pid) and self.kill()

    def spare(self) -> None:
        """What lives in it is not to be ended, by nobody who comes after us either."""
        try:
            os.mkdir(f"{self.folder}/{LEFT}")
        except OSError:
            pass  # there is no leaf, or it may have no group below: the guardian is told by pid

    def remove(self) -> None:
        """Where it is empty; what cannot be removed now is when the place is."""
        if not self.is_populated():
            remove(self.folder)

    def _is_ours(self) -> bool:
        return self._groups.stuck_in == self.cookie


# --- files ---------------------------------------------------------------------------------------


def locked(folder: str, kind: int) -> int | None:
    """A descriptor that holds a lock on a folder that is there; None: it is another's, or gone."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(folder)):
            return fd
    except OSError:
        pass
    os.close(fd)
    return None


def is_token(word: str) -> bool:
    return len(word) == _TOKEN and not word.strip("0123456789abcdef")


def _write(path: str, word: bytes) -> bool:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(fd, word)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _join(folder: str, pid: int = 0) -> bool:
    return _write(f"{folder}/cgroup.procs", b"%d" % pid)


def kill(folder: str) -> bool:
    return _write(f"{folder}/cgroup.kill", b"1")


def is_populated(folder: str) -> bool:
    """Not by zombies: they hold a group no more than they hold memory."""
    return "populated 1" in text_of(f"{folder}/cgroup.events")


def pids_in(folder: str) -> Iterator[int]:
    """0 stands for who is in a pid namespace that we cannot see."""
    for word in text_of(f"{folder}/cgroup.procs").split():
        if word != "0":
            yield int(word)
    for below in folders(folder):
        yield from pids_in(below)


def set_aside(leaf: str, own: str) -> None:
    """Who lives directly in it goes to our own group."""
    for _ in range(_ROUNDS):
        words = text_of(f"{leaf}/cgroup.procs").split()
        moved = [_join(own, int(word)) for word in words if word != "0"]
        if not any(moved):
            break
    if not is_populated(leaf):
        remove(leaf)


def remove(folder: str) -> None:
    """With what is below it, as far as that is empty."""
    if not rmdir(folder):
        for below in folders(folder):
            remove(below)
        rmdir(folder)


def rmdir(folder: str) -> bool:
    """False: it holds something."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def folders(folder: str) -> list[str]:
    try:
        try:
            return _folders(folder)
        except OSError as e:
            if e.errno != errno.EMFILE:
                raise
        return spare.lend(_folders, folder)
    except OSError:
        return []


def _folders(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
