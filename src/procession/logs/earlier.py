"""The logs of a project's earlier runs: which of them are kept, and what they take.

A folder that a supervisor still writes to is left alone: it holds a lock (flock(2)) on it. So is
whatever does not look like ours in it: a folder with something of the user's stays, with that.
"""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.logs.bounds import Bounds

_OURS = r"(?s).+\.log(\.[0-9]+)?"
_STAMP = r"-(\d{4}-\d\d-\d\d--\d\d-\d\d-\d\d)(?:-(\d+))?"


def clean(folder: str, project: str, bounds: Bounds) -> None:
    """Remove the oldest runs' logs beside `folder` (that of this run), so that with it no more
    than `bounds.limits.runs` are kept, and tell `bounds` of the rest. Blocks as long as the disk
    does; what cannot be read or removed stays.
    """
    parent, own = os.path.split(folder)
    earlier = [name for name in runs(parent, project) if name != own]
    keep = max(0, bounds.limits.runs - 1)
    kept: list[tuple[str, int]] = []
    for at, name in enumerate(earlier):
        path = os.path.join(parent, name)
        lock = hold(path, only_if_free=True)
        if lock is None:
            continue
        try:
            files = _files(path)
            if at < len(earlier) - keep:
                _remove(path, files)
            else:
                kept += files
        finally:
            release(lock)
    bounds.older(kept)


def runs(parent: str, project: str) -> list[str]:
    """Names of the folders of the project's runs, the oldest first."""
    stamp = re.compile(re.escape(project) + _STAMP)
    found: list[tuple[str, int, str]] = []
    try:
        with os.scandir(parent) as entries:
            for entry in entries:
                match = stamp.fullmatch(entry.name)
                if match is not None and entry.is_dir(follow_symlinks=False):
                    found.append((match[1], int(match[2] or 1), entry.name))
    except OSError:
        return []  # the account begins with what we write ourselves
    return [name for _, _, name in sorted(found)]


def _files(folder: str) -> list[tuple[str, int]]:
    """(path, bytes) of what we have written there, the oldest first."""
    found: list[tuple[int, str, int]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if re.fullmatch(_OURS, entry.name) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, entry.path, status.st_size))
    except OSError:
        return []
    return [(path, size) for _, path, size in sorted(found)]


def _remove(folder: str, files: list[tuple[str, int]]) -> None:
    for path, _ in files:
        try:
            os.unlink(path)
        except OSError:
            continue  # the folder stays with it, and somebody may wonder about that
    try:
        os.rmdir(folder)
    except OSError:
        return  # something is in it that is not ours


if sys.platform == "win32":

    def hold(folder: str, *, only_if_free: bool = False) -> int | None:
        """Nothing is needed: Windows removes no file that somebody has open."""
        return -1

    def release(lock: int) -> None:
        """Of `hold`."""

else:
    import fcntl

    def hold(folder: str, *, only_if_free: bool = False) -> int | None:
        """Say that the folder is in use, until `release` or our end. None: it cannot be said, or
        (`only_if_free`) somebody else says so. Two may not hold one folder, and never would."""
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held; or a file system without locks, where nothing is removed then
            os.close(fd)
            return None
        return fd

    def release(lock: int) -> None:
        """Of `hold`."""
        os.close(lock)
