"""Is the control group (version 2) that we are in ours to divide?

What stands between every start and its first task: where it is not ours, one small file is read
and a few paths are asked for. How groups are used is in `_cgroup_linux.py`, which is loaded only
where they are.

Sources: cgroups(7), the kernel's admin-guide/cgroup-v2 ("Delegation"), systemd's
CGROUP_DELEGATION (a unit that may be divided says so by the attribute `delegate`).
"""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError("for Linux only")

from procession.process import _linux
from procession.process._kernel_texts import cgroup, path_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.process._cgroup_linux import Groups
    from procession.process._kernel_texts import Cgroup

SWITCH = "PROCESSION_CGROUP"  # the environment variable; "0": as if nothing were delegated
_USUAL = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_MANAGED = "/run/systemd/system"  # sd_booted(3)
_UNITS = (".service", ".scope", ".slice", ".mount", ".swap", ".socket")
_DELEGATED = ("user.delegate", "trusted.delegate")


def divisible() -> Cgroup | None:
    """Our own group, if we may make groups below it and move our processes there.

    A user whom somebody gave it (chown) may, and so may root, but for the root of the hierarchy
    and for what systemd manages and has not given away. Raises nothing. Where nothing is
    delegated it reads /proc/self/cgroup and no other file, unless the hierarchy is mounted at an
    unusual place.
    """
    if os.environ.get(SWITCH) == "0":
        return None
    own = text_of("/proc/self/cgroup")
    path = path_in(own)
    if path is None:
        return None
    for mount in _USUAL:
        if _is_there(folder := f"{mount}{path}"):
            break
    else:
        folder = ""
        if path == "/":
            return None
    if folder and not may_divide(folder):
        return None
    found = cgroup(text_of("/proc/self/mountinfo"), own)
    return found if found is not None and found.folder and may_divide(found.folder) else None


def claim_groups(grace: float, say: Callable[[str], None]) -> Groups | None:
    """A place of ours for the groups of one supervisor, after what dead ones left beside it was
    ended, with `grace` seconds for its clean-up; None: nothing is delegated. Raises nothing."""
    own = divisible()
    if own is None:
        return None
    from procession.process import _cgroup_linux, _stale_linux

    count = _stale_linux.sweep_stale(own.folder, grace)
    if count:
        plural = "" if count == 1 else "es"
        say(f"procession: {count} process{plural} swept that a killed procession had left\n")
    return _cgroup_linux.claim(own)


def may_divide(folder: str) -> bool:
    """May we make groups in this one, and move into them? Only the root of the hierarchy has no
    `cgroup.events`: it is nobody's, whoever may write there."""
    if not _is_there(folder):
        return False
    for path in (folder, f"{folder}/cgroup.procs"):
        if not os.access(path, os.W_OK, effective_ids=True):
            return False
    return os.geteuid() != 0 or not os.path.isdir(_MANAGED) or _was_given(folder)


def _is_there(folder: str) -> bool:
    return os.access(f"{folder}/cgroup.events", os.F_OK)


def _was_given(folder: str) -> bool:
    """By systemd, to who is in there: root may write everywhere. The nearest unit decides; where
    there is none above, somebody else made the group. Users are not asked for this: what their
    own manager runs is theirs, and that one does not set the attribute in all versions."""
    while not folder.endswith(_UNITS):
        folder = os.path.dirname(folder)
        if len(folder) <= 1:
            return True
    for name in _DELEGATED:
        try:
            if os.getxattr(folder, name) == b"1":
                return True
        except OSError:
            continue
    return False


def may_kill(folder: str) -> bool:
    """Can a group be killed as a whole (Linux 5.14)? The root has no such file."""
    if os.path.exists(os.path.join(folder, "cgroup.kill")):
        return True
    version = os.uname().release.split(".")
    try:
        return (int(version[0]), int(version[1])) >= (5, 14)
    except (ValueError, IndexError):
        return False


def text_of(path: str) -> str:
    """A file of the kernel's; empty where it cannot be read."""
    try:
        return os.fsdecode(_linux.read(path))
    except OSError:
        return ""
