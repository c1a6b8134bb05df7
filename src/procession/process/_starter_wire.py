"""What an application and its starter say to each other (see `starter`).

Down goes a socket of messages (SEQPACKET: each is whole, whoever else sends at the same time). One
has the words of a request, and descriptors with it (SCM_RIGHTS): first the write end of the pipe
for its answer, which nobody else ever reads. So no thread waits for another's answer, and the end
of that pipe without an answer is the end of the starter.

The pipe of a start says twice something: that it was started, or could not be; and how it ended.

Sources: unix(7), cmsg(3), memfd_create(2), pipe(7).
"""

from __future__ import annotations

import marshal
import os
import select
import socket
import struct
import sys
import time
from array import array

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.core.status import ExitStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_HERE, _ELSEWHERE = b"=", b"@"  # the words follow, or are in a file of memory
_INLINE = 32_768  # bytes; a longer message may find no room in the socket's buffer (EMSGSIZE)
_MOST_DESCRIPTORS = 8
_SPACE = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)

# What is said of a start: what it is, two numbers, and how many bytes of text follow (of failures
# only). All of it is one write of less than PIPE_BUF, which arrives whole.
_FACT = struct.Struct("=iiiI")
FACT_SIZE = _FACT.size
_TEXT_MOST = 1024
STARTED, FAILED, ENDED = 1, 2, 3
# Of a failure: what its error is about.
NOTHING, EXECUTABLE, FOLDER, OTHER = 0, 1, 2, 3

LAST_WORDS = 4000  # bytes of a starter that dies of a mistake of ours; less than a pipe holds

_UNKNOWN = -1
_DUMPED = 1 << 16


class StarterGone(Exception):  # noqa: N818 - it is no error of anybody's
    """It was killed before it was told, so nothing was done; or before it answered."""


def send(sock: socket.socket, words: Any, fds: Sequence[int] = ()) -> None:
    """Raises what `sendmsg` raises: BrokenPipeError and ConnectionResetError where nobody listens
    any more, TimeoutError after the time that the socket has."""
    data = _HERE + marshal.dumps(words)
    extra = -1
    if len(data) > _INLINE:
        extra = os.memfd_create("procession", os.MFD_CLOEXEC)
    try:
        if extra >= 0:
            with open(extra, "wb", closefd=False) as file:
                file.write(data[1:])
            data, fds = _ELSEWHERE, [*fds, extra]
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
        sock.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
    finally:
        if extra >= 0:
            os.close(extra)


def receive(sock: socket.socket) -> tuple[Any, list[int]] | None:
    """The words, and the descriptors that are ours to close. None: nobody speaks any more."""
    data, ancillary, _, _ = sock.recvmsg(_INLINE + 1, _SPACE, socket.MSG_CMSG_CLOEXEC)
    numbers = array("i")
    for level, kind, block in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(block[: len(block) - len(block) % numbers.itemsize])
    fds = list(numbers)
    if not data:
        return None
    if data[:1] == _ELSEWHERE:
        with open(fds.pop(), "rb") as file:
            file.seek(0)
            return marshal.loads(file.read()), fds
    return marshal.loads(memoryview(data)[1:]), fds


def fact(kind: int, one: int = 0, other: int = 0, text: str = "") -> bytes:
    encoded = text.encode("utf-8", "surrogateescape")[:_TEXT_MOST]
    return _FACT.pack(kind, one, other, len(encoded)) + encoded


def read_fact(fd: int) -> tuple[int, int, int, str] | None:
    """None: the pipe has ended. Raises BlockingIOError where it is empty, and is not to block."""
    data = os.read(fd, FACT_SIZE)
    if len(data) < FACT_SIZE:
        return None
    kind, one, other, size = _FACT.unpack(data)
    text = os.read(fd, size).decode("utf-8", "surrogateescape") if size else ""
    return kind, one, other, text


def end_of(status: ExitStatus) -> bytes:
    """The fact that a process ended so."""
    if status.unknown:
        return fact(ENDED, _UNKNOWN)
    if status.signal is not None:
        return fact(ENDED, _UNKNOWN, status.signal | (_DUMPED if status.core_dumped else 0))
    return fact(ENDED, status.code or 0)


_WELL = ExitStatus(code=0)  # nearly all of them; a value may be shared


def status_of(one: int, other: int) -> ExitStatus:
    if one != _UNKNOWN:
        return ExitStatus(code=one) if one else _WELL
    if not other:
        return ExitStatus()
    return ExitStatus(signal=other & ~_DUMPED, core_dumped=bool(other & _DUMPED))


def give(fd: int, answer: Any) -> None:
    """Write an answer of any length, and close. Nobody may be there to read it."""
    try:
        with open(fd, "wb") as file:
            file.write(marshal.dumps(answer))
    except BrokenPipeError:
        pass


def take(fd: int, within: float) -> Any:
    """Read an answer to its end. Raises EOFError where there is none, TimeoutError after `within`
    seconds. Leaves the descriptor open."""
    until = time.monotonic() + within
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    blocks = []
    while True:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise TimeoutError
        block = os.read(fd, 65536)
        if not block:
            break
        blocks.append(block)
    if not blocks:
        raise EOFError
    return marshal.loads(b"".join(blocks))
