"""Brief system calls, as `os` has them and with the interpreter kept: nobody can tell which."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
import time

import pytest

from procession.process import brief
from procession.process._handle_posix import pidfd_of
from procession.process.handle import Usage


@pytest.fixture(params=["let go", "kept"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(brief, "pipe", os.pipe)
    monkeypatch.setattr(brief, "close", os.close)
    monkeypatch.setattr(brief, "reap", brief._reap)
    monkeypatch.setattr(brief, "usage", brief._usage)
    if request.param == "kept":
        brief.keep_interpreter()
    return bool(request.param == "kept")


@pytest.mark.quick
def test_a_pipe_is_closed_on_exec(kept: bool) -> None:
    reads, writes = brief.pipe()
    assert not os.get_inheritable(reads)
    assert not os.get_inheritable(writes)
    os.write(writes, b"x")
    assert os.read(reads, 10) == b"x"
    brief.close(writes)
    assert os.read(reads, 10) == b""
    brief.close(reads)


@pytest.mark.quick
def test_errors_are_those_of_the_kernel(kept: bool) -> None:
    reads, writes = brief.pipe()
    os.close(writes)
    os.close(reads)
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)) as bad:
        brief.close(reads)
    assert bad.value.errno == errno.EBADF
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)) as full:
            brief.pipe()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert full.value.errno == errno.EMFILE


@pytest.mark.quick
@pytest.mark.parametrize("pinned", [True, False])
def test_a_child_that_ended_is_reaped_with_what_it_used(kept: bool, pinned: bool) -> None:
    busy = "import time\nwhile time.process_time() < 0.1: pass"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", busy])
    pidfd = pidfd_of(child.pid) if pinned else None
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    used = brief.reap(child.pid, pidfd)
    child.returncode = 0
    usage = brief.usage(used)
    assert isinstance(usage, Usage)
    assert 0.1 <= usage.user + usage.system < 10
    assert 1_000_000 < usage.max_rss < 1_000_000_000
    assert usage.major_faults >= 0
    assert brief.reap(child.pid, pidfd) is None  # somebody else was quicker
    if pidfd is not None:
        os.close(pidfd)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are those of os")
def test_nobody_else_runs_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brief, "pipe", os.pipe)
    monkeypatch.setattr(brief, "close", os.close)
    monkeypatch.setattr(brief, "reap", brief._reap)
    monkeypatch.setattr(brief, "usage", brief._usage)
    brief.keep_interpreter()
    count = 0
    ends = threading.Event()

    def work() -> None:
        nonlocal count
        while not ends.is_set():
            count += 1
            time.sleep(0)  # gives the interpreter to whoever wants it

    thread = threading.Thread(target=work)
    before = sys.getswitchinterval()
    thread.start()
    try:
        sys.setswitchinterval(100)  # nobody is made to give it away, once that is heard
        for _ in range(10):
            seen = count
            for _ in range(300):
                for fd in brief.pipe():
                    brief.close(fd)
            if count == seen:
                break
            time.sleep(0)
        assert count == seen
    finally:
        sys.setswitchinterval(before)
        ends.set()
        thread.join(10)
