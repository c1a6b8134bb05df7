"""Where an executor cannot work, and what becomes of one when its process forks."""

from __future__ import annotations

import os
import sys
import weakref
from _thread import RLock

from procession.errors import ProcessionError
from procession.process import application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from procession.executor._executor import Executor
    from procession.executor._handle import ExecHandle

_all: weakref.WeakSet[Executor] = weakref.WeakSet()
_hooked = False


def check_host() -> None:
    """Raises HostError as `application.check_host` does."""
    application.check_host("procession.executor", "gevent.subprocess")


def remember(executor: Executor) -> None:
    """Have it emptied in a forked child."""
    global _hooked
    _all.add(executor)
    if not _hooked and sys.platform != "win32":
        _hooked = True
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for executor in list(_all):
        executor._after_fork()


def disown(handle: ExecHandle) -> None:
    """In a forked child, to whom the process is no child: nobody there can wait for it, and its
    status would look as if somebody had taken it. Without any lock: threads that are gone may hold
    them."""
    for fd in (handle._process.pidfd, handle._member_fd, *(d.fd for d in handle._drains.values())):
        if fd is not None and fd >= 0:
            os.close(fd)
    handle._lock = RLock()
    stranger: Any = _ParentsOwn()
    handle._process = handle._keeper = stranger


def parents_own() -> NoReturn:
    raise ProcessionError(
        "this handle belongs to the process that forked: only that one can wait for it and stop it"
    )


class _ParentsOwn:
    """In place of all that the parent has to do with a handle."""

    def __getattr__(self, name: str) -> Any:
        parents_own()
