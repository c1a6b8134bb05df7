"""The soft limit of open descriptors: raised for ourselves, not for those we start.

Where it is the usual 1,024, two hundred tasks with two pipes, two logs and a pidfd each are too
many. A program that was started by us must not see the raised one: what uses `select(2)` breaks on
descriptors above 1,023, and what closes "all" descriptors in a loop takes its time.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    Limits = tuple[int, int]

SPARE = 64  # descriptors for everything that is not a task's
FEWEST = 40  # with which one task can be started, where we inherited no others (measured: 38 fail)

_found: Limits | None = None  # what we began with, once it was raised


def make_room(descriptors: int) -> None:
    """Raise the soft limit, as far as the hard one allows, where so many more need it.

    Only where the limit can be given back to those we start (`as_found`), that is on Linux.
    """
    global _found
    if sys.platform != "linux":
        return
    import resource

    soft, hard = found = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = descriptors + SPARE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if _found is None:
        _found = found


def demand_room() -> None:
    """Raises HostError where the limit is so low that nothing would come of a start."""
    from procession.errors import HostError

    most = descriptors()
    if most < FEWEST:
        raise HostError(
            "the limit of open files",
            f"{most} are too few",
            f"{FEWEST} and more",
            "Raise it (ulimit -n)",
        )


def as_found(pid: int) -> None:
    """Give a child that was just started, and is not reaped, the limit that we began with.

    It was executed already: a program that looks within its first microseconds may see ours. What
    does not work: lowering our own limit around the spawn; it holds for the whole process, and
    the thread that opens log files would fail meanwhile.
    """
    if sys.platform != "linux" or _found is None:
        return
    import resource

    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, _found)
    except (ProcessLookupError, PermissionError):
        pass  # ended already, or runs as another user by now: neither is ours to change


def descriptors() -> int:
    """How many this process may have open now (the soft limit); a very large number: no limit."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
