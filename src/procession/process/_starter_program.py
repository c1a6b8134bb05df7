"""The program of the starter: see `_starter_linux`. Run by path, in isolation.

_starter_program.py ROOT TOKEN OWNER_PID POSTS HEARD SOCKET LOCK REQUIRED LEAVE OWN PLACE PREFIX

One thread, which does what it is told in the order in which it is told. It is the parent of all
that the application starts, adopts what loses its own, and has one tree for each run, as a
supervisor has. When the application is gone it does what a guardian does.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import sys
import time

if sys.platform != "linux":
    raise ImportError("for Linux only")

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from procession._record import Record
from procession.errors import HostError
from procession.process import _starter_wire as wire
from procession.process import limits
from procession.process._ahead_linux import Ahead
from procession.process._lineage_linux import LinuxTrees
from procession.process._rescue_linux import Rescue
from procession.process._sweep_linux import sweep
from procession.process.command import Command
from procession.process.link import Known, Posts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from procession.process._tree import Member, Sent
    from procession.process._tree_linux import LinuxTree
    from procession.process.handle import Handle

CRASH_GRACE = 1.0  # seconds that no grace exceeds once the application is gone
_PAUSE = 0.1  # seconds between two looks: at what was posted, and at orphans that ended
_HEADROOM = 32  # descriptors that are not spent on processes
_EACH = 2  # descriptors for each process: its pidfd, and the pipe that its end is told by
# What somebody may send to all processes. Handlers, since what is ignored would be inherited.
_DEAF = {
    int(getattr(signal, name))
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD")
}
# Python ignores these at its start, and each spawn gives them back.
_GIVEN_BACK = {signal.SIGPIPE, signal.SIGXFSZ}


class Run:
    """One process that was started here, until its end was told."""

    __slots__ = ("answer", "handle")

    def __init__(self, handle: Handle, answer: int) -> None:
        self.handle = handle
        self.answer = answer  # the pipe to tell its end by


class Told(Record):
    """What there is to end: what was posted, and what is too young for that."""

    runs: dict[str, Known]
    left: dict[str, Known]
    spared: set[tuple[int, int]]


class Starter:
    """Serves one application to its end."""

    def __init__(self, sock: socket.socket, posts: Posts, owner: int, groups: Ahead) -> None:
        self._sock = sock
        self._posts = posts
        self._owner = owner
        self._groups = groups
        self._trees = LinuxTrees(groups)
        self._planted: dict[str, LinuxTree] = {}
        self._pids: dict[str, int] = {}
        self._forsaken: set[str] = set()  # runs that nobody waits for
        self._live: dict[int, Run] = {}  # by pidfd
        self._poll = select.epoll()
        self._look_at: float | None = None
        self._listen_at: float | None = 0.0  # to the posts again; None: we do
        self._answers: dict[str, Callable[..., Any]] = {
            "scan": self._scan, "tell": self._tell, "kill": self._kill, "members": self._members,
            "forget": self._forget, "send": self._send, "kill group": self._kill_group,
            "rest": self._rest,
        }  # fmt: skip
        self._wake, wakes = os.pipe()
        for fd in (self._wake, wakes):
            os.set_blocking(fd, False)
        _clean_signals()
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)

    @property
    def fd(self) -> int:
        """Readable when a child of ours has ended."""
        return self._wake

    def read(self) -> list[tuple[int, bool | None]]:
        """Nobody speaks to us by signals."""
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            pass
        return []

    def serve(self) -> bool:
        """Until the application is gone; False: it said that nothing is left to do."""
        self._trees.prepare()
        self._groups.move_on()
        try:
            owner = os.pidfd_open(self._owner)
        except OSError:
            return not self._posts.orderly
        for fd in (self._sock.fileno(), self._wake, owner):
            self._poll.register(fd, select.EPOLLIN)
        if os.getppid() != self._owner:
            return not self._posts.orderly
        while True:
            self._tend()
            ready = [fd for fd, _ in self._poll.poll(self._next())]
            for fd in ready:
                if fd in self._live:
                    self._ended(fd)  # first: who waits for an end waits longest
            for fd in ready:
                if fd == self._wake:
                    self.read()
                    self._look_soon()
                elif fd == self._posts.fd:
                    self._hear()
                elif fd == owner or (fd == self._sock.fileno() and not self._serve_one()):
                    self._posts.read()
                    return not self._posts.orderly

    def _next(self) -> float | None:
        times = [at for at in (self._groups.due, self._look_at, self._listen_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _tend(self) -> None:
        now = time.monotonic()
        if self._groups.due is not None and now >= self._groups.due:
            self._groups.move_on()
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            self._look()
        if self._listen_at is not None and now >= self._listen_at:
            self._listen_at = None
            self._poll.register(self._posts.fd, select.EPOLLIN)

    def _hear(self) -> None:
        """Posts are for later: to wake for each as it comes costs the application time."""
        self._poll.unregister(self._posts.fd)
        if self._posts.read():
            self._listen_at = time.monotonic() + _PAUSE

    def _look_soon(self) -> None:
        """At once where somebody was killed: who comes to light there is to die on sight."""
        at = time.monotonic() + (0.0 if self._trees.doomed else _PAUSE)
        self._look_at = at if self._look_at is None else min(at, self._look_at)

    def _look(self) -> None:
        """Reap orphans that ended, and end whatever came of a start that was given up."""
        self._groups.move_on()
        self._trees.look(self._planted[cookie] for cookie in self._forsaken)
        self._trees.left()
        for cookie in list(self._forsaken):
            if self._planted[cookie].is_empty():
                self._finish(cookie)
            else:
                self._planted[cookie].kill()
                self._look_at = time.monotonic() + _PAUSE
        if self._trees.again:
            self._look_soon()

    # --- starts ----------------------------------------------------------------------------------

    def _serve_one(self) -> bool:
        """False: nobody speaks any more."""
        try:
            said = wire.receive(self._sock)
        except ConnectionResetError:
            return False
        if said is None:
            return False
        (verb, *words), fds = said
        if verb == "start":
            self._start(words, fds)
        elif verb == "undo":
            self._undo(*words)
        elif verb == "adopt":
            self._adopt(*words)
        else:
            self._groups.move_on()
            answer = self._answers[verb](*words)
            wire.give(fds[0], answer)
        return True

    def _start(self, words: list[Any], fds: list[int]) -> None:
        if not fds:
            return  # no descriptor could be received: the application sees its pipe end
        answer, *given = fds
        cookie, argv, executable, env, cwd, places, uid, gid, groups, umask = words
        executable = os.fsdecode(executable)
        try:
            if self._is_full() or (
                len(given) <= max((place for place in places if place is not None), default=-1)
            ):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            stdin, stdout, stderr, folder = (None if n is None else given[n] for n in places)
            if folder is not None:
                cwd = b"/proc/self/fd/%d/%b" % (folder, cwd or b"")
            command = Command(
                argv, executable, cwd, env, stdin, stdout, stderr, True, (), uid, gid, groups, umask
            )
            handle = self._trees.spawn(cookie, command)
        except OSError as e:
            about = {executable: wire.EXECUTABLE, cwd: wire.FOLDER}.get(e.filename, wire.NOTHING)
            _say(answer, wire.fact(wire.FAILED, e.errno or 0, about))
        except (HostError, ValueError, TypeError, RuntimeError) as e:
            text = f"{type(e).__name__}:{e}"
            _say(answer, wire.fact(wire.FAILED, 0, wire.OTHER, text))
        else:
            self._planted[cookie] = self._trees.plant(cookie, cookie, handle)
            self._pids[cookie] = handle.pid
            assert handle.pidfd is not None, "this host has them: who started us has looked"
            self._live[handle.pidfd] = Run(handle, answer)
            self._poll.register(handle.pidfd, select.EPOLLIN)
            name = self._groups.name_of(cookie)
            if not _say(answer, wire.fact(wire.STARTED, handle.pid, 0, name)):
                self._undo(cookie)
            answer = -1
        finally:
            for fd in given if answer < 0 else fds:
                os.close(fd)

    def _is_full(self) -> bool:
        held = _EACH * len(self._live) + self._groups.descriptors
        return held + _HEADROOM > limits.descriptors()

    def _undo(self, cookie: str) -> None:
        """Whoever asked for it does not wait any more."""
        if cookie in self._planted:
            self._forsaken.add(cookie)
            self._look()

    def _ended(self, pidfd: int) -> None:
        run = self._live[pidfd]
        status = run.handle.poll_exit()
        if status is None:
            return
        self._poll.unregister(pidfd)
        del self._live[pidfd]
        _say(run.answer, wire.end_of(status))
        os.close(run.answer)
        run.handle.close()

    def _adopt(self, known: Iterable[tuple[str, int, str]]) -> None:
        """What a starter before us has started; it was killed."""
        known = list(known)
        self._groups.adopt((cookie, name) for cookie, _, name in known)
        for cookie, pid, _ in known:
            self._planted[cookie] = self._trees.expect(cookie, cookie, None)
            self._pids[cookie] = pid

    # --- what the trees are asked ----------------------------------------------------------------

    def _scan(self, ended: list[str]) -> tuple[list[tuple[str, Any]], list[str]]:
        """Whose trees are over, with what they consumed; and in whose somebody came to light who
        has heard nothing yet."""
        trees = [self._planted[cookie] for cookie in ended if cookie in self._planted]
        grown = self._trees.scan(trees)
        over = [str(tree.run) for tree in trees if tree.is_empty()]
        over += [cookie for cookie in ended if cookie not in self._planted]
        return [(cookie, self._finish(cookie)) for cookie in over], [str(run) for run in grown]

    def _finish(self, cookie: str) -> Any:
        self._pids.pop(cookie, None)
        self._forsaken.discard(cookie)
        tree = self._planted.pop(cookie, None)
        if tree is None:
            return None
        usage = tree.finish()
        if tree.handle is None:
            self._trees.drop(tree)
        self._groups.give_back(cookie)
        if usage is None:
            return None
        return usage.user, usage.system, usage.max_rss, usage.major_faults

    def _tell(self, asks: list[tuple[str, int, str, bool]]) -> list[Any]:
        self._trees.look()
        found: list[Any] = []
        for cookie, number, to, only_new in asks:
            tree = self._planted.get(cookie)
            if tree is None:
                found.append(((), ()))
            elif to == "tree" or tree.handle is None:
                found.append(_sent(tree.tell(number, only_new=only_new)))
            else:
                found.append(_sent(tree.signal(number, to=to, only_new=only_new)))
        return found

    def _kill(self, cookies: list[str]) -> list[Any]:
        planted = self._planted
        return [_sent(planted[one].kill()) if one in planted else ((), ()) for one in cookies]

    def _members(self, cookie: str) -> list[Any]:
        tree = self._planted.get(cookie)
        return [] if tree is None else [_member(member) for member in tree.members()]

    def _forget(self, cookie: str) -> None:
        """What is left of it is not to be ended."""
        self._pids.pop(cookie, None)
        if self._planted.pop(cookie, None) is not None:
            self._trees.forget(cookie)

    def _send(self, cookie: str, number: int) -> bool | None:
        """None: it may not be signalled."""
        tree = self._planted.get(cookie)
        try:
            return tree is not None and tree.handle is not None and tree.handle.send(number)
        except PermissionError:
            return None

    def _kill_group(self, cookie: str, number: int) -> bool | None:
        tree = self._planted.get(cookie)
        try:
            return tree is not None and tree.handle is not None and tree.handle.kill_group(number)
        except PermissionError:
            return None

    def _rest(self) -> int:
        """Nothing is left to do: end what nothing ties to any run, and what nobody waits for. How
        many that were."""
        self._posts.read()
        self._trees.look()
        return self._end_all() if self._planted or self._trees.unclaimed() else 0

    # --- when the application is gone ------------------------------------------------------------

    def sweep(self) -> None:
        """End all that is left: each run by its own signal and grace."""
        for fd in list(self._live):
            self._ended(fd)
        self._end_all()
        self._groups.close()

    def _end_all(self) -> int:
        self._groups.go_home()
        posted = self._posts.runs
        unknown = Known(signal.SIGTERM, CRASH_GRACE)
        runs = {c: posted.get(c, unknown).replace(pid=pid) for c, pid in self._pids.items()}
        left = {c: known.replace(pid=None) for c, known in self._posts.left.items()}
        told = Told(runs, left, self._posts.spared)
        return sweep(told, CRASH_GRACE, self, (), Rescue(self._owner), self._groups).count

    def leave(self) -> None:
        """Nothing of it is ours to end."""
        self._groups.go_home()
        for cookie in self._pids:
            self._groups.leaf(cookie).spare()
        self._groups.close()


def _clean_signals() -> None:
    """What we ignore or block, our children would."""
    for number in signal.valid_signals() - _GIVEN_BACK:
        try:
            signal.signal(number, (lambda *_: None) if number in _DEAF else signal.SIG_DFL)
        except OSError:
            pass  # SIGKILL, SIGSTOP, and what the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _say(fd: int, words: bytes) -> bool:
    """False: nobody hears it."""
    try:
        os.write(fd, words)
    except OSError:
        return False
    return True


def _member(member: Member) -> tuple[int, int, str]:
    return member.pid, member.start_time, member.name


def _sent(sent: Sent) -> tuple[tuple[int, ...], list[tuple[int, int, str]]]:
    return sent.pids, [_member(member) for member in sent.refused]


def main(words: list[str]) -> None:
    token, owner, *fds, required, leave, own, place, prefix = words
    posts_fd, heard_fd, sock_fd, lock = map(int, fds)
    try:
        groups = Ahead(own, place, prefix, lock, token, required=required == "1")
        posts = Posts(posts_fd, heard_fd)
        starter = Starter(socket.socket(fileno=sock_fd), posts, int(owner), groups)
        if starter.serve():
            starter.leave() if leave == "1" else starter.sweep()
    except BaseException:
        import traceback

        os.write(heard_fd, traceback.format_exc().encode()[-wire.LAST_WORDS :])
        raise


if __name__ == "__main__":
    main(sys.argv[2:])
