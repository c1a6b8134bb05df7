"""Where an executor cannot work, and what becomes of one when its process forks."""

from __future__ import annotations

import os
import sys
import weakref
from _thread import RLock

from procession.errors import HostError, ProcessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from procession.executor._executor import Executor
    from procession.executor._handle import ExecHandle

_checked = False
_all: weakref.WeakSet[Executor] = weakref.WeakSet()
_hooked = False


def check_host() -> None:
    """Raises HostError in a subinterpreter, and where gevent has replaced threads or waiting."""
    global _checked
    if _checked and "gevent.monkey" not in sys.modules:  # which may come late
        return
    if _in_subinterpreter():
        raise HostError(
            "procession.executor",
            "this is a subinterpreter, whose threads and signals are not its own",
            "the main interpreter",
            "Start processes from there",
        )
    patched = _patched_by_gevent()
    if patched:
        raise HostError(
            "procession.executor",
            f"gevent has replaced {', '.join(patched)} in this process",
            "real threads and real waiting",
            "Use gevent.subprocess here, or leave these modules unpatched",
        )
    _checked = True


def _in_subinterpreter() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module: Any = __import__(name)
        except ImportError:
            continue
        return bool(module.get_current() != module.get_main())
    return False


def _patched_by_gevent() -> list[str]:
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None:
        return []
    names = ("thread", "threading", "select", "os", "subprocess", "signal", "time")
    return [name for name in names if monkey.is_module_patched(name)]


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
