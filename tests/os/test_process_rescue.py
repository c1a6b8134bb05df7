"""What a task writes while the guardian sweeps it: whose pipe is read, and whose never."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.process._rescue_linux import Rescue
from procession.process.link import Known


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    fds = list(os.pipe())
    yield fds
    for fd in fds:
        os.close(fd)


def run_with(*fds: int) -> Known:
    outputs = tuple((fd, os.fstat(fd).st_ino) for fd in fds)
    return Known(signal.SIGTERM, 1.0, os.getpid(), outputs)


def logs_in(folder: Path) -> Rescue:
    def open_log(cookie: str, stream: str) -> int:
        return os.open(folder / f"{cookie}.{stream}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    return Rescue(os.getpid(), open_log)


@pytest.mark.quick
def test_what_was_held_before_is_read_after(tmp_path: Path, pipe: list[int]) -> None:
    rescue = logs_in(tmp_path)
    rescue.keep({"run": run_with(pipe[0])})
    wakes = os.pipe()
    try:
        os.close(pipe[0])  # the supervisor is dead
        os.write(pipe[1], b"last words\n")
        rescue.begin(wakes[0])
        rescue.wait(10)
        rescue.close()
    finally:
        for fd in wakes:
            os.close(fd)
        pipe[0] = os.open(os.devnull, os.O_RDONLY)
    assert (tmp_path / "run.stdout").read_bytes() == b"last words\n"


def test_a_file_is_never_taken_for_a_pipe_of_the_same_number(tmp_path: Path) -> None:
    """Inodes of different file systems are the same now and then."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"not a log\n")
    before = os.listdir("/proc/self/fd")
    with secret.open("rb") as file:
        rescue = logs_in(tmp_path)
        run = run_with(file.fileno())
        rescue.keep({"run": run})
        rescue.take_over([os.getpid()], {"run": run})
        assert len(os.listdir("/proc/self/fd")) == len(before) + 1
        rescue.close()
    assert not (tmp_path / "run.stdout").exists()


def test_what_has_ended_is_held_no_longer(tmp_path: Path, pipe: list[int]) -> None:
    """A process that was left on purpose meets the closed pipe that it was told of."""
    rescue = logs_in(tmp_path)
    before = set(os.listdir("/proc/self/fd"))
    rescue.keep({"run": run_with(pipe[0])})
    assert set(os.listdir("/proc/self/fd")) - before
    rescue.keep({})
    assert set(os.listdir("/proc/self/fd")) == before
    rescue.close()
