"""Where output goes when the executor drains it for the caller, so that no child ever blocks.

Whole blocks are moved, never single lines, except where somebody asked for lines.
"""

from __future__ import annotations

import codecs
import operator
from collections import deque

from procession.executor._backlog import Backlog
from procession.executor._events import guarded
from procession.executor._values import Output
from procession.logs import fds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class Sink(Protocol):
        """Takes what was read from one pipe."""

        def feed(self, block: bytes) -> int:
            """Returns how many bytes were dropped."""

        def end(self, incomplete: bool) -> int:
            """There is no more. Returns how many bytes more were dropped."""

        @property
        def output(self) -> Output | None: ...


_BLOCK = 1 << 16
_TURNS = 16  # blocks read at a time: a flood must not keep the loop from its other work
_LINE_MOST = 1 << 20  # characters of one line; what is longer comes in pieces


def check_text(encoding: str | None, errors: str | None) -> None:
    """Raises LookupError for what Python does not know, or what does not make text: the loop that
    reads would be the first to find out."""
    if encoding is not None:
        "a".encode(encoding)
    if errors is not None:
        codecs.lookup_error(errors)


CAPTURED = 1 << 16  # bytes of one stream, where nobody says more


class Capture:
    """A target for stdout or stderr: keep the first and the last `limit` / 2 bytes in memory.

    Without a limit of its own it has that of `create_process(limit=...)`, else 64 KiB. What was
    kept is in `handle.result()`. May be given to many processes, each has its own.
    """

    __slots__ = ("limit",)

    def __init__(self, limit: int | None = None) -> None:
        self.limit = None if limit is None else at_least(2, "bytes", limit)

    def __repr__(self) -> str:
        return f"Capture({'' if self.limit is None else self.limit})"


class Lines:
    """A target for stdout or stderr, and an iterator of its lines, without their ends.

    At most `limit` lines wait for the iterator; then the oldest is dropped and counted in
    `dropped`, for a slow reader must not block the child. The iterator ends with the stream. For
    one process and one stream; iterate in one thread, any but the executor's own.
    """

    def __init__(
        self, limit: int = 10_000, *, encoding: str = "utf-8", errors: str = "replace"
    ) -> None:
        check_text(encoding, errors)
        self.encoding = encoding
        self.errors = errors
        self.taken = False
        self._backlog = Backlog(at_least(1, "lines", limit))
        self._failure: Exception | None = None

    @property
    def dropped(self) -> int:
        return self._backlog.dropped

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line: str | None = self._backlog.take()
        if line is not None:
            return line
        failure, self._failure = self._failure, None
        raise failure or StopIteration

    def put(self, line: str) -> bool:
        """False: there was no room, and the oldest line made it."""
        return self._backlog.put(line)

    def end(self, failure: Exception | None = None) -> None:
        self._failure = self._failure or failure
        self._backlog.end()


def at_least(least: int, what: str, limit: int) -> int:
    """Raises ValueError, and TypeError for what is no number."""
    if operator.index(limit) < least:
        raise ValueError(f"limit is {limit!r}; expected at least {least} {what}")
    return limit


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

    def end(self, incomplete: bool) -> int:
        over = self._cut()
        self.output = self.so_far(incomplete)
        return over

    def so_far(self, incomplete: bool = False) -> Output:
        self._cut()
        return Output(bytes(self._head), bytes(self._tail), self._dropped, incomplete)


class Whole:
    """What `communicate` keeps where nothing is limited: all of it, and only once."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def feed(self, block: bytes) -> int:
        self._blocks.append(block)
        return 0

    def so_far(self) -> Output:
        return Output(b"".join(self._blocks))


class Called:
    """Calls a function with each line, in the loop's own time: in order, though the function may
    turn the loop meanwhile, and at the price of a deque where a flood comes."""

    def __init__(self, function: Callable[[str], object], call_soon: Callable[..., object]) -> None:
        self._function = function
        self._call_soon = call_soon
        self._lines: deque[str] = deque()
        self._due = False

    def put(self, line: str) -> None:
        self._lines.append(line)
        self._ask()

    def _ask(self) -> None:
        if not self._due:
            self._due = True
            self._call_soon(self._call)

    def _call(self) -> None:
        self._due = False
        while self._lines:
            line = self._lines.popleft()
            if self._lines:
                self._ask()  # if the function turns the loop, the rest comes before what ends then
            guarded(self._function, line)


class LineSink:
    """Cuts a stream into lines: for `Lines`, or for a function that is called with each."""

    output: Output | None = None

    def __init__(
        self,
        put: Callable[[str], object],
        on_end: Callable[[Exception | None], None],
        encoding: str,
        errors: str,
    ) -> None:
        self._put = put
        self._on_end = on_end
        self._decode = codecs.getincrementaldecoder(encoding)(errors).decode
        self._rest = ""
        self._failure: Exception | None = None

    def feed(self, block: bytes, final: bool = False) -> int:
        if self._failure is not None:
            return len(block)
        try:
            text = self._decode(block, final)
        except Exception as e:  # noqa: BLE001 - whoever iterates asked for strictness, and is told
            self._failure = e
            text = self._before(e)
        *lines, self._rest = (self._rest + text).split("\n")
        dropped = sum(self._give(line) for line in lines)
        while len(self._rest) > _LINE_MOST:
            dropped += self._give(self._rest[:_LINE_MOST])
            self._rest = self._rest[_LINE_MOST:]
        return dropped

    def _before(self, failure: Exception) -> str:
        """What is well in the block that is not."""
        if not isinstance(failure, UnicodeDecodeError):
            return ""
        return failure.object[: failure.start].decode(failure.encoding, "replace")

    def _give(self, line: str) -> int:
        kept = self._put(line.removesuffix("\r"))
        return len(line.encode("utf-8", "replace")) if kept is False else 0

    def end(self, incomplete: bool) -> int:
        dropped = self.feed(b"", final=True)
        if self._rest:
            dropped += self._give(self._rest)
            self._rest = ""
        self._on_end(self._failure)
        return dropped


class Drain:
    """The read end of one pipe, read by the loop's thread alone until it ends or is closed."""

    def __init__(self, fd: int, name: str, sink: Sink) -> None:
        fds.make_nonblocking(fd)
        self.fd = fd
        self.name = name
        self.sink = sink
        self.ended = False
        self.dropped = 0  # bytes
        self.told = 0  # of these

    def read(self) -> int:
        """Take what is there. Bytes read; `ended` once nobody can write."""
        read = 0
        for _ in range(_TURNS):
            try:
                block = fds.read_block(self.fd, _BLOCK)
            except BlockingIOError:
                break
            if not block:
                self.ended = True
                break
            read += len(block)
            self.dropped += self.sink.feed(block)
            if len(block) < _BLOCK:
                break
        return read

    def close(self, incomplete: bool = False) -> None:
        """Idempotent. The sink hears that there is no more."""
        if self.fd >= 0:
            fds.close_pipe(self.fd)
            self.fd = -1
            self.dropped += self.sink.end(incomplete)
