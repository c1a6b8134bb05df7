"""Where output goes when the executor drains it for the caller, so that no child ever blocks.

Whole blocks are moved, never single lines, except where somebody asked for lines.
"""

from __future__ import annotations

import codecs
import threading
from collections import deque

from procession.executor._values import Output
from procession.logs import fds
from procession.process.patience import slice_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class Sink(Protocol):
        """Takes what was read from one pipe."""

        def feed(self, block: bytes) -> int:
            """Returns how many bytes were dropped."""

        def end(self, incomplete: bool) -> None: ...
        @property
        def output(self) -> Output | None: ...


_BLOCK = 1 << 16
_TURNS = 16  # blocks read at a time: a flood must not keep the loop from its other work
_LINE_MOST = 1 << 20  # characters of one line; what is longer comes in pieces


class Capture:
    """A target for stdout or stderr: keep the first and the last `limit` / 2 bytes in memory.

    What was kept is in `handle.result()`. May be given to many processes, each has its own.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int = 1 << 16) -> None:
        if limit < 2:
            raise ValueError(f"limit is {limit!r}; expected at least 2 bytes")
        self.limit = limit

    def __repr__(self) -> str:
        return f"Capture({self.limit})"


class Lines:
    """A target for stdout or stderr, and an iterator of its lines, without their ends.

    At most `limit` lines wait for the iterator; then the oldest is dropped and counted in
    `dropped`, for a slow reader must not block the child. The iterator ends with the stream. For
    one process and one stream; iterate in one thread, any but the executor's own.
    """

    def __init__(
        self, limit: int = 10_000, *, encoding: str = "utf-8", errors: str = "replace"
    ) -> None:
        codecs.lookup(encoding)
        self.dropped = 0
        self.encoding = encoding
        self.errors = errors
        self.taken = False
        self._lines: deque[str] = deque()
        self._limit = limit
        self._ended = False
        self._news = threading.Condition()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._news:
            while not self._lines:
                if self._ended:
                    raise StopIteration
                self._news.wait(slice_of(None))
            return self._lines.popleft()

    def put(self, line: str) -> bool:
        """False: there was no room, and the oldest line made it."""
        with self._news:
            full = len(self._lines) >= self._limit
            if full:
                self._lines.popleft()
                self.dropped += 1
            self._lines.append(line)
            self._news.notify()
            return not full

    def end(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()


class Kept:
    """The sink of a `Capture`."""

    def __init__(self, limit: int) -> None:
        self._head_most = limit // 2
        self._tail_most = limit - self._head_most
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self.output: Output | None = None

    def feed(self, block: bytes) -> int:
        room = self._head_most - len(self._head)
        if room > 0:
            self._head += block[:room]
            block = block[room:]
        self._tail += block
        # cut only when twice as long: moving the rest for each block would cost the more
        if len(self._tail) > 2 * self._tail_most:
            return self._cut()
        return 0

    def _cut(self) -> int:
        over = len(self._tail) - self._tail_most
        if over <= 0:
            return 0
        del self._tail[:over]
        self._dropped += over
        return over

    def end(self, incomplete: bool) -> None:
        self._cut()
        self.output = Output(bytes(self._head), bytes(self._tail), self._dropped, incomplete)


class LineSink:
    """Cuts a stream into lines: for `Lines`, or for a function that is called with each."""

    output: Output | None = None

    def __init__(
        self,
        put: Callable[[str], object],
        on_end: Callable[[], None],
        encoding: str,
        errors: str,
    ) -> None:
        self._put = put
        self._on_end = on_end
        self._decode = codecs.getincrementaldecoder(encoding)(errors).decode
        self._rest = ""

    def feed(self, block: bytes, final: bool = False) -> int:
        text = self._rest + self._decode(block, final)
        *lines, self._rest = text.split("\n")
        dropped = sum(self._give(line) for line in lines)
        while len(self._rest) > _LINE_MOST:
            dropped += self._give(self._rest[:_LINE_MOST])
            self._rest = self._rest[_LINE_MOST:]
        return dropped

    def _give(self, line: str) -> int:
        kept = self._put(line.removesuffix("\r"))
        return len(line) if kept is False else 0

    def end(self, incomplete: bool) -> None:
        self.feed(b"", final=True)
        if self._rest:
            self._give(self._rest)
            self._rest = ""
        self._on_end()


class Drain:
    """The read end of one pipe, read by the loop's thread alone until it ends or is closed."""

    def __init__(self, fd: int, sink: Sink) -> None:
        fds.make_nonblocking(fd)
        self.fd = fd
        self.sink = sink
        self.ended = False

    def read(self) -> tuple[int, int]:
        """Take what is there. Bytes read and bytes dropped; `ended` once nobody can write."""
        read = dropped = 0
        for _ in range(_TURNS):
            try:
                block = fds.read_block(self.fd, _BLOCK)
            except BlockingIOError:
                break
            if not block:
                self.ended = True
                break
            read += len(block)
            dropped += self.sink.feed(block)
            if len(block) < _BLOCK:
                break
        return read, dropped

    def close(self, incomplete: bool = False) -> None:
        """Idempotent. The sink hears that there is no more."""
        if self.fd >= 0:
            fds.close_pipe(self.fd)
            self.fd = -1
            self.sink.end(incomplete)
