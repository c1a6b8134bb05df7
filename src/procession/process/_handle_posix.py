"""`Handle` by waitid(WNOWAIT) and wait4, on a pidfd where the host has one, else on the pid.

Roads not taken: `waitpid(WNOHANG)` reaps, which frees pid and group while the group may live on;
SIGCHLD and `waitpid(-1)` belong to the host application; `os.kill` by a remembered pid signals
strangers. wait4 is the one call that gives the resource usage, so reaping goes by pid, right after
waitid has said, on the pidfd, that the zombie with this pid is ours.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import os
import select
import signal
import time
from _thread import RLock

from procession.process import brief, host
from procession.process._waitid import await_pidfd, waitid
from procession.process.handle import UNKNOWN, ExitStatus, Handle, Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_WELL = ExitStatus(code=0)  # nearly all of them; a value may be shared


_LONGEST = 86_400.0  # seconds of one poll(2), whose argument is an int of milliseconds


def readable(fd: int, deadline: float | None) -> bool:
    """Wait until it is, or has ended; False: it was not, by the deadline."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        left = _LONGEST if deadline is None else deadline - time.monotonic()
        if poll.poll(max(0.0, min(left, _LONGEST)) * 1000):
            return True
        if left <= 0:
            return False


def exit_status(code: int, status: int) -> ExitStatus:
    """From si_code and si_status of waitid(2)."""
    if code == os.CLD_EXITED:
        return ExitStatus(code=status) if status else _WELL
    return ExitStatus(signal=status, core_dumped=code == os.CLD_DUMPED)


class PosixHandle(Handle):
    """See `Handle`. Build it right after the spawn, while the process cannot have been reaped."""

    # What most of them never get has its first value here: each that is set costs a start.
    _exit: ExitStatus | None = None
    _used: Any = None  # as `brief.reap` tells it
    _usage: Usage | None = None  # made of that when somebody asks
    _reaped = False
    _start_time: int | None = None

    def __init__(self, pid: int, *, own_group: bool, pidfd: int | None = None) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.own_group = own_group
        self._lock = RLock()  # a signal handler may ask, too, in the midst of it

    def __repr__(self) -> str:
        state = "running" if self._exit is None else str(self._exit)
        return f"<Handle {self.pid} {state}{', reaped' if self._reaped else ''}>"

    @property
    def start_time(self) -> int | None:
        with self._lock:
            # Read when first asked: until it is reaped the pid cannot be anybody else's.
            if self._start_time is None and not self._reaped:
                self._start_time = _start_time(self.pid)
            return self._start_time

    @property
    def reaped(self) -> bool:
        return self._reaped

    def poll_exit(self) -> ExitStatus | None:
        with self._lock:
            return self._poll()

    def _poll(self) -> ExitStatus | None:
        if self._exit is not None:
            return self._exit
        try:
            seen = waitid(self.pid, self.pidfd)
        except ChildProcessError:
            # No such child, living or dead: SIGCHLD is ignored or another waiter took it.
            self._exit = UNKNOWN
            self._reaped = True
        else:
            if seen is not None:
                self._exit = exit_status(*seen)
        return self._exit

    def await_exit(self, pidfd: int, deadline: float | None = None) -> ExitStatus | None:
        """See `Handle`. The answer is that of `poll_exit`, and saves asking for it."""
        if deadline is not None and not readable(pidfd, deadline):
            return None
        try:
            code, status = await_pidfd(pidfd)
        except ChildProcessError:
            return self.poll_exit()  # reaped, by us or by somebody else: the memory of it tells
        with self._lock:
            if self._exit is None:
                self._exit = exit_status(code, status)
            return self._exit

    def forsake(self) -> bool:
        with self._lock:
            if self._poll() is not None:
                return True
            if not _is_zombie(self.pid):
                return False
            self._exit, self._reaped = UNKNOWN, True
            return True

    def reap(self) -> Usage | None:
        with self._lock:
            if not self._reaped and self._poll() is None:
                raise RuntimeError(f"process {self.pid} still runs: there is nothing to reap")
            self.claim()
        return self.usage

    def claim(self) -> bool:
        with self._lock:
            if self._exit is None or self._reaped:
                return False
            self._reaped = True
            self._used = brief.reap(self.pid, self.pidfd)
            return self._used is not None

    def is_ours(self) -> bool:
        with self._lock:
            if self._reaped:
                return False
            try:
                return waitid(self.pid, self.pidfd) is not None
            except ChildProcessError:
                return False

    @property
    def usage(self) -> Usage | None:
        if self._usage is None and self._used is not None:
            self._usage = brief.usage(self._used)
        return self._usage

    def pin(self) -> None:
        with self._lock:
            if self.pidfd is not None or self._reaped:
                return
            self.pidfd = pidfd_of(self.pid)

    def send(self, number: int) -> bool:
        with self._lock:
            if self._poll() is not None:
                return False
            try:
                if self.pidfd is not None and sys.platform == "linux":
                    signal.pidfd_send_signal(self.pidfd, number)
                else:
                    os.kill(self.pid, number)
            except ProcessLookupError:
                return False
            return True

    def kill_group(self, number: int) -> bool:
        if not self.own_group:
            raise ValueError(f"process {self.pid} shares the group of its parent")
        with self._lock:
            # where it has ended somebody else in this process may have reaped it meanwhile
            if self._poll() is not None and not self.is_ours():
                return False
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return False
            return True

    def close(self) -> None:
        with self._lock:
            fd, self.pidfd = self.pidfd, None
            if fd is not None:
                brief.close(fd)


def pidfd_of(pid: int) -> int | None:
    """Of a child of ours. Raises OSError where no descriptor is left."""
    if sys.platform == "linux" and host.has_pidfd():
        try:
            return os.pidfd_open(pid)
        except ProcessLookupError:
            pass  # ended, and reaped by somebody else: `poll_exit` says "unknown"
    return None


def _start_time(pid: int) -> int | None:
    if sys.platform != "linux" or not host.has_proc():
        return None
    from procession.process import _linux

    try:
        return _linux.stat(pid).start_time
    except ProcessLookupError:
        return None  # reaped by somebody else


def _is_zombie(pid: int) -> bool:
    """Of a child of ours; False where nothing tells."""
    if sys.platform != "linux" or not host.has_proc():
        return False
    from procession.process import _linux

    try:
        return _linux.stat(pid).dead
    except ProcessLookupError:
        return False
