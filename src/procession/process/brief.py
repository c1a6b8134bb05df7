"""System calls that are over before another thread could have run, with the interpreter kept.

`os` lets go of the interpreter around each call. Where many threads want it, getting it back takes
longer than such a call does, by a factor of ten; so one who starts processes from many threads asks
for these not to (`keep_interpreter`). They never block: a pipe is made, a descriptor is closed, a
child is reaped that has ended. Where ctypes or a known layout is missing, they stay those of `os`.

Not among them: the read of a pipe that ends with exec, which does block, for as long as that takes.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

from procession.process.handle import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# macOS counts ru_maxrss in bytes, everybody else in KiB (getrusage(2) of each).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _reap(pid: int) -> Any:
    try:
        return os.wait4(pid, 0)[2]
    except ChildProcessError:
        return None


def _usage(used: Any) -> Usage:
    return Usage(used.ru_utime, used.ru_stime, used.ru_maxrss * _RSS_UNIT, used.ru_majflt)


# Both ends are closed on exec. Raises OSError where no descriptor is left.
pipe: Callable[[], tuple[int, int]] = os.pipe
# Raises OSError for what is no open descriptor.
close: Callable[[int], object] = os.close
# What a child that has ended used, for `usage`; None: somebody else has reaped it.
reap: Callable[[int], Any] = _reap
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
    pipe2, libc_close, wait4 = libc.pipe2, libc.close, libc.wait4
    pipe2.argtypes = [pointer, number]
    libc_close.argtypes = [number]
    wait4.argtypes = [number, pointer, number, pointer]
    cloexec, nohang = os.O_CLOEXEC, os.WNOHANG

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

    def brief_reap(pid: int) -> Any:
        used = sixteen()
        return used if wait4(pid, None, nohang, used) == pid else None

    def brief_usage(used: Any) -> Usage:
        user, system = used[0] + used[1] / 1e6, used[2] + used[3] / 1e6
        return Usage(user, system, used[4] * _RSS_UNIT, used[9])

    pipe, close, reap, usage = brief_pipe, brief_close, brief_reap, brief_usage
