"""Capture as a guest: its pipes, its descriptors, its thread, and its own end."""

from __future__ import annotations

import fcntl
import os
import resource
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.errors import HostError
from procession.logs.pipes import GROWN, PipeBudget
from tests.os.test_logs_capture import PIPE, Capturing
from tests.support.programs import BOUND, PROGRAMS, Program, as_ordinary_user


@pytest.fixture
def capturing(tmp_path: Path) -> Iterator[Capturing]:
    made = Capturing(tmp_path)
    made.capture.start()
    yield made
    made.close()


def held(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


def test_a_pipe_grows_when_it_was_found_full_and_not_before(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    log = capturing.log("web.log")
    full, calm, second = (capturing.pipe(run, log) for run in ("full", "calm", "second"))
    assert os.write(full, b"x" * PIPE) == PIPE
    os.write(calm, b"x" * (PIPE // 2))
    capturing.capture.start()
    assert os.write(full, b"x" * (2 * PIPE)) == 2 * PIPE  # returns when the first was read
    os.close(second)
    capturing.capture.drain("second")
    assert capturing.drained.get(timeout=BOUND) == "second"
    assert held(full) == GROWN
    assert held(calm) == PIPE
    for fd in (full, calm):
        os.close(fd)
    capturing.close()
    assert len(capturing.read()) == 3 * PIPE + PIPE // 2


def test_a_pipe_that_ended_gives_its_growth_to_the_next(tmp_path: Path) -> None:
    made = Capturing(tmp_path, pipe_budget=GROWN)  # for one pipe
    made.capture.start()
    log = made.log("web.log")
    for run in range(3):
        write = made.pipe(run, log)
        os.write(write, b"x" * 2 * GROWN)
        assert held(write) == GROWN
        os.close(write)
        made.capture.drain(run)
        assert made.drained.get(timeout=BOUND) == run
    made.close()


def test_growth_stays_within_its_budget_and_is_given_back() -> None:
    pipes = [os.pipe() for _ in range(3)]
    budget = PipeBudget(2 * (GROWN - PIPE))
    grown = [budget.grow(read) for read, _ in pipes]
    assert grown == [GROWN - PIPE, GROWN - PIPE, 0]
    assert [held(read) for read, _ in pipes] == [GROWN, GROWN, PIPE]
    assert budget.full_at(pipes[0][0]) == 0, "it would be grown again"
    budget.give_back(grown[0])
    assert budget.grow(pipes[2][0]) == GROWN - PIPE
    for fds in pipes:
        for fd in fds:
            os.close(fd)


def test_what_is_no_pipe_is_not_grown(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        assert PipeBudget().full_at(file.fileno()) == 0
        assert PipeBudget().grow(file.fileno()) == 0


def test_a_pipe_that_may_not_grow_stays_as_it_is() -> None:
    with Program(*as_ordinary_user([sys.executable, str(PROGRAMS / "output_grow.py")])) as program:
        assert program.wait() == 0, program.errors
        assert program.output == b"False\nTrue\n"


def test_close_reads_what_is_there_and_ends_every_drain(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    capturing.capture.start()
    write = capturing.pipe("run", capturing.log("web.log"))
    os.write(write, b"x" * 50_000)
    capturing.capture.drain("run")
    began = time.monotonic()
    assert capturing.capture.close(40)
    assert time.monotonic() - began < 30
    assert capturing.drained.get_nowait() == "run"
    assert len(capturing.read()) == 50_000
    with pytest.raises(BrokenPipeError):
        os.write(write, b"nobody reads this")
    os.close(write)
    capturing.close()


def test_close_without_a_start_owes_nothing(tmp_path: Path) -> None:
    never = Capturing(tmp_path)
    never.close()
    capturing = Capturing(tmp_path)
    write = capturing.pipe("run", capturing.log("web.log"))
    os.write(write, b"words")
    os.close(write)
    capturing.capture.drain("run")
    capturing.close()
    assert capturing.read() == b"words"
    assert capturing.drained.get_nowait() == "run"


def test_after_close_nothing_is_taken_and_nothing_is_kept(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    capturing.capture.start()
    capturing.close()
    read, write = os.pipe()
    with pytest.raises(RuntimeError, match="closed"):
        capturing.capture.add("run", read, log=None, console=None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read)
    os.close(write)
    with pytest.raises(RuntimeError, match="closed"):
        capturing.capture.drain("run")
    with pytest.raises(RuntimeError, match="once"):
        capturing.capture.start()
    assert capturing.capture.close(BOUND)


def test_a_descriptor_that_cannot_be_read_is_told_and_harms_no_other(capturing: Capturing) -> None:
    with open(capturing.folder / "file", "wb+") as file:
        capturing.capture.add("odd", os.dup(file.fileno()), log=None, console=None)
    capturing.capture.drain("odd")
    assert capturing.drained.get(timeout=BOUND) == "odd"
    [trouble] = capturing.troubles
    assert "cannot be read" in trouble
    write = capturing.pipe("run", capturing.log("web.log"))
    os.write(write, b"words")
    os.close(write)
    capturing.capture.drain("run")
    assert capturing.drained.get(timeout=BOUND) == "run"
    assert capturing.read() == b"words"


def test_a_terminal_that_hangs_up_is_an_end(capturing: Capturing) -> None:
    master, slave = os.openpty()
    capturing.capture.add("run", master, log=capturing.log("web.log"), console=None)
    os.write(slave, b"from a terminal\n")
    os.close(slave)
    capturing.capture.drain("run")
    assert capturing.drained.get(timeout=BOUND) == "run"
    assert capturing.read() == b"from a terminal\r\n"
    assert capturing.troubles == []


def test_children_inherit_none_of_its_descriptors(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    capturing = Capturing(tmp_path)
    capturing.capture.start()
    read, write = os.pipe()
    os.set_inheritable(read, True)
    capturing.capture.add("run", read, log=capturing.log("web.log"), console=None)
    ours = [int(fd) for fd in set(os.listdir("/proc/self/fd")) - before]
    inheritable = [fd for fd in ours if os.path.exists(f"/proc/self/fd/{fd}")]
    assert len(inheritable) >= 5
    assert not any(os.get_inheritable(fd) for fd in inheritable)
    os.close(write)
    capturing.close()


def test_a_host_without_descriptors_is_an_error_of_the_start(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, hard))
    free = set(range(used + 1)) - {int(fd) for fd in os.listdir("/proc/self/fd")}
    fillers = [os.dup(0) for _ in free]  # all but the one the listing itself took
    try:
        with pytest.raises(HostError, match="Too many open files"):
            capturing.capture.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in fillers:
            os.close(fd)
    capturing.capture.start()  # nothing was left half done
    capturing.close()


def test_a_host_without_threads_is_an_error_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    capturing = Capturing(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(HostError, match="can't start new thread"):
            capturing.capture.start()
    write = capturing.pipe("run", capturing.log("web.log"))
    os.write(write, b"words")
    os.close(write)
    capturing.close()  # which starts it for what is owed
    assert capturing.read() == b"words"


def test_it_loads_nothing_that_the_start_cannot_afford() -> None:
    heavy = {
        *("asyncio", "dataclasses", "datetime", "json", "logging", "pathlib", "platformdirs"),
        *("shlex", "socket", "subprocess", "tempfile", "typing"),
    }
    code = (
        "import sys\n"
        "import procession.logs.capture, procession.logs.console, procession.logs.files\n"
        f"print(sorted({heavy!r} & set(sys.modules)))\n"
    )
    with Program.python("-c", code) as program:
        assert program.wait() == 0, program.errors
        assert program.output == b"[]\n"
