"""The starter: a small process that starts those of an application, each in a control group.

To be in a group before it executes anything, a child has to be born there: its parent moves in
first. An application cannot: all of its threads would move, and some of them may be starting
something else. So it has a helper with one thread, which is their parent and adopts their orphans,
relays how they end, and does the part of a sentinel as well (it *is* one). What it needs to know
of each (folder, mask, streams, environment) comes with the request; limits, priority, namespaces
and the like are those the application had when its starter began.

Should the starter be killed, the groups go on to tell who belongs to what, and another takes its
place. How those end that the first has started is not known then, as where somebody else reaped.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.errors import HostError
from procession.process import _linux, _spawn_posix, sentinel
from procession.process import _starter_wire as wire
from procession.process._ahead_linux import leaf_name
from procession.process._starter_handle_linux import StarterHandle
from procession.process._starter_wire import StarterGone
from procession.process.sentinel import FOLDER, ROOT, Sentinel, helper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from procession.process._cgroup_linux import Groups
    from procession.process.command import Command
    from procession.process.handle import Handle
    from procession.process.link import Link

_PATIENCE = 30.0  # seconds an answer may take; a start takes as long as its program's file system
_END_PATIENCE = 10.0  # seconds: `rest` ends what nothing ties to a run, gracefully
_GONE = 1.0  # seconds until an end that a pipe told of can be seen
_PROGRAM = os.path.join(FOLDER, "_starter_program.py")


class Origin:
    """What this process was when its starter began, which is what that is for good."""

    def __init__(self) -> None:
        self.ids = os.getresuid(), os.getresgid(), os.getgroups()
        self.folder = _here()
        self.status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        fd, self.status = self.status, -1
        if fd >= 0:
            os.close(fd)

    def is_here(self) -> bool:
        """Are we in the folder that it is in? It may be one that we could not go to any more."""
        return self.folder == _here()

    def check(self) -> None:
        """Raises HostError where we are somebody else by now: its children are what it is."""
        if self.ids != (os.getresuid(), os.getresgid(), os.getgroups()):
            raise HostError(
                "this process",
                "has changed its user or groups since its executor began",
                "what it was then, which is what the helper that starts its processes is",
                "Stop the executor, and begin anew, after such a change",
            )


def _here() -> tuple[int, int] | None:
    try:
        found = os.stat(".")
    except OSError:
        return None  # removed, or not ours to look at
    return found.st_dev, found.st_ino


class Starter(Sentinel):
    """Our end of one. `start`, `ask` and `post` from any thread."""

    def __init__(
        self, handle: Handle, link: Link, sock: socket.socket, token: str, origin: Origin
    ) -> None:
        super().__init__(handle, link)
        self._sock = sock
        self._token = token
        self._origin = origin
        self._ended = False
        self.watched = False  # by who is going to `end` it
        self.gone = False  # it hears nothing any more

    def start(self, cookie: str, command: Command) -> StarterHandle:
        """As `spawn.spawn`, in a group of the run with this cookie.

        Raises StarterGone if nothing was done, and HostError where it is not known what was.
        """
        self._origin.check()
        _spawn_posix.check(command)
        reads, writes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        failed = False
        try:
            try:
                self._send_start(cookie, command, writes)
            finally:
                os.close(writes)
            kind, one, other, text = self._first_fact(reads, command)
            failed = kind == wire.FAILED
            if failed:
                raise _error(one, other, text, command)
            leaf = leaf_name(self._token, self.handle.pid, other)
            return StarterHandle(self, cookie, one, reads, leaf)
        except BaseException:
            os.close(reads)
            if not failed:  # it may run, and nobody would know of it
                with contextlib.suppress(OSError):
                    self.post("undo", cookie)
            raise

    def _send_start(self, cookie: str, command: Command, answer: int) -> None:
        fds = [answer]
        places: list[int | None] = []
        folder = -1
        try:
            cwd = command.cwd
            if (cwd is None or not os.path.isabs(cwd)) and (cwd or not self._origin.is_here()):
                folder = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            streams = (command.stdin, command.stdout, command.stderr)
            for fd in (*streams, folder if folder >= 0 else None):
                if fd is not None and fd not in fds[1:]:
                    fds.append(fd)
                places.append(None if fd is None else fds.index(fd, 1) - 1)
            env = _spawn_posix.entries(os.environ if command.env is None else command.env)
            umask = _linux.umask(self._origin.status) if command.umask == -1 else command.umask
            # bytes: its own idea of how names are encoded need not be ours
            argv = [os.fsencode(word) for word in command.argv]
            words = (
                "start", cookie, argv, os.fsencode(command.executable), env,
                None if cwd is None else os.fsencode(cwd), places,
                command.uid, command.gid, command.groups, umask,
            )  # fmt: skip
            self._send(words, fds)
        finally:
            if folder >= 0:
                os.close(folder)

    def _first_fact(self, reads: int, command: Command) -> tuple[int, int, int, str]:
        poll = select.poll()
        poll.register(reads, select.POLLIN)
        if not poll.poll(_PATIENCE * 1000):
            self._give_up()
            raise TimeoutError(f"{command.executable}: not started within {_PATIENCE:g} s")
        found = wire.read_fact(reads)
        if found is not None:
            return found
        if self._has_ended():
            self.gone = True
            raise HostError(
                command.executable,
                "the helper that starts processes was lost meanwhile",
                "it to live as long as this process",
                "What had come of it was ended; another helper takes its place",
            ) from self.cause()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))  # ours did not reach it

    def _give_up(self) -> None:
        """One that hangs is no better than none: another one takes its place."""
        self.gone = True
        self.handle.send(signal.SIGKILL)

    def _has_ended(self) -> bool:
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(_GONE * 1000))

    def cause(self) -> Exception | None:
        """Why it is gone, where that is a mistake of ours, and nobody has killed it."""
        try:
            text = os.read(self.fd, wire.LAST_WORDS).decode("utf-8", "replace")
        except OSError:
            return None
        return RuntimeError(f"the helper failed:\n{text}") if text else None

    def ask(self, *words: object, within: float = _PATIENCE) -> Any:
        """Its answer. Raises StarterGone where there is none to be had."""
        reads, writes = os.pipe()
        try:
            try:
                self._send(words, [writes])
            finally:
                os.close(writes)
            return wire.take(reads, within)
        except (EOFError, TimeoutError) as e:
            self._give_up()
            raise StarterGone from e
        finally:
            os.close(reads)

    def post(self, *words: object) -> None:
        """No answer is awaited; one that is gone hears nothing."""
        try:
            self._send(words)
        except StarterGone:
            pass

    def _send(self, words: object, fds: Iterable[int] = ()) -> None:
        try:
            wire.send(self._sock, words, list(fds))
        except (BrokenPipeError, ConnectionResetError, TimeoutError) as e:
            self._give_up()
            raise StarterGone from e
        except OSError as e:
            if e.errno in (errno.ETOOMANYREFS, errno.ENOBUFS):  # descriptors that are under way
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from e
            raise

    def end(self) -> None:
        """Idempotent. Blocks while it ends what nothing ties to any process of ours."""
        if self._ended:
            return
        self._ended = True
        try:
            self.ask("rest", within=_END_PATIENCE)
        except (StarterGone, OSError):
            pass  # its place is swept by another one, or at the next start
        self.gone = True
        super().end()

    def abandon(self) -> None:
        self._sock.close()
        self._origin.close()
        super().abandon()


def begin(token: str, groups: Groups, *, required: bool, leave: bool) -> Starter:
    """Start it. Returns before it serves; what it is told meanwhile waits.

    `required`: what can be given no group is not started. `leave`: when this process is gone, what
    it started is left alive. Raises OSError.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    origin = None
    with theirs:
        lock, own, place, prefix = groups.heritage

        def command(posts: int, heard: int) -> Command:
            fds = (posts, heard, theirs.fileno(), lock)
            words = (ROOT, token, os.getpid(), *fds, int(required), int(leave), own, place, prefix)
            return helper(_PROGRAM, words, fds).replace(cwd=None)

        try:
            ours.settimeout(_PATIENCE)
            origin = Origin()
            return Starter(*sentinel.begin(command), ours, token, origin)
        except BaseException:
            ours.close()
            if origin is not None:
                origin.close()
            raise


def _error(one: int, other: int, text: str, command: Command) -> Exception:
    """What `spawn` raised there."""
    if other == wire.OTHER:
        kind, _, words = text.partition(":")
        if kind == "HostError":
            return HostError(command.executable, f"not started: {words}")
        known = {"ValueError": ValueError, "TypeError": TypeError}
        return known.get(kind, RuntimeError)(words)
    if other == wire.EXECUTABLE:
        return OSError(one, os.strerror(one), command.executable)
    if other == wire.FOLDER and command.cwd is not None:
        return OSError(one, os.strerror(one), command.cwd)
    return OSError(one, os.strerror(one))
