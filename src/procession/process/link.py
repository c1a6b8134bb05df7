"""What guardian and supervisor tell each other: two pipes, one line a message.

Down (guardian to supervisor) go the signals that were heard; up go the runs, so that a guardian
whose supervisor crashed knows which signal each of them expects. The end of either pipe is the
end of its writer. Pipes, since importing `socket` costs more than this whole module.
"""

from __future__ import annotations

import os
from collections import deque

from procession._record import Record


class Heard(Record):
    """A signal that the guardian received.

    `typed`: it came from the terminal's own Ctrl-C, not from a program; None: this host cannot
    tell. `time`: seconds of the monotonic clock, which both processes share.
    """

    signal: int
    typed: bool | None
    time: float


class GuardianGone(Record):
    """The guardian has ended: nobody passes on signals, or sweeps, any more."""


class Known(Record):
    """What the guardian knows of one run."""

    signal: int
    grace: float
    pid: int | None = None


class Link:
    """The supervisor's end. One thread. Nothing blocks and nothing raises: a guardian that is
    stopped or dead must not hold up the tasks. What it cannot take yet is kept for later."""

    def __init__(self, heard_fd: int, posts_fd: int) -> None:
        self.fd = heard_fd  # readable when there is something to `read`
        self._posts = posts_fd
        self._rest = b""
        self._later: deque[bytes] = deque()
        os.set_blocking(heard_fd, False)
        os.set_blocking(posts_fd, False)

    def begins(self, cookie: str, signal: int, grace: float) -> None:
        """A run is about to be spawned: what its tree is to be told, and how long that may take
        (seconds). Said before the spawn: the guardian must never meet a stranger."""
        self._post(f"b {cookie} {signal} {grace!r}")

    def started(self, cookie: str, pid: int) -> None:
        self._post(f"s {cookie} {pid}")

    def ended(self, cookie: str) -> None:
        self._post(f"e {cookie}")

    def leaves(self, cookie: str) -> None:
        """What is left of this run is not ours to end any more."""
        self._post(f"l {cookie}")

    def orderly(self) -> None:
        """The supervisor ends because its work is done."""
        self._post("o")

    def read(self) -> list[Heard | GuardianGone]:
        """What was heard since the last call."""
        heard: list[Heard | GuardianGone] = []
        while True:
            try:
                data = os.read(self.fd, 4096)
            except BlockingIOError:
                break
            if not data:
                heard.append(GuardianGone())
                break
            *lines, self._rest = (self._rest + data).split(b"\n")
            heard.extend(_heard(line) for line in lines)
        self._flush()
        return heard

    def close(self) -> None:
        """Close both ends. Idempotent."""
        for fd in (self.fd, self._posts):
            if fd >= 0:
                os.close(fd)
        self.fd = self._posts = -1

    def _post(self, line: str) -> None:
        self._later.append(line.encode() + b"\n")
        self._flush()

    def _flush(self) -> None:
        while self._later:
            try:
                # below PIPE_BUF a write is all or nothing (POSIX, write)
                os.write(self._posts, self._later[0])
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._later.clear()  # nobody listens any more
                return
            self._later.popleft()


class Posts:
    """The guardian's end: what the supervisor has posted so far."""

    def __init__(self, posts_fd: int, heard_fd: int) -> None:
        self.fd = posts_fd
        self._heard = heard_fd
        self._rest = b""
        self.runs: dict[str, Known] = {}
        self.left: dict[str, Known] = {}  # runs whose processes are not ours to end
        self.orderly = False
        os.set_blocking(posts_fd, False)
        os.set_blocking(heard_fd, False)

    def read(self) -> bool:
        """Take in what has come. False: the supervisor's end is closed."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(line.decode())

    def tell(self, heard: Heard) -> None:
        """Pass a signal on. A supervisor that reads nothing has a full pipe of them already, and
        one that is dead is swept: neither is an error here."""
        typed = {True: "1", False: "0", None: "?"}[heard.typed]
        try:
            os.write(self._heard, f"{heard.signal} {typed} {heard.time!r}\n".encode())
        except (BlockingIOError, BrokenPipeError):
            pass

    def close(self) -> None:
        for fd in (self.fd, self._heard):
            if fd >= 0:
                os.close(fd)
        self.fd = self._heard = -1

    def _take(self, line: str) -> None:
        kind, *words = line.split(" ")
        if kind == "b":
            self.runs[words[0]] = Known(int(words[1]), float(words[2]))
        elif kind == "s":
            self.runs[words[0]] = self.runs[words[0]].replace(pid=int(words[1]))
        elif kind == "e":
            self.runs.pop(words[0], None)
        elif kind == "l":
            known = self.runs.pop(words[0], None)
            if known is not None:
                self.left[words[0]] = known
        elif kind == "o":
            self.orderly = True


def _heard(line: bytes) -> Heard:
    number, typed, at = line.decode().split(" ")
    return Heard(int(number), {"1": True, "0": False}.get(typed), float(at))
