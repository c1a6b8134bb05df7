"""The sentinel: a small process beside an application that outlives it, and sweeps what it left.

A guardian stands above its supervisor; an application is nobody's to stand above. So the sentinel
is a child of it that waits for its death, and then looks for all that carries the owner's mark, or
is in a session or group that it was told of. What shows nothing of that is not found: a daemon in a
session of its own that emptied its environment.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import os
import signal

from procession.process import host
from procession.process.command import Command
from procession.process.crowd import OWNER
from procession.process.link import Link
from procession.process.spawn import spawn
from procession.process.tree import COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from procession.process.handle import Handle

FOLDER = os.path.dirname(os.path.abspath(__file__))  # where the programs of helpers are
ROOT = os.path.dirname(os.path.dirname(FOLDER))  # what they import us from
_PROGRAM = os.path.join(FOLDER, "_sentinel_linux.py")


class Sentinel:
    """Our end. One thread; nothing blocks but `end`, for some microseconds."""

    def __init__(self, handle: Handle, link: Link) -> None:
        self.handle = handle
        self.link = link  # `begins`, `started`, `ended`, `leaves`: as with a guardian

    @property
    def fd(self) -> int:
        """Readable when the sentinel is gone."""
        return self.link.fd

    def cause(self) -> Exception | None:
        """Why it is gone, where it said so; None: somebody has killed it, as a rule."""
        return None

    def end(self) -> None:
        """Nothing is left to look after, or another one is to take over: let it go."""
        self.link.orderly()
        try:
            self.handle.send(signal.SIGKILL)  # it need not wake up to learn that there is nothing
        except PermissionError:
            self.link.close()  # this application was root when it began: then it has to read
        if sys.platform != "darwin":
            try:
                os.waitid(os.P_PID, self.handle.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                pass  # somebody else in this application has reaped it
        if self.handle.poll_exit() is not None:
            self.handle.reap()
        self.abandon()

    def abandon(self) -> None:
        """Close what is ours, and no more: in a forked child, whose sentinel it is not. Without any
        lock, which a thread of the parent may hold."""
        self.link.close()
        fd, self.handle.pidfd = self.handle.pidfd, None
        if fd is not None:
            os.close(fd)


def is_possible() -> bool:
    """Only Linux shows the environment of processes to their user."""
    return sys.platform == "linux" and host.has_proc() and bool(sys.executable)


def start(token: str) -> Sentinel:
    """Start the sentinel of the executor that marks its processes with `token`. Returns before it
    looks around; what is posted meanwhile, and the end of this process, wait for it.

    Raises OSError when it cannot be started.
    """
    return Sentinel(*begin(lambda posts, heard: _command(token, posts, heard)))


def begin(command: Callable[[int, int], Command]) -> tuple[Handle, Link]:
    """Start a helper that reads posts and is heard; `command` makes it of these two descriptors.
    Raises what `spawn` raises, and then nothing is left."""
    posts_r, posts_w = os.pipe()
    try:
        heard_r, heard_w = os.pipe()
    except OSError:
        os.close(posts_r)
        os.close(posts_w)
        raise
    try:
        handle = spawn(command(posts_r, heard_w))
    except BaseException:
        os.close(posts_w)
        os.close(heard_r)
        raise
    finally:
        os.close(posts_r)
        os.close(heard_w)
    return handle, Link(heard_r, posts_w)


def _own_start() -> int:
    """In boot ticks: who is older than we are is none of ours."""
    if sys.platform == "linux":
        from procession.process import _linux

        return _linux.stat("self").start_time
    return 0


def _command(token: str, posts: int, heard: int) -> Command:
    words = (ROOT, token, os.getpid(), _own_start(), posts, heard)
    return helper(_PROGRAM, words, (posts, heard))


def helper(program: str, words: Iterable[object], fds: tuple[int, ...]) -> Command:
    """Nothing of the application comes with it but these descriptors: no folder, no settings."""
    outer = {name: os.environ[name] for name in (COOKIE, OWNER) if name in os.environ}
    return Command(
        argv=(sys.executable, "-I", "-S", program, *map(str, words)),
        executable=os.path.abspath(sys.executable),
        cwd="/",
        env=outer,
        pass_fds=fds,
    )
