"""Descriptors that a program gets under a number of its own choice, above 2.

`fork_exec` passes descriptors under the numbers they have, so what a program is to get as 3 has to
be 3 in this process for as long as the spawn takes. That is sound where nobody else uses that
number meanwhile: so the numbers are `reserve`d before there is any other thread, and from then on
no other descriptor of this process gets them. What had one of them before is the spawning thread's
own, and is back when the spawn is over: for its kernel, which counts by what is open and not by
numbers, it was never gone.

Roads not taken: a shell that redirects before it executes (a millisecond, and numbers up to 9),
`posix_spawn` (no cwd), `preexec_fn`.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    T = TypeVar("T")


class Places:
    """The numbers that this process keeps for those it starts. One thread, the one that spawns."""

    def __init__(self) -> None:
        self._kept: set[int] = set()

    def reserve(self, numbers: Iterable[int]) -> None:
        """Before any other thread begins. What cannot be had is told by the spawn that needs it."""
        null = -1
        try:
            for number in numbers:
                if _is_open(number):
                    continue
                if null < 0:
                    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
                if null == number:
                    null = -1
                else:
                    os.dup2(null, number, inheritable=False)
                self._kept.add(number)
        except OSError:  # beyond the limit of descriptors
            pass
        finally:
            if null >= 0:
                os.close(null)

    def put(self, wanted: Mapping[int, int], spawn: Callable[[], T]) -> T:
        """What `spawn` gives, or raises, while each number of `wanted` is a copy of its descriptor.

        Raises OSError (EBADF) for a number above the limit of descriptors.
        """
        saved: dict[int, int] = {}
        try:
            for number, fd in wanted.items():
                if number == fd:
                    continue
                if _is_open(number):
                    saved[number] = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
                else:
                    saved[number] = -1
                os.dup2(fd, number, inheritable=False)
            return spawn()
        finally:
            for number, before in saved.items():
                if before >= 0:
                    os.dup2(before, number, inheritable=False)
                    os.close(before)
                elif _is_open(number):
                    os.close(number)

    def close(self) -> None:
        """Give the numbers back. Idempotent."""
        while self._kept:
            os.close(self._kept.pop())


def _is_open(number: int) -> bool:
    try:
        fcntl.fcntl(number, fcntl.F_GETFD)
    except OSError:
        return False
    return True
