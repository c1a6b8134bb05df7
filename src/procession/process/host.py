"""What this host can do. Asked of the kernel itself, once, at first use; never guessed by version.

Seccomp filters and old kernels answer ENOSYS or EPERM for calls the C library has, so presence of
a function in `os` proves nothing.
"""

from __future__ import annotations

import os
import sys

_known: dict[str, bool] = {}


def has_pidfd() -> bool:
    """Can a process be held by a descriptor (pidfd_open, Linux 5.3) and signalled through it?"""
    if "pidfd" not in _known:
        _known["pidfd"] = _try_pidfd()
    return _known["pidfd"]


def has_children_files() -> bool:
    """Does the kernel list the children of a task (CONFIG_PROC_CHILDREN, and /proc mounted)?"""
    if "children" not in _known:
        _known["children"] = sys.platform == "linux" and os.access(
            "/proc/thread-self/children", os.R_OK
        )
    return _known["children"]


def has_proc() -> bool:
    """Is a Linux /proc mounted that shows ourselves, by the number we go by?"""
    if "proc" not in _known:
        _known["proc"] = sys.platform == "linux" and _names_us("/proc/self")
    return _known["proc"]


def has_subreaper() -> bool:
    """Can a process adopt its orphaned descendants (PR_SET_CHILD_SUBREAPER, Linux 3.4)?"""
    if "subreaper" not in _known:
        _known["subreaper"] = _try_subreaper()
    return _known["subreaper"]


def _names_us(link: str) -> bool:
    """Not so where the /proc of another pid namespace is mounted: its numbers are not ours."""
    try:
        return os.readlink(link) == str(os.getpid())
    except OSError:
        return False


def _try_pidfd() -> bool:
    if sys.platform != "linux":
        return False
    import signal

    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        return False
    try:
        fd = os.pidfd_open(os.getpid())
    except OSError:
        return False
    try:
        signal.pidfd_send_signal(fd, 0)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _try_subreaper() -> bool:
    if sys.platform != "linux":
        return False
    from procession.process import _linux

    try:
        _linux.get_child_subreaper()
    except OSError:
        return False
    return True
