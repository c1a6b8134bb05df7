"""Ends what dead supervisors left in control groups of ours: nobody else was there to do it.

A supervisor or guardian of ours that lives holds the lock of its place (see `_cgroup_linux.py`);
where both were killed in one instant what they started lives on until the next start in the same
group, which is who calls this.
"""

from __future__ import annotations

import os
import sys
import time

if sys.platform != "linux":
    raise ImportError("for Linux only")

import fcntl
import select
import signal

from procession.process import _cgroup_linux as files
from procession.process import _linux
from procession.process._delegation_linux import text_of
from procession.process._kernel_texts import path_in

KILL_WAIT = 1.0  # seconds what was killed may take to vanish


def sweep_stale(own: str, grace: float) -> int:
    """End what dead supervisors left in this group of ours; how many processes.

    Only of places that are ours by name and owner, whose lock nobody holds, and in them only
    what is a leaf by its name and was not left on purpose. They have `grace` seconds after a
    SIGTERM; most times there is nobody, and nothing is waited for. Raises nothing.
    """
    count = 0
    for folder in files.folders(own):
        name = os.path.basename(folder)
        if not name.startswith(files.PREFIX) or not files.is_token(name[len(files.PREFIX) :]):
            continue
        try:
            if os.stat(folder).st_uid != os.geteuid():
                continue
        except OSError:
            continue
        lock = files.locked(folder, fcntl.LOCK_EX)
        if lock is None:
            continue
        try:
            count += _end(folder, own, grace)
        finally:
            os.close(lock)
    return count


def _end(place: str, own: str, grace: float) -> int:
    """Of a place that nobody holds."""
    ours = []
    for leaf in files.folders(place):
        if os.path.isdir(f"{leaf}/{files.LEFT}"):
            files.set_aside(leaf, own)
        elif files.is_token(os.path.basename(leaf).partition(".")[0]):
            ours.append(leaf)
    count = sum(_signal(leaf, signal.SIGTERM, signal.SIGCONT) for leaf in ours)
    until = time.monotonic() + grace
    for leaf in ours:
        _await_empty(leaf, until)
    until = time.monotonic() + KILL_WAIT
    for leaf in ours:
        if files.is_populated(leaf) and not files.kill(leaf):
            _signal(leaf, signal.SIGKILL)  # before Linux 5.14
    for leaf in ours:
        _await_empty(leaf, until)
        files.remove(leaf)
    files.rmdir(place)
    return count


def _signal(leaf: str, *numbers: int) -> int:
    """To all in there; how many these are. Whom we may not signal cgroup.kill reaches."""
    place = os.path.basename(os.path.dirname(leaf))
    pids = set(files.pids_in(leaf))
    for pid in pids:
        try:
            start = _linux.stat(pid).start_time
            # the number may have become another's, but nobody else's group is called so
            if f"/{place}/" in (path_in(text_of(f"/proc/{pid}/cgroup")) or ""):
                for number in numbers:
                    _linux.signal_pinned(pid, start, number)
        except (ProcessLookupError, PermissionError):
            continue
    return len(pids)


def _await_empty(folder: str, until: float) -> None:
    """The kernel tells by POLLPRI when what was read is no longer true."""
    try:
        fd = os.open(f"{folder}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        while b"populated 1" in os.pread(fd, 4096, 0) and (left := until - time.monotonic()) > 0:
            poll.poll(left * 1000)
    except OSError:
        pass  # it was removed
    finally:
        os.close(fd)
