"""What the platform offers for moving blocks between descriptors. No policy.

Linux is run and tested; other POSIX systems are typed and take the portable branches. Windows
has neither `poll` nor non-blocking pipes: threads read ahead there (`_ears_windows`).
"""

from __future__ import annotations

import os
import select
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Block = bytes | memoryview

WRITE_MAX = 1024 * 1024  # bytes in one write: bounds how long one output keeps the other waiting
PIPE_MAX = 1024 * 1024  # what a pipe holds at most: pipe-max-size of proc(5) for ordinary users
_IOV_MAX = 512  # buffers in one write; Linux takes 1024, POSIX promises 16 and all give more


def make_nonblocking(fd: int) -> None:
    """For descriptors that are ours alone: the flag belongs to the open file, not to the number."""
    if sys.platform != "win32":  # there a thread reads ahead
        os.set_blocking(fd, False)


def read_into(fd: int, view: memoryview) -> int:
    """Read into `view`; the number of bytes, 0 at the end. As `os.read`, without an allocation."""
    if sys.platform == "win32":
        from procession.logs import _ears_windows

        block = _ears_windows.take(fd, len(view))
        view[: len(block)] = block
        return len(block)
    return os.readv(fd, (view,))


def read_block(fd: int, most: int) -> bytes:
    """As `os.read` of a pipe that never blocks: raises BlockingIOError instead."""
    if sys.platform == "win32":
        from procession.logs import _ears_windows

        return _ears_windows.take(fd, most)
    return os.read(fd, most)


def close_pipe(fd: int) -> None:
    """Close what was read by `read_into`."""
    if sys.platform == "win32":
        from procession.logs import _ears_windows

        _ears_windows.give_up(fd)
    else:
        os.close(fd)


def write_blocks(fd: int, blocks: Sequence[Block]) -> int:
    """Write the first of `blocks`, as many as one call takes; the number of bytes written."""
    chosen: list[Block] = []
    size = 0
    for block in blocks:
        if chosen and (size + len(block) > WRITE_MAX or len(chosen) == _IOV_MAX):
            break
        chosen.append(block)
        size += len(block)
    if sys.platform == "win32" or len(chosen) == 1:
        return os.write(fd, chosen[0])
    return os.writev(fd, chosen)


if sys.platform != "win32":

    def wait(wake_fd: int, write_fds: Iterable[int], timeout: float | None) -> set[int]:
        """Sleep until `wake_fd` can be read or one of `write_fds` written to (or has failed).

        Those that can; none after `timeout` seconds. `poll`, not `select`: descriptors may be above
        1023; not epoll: it refuses regular files.
        """
        poll = select.poll()
        poll.register(wake_fd, select.POLLIN)
        for fd in write_fds:
            poll.register(fd, select.POLLOUT)
        # rounded up: a deadline must have passed when we wake for it
        return {fd for fd, _ in poll.poll(timeout and int(timeout * 1000) + 1)}


def same_file(first: int, second: int) -> bool:
    """True if both lead to the same place, as stdout and stderr on one terminal do."""
    try:
        a, b = os.fstat(first), os.fstat(second)
    except OSError:
        return False
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def columns(fd: int) -> int:
    """How wide the terminal behind `fd` is; 0 for what is none, or does not know."""
    try:
        return os.get_terminal_size(fd).columns
    except OSError:
        return 0


def is_regular(fd: int) -> bool:
    """True for files that are always ready to be written to, and refuse to be waited for."""
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False


def blocks(fd: int) -> bool:
    """Can a write to it only be made when it was asked whether it is writable? On Windows nothing
    can be asked: the thread that writes waits there, and is left behind in the end."""
    return sys.platform != "win32" and not is_regular(fd)


def reopen_nonblocking(fd: int) -> int | None:
    """A second open file on the pipe or terminal behind `fd`, non-blocking; None where impossible.

    The flag cannot be set on `fd`: it would be set for everybody who shares the open file, the
    user's shell among them. Opening anew through /proc gives an open file of our own. Sockets
    cannot be opened so, other users' terminals must not be, and other systems have no such way.
    """
    if sys.platform != "linux":
        return None
    try:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
            return None
        # O_NOCTTY: we lead a session without a terminal, and must not take this one as ours
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{fd}", flags)
    except OSError:
        return None


if sys.platform == "win32":
    CHUNK = 512
else:
    # How much an output takes without blocking once it was found writable (POSIX, of pipes).
    CHUNK = select.PIPE_BUF


def block_broken_pipe_signal() -> None:
    """Let writes of this thread fail with EPIPE whatever the process does about SIGPIPE."""
    if sys.platform != "win32":
        import signal

        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGPIPE,))
