"""Reads what tasks write while they are brought down after the death of their supervisor.

It was the only reader of their output. A program that says in its last moments what it does, as
most do, would be met by SIGPIPE or EPIPE, and cut off in the middle of its clean-up. Opening
`/proc/PID/fd/1` of a process that still writes gives a new read end of the same pipe (proc(5)), so
nothing has to be kept ready for that day. What waited in the pipe is there, too.
"""

from __future__ import annotations

import os
import select
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.process._sweep import OpenLog

STREAMS = ((1, "stdout"), (2, "stderr"))
_BLOCK = 65536  # bytes of one reading: all that a pipe holds that nobody has grown
_LAST = 64  # readings of one pipe at the end, at the most: a survivor may write for ever


class _Rescued:
    """One pipe."""

    __slots__ = ("cookie", "log", "stream")

    def __init__(self, cookie: str | None, stream: str) -> None:
        self.cookie = cookie
        self.stream = stream
        self.log: int | None = None  # None: not opened yet; -1: there is none


class Rescue:
    """The pipes that have no reader but us. One thread. Nothing here raises: a log that cannot
    be written costs the log, and a program that we may not look at its last words."""

    def __init__(self, wakes: int, open_log: OpenLog | None) -> None:
        """`wakes`: a descriptor that ends a `wait` when it is readable."""
        self._poll = select.poll()
        self._poll.register(wakes, select.POLLIN)
        self._open_log = open_log
        self._pipes: dict[int, _Rescued] = {}
        self._seen: set[str] = set()

    def take_over(self, pids: Iterable[int], cookie: str | None) -> None:
        """Read on where these processes of one run write to; a None run has no log."""
        for pid in pids:
            for number, stream in STREAMS:
                link = f"/proc/{pid}/fd/{number}"
                try:
                    pipe = os.readlink(link)
                    if not pipe.startswith("pipe:[") or pipe in self._seen:
                        continue
                    fd = _open_unread(link)
                except OSError:
                    continue  # it has ended, or is not ours to look into, or we have no descriptor
                self._seen.add(pipe)
                if fd is not None:
                    self._pipes[fd] = _Rescued(cookie, stream)
                    self._poll.register(fd, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """At the longest; shorter where there is something to read, which is taken."""
        for fd, _ in self._poll.poll(1000 * seconds):
            self._read(fd)

    def _read(self, fd: int) -> bool:
        """Take what is in one pipe. False: there was nothing."""
        rescued = self._pipes.get(fd)
        if rescued is None:
            return False
        try:
            data = os.read(fd, _BLOCK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._write(rescued, data)
        else:
            self._let_go(fd)  # its last writer has ended
        return bool(data)

    def close(self) -> None:
        """Take what is there yet, and close all."""
        for fd in list(self._pipes):
            for _ in range(_LAST):
                if not self._read(fd):
                    break
            if fd in self._pipes:
                self._let_go(fd)

    def _write(self, rescued: _Rescued, data: bytes) -> None:
        if rescued.log is None:
            rescued.log = self._log_of(rescued)
        try:
            while data and rescued.log >= 0:
                data = data[os.write(rescued.log, data) :]
        except OSError:
            pass  # the disk is full, say: what goes on here goes on without the log

    def _log_of(self, rescued: _Rescued) -> int:
        if self._open_log is None or rescued.cookie is None:
            return -1
        try:
            return self._open_log(rescued.cookie, rescued.stream)
        except OSError:
            return -1

    def _let_go(self, fd: int) -> None:
        rescued = self._pipes.pop(fd)
        self._poll.unregister(fd)
        os.close(fd)
        if rescued.log is not None and rescued.log >= 0:
            os.close(rescued.log)


def _open_unread(link: str) -> int | None:
    """A read end of this pipe, None if somebody else reads it: `a | b` is none of our business."""
    writing = os.open(link, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        asked = select.poll()
        asked.register(writing, 0)
        # POLLERR on a write end: "no more readers" (poll(2))
        if not any(events & select.POLLERR for _, events in asked.poll(0)):
            return None
        return os.open(link, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(writing)
