"""What texts of the Linux kernel say: mounts and control groups. Pure; paths are POSIX ones."""

from __future__ import annotations

import posixpath

from procession._record import Record


class Cgroup(Record):
    """The version 2 hierarchy, as seen from here. `folder`: our own group in it; empty where the
    hierarchy is mounted but our group lies outside of what is. `path`: as the kernel calls it."""

    mount: str
    folder: str
    others: int  # hierarchies of version 1 beside it
    path: str = ""


def path_in(own: str) -> str | None:
    """The group that a text of /proc/PID/cgroup tells; None: none, or outside of our namespace."""
    for line in own.splitlines():
        if line.startswith("0::"):
            return line[3:] if not line.startswith("0::/..") else None
    return None


def cgroup(mountinfo: str, own: str) -> Cgroup | None:
    """From the texts of /proc/self/mountinfo and /proc/self/cgroup; None: no version 2 is mounted.

    Where it is mounted is not always /sys/fs/cgroup (cgroups(7), "hybrid"), and what is mounted
    may be a part of the hierarchy (a container's).
    """
    others = 0
    mount: tuple[str, str] | None = None
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind = rest.split(" ", 1)[0]
        if kind == "cgroup":
            others += 1
        elif kind == "cgroup2" and mount is None:
            words = fields.split(" ")
            mount = _unescaped(words[3]), _unescaped(words[4])
    if mount is None:
        return None
    root, point = mount
    path = path_in(own)
    folder = ""
    if path is not None:
        inside = "/" if path == root else path.removeprefix(root.rstrip("/") + "/")
        if inside != path or root == "/":
            folder = posixpath.normpath(f"{point}/{inside}")
    return Cgroup(point, folder, others, path or "")


def _unescaped(path: str) -> str:
    """Blanks and the like are written as \\040 in there (proc_pid_mountinfo(5))."""
    for code in ("040", "011", "012", "134"):
        path = path.replace(f"\\{code}", chr(int(code, 8)))
    return path


def hidepid(mountinfo: str) -> str:
    """The option of the mount at /proc; empty: there is none."""
    found = ""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split(" ")[4:5] == ["/proc"] and rest.startswith("proc "):
            options = rest.rsplit(" ", 1)[-1].split(",")
            found = next((o[8:] for o in options if o.startswith("hidepid=")), "")
    return found
