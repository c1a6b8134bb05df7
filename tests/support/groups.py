"""Control groups (version 2) of a test's own, given to an ordinary user as an administrator would.

Root alone can make them. Whatever is left in one when its test ends is killed, and it is removed.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import PROGRAMS, as_ordinary_user

NOBODY = 65534
WITHIN = 10.0  # seconds


def hierarchy() -> Path:
    """Where version 2 is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 "):
            return Path(fields.split(" ")[4])
    raise AssertionError("these tests need a version 2 hierarchy of control groups")


class Group:
    """One group. `folder` is where it is; `places` are what procession made in it."""

    def __init__(self, folder: Path, owner: int | None) -> None:
        self.folder = folder
        folder.mkdir()
        if owner is not None:
            for path in (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control"):
                os.chown(path, owner, owner)

    @property
    def wrap(self) -> list[str]:
        """What goes before a command that an ordinary user shall run in it."""
        return [*self.root, *as_ordinary_user([])]

    @property
    def root(self) -> list[str]:
        """The same, by who calls."""
        return [sys.executable, "-S", str(PROGRAMS / "up_in_group.py"), str(self.folder)]

    @property
    def places(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("procession-*") if path.is_dir())

    def leaves(self) -> dict[str, Path]:
        """The leaf of each live run, by the name of its task."""
        found = {}
        for place in self.places:
            for path in place.iterdir():
                if path.is_dir():
                    found[path.name.partition(".")[2].rpartition(".")[0]] = path
        return found

    def pids(self) -> set[int]:
        """All that live in it, at any depth."""
        return {
            int(word)
            for path in (self.folder, *(p for p in self.folder.rglob("*") if p.is_dir()))
            for word in (path / "cgroup.procs").read_text().split()
        }

    def close(self) -> None:
        (self.folder / "cgroup.freeze").write_text("0")
        (self.folder / "cgroup.kill").write_text("1")
        until_empty(self.folder)
        below = sorted((p for p in self.folder.rglob("*") if p.is_dir()), reverse=True)
        for path in (*below, self.folder):
            path.rmdir()


def until_empty(folder: Path, within: float = WITHIN) -> None:
    """Wait until nobody lives in a group; the kernel tells by POLLPRI."""
    deadline = time.monotonic() + within
    fd = os.open(folder / "cgroup.events", os.O_RDONLY)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        while b"populated 1" in os.pread(fd, 4096, 0):
            left = deadline - time.monotonic()
            assert left > 0, f"somebody lives in {folder}"
            poll.poll(1000 * left)
    finally:
        os.close(fd)


def in_leaf(pid: int, leaf: Path) -> bool:
    own = Path(f"/proc/{pid}/cgroup").read_text()
    return any(line.startswith("0::") and line.endswith(leaf.name) for line in own.splitlines())


_made = 0


def make(owner: int | None = NOBODY) -> Group:
    global _made
    _made += 1
    return Group(hierarchy() / f"procession-test-{os.getpid()}-{_made}", owner)


@pytest.fixture
def group() -> Iterator[Group]:
    """A group that was given to the user whom `wrap` makes of us."""
    made = make()
    yield made
    made.close()


@pytest.fixture
def inside() -> Iterator[Group]:
    """A group of root's, and this process in it."""
    made = make(owner=None)
    (made.folder / "cgroup.procs").write_text("0")
    yield made
    (hierarchy() / "cgroup.procs").write_text("0")
    made.close()
