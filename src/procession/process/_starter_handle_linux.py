"""The handle of a process that a starter has started: nobody's child here. See `_starter_linux`."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from _thread import allocate_lock

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux
from procession.process import _starter_wire as wire
from procession.process._delegation_linux import text_of
from procession.process._handle_posix import readable
from procession.process._kernel_texts import path_in
from procession.process._starter_wire import StarterGone
from procession.process.handle import UNKNOWN, ExitStatus, Handle, Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.process._starter_linux import Starter

# Seconds until who waits asks by poll(2) anew. A poll that the starter's end has woken looks at the
# number again; where a pidfd has taken that by then, it sleeps on, and is not in its queue.
_ANEW = 0.25


class StarterHandle(Handle):
    """See `Handle`. `pidfd` is the pipe by which its end is told: readable when that has come.

    Once the starter is lost it is a pidfd in truth, under the same number: who waits on it goes on.
    """

    __slots__ = (
        "_exit", "_lock", "_lost", "_reaped", "_start_time", "_starter", "_usage", "cookie", "leaf",
        "own_group",
        "pid", "pidfd",
    )  # fmt: skip

    def __init__(self, starter: Starter, cookie: str, pid: int, pipe: int, leaf: str) -> None:
        self._starter = starter
        self.cookie = cookie
        self.leaf = leaf  # its name; empty: it has none
        self.pid = pid
        self.pidfd: int | None = pipe
        self.own_group = True
        self._lock = allocate_lock()
        self._exit: ExitStatus | None = None
        self._lost = False
        self._reaped = False
        self._usage: Usage | None = None
        self._start_time: int | None = None

    def __repr__(self) -> str:
        state = "running" if self._exit is None else str(self._exit)
        return f"<StarterHandle {self.pid} {state}>"

    def pin(self) -> None:
        return None  # it is on the table until its starter is told that its tree is over

    @property
    def start_time(self) -> int | None:
        if self._start_time is None and self.poll_exit() is None and not self._lost:
            try:
                found = _linux.stat(self.pid).start_time
            except ProcessLookupError:
                return None
            if self.poll_exit() is None and not self._lost:  # else the number may be another's
                self._start_time = found
        return self._start_time

    def poll_exit(self) -> ExitStatus | None:
        if self._exit is not None:
            return self._exit
        with self._lock:
            return self._poll()

    def look(self) -> ExitStatus | None:
        if self.poll_exit() is None and not self._lost:
            try:
                dead = _linux.stat(self.pid).dead
            except ProcessLookupError:
                dead = True
            if dead:
                try:
                    self._starter.ask("catch up")
                except (StarterGone, OSError):
                    pass  # as `poll_exit` will find out; or no descriptor is left to ask with
        return self.poll_exit()

    def _poll(self) -> ExitStatus | None:
        fd = self.pidfd
        if self._exit is None and fd is not None:
            if not self._lost:
                try:
                    found = wire.read_fact(fd)
                except BlockingIOError:
                    return None
                if found is not None:
                    self._exit = wire.status_of(found[1], found[2])
                    return self._exit
                self._lose(fd)
            if self._exit is None and readable(fd, 0.0):
                self._exit = UNKNOWN
        return self._exit

    def _lose(self, fd: int) -> None:
        """Nobody tells any more how it ends, but the kernel tells that it does."""
        self._lost = True
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self._exit = UNKNOWN
            return
        try:
            if self._is_still_ours():
                os.dup2(pidfd, fd, inheritable=False)
            else:
                self._exit = UNKNOWN
        finally:
            os.close(pidfd)

    def _is_still_ours(self) -> bool:
        """Whoever has its number now. The kernel may have given it to somebody else since."""
        try:
            stat = _linux.stat(self.pid)
        except ProcessLookupError:
            return False
        if self._start_time is not None:
            return stat.start_time == self._start_time
        path = path_in(text_of(f"/proc/{self.pid}/cgroup")) or ""
        return bool(self.leaf) and self.leaf in path.split("/")

    @property
    def lost(self) -> bool:
        """Is nobody there any more who could tell how it ends?"""
        return self._lost

    def await_exit(self, pidfd: int, deadline: float | None = None) -> ExitStatus | None:
        while self._exit is None:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return self.poll_exit()
            until = now + _ANEW if deadline is None else min(deadline, now + _ANEW)
            readable(pidfd, until)
            self.poll_exit()
        return self._exit

    def forsake(self) -> bool:
        return self.poll_exit() is not None

    def finished(self, usage: Usage | None) -> None:
        """Its starter was told to take it off the table."""
        with self._lock:
            self._reaped = True
            self._usage = usage

    def reap(self) -> Usage | None:
        """Of one that has no tree: else its starter takes it off the table with that."""
        if not self._reaped:
            if self.poll_exit() is None:
                raise RuntimeError(f"process {self.pid} still runs: there is nothing to reap")
            self._starter.post("undo", self.cookie)
            self.finished(None)
        return self._usage

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def reaped(self) -> bool:
        return self._reaped

    def send(self, number: int) -> bool:
        if self.poll_exit() is not None:
            return False
        if not self._lost:
            try:
                return _allowed(self._starter.ask("send", self.cookie, int(number)))
            except StarterGone:
                pass
        with self._lock:
            if self._poll() is not None or self.pidfd is None or not self._lost:
                return False
            try:
                signal.pidfd_send_signal(self.pidfd, number)
            except ProcessLookupError:
                return False
            return True

    def kill_group(self, number: int) -> bool:
        try:
            return _allowed(self._starter.ask("kill group", self.cookie, int(number)))
        except StarterGone:
            return False

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        fd, self.pidfd = self.pidfd, None
        if fd is not None:
            os.close(fd)

    def abandon(self) -> None:
        """In a forked child: what is read there, nobody else would read."""
        self._lock = allocate_lock()
        self._exit = self._exit or UNKNOWN
        self._close()


def _allowed(answer: bool | None) -> bool:
    if answer is None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    return answer
