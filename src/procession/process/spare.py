"""A descriptor in reserve: who has none left can still look at processes, one file at a time.

For a supervisor, which has to end what it began whatever was opened in the meantime. One for the
process, for as long as anybody keeps it.
"""

from __future__ import annotations

import errno
import os
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

# What passes: it is worth another try a little later.
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
NO_ROOM_PAUSE = 0.25  # seconds until then
MORE_ROOM = "raise the limit of open files (ulimit -n), or run fewer tasks"

_lock = allocate_lock()
_keepers = 0
_fd = -1


def keep() -> None:
    """Have one from now on, as soon as there is one to have. Each call is owed a `give_back`. Any
    thread."""
    global _keepers
    with _lock:
        _keepers += 1
        _refill()


def renew() -> None:
    """Have it again, where another thread was quicker to take what was lent. Any thread."""
    if _keepers and _fd < 0:
        with _lock:
            _refill()


def give_back() -> None:
    """Of `keep`."""
    global _fd, _keepers
    with _lock:
        _keepers -= 1
        if not _keepers and _fd >= 0:
            os.close(_fd)
            _fd = -1


def lend(call: Callable[[str], T], path: str) -> T:
    """`call` it again, which failed for want of a descriptor, with ours to be had. It must close
    what it opens, and open one at a time. Raises what it raises: another thread may have been
    quicker. Any thread."""
    global _fd
    with _lock:
        if _fd >= 0:
            os.close(_fd)
            _fd = -1
        try:
            return call(path)
        finally:
            _refill()


def load(module: str) -> None:
    """Import it, which is needed only now, though there may be no descriptor left. Any thread."""
    try:
        __import__(module)
    except OSError as e:
        if e.errno not in NO_ROOM:
            raise
        lend(__import__, module)


def _refill() -> None:
    global _fd
    if _keepers and _fd < 0:
        try:
            _fd = os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return  # `renew` tries again
