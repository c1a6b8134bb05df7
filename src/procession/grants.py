"""What this host does not grant a task: users, groups, niceness, processors, limits.

Asked before anything starts, as for programs; what the kernel still refuses fails that start.
"""

from __future__ import annotations

import os
import sys

from procession._record import Record
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procession.spec import Task


class Refusal(Record):
    """A key that cannot be had here, and why."""

    key: str
    what: str
    expected: str = ""
    suggestion: str = ""
    index: int | None = None  # of a list


if sys.platform == "win32":

    def refused(task: Task) -> Iterator[Refusal]:
        """All of it: see the tables of `keys`, whose words the reader of a file uses."""
        for key in ("user", "group", "supplementary_groups", "nice", "cpus", "limits"):
            if getattr(task, key) not in (None, ()):
                yield Refusal(key.replace("_", "-"), "cannot be had on Windows", "no such key")

else:
    import resource

    from procession import accounts

    def refused(task: Task) -> Iterator[Refusal]:
        """What of that the task would not get."""
        yield from _user(task)
        yield from _groups(task)
        if task.nice is not None:
            yield from _nice(task.nice)
        if task.cpus:
            yield from _cpus(task.cpus)
        for name, (_, hard) in task.limits:
            yield from _limit(name, hard)

    _ROOT = "to be run by root"

    def _user(task: Task) -> Iterator[Refusal]:
        name = task.user
        if name is None:
            return
        number = int(name) if accounts.is_number(name) else None
        found = accounts.user(name if number is None else number)
        if found is None and number is None:
            what = f"this host has no user {quoted(name)}"
            yield Refusal("user", what, "a name, or a number", _similar(name, groups=False))
        elif found is None and task.group is None:
            yield Refusal("user", f"no user has the number {name}", "a `group` beside it")
        elif os.geteuid() != 0 and os.geteuid() != (number if found is None else found.uid):
            yield Refusal("user", f"only root may run it as {quoted(name)}", _ROOT)

    def _groups(task: Task) -> Iterator[Refusal]:
        ours = {os.getegid(), *os.getgroups()}
        if task.group is not None:
            yield from _group("group", task.group, {os.getegid()}, None)
        for i, name in enumerate(task.supplementary_groups or ()):
            yield from _group("supplementary-groups", name, ours, i)

    def _group(key: str, name: str, ours: set[int], index: int | None) -> Iterator[Refusal]:
        number = int(name) if accounts.is_number(name) else accounts.group(name)
        if number is None:
            what = f"this host has no group {quoted(name)}"
            meant = _similar(name, groups=True)
            yield Refusal(key, what, "a name, or a number", meant, index)
        elif os.geteuid() != 0 and (number not in ours or key != "group"):
            # setgroups(2) is for root, whatever the groups
            yield Refusal(key, f"only root may give it the group {quoted(name)}", _ROOT, "", index)

    def _similar(name: str, *, groups: bool) -> str:
        from difflib import get_close_matches

        return next(iter(get_close_matches(name, accounts.names(groups=groups), 1)), "")

    def _nice(wanted: int) -> Iterator[Refusal]:
        ours = os.getpriority(os.PRIO_PROCESS, 0)
        lowest = ours
        if sys.platform == "linux":
            lowest = min(ours, 20 - resource.getrlimit(resource.RLIMIT_NICE)[0])
        if os.geteuid() != 0 and wanted < lowest:
            yield Refusal("nice", f"only root may give it {wanted}", f"at least {lowest}, or root")

    def _cpus(wanted: tuple[int, ...]) -> Iterator[Refusal]:
        there = os.sysconf("SC_NPROCESSORS_CONF")
        if wanted[-1] >= there > 0:
            has = f"0 to {there - 1}" if there > 1 else "0 alone"
            yield Refusal("cpus", f"this host has no processor {wanted[-1]}", f"of {has}")

    def _limit(name: str, hard: int | None) -> Iterator[Refusal]:
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        key = f"limits.{name}"
        if number is None:
            yield Refusal(key, f"no limit is called {quoted(name)} on this system", "another")
            return
        ours = resource.getrlimit(number)[1]
        endless = resource.RLIM_INFINITY
        if os.geteuid() != 0 and ours != endless and (hard is None or hard > ours):
            what = f"a hard limit above {ours}, which is ours: only root may raise it"
            yield Refusal(key, what, f"at most {ours}, or {_ROOT}")
            return
        most = _most_files() if name == "nofile" else None
        if most is not None and (hard is None or hard > most):
            what = f"more descriptors than this kernel gives anybody (fs.nr_open is {most})"
            yield Refusal(key, what, f"at most {most}")

    def _most_files() -> int | None:
        """What no limit of descriptors may exceed, not even root's; None: nobody knows."""
        try:
            with open("/proc/sys/fs/nr_open") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None
