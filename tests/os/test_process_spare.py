"""A descriptor in reserve, by which processes are looked at where none is left."""

from __future__ import annotations

import errno
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from procession.process import spare

if sys.platform == "linux":
    from procession.process import _linux
    from procession.process._cgroup_linux import folders
    from procession.process._seen_linux import read_crowd

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
    try:
        while True:
            try:
                taken.append(os.dup(taken[0]))
            except OSError:
                break
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)


@pytest.fixture
def kept() -> Iterator[None]:
    spare.keep()
    yield
    spare.give_back()


def test_what_is_needed_late_is_loaded_with_it(
    kept: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what that imports in its turn: each file is closed before the next is opened."""
    (tmp_path / "late_outer.py").write_text("import late_inner\nfound = late_inner.found\n")
    (tmp_path / "late_inner.py").write_text("found = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with no_descriptor_left():
        spare.load("late_outer")
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
    assert sys.modules.pop("late_outer").found == 7
    assert sys.modules.pop("late_inner")


def test_what_is_not_there_cannot_be_loaded(kept: None) -> None:
    with pytest.raises(ModuleNotFoundError):
        spare.load("procession.no_such_module")


@pytest.mark.quick
def test_processes_are_seen_with_the_descriptor_in_reserve(kept: None) -> None:
    ours = os.getpid()
    with no_descriptor_left():
        for _ in range(3):  # it is there again each time
            assert _linux.stat(ours).pid == ours
            assert _linux.children() is not None
            assert ours in _linux.parents()
            assert os.getppid() in read_crowd(0, ())
            assert folders("/proc/self/task")
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        with pytest.raises(ProcessLookupError):
            _linux.stat(2**22 + 1)
    assert spare._fd >= 0


def test_without_one_the_lack_is_told(kept: None) -> None:
    with no_descriptor_left():
        fd, spare._fd = spare._fd, -1  # another thread was quicker
        with pytest.raises(OSError, match="Too many open files") as told:
            _linux.stat("self")
        assert told.value.errno == errno.EMFILE
        os.close(fd)
        spare.renew()
        assert spare._fd >= 0
        assert _linux.stat("self").pid == os.getpid()


def test_it_is_given_back_by_the_last_who_keeps_it(kept: None) -> None:
    spare.keep()
    spare.give_back()
    assert spare._fd >= 0
