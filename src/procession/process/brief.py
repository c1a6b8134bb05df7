"""System calls that are over before another thread could have run, with the interpreter kept.

`os` lets go of the interpreter around each call. Where many threads want it, getting it back takes
longer than such a call does, by a factor of ten; so one who starts processes from many threads asks
for these not to (`keep_interpreter`). They never block: a pipe is made, a descriptor is closed, a
child is reaped that has ended. Where ctypes or a known layout is missing, they stay those of `os`.

Not among them: the read of a pipe that ends with exec, which does block, for as long as that takes.
"""

from __future__ import annotations

import os
import signal
import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession.process._waitid import waitid
from procession.process.handle import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# macOS counts ru_maxrss in bytes, everybody else in KiB (getrusage(2) of each).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024

# The number of waitid(2), by the machine's name.
_WAITID = {"x86_64": 247, "aarch64": 95, "riscv64": 95, "loongarch64": 95}


def _reap(pid: int, pidfd: int | None) -> Any:
    try:
        # Did somebody else reap the zombie since we saw it? Then its pid may be a new child's.
        if pidfd is not None and waitid(pid, pidfd) is None:
            return None
        return os.wait4(pid, 0)[2]
    except ChildProcessError:
        return None


def _usage(used: Any) -> Usage:
    return Usage(used.ru_utime, used.ru_stime, used.ru_maxrss * _RSS_UNIT, used.ru_majflt)


# Both ends are closed on exec. Raises OSError where no descriptor is left.
pipe: Callable[[], tuple[int, int]] = os.pipe
# Raises OSError for what is no open descriptor.
close: Callable[[int], object] = os.close
# `reap(pid, pidfd)` of a child that has ended: what it used, for `usage`; None: somebody else has
# reaped it.
reap: Callable[[int, int | None], Any] = _reap
usage: Callable[[Any], Usage] = _usage


def keep_interpreter() -> None:
    """From here on, in this process. Idempotent; 3 ms the first time."""
    global pipe, close, reap, usage
    if sys.platform != "linux" or sys.maxsize < 2**32 or close is not os.close:
        return  # the layout below is that of Linux with 64 bits: getrusage(2), bits/types
    try:
        import ctypes

        libc = ctypes.PyDLL(None, use_errno=True)  # CDLL would let go of the interpreter
    except (ImportError, OSError):
        return
    two = ctypes.c_int * 2
    sixteen = ctypes.c_long * 18  # two times of two each, and 14 counts
    number, pointer = ctypes.c_int, ctypes.c_void_p
    pipe2, libc_close, call = libc.pipe2, libc.close, libc.syscall
    pipe2.argtypes = [pointer, number]
    libc_close.argtypes = [number]
    word = ctypes.c_long
    wait4 = libc.wait4
    wait4.argtypes = [number, pointer, number, pointer]
    call.argtypes = [word, word, word, pointer, word, pointer]
    call.restype = word
    waits = _WAITID.get(os.uname().machine, 0)
    info = ctypes.c_int * 32
    cloexec, ended = os.O_CLOEXEC, os.WEXITED | os.WNOHANG
    by_pidfd, child = os.P_PIDFD, int(signal.SIGCHLD)

    def failed() -> OSError:
        code = ctypes.get_errno()
        return OSError(code, os.strerror(code))

    def brief_pipe() -> tuple[int, int]:
        ends = two()
        if pipe2(ends, cloexec) != 0:
            raise failed()
        return ends[0], ends[1]

    def brief_close(fd: int) -> None:
        if libc_close(fd) != 0:
            raise failed()

    def brief_reap(pid: int, pidfd: int | None) -> Any:
        # The system call tells what was used, which the function of the C library does not; and a
        # descriptor cannot be somebody else's by now, as the number of who was reaped can.
        used, seen = sixteen(), info()
        if pidfd is None:
            return used if wait4(pid, None, os.WNOHANG, used) == pid else None
        done = call(waits, by_pidfd, pidfd, seen, ended, used) == 0
        return used if done and seen[0] == child else None

    def brief_usage(used: Any) -> Usage:
        user, system = used[0] + used[1] / 1e6, used[2] + used[3] / 1e6
        return Usage(user, system, used[4] * _RSS_UNIT, used[9])

    pipe, close = brief_pipe, brief_close
    if waits:
        reap, usage = brief_reap, brief_usage
