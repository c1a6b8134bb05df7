"""What guardian and supervisor tell each other: two pipes, one line a message.

Down (guardian to supervisor) go the signals that were heard; up go the runs, so that a guardian
whose supervisor crashed knows which signal each of them expects. What was written is there for
the reader even when the writer was killed in the next moment. The end of either pipe is the end
of its writer. Pipes, since importing `socket` costs more than this whole module.
"""

from __future__ import annotations

import os
import sys
import time

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    class Logs(Protocol):
        """Where the guardian goes on with the logs of a supervisor that was lost."""

        def open(self, folder: str, cookie: str, stream: str) -> int:
            """The log of a run's "stdout" or "stderr", for appending; or OSError."""

        def event(self, folder: str, text: str) -> None:
            """A line for the supervisor's own log. Never raises."""

    if sys.platform == "linux":
        from procession.process._cgroup_linux import Groups as Groups
    else:
        from typing import Protocol

        class Groups(Protocol):
            def close(self) -> None: ...


_SPARE = 1 << 20  # bytes: what a pipe that was found full grows to, for some thousand runs
_ORDERLY_WAIT = 1.0  # seconds the very last message may wait for room in a full pipe


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
    # The supervisor's read ends of its output, stdout first: descriptor and inode.
    outputs: tuple[tuple[int, int], ...] = ()
    start_time: int | None = None  # of the leader, see `Handle.start_time`


class Link:
    """The supervisor's end. One thread. Nothing blocks and nothing raises: a guardian that is
    stopped or dead must not hold up the tasks. What it cannot take yet is kept for later."""

    def __init__(
        self,
        heard_fd: int,
        posts_fd: int,
        on_listening: Callable[[], None] | None = None,
        groups: Groups | None = None,
    ) -> None:
        self.fd = heard_fd  # readable when there is something to `read`
        self.groups = groups  # the place that the guardian made for us, for `Trees`
        self._on_listening = on_listening
        self._posts = posts_fd
        self._rest = b""
        self._later: dict[str, list[bytes]] = {}  # cookie -> its messages, while the pipe is full
        self._grown = False
        _nonblocking(heard_fd)
        _nonblocking(posts_fd)

    def begins(self, cookie: str, signal: int, grace: float) -> None:
        """A run is about to be spawned: what its tree is to be told, and how long that may take
        (seconds). Said before the spawn: the guardian must never meet a stranger. The cookie is
        the supervisor's own part of it, without blanks."""
        self._post("b", cookie, f" {signal:d} {grace!r}")

    def started(
        self,
        cookie: str,
        pid: int,
        outputs: Iterable[tuple[int, int]] = (),
        start_time: int | None = None,
    ) -> None:
        """It was spawned; its leader, which leads a session, is `pid`. `outputs`: our read ends of
        its output, each with its inode, stdout first. `start_time` pins the pid, for a reader who
        does not become the leader's parent when we die."""
        pinned = f"{pid}" if start_time is None else f"{pid}@{start_time}"
        pipes = "".join(f" {fd}:{inode}" for fd, inode in outputs)
        self._post("s", cookie, f" {pinned}{pipes}")

    def ended(self, cookie: str) -> None:
        """Its tree is empty, or it never came to be. Best said before its leader is reaped."""
        if self._later.get(cookie, [b""])[0].startswith(b"b "):
            del self._later[cookie]  # of which the guardian has not heard yet, and need not
        else:
            self._post("e", cookie)

    def leaves(self, cookie: str) -> None:
        """What is left of this run is not ours to end any more."""
        self._post("l", cookie)

    def spares(self, cookie: str, pid: int, start_time: int) -> None:
        """This process of a run that was left is not to be ended, whatever evidence is there of
        its run later. Holds until that run has `ended`."""
        self._post("p", cookie, f" {pid} {start_time}")

    def logs_in(self, folder: str) -> None:
        """Where the logs are, for who has to go on with them."""
        self._post("d", "", f" {os.fsencode(folder).hex()}")

    def makes(self, folder: str) -> None:
        """A folder that we remove, with the files in it, unless we are lost. Said before it is
        made."""
        self._post("f", "", f" {os.fsencode(folder).hex()}")

    def orderly(self) -> None:
        """The supervisor ends because its work is done. Waits up to 1 s for a guardian that has
        not read for long: unheard, this would be taken for a crash."""
        self._post("o", "")
        if self._later and sys.platform != "win32":
            import select

            poll = select.poll()
            poll.register(self._posts, select.POLLOUT)
            until = time.monotonic() + _ORDERLY_WAIT
            while self._later and (left := until - time.monotonic()) > 0:
                poll.poll(left * 1000)
                self._flush()

    def listening(self) -> None:
        """From now on `read` is called when there is something to read. Due before the first
        spawn: until then the supervisor, which may hang in the reading of its file, dies with
        its guardian."""
        self._post("r", "")
        if self._on_listening is not None:
            self._on_listening()

    def nothing_began(self) -> None:
        """The supervisor ends, asked to stop before it started anything."""
        self._post("n", "")

    def muted(self) -> None:
        """Nothing is written to the terminal any more: the guardian may stop itself."""
        self._post("z", "")

    def read(self) -> list[Heard | GuardianGone]:
        """What was heard since the last call. Ends with `GuardianGone` when that is so."""
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
        fds, self.fd, self._posts = (self.fd, self._posts), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _post(self, kind: str, cookie: str, words: str = "") -> None:
        line = f"{kind} {cookie}{words}\n".encode("utf-8", "surrogateescape")
        self._later.setdefault(cookie, []).append(line)
        self._flush()

    def _flush(self) -> None:
        while self._later:
            cookie, lines = next(iter(self._later.items()))
            try:
                while lines:
                    # below PIPE_BUF a write is all or nothing (POSIX, write)
                    os.write(self._posts, lines[0])
                    del lines[0]
            except BlockingIOError:
                if self._grown or not _grow(self._posts):
                    return
                self._grown = True
                continue
            except OSError:
                self._later.clear()  # EPIPE, EBADF: nobody listens any more
                return
            del self._later[cookie]


class Posts:
    """The guardian's end: what the supervisor has posted so far. Raises nothing either."""

    def __init__(self, posts_fd: int, heard_fd: int) -> None:
        self.fd = posts_fd
        self._heard = heard_fd
        self._rest = b""
        self.runs: dict[str, Known] = {}
        self.left: dict[str, Known] = {}  # runs whose processes are not ours to end
        self._spared: dict[str, set[tuple[int, int]]] = {}  # of them: pids and start times
        self.log_folder: str | None = None
        self.folders: list[str] = []  # that the supervisor removes unless it is lost
        self.orderly = False
        self.listening = False
        self.nothing_began = False
        self.muted = 0  # how often the supervisor said so
        _nonblocking(posts_fd)
        _nonblocking(heard_fd)

    @property
    def spared(self) -> set[tuple[int, int]]:
        """Processes that were left on purpose: pid and start time."""
        return set().union(*self._spared.values())

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
                try:
                    self._take(line.decode("utf-8", "surrogateescape"))
                except (ValueError, KeyError, IndexError):
                    continue  # no words of ours; what the others said is needed all the more

    def tell(self, heard: Heard) -> None:
        """Pass a signal on. A supervisor that reads nothing has a full pipe of them already, and
        one that is dead is swept: neither is an error here."""
        typed = {True: "1", False: "0", None: "?"}[heard.typed]
        try:
            os.write(self._heard, f"{heard.signal:d} {typed} {heard.time!r}\n".encode())
        except (BlockingIOError, BrokenPipeError):
            pass

    def close(self) -> None:
        fds, self.fd, self._heard = (self.fd, self._heard), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _take(self, line: str) -> None:
        kind, cookie, *words = line.split(" ")
        if kind == "b":
            self.runs[cookie] = Known(int(words[0]), float(words[1]))
        elif kind == "s":
            pid, _, start = words[0].partition("@")
            self.runs[cookie] = self.runs[cookie].replace(
                pid=int(pid),
                outputs=tuple((int(fd), int(inode)) for fd, inode in _pairs(words[1:])),
                start_time=int(start) if start else None,
            )
        elif kind == "e":
            for known in (self.runs, self.left, self._spared):
                known.pop(cookie, None)
        elif kind == "l":
            self.left[cookie] = self.runs.pop(cookie)
        elif kind == "r":
            self.listening = True
        elif kind == "n":
            self.nothing_began = True
        elif kind == "p":
            self._spared.setdefault(cookie, set()).add((int(words[0]), int(words[1])))
        elif kind == "d":
            self.log_folder = os.fsdecode(bytes.fromhex(words[0]))
        elif kind == "f":
            self.folders.append(os.fsdecode(bytes.fromhex(words[0])))
        elif kind == "z":
            self.muted += 1
        elif kind == "o":
            self.orderly = True


def _pairs(words: list[str]) -> list[list[str]]:
    return [word.split(":") for word in words]


def _heard(line: bytes) -> Heard:
    number, typed, at = line.decode().split(" ")
    return Heard(int(number), {"1": True, "0": False}.get(typed), float(at))


def _nonblocking(fd: int) -> None:
    if sys.platform != "win32":
        os.set_blocking(fd, False)


def _grow(fd: int) -> bool:
    """Make room in a pipe that is full. Only Linux can; EPERM says that this user's share of all
    pipes is used up, and is no error."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _SPARE)
    except OSError:
        return False
    return True
