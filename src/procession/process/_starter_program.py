"""The program of the starter: see `_starter_linux`. Run by path, in isolation.

_starter_program.py ROOT TOKEN OWNER_PID POSTS HEARD SOCKET LOCK REQUIRED LEAVE OWN PLACE PREFIX

One thread, which does what it is told in the order in which it is told. It is the parent of all
that the application starts, adopts what loses its own, and has one tree for each run, as a
supervisor has. When the application is gone it does what a guardian does.
"""

from __future__ import annotations

import errno
import gc
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

from procession.errors import HostError
from procession.process import _starter_wire as wire
from procession.process import limits
from procession.process._ahead_linux import Ahead
from procession.process._starter_book import Book
from procession.process.command import Command
from procession.process.link import Posts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.process.handle import Handle

_PAUSE = 0.1  # seconds between two looks: at what was posted, and at orphans that ended
_CALM = 0.005  # seconds, or so many ends, until it is looked what is left of them
_WAVE = 16
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

    __slots__ = ("answer", "cookie", "handle")

    def __init__(self, cookie: str, handle: Handle, answer: int) -> None:
        self.cookie = cookie
        self.handle = handle
        self.answer = answer  # the pipe to tell its end by


class Starter:
    """Serves one application to its end."""

    def __init__(self, sock: socket.socket, posts: Posts, owner: int, book: Book) -> None:
        self._sock = sock
        self._posts = posts
        self._owner = owner
        self._book = book
        self._groups = book.groups
        self._live: dict[int, Run] = {}  # by pidfd
        self._ended: list[str] = []  # cookies of those whose end was told, and that may be over
        self._poll = select.epoll()
        self._most = limits.descriptors() - _HEADROOM
        self._look_at: float | None = None
        self._settle_at: float | None = None
        self._listen_at: float | None = 0.0  # to the posts again; None: we do
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
        self._book.trees.prepare()
        self._groups.move_on()
        try:
            owner = os.pidfd_open(self._owner)
            self._turn_until(owner)
            os.close(owner)
        except ProcessLookupError:
            pass  # it is gone already
        self._hear_the_rest()
        self._posts.read()
        return not self._posts.orderly

    def _turn_until(self, owner: int) -> None:
        """The end of this process, or of what it says."""
        sock = self._sock.fileno()
        for fd in (sock, self._wake, owner):
            self._poll.register(fd, select.EPOLLIN)
        lives = os.getppid() == self._owner  # else the number is somebody else's
        while lives:
            self._tend()
            ready = [fd for fd, _ in self._poll.poll(self._next())]
            for fd in ready:
                if fd in self._live:
                    self._tell_end(fd)  # first: who waits for an end waits longest
            for fd in ready:
                if fd == sock:
                    lives = lives and self._serve_one()
                elif fd == self._wake:
                    self.read()
                    self._look_soon()
                elif fd == self._posts.fd:
                    self._hear()
                elif fd == owner:
                    lives = False

    def _hear_the_rest(self) -> None:
        """Of what the application said before it died, what tells of its processes."""
        self._sock.setblocking(False)
        try:
            while (said := wire.receive(self._sock)) is not None:
                (verb, *words), fds = said
                if verb == "adopt":
                    self._book.adopt(*words)
                for fd in fds:
                    os.close(fd)
        except (BlockingIOError, ConnectionResetError):
            pass

    def _next(self) -> float | None:
        times = [
            at
            for at in (self._groups.due, self._look_at, self._settle_at, self._listen_at)
            if at is not None
        ]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _tend(self) -> None:
        now = time.monotonic()
        if self._groups.due is not None and now >= self._groups.due:
            self._groups.move_on()
        if self._settle_at is not None and (now >= self._settle_at or len(self._ended) >= _WAVE):
            self._settle(now)
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            self._book.look()
            if self._book.is_pressing:
                self._look_soon()
        if self._listen_at is not None and now >= self._listen_at:
            self._listen_at = None
            self._poll.register(self._posts.fd, select.EPOLLIN)

    def _settle(self, now: float) -> None:
        """But for one in whose leaf we still are."""
        held = self._groups.born
        self._book.settle(cookie for cookie in self._ended if cookie != held)
        self._ended = [held] if held is not None and held in self._ended else []
        self._settle_at = None if not self._ended else now + 4 * _CALM

    def _look_soon(self) -> None:
        at = time.monotonic() + (_CALM if self._book.is_pressing else _PAUSE)
        self._look_at = at if self._look_at is None else min(at, self._look_at)

    def _hear(self) -> None:
        """Posts are for later: to wake for each as it comes costs the application time."""
        self._poll.unregister(self._posts.fd)
        if self._posts.read():
            self._listen_at = time.monotonic() + _PAUSE

    # --- what is asked ---------------------------------------------------------------------------

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
            self._book.undo(*words)
            self._look_soon()
        elif verb == "adopt":
            self._book.adopt(*words)
        elif verb == "rest":
            wire.give(fds[0], self._rest())
        elif verb == "catch up":
            wire.give(fds[0], None)  # ends that the kernel knew of when this was sent, were told
        else:
            wire.give(fds[0], self._book.answers[verb](*words))
        return True

    def _start(self, words: list[Any], fds: list[int]) -> None:
        if not fds:
            return  # no descriptor could be received: the application sees its pipe end
        answer, *given = fds
        cookie, argv, executable, env, cwd, places, uid, gid, groups, umask = words
        executable = os.fsdecode(executable)
        try:
            used = _EACH * len(self._live) + self._groups.descriptors
            if used > self._most or any(n is not None and n >= len(given) for n in places):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            stdin, stdout, stderr, folder = (None if n is None else given[n] for n in places)
            if folder is not None:
                cwd = b"/proc/self/fd/%d/%b" % (folder, cwd or b"")
            command = Command(
                argv, executable, cwd, env, stdin, stdout, stderr, True, (), uid, gid, groups, umask
            )
            handle = self._book.trees.spawn(cookie, command)
        except OSError as e:
            about = {executable: wire.EXECUTABLE, cwd: wire.FOLDER}.get(e.filename, wire.NOTHING)
            _say(answer, wire.fact(wire.FAILED, e.errno or 0, about))
        except (HostError, ValueError, TypeError, RuntimeError) as e:
            _say(answer, wire.fact(wire.FAILED, 0, wire.OTHER, f"{type(e).__name__}:{e}"))
        else:
            self._started(Run(cookie, handle, answer))
            answer = -1
        finally:
            for fd in given if answer < 0 else fds:
                os.close(fd)

    def _started(self, run: Run) -> None:
        number = self._groups.number_of(run.cookie)
        # told at once: who asked goes on meanwhile, and is served again after this
        heard = _say(run.answer, wire.fact(wire.STARTED, run.handle.pid, number))
        self._book.plant(run.cookie, run.handle)
        pidfd = run.handle.pidfd
        assert pidfd is not None, "this host has them: who started us has looked"
        self._live[pidfd] = run
        self._poll.register(pidfd, select.EPOLLIN)
        if not heard:
            self._book.undo(run.cookie)
            self._look_soon()

    def _tell_end(self, pidfd: int) -> None:
        run = self._live[pidfd]
        status = run.handle.poll_exit()
        if status is None:
            return
        _say(run.answer, wire.end_of(status))
        os.close(run.answer)
        self._poll.unregister(pidfd)
        del self._live[pidfd]
        run.handle.close()
        self._ended.append(run.cookie)
        if self._settle_at is None:
            self._settle_at = time.monotonic() + _CALM

    # --- when the application, or its work, is over ----------------------------------------------

    def _rest(self) -> int:
        """Nothing is left to do: end what nothing ties to any run, and what nobody waits for. How
        many that were."""
        self._posts.read()
        return 0 if self._book.is_empty else self._book.end_all(self._posts, self, self._owner)

    def sweep(self) -> None:
        for pidfd in list(self._live):
            self._tell_end(pidfd)
        self._book.end_all(self._posts, self, self._owner)
        self._groups.close()

    def leave(self) -> None:
        self._book.leave_all()
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


def _rarely_collect() -> None:
    """What is here from the start stays for good, and little of what comes later is a cycle: the
    usual rhythm of the garbage collector takes a tenth of our time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 100)


def main(words: list[str]) -> None:
    token, owner, *fds, required, leave, own, place, prefix = words
    posts_fd, heard_fd, sock_fd, lock = map(int, fds)
    _rarely_collect()
    try:
        groups = Ahead(own, place, prefix, lock, token, required=required == "1")
        posts = Posts(posts_fd, heard_fd)
        starter = Starter(socket.socket(fileno=sock_fd), posts, int(owner), Book(groups))
        if starter.serve():
            starter.leave() if leave == "1" else starter.sweep()
    except BaseException:
        import traceback

        os.write(heard_fd, traceback.format_exc().encode()[-wire.LAST_WORDS :])
        raise


if __name__ == "__main__":
    main(sys.argv[2:])
