"""The console when its output fails: closed, hung up, full, or of an odd kind."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.logs.console import Console, Unshown
from tests.os.test_logs_console import PIPE, Room, Screen, Showing, feed, never, never_mind
from tests.support.programs import BOUND


@pytest.fixture
def showing() -> Iterator[Showing]:
    made = Showing()
    yield made
    made.close()


@pytest.mark.quick
def test_a_closed_stdout_ends_that_output_only(showing: Showing) -> None:
    stream = showing.console.stream("web", "stdout")
    other = showing.console.stream("web", "stderr")
    os.close(showing.out.fd)
    showing.out.fd = -1
    feed(stream, b"nobody reads this")
    deadline = time.monotonic() + BOUND
    while not showing.troubles and time.monotonic() < deadline:
        showing.console.say("x")
        showing.err.read(b"x")
    assert stream.closed
    assert not other.closed
    assert feed(stream, b"vanishes"), "a dead output holds nobody back"
    feed(other, b"still here")
    showing.console.close(BOUND)
    assert showing.err.rest().endswith(b"web        | still here\n")
    [trouble] = showing.troubles
    assert trouble.startswith("stdout: nobody reads it any more")


def test_a_broken_pipe_kills_nobody_whatever_became_of_the_signal(showing: Showing) -> None:
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.close(showing.err.fd)
        showing.err.fd = -1
        showing.console.say("x")
        showing.console.close(BOUND)
    finally:
        signal.signal(signal.SIGPIPE, before)
    assert len(showing.troubles) == 1


def test_a_death_wakes_those_who_wait_for_room() -> None:
    showing = Showing(limit=16 * 1024)
    fcntl.fcntl(showing.out.write, fcntl.F_SETPIPE_SZ, 4096)  # no more than a quarter of it
    stream = showing.console.stream("web", "stdout")
    room = Room()
    while stream.offer(b"x" * 1023 + b"\n", room):
        pass
    assert not stream.closed
    os.close(showing.out.fd)
    showing.out.fd = -1
    assert select.select([room.fd], [], [], BOUND)[0]
    assert stream.closed
    showing.close()
    room.close()


def test_a_full_disk_loses_lines_and_goes_on(showing: Showing) -> None:
    full = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    troubles: list[str] = []
    failed = threading.Event()

    def trouble(text: str) -> None:
        troubles.append(text)
        failed.set()

    console = Console(
        full, showing.err.write, names=(), color=False, timestamps=False, on_trouble=trouble
    )
    stream = console.stream("web", "stdout")
    for _ in range(3):
        feed(stream, b"lost")
    assert failed.wait(BOUND)
    feed(stream, b"lost")
    assert not stream.closed
    unshown = console.close(BOUND)
    assert unshown.size == 4 * len(b"web        | lost\n")
    assert troubles == ["stdout: No space left on device: output is lost until it has room"]
    os.close(full)


def test_a_terminal_shows_it_and_its_hang_up_ends_only_the_showing() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    troubles: list[str] = []
    console = Console(
        slave, slave, names=(), color=False, timestamps=False, on_trouble=troubles.append
    )
    flags = fcntl.fcntl(slave, fcntl.F_GETFL)
    console.say("on the terminal")
    seen = b""
    while not seen.endswith(b"\n"):
        assert select.select([master], [], [], BOUND)[0]
        seen += os.read(master, 1000)
    assert seen == b"procession | on the terminal\n"
    stream = console.stream("web", "stdout")
    block = b"x" * 1023 + b"\n"
    for _ in range(200):  # more than a terminal holds
        assert stream.offer(block, never_mind)
    assert fcntl.fcntl(slave, fcntl.F_GETFL) == flags
    os.close(master)
    console.close(BOUND)
    assert stream.closed
    assert troubles == [
        "stdout and stderr: the terminal is gone; the tasks go on, their output is in the logs only"
    ]
    os.close(slave)


def test_a_socket_is_written_to_without_blocking_for_ever() -> None:
    ours, theirs = socket.socketpair()
    screen = Screen()
    console = Console(ours.fileno(), screen.write, names=(), color=False, timestamps=False)
    stream = console.stream("web", "stdout")
    lines = b"".join(b"web        | %d\n" % n for n in range(200_000))
    assert stream.offer(lines, never)
    seen = theirs.recv(100)
    assert seen == lines[:100]
    began = time.monotonic()
    unshown = console.close(0.1)
    assert time.monotonic() - began < 30
    assert unshown.size > 0
    ours.close()
    rest = bytearray(seen)
    while block := theirs.recv(PIPE):
        rest += block
    assert rest == lines[: len(lines) - unshown.size]
    theirs.close()
    screen.close()


def test_a_file_gets_everything(tmp_path: Path) -> None:
    path = tmp_path / "out"
    screen = Screen()
    with open(path, "wb") as file:
        console = Console(file.fileno(), screen.write, names=(), color=False, timestamps=False)
        stream = console.stream("web", "stdout")
        lines = [b"web        | %d\n" % n * 1000 for n in range(100)]
        for block in lines:
            assert stream.offer(block, never)
        assert console.close(BOUND) == Unshown(0, 0)
    assert path.read_bytes() == b"".join(lines)
    screen.close()
