"""Reads what tasks write while they are brought down after the death of their supervisor.

It was the only reader of their output. A program that says in its last moments what it does, as
most do, would be met by SIGPIPE or EPIPE, and cut off in the middle of its clean-up. So we hold a
read end of each output, got from `/proc/SUPERVISOR/fd` (proc(5): opening that gives a new end of
the same pipe), read nothing while the supervisor lives, and all when it is dead. What waited in
the pipe is there, too.
"""

from __future__ import annotations

import os
import select
import stat
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procession.process._sweep import OpenLog
    from procession.process.link import Known

STREAMS = ("stdout", "stderr")
HEADROOM = 32  # descriptors that are not spent on pipes: the sweep itself needs some
_BLOCK = 65536  # bytes of one reading: all that a pipe holds that nobody has grown
_LAST = 64  # readings of one pipe at the end, at the most: a survivor may write for ever
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Rescue:
    """The outputs of one supervisor's runs. One thread. Nothing here raises: what cannot be had
    costs the last words of a task, and never its end."""

    def __init__(self, supervisor: int, open_log: OpenLog | None = None) -> None:
        self._supervisor = supervisor
        self._open_log = open_log
        self._kept: dict[str, dict[int, int]] = {}  # cookie -> inode -> descriptor
        self._streams: dict[int, tuple[str, str]] = {}  # descriptor -> cookie, stream
        self._poll = select.poll()

    # --- while the supervisor lives ---------------------------------------------------------------

    def keep(self, runs: Mapping[str, Known]) -> None:
        """Hold the outputs of these runs, and of no others."""
        for cookie in self._kept.keys() - runs.keys():
            for fd in self._kept.pop(cookie).values():
                self._close(fd)
        for cookie, known in runs.items():
            if cookie not in self._kept and known.outputs:
                self._kept[cookie] = {}
                base = f"/proc/{self._supervisor}/fd"
                for (number, inode), stream in zip(known.outputs, STREAMS, strict=False):
                    self._hold(cookie, stream, inode, f"{base}/{number}")

    def _hold(self, cookie: str, stream: str, inode: int, path: str) -> None:
        limits.make_room(len(self._streams))
        try:
            fd = os.open(path, _FLAGS)
        except OSError:
            return  # closed meanwhile, not ours to look into, or no descriptor is left
        if _pipe_of(os.fstat(fd)) != inode or fd >= limits.descriptors() - HEADROOM:
            os.close(fd)  # the number is another file's by now
            return
        self._kept[cookie][inode] = fd
        self._streams[fd] = cookie, stream

    # --- when it is dead --------------------------------------------------------------------------

    def begin(self, wakes: int) -> None:
        """From now on `wait` reads. `wakes`: a descriptor that ends it when it is readable."""
        self._poll.register(wakes, select.POLLIN)
        for fd in self._streams:
            self._poll.register(fd, select.POLLIN)

    def take_over(self, pids: Iterable[int], runs: Mapping[str, Known]) -> None:
        """What was not held when the supervisor died, from those who write to it."""
        missing = {
            inode: (cookie, stream)
            for cookie, known in runs.items()
            for (_, inode), stream in zip(known.outputs, STREAMS, strict=False)
            if inode not in self._kept.get(cookie, ())
        }
        for pid in pids if missing else ():
            for number in (1, 2):
                path = f"/proc/{pid}/fd/{number}"
                try:
                    inode = _pipe_of(os.stat(path))
                except OSError:
                    continue  # it has ended, or is not ours to look into
                if inode is not None and (found := missing.pop(inode, None)) is not None:
                    before = set(self._streams)
                    self._kept.setdefault(found[0], {})
                    self._hold(*found, inode, path)
                    for fd in self._streams.keys() - before:
                        self._poll.register(fd, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """At the longest; shorter where there is something to read, which is taken."""
        for fd, _ in self._poll.poll(1000 * seconds):
            self._read(fd)

    def close(self) -> None:
        """Take what is there yet, and close all."""
        for fd in list(self._streams):
            for _ in range(_LAST):
                if not self._read(fd):
                    break
        self.drop()

    def drop(self) -> bool:
        """Give all descriptors back. False: there were none."""
        fds = list(self._streams)
        for fd in fds:
            self._unregister(fd)
            self._close(fd)
        self._kept.clear()
        return bool(fds)

    def _read(self, fd: int) -> bool:
        """Take what is in one pipe. False: there was nothing."""
        found = self._streams.get(fd)
        if found is None:
            return False
        try:
            data = os.read(fd, _BLOCK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._write(*found, data)
            return True
        self._unregister(fd)  # its last writer has ended
        self._close(fd)
        return False

    def _write(self, cookie: str, stream: str, data: bytes) -> None:
        """Opened for each block: a log that stayed open would be a descriptor more for each."""
        if self._open_log is None:
            return
        try:
            log = self._open_log(cookie, stream)
        except OSError:
            return  # what goes on here goes on without the log
        try:
            while data:
                data = data[os.write(log, data) :]
        except OSError:
            pass  # the disk is full, say
        finally:
            os.close(log)

    def _unregister(self, fd: int) -> None:
        try:
            self._poll.unregister(fd)
        except KeyError:
            pass  # nothing has begun

    def _close(self, fd: int) -> None:
        cookie, _ = self._streams.pop(fd)
        kept = self._kept.get(cookie, {})
        for inode in [inode for inode, number in kept.items() if number == fd]:
            del kept[inode]
        os.close(fd)


def _pipe_of(found: os.stat_result) -> int | None:
    """Its inode if it is a pipe: numbers of files on a disk may be the same."""
    return found.st_ino if stat.S_ISFIFO(found.st_mode) else None
