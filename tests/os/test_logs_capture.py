"""Capture: from real processes' pipes into log files, to the last byte, and never for ever."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.logs.capture import Capture
from procession.logs.console import ConsoleStream
from procession.logs.files import LogFolder
from procession.logs.sink import Sink
from tests.programs.output_bytes import KINDS, make
from tests.support.programs import BOUND, PROGRAMS

PIPE = 64 * 1024  # what a new pipe holds


class Capturing:
    """A capture into `folder`, and the ends of the runs and troubles it told of."""

    def __init__(self, folder: Path, **options: float) -> None:
        self.folder = folder
        self.drained: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.troubles: list[str] = []
        self.thread: threading.Thread | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._logs: list[int] = []
        self.capture = Capture(
            self._on_drained,
            on_trouble=self.troubles.append,
            **options,  # type: ignore[arg-type]  # handed through
        )

    def _on_drained(self, run: object) -> None:
        self.thread = threading.current_thread()
        self.drained.put(run)

    def log(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._logs.append(os.open(self.folder / name, flags, 0o600))
        return self._logs[-1]

    def pipe(self, run: object, log: int | None, console: ConsoleStream | None = None) -> int:
        """The write end of a pipe that is captured."""
        read, write = os.pipe()
        self.capture.add(run, read, log=log, console=console)
        return write

    def run(
        self,
        *argv: object,
        name: str = "web",
        number: int = 1,
        console: ConsoleStream | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program whose stdout is captured into NAME.log, as run (NAME, NUMBER)."""
        write = self.pipe((name, number), self.log(f"{name}.log"), console)
        child = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=write,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        os.close(write)
        self._children.append(child)
        return child

    def program(self, program: str, *words: object, **more: object) -> subprocess.Popen[bytes]:
        argv = (sys.executable, "-S", PROGRAMS / program, *words)
        return self.run(*argv, **more)  # type: ignore[arg-type]  # handed through

    def end(self, child: subprocess.Popen[bytes], name: str = "web", number: int = 1) -> bytes:
        """Wait for the child, drain its run; the log."""
        assert child.wait(BOUND) == 0
        self.capture.drain((name, number))
        assert self.drained.get(timeout=BOUND) == (name, number)
        return self.read(name)

    def read(self, name: str = "web") -> bytes:
        return (self.folder / f"{name}.log").read_bytes()

    def close(self) -> None:
        assert self.capture.close(BOUND)
        for child in self._children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stderr):
                if pipe is not None:
                    pipe.close()
        for fd in self._logs:
            os.close(fd)


@pytest.fixture
def capturing(tmp_path: Path) -> Iterator[Capturing]:
    made = Capturing(tmp_path)
    made.capture.start()
    yield made
    made.close()


@pytest.mark.quick
@pytest.mark.parametrize("kind", KINDS)
def test_the_log_is_what_was_written(capturing: Capturing, kind: str) -> None:
    step = 1 if kind == "tiny" else 1000
    child = capturing.program("output_bytes.py", kind, step)
    assert capturing.end(child) == make(kind)
    assert capturing.troubles == []


def test_the_last_lines_of_a_thousand_quick_runs_are_there(capturing: Capturing) -> None:
    log = capturing.log("web.log")
    for start in range(0, 1000, 50):
        children = []
        for number in range(start, start + 50):
            write = capturing.pipe(number, log)
            children.append(subprocess.Popen(["/bin/echo", f"run {number}"], stdout=write))
            os.close(write)
        for number, child in enumerate(children, start):
            assert child.wait(BOUND) == 0
            capturing.capture.drain(number)
        ended = {capturing.drained.get(timeout=BOUND) for _ in children}
        assert ended == set(range(start, start + 50))
    assert sorted(capturing.read().splitlines()) == sorted(b"run %d" % n for n in range(1000))
    assert capturing.troubles == []


@pytest.mark.quick
def test_what_was_added_before_the_start_is_read_after_it(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    write = capturing.pipe("early", capturing.log("web.log"))
    os.write(write, b"early words")
    os.close(write)
    capturing.capture.drain("early")
    assert capturing.drained.empty()
    capturing.capture.start()
    assert capturing.drained.get(timeout=BOUND) == "early"
    assert capturing.read() == b"early words"
    capturing.close()


def test_a_run_is_drained_when_all_its_pipes_are_and_only_then(capturing: Capturing) -> None:
    log = capturing.log("web.log")
    out, err = capturing.pipe("run", log), capturing.pipe("run", log)
    other = capturing.pipe("other", log)
    os.close(out)
    capturing.capture.drain("run")
    capturing.capture.drain("nobody knows it")
    assert capturing.drained.get(timeout=BOUND) == "nobody knows it"
    assert capturing.drained.empty()
    os.write(err, b"last words")
    os.close(err)
    assert capturing.drained.get(timeout=BOUND) == "run"
    assert capturing.read() == b"last words"
    assert capturing.thread is not threading.current_thread()
    os.close(other)
    capturing.capture.drain("other")
    assert capturing.drained.get(timeout=BOUND) == "other"
    assert capturing.drained.empty()
    assert capturing.troubles == []


def test_without_a_log_or_a_console_the_pipe_is_still_emptied(capturing: Capturing) -> None:
    write = capturing.pipe("run", None)
    for _ in range(20):
        assert os.write(write, b"x" * PIPE) == PIPE
    os.close(write)
    capturing.capture.drain("run")
    assert capturing.drained.get(timeout=BOUND) == "run"


# --- somebody outside the tree holds the pipe ---------------------------------------------------


def test_a_silent_outsider_does_not_keep_a_run_from_ending(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, idle_grace=0.1)
    capturing.capture.start()
    child = capturing.program("output_outsider.py", "silent")
    began = time.monotonic()
    log = capturing.end(child)
    assert log.startswith(b"outsider ")
    assert time.monotonic() - began < 30
    [trouble] = capturing.troubles
    assert f"pid {int(log.split()[1])} (python" in trouble
    assert "outlived the run and still held this output open" in trouble
    assert child.stdin is not None
    assert child.stderr is not None
    child.stdin.write(b"!")
    assert child.stderr.read() == b"broken pipe\n"
    capturing.close()


def test_it_is_told_once_for_both_streams_of_a_run(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, idle_grace=0.05)
    capturing.capture.start()
    log = capturing.log("web.log")
    writes = [capturing.pipe("run", log) for _ in range(2)]
    capturing.capture.drain("run")
    assert capturing.drained.get(timeout=BOUND) == "run"
    [trouble] = capturing.troubles
    assert trouble.startswith("log file: a process outlived"), "we ourselves are not named"
    for write in writes:
        with pytest.raises(BrokenPipeError):
            os.write(write, b"x")
        os.close(write)
    capturing.close()


def test_a_pipe_is_looked_into_once_more_before_it_is_given_up(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, idle_grace=1.0)
    capturing.capture.start()
    slow_read, slow_write = os.pipe()  # a log on a disk that takes its time
    busy = capturing.pipe("busy", slow_write)
    held = capturing.pipe("run", capturing.log("web.log"))
    capturing.capture.drain("run")
    capturing.capture.drain("unknown")
    assert capturing.drained.get(timeout=BOUND) == "unknown"  # so the grace began
    os.write(busy, b"x" * PIPE)
    os.write(busy, b"x" * PIPE)  # the first is in the pipe, the second is being written
    os.write(busy, b"x")  # so the thread waits for the disk
    os.write(held, b"late, but there")
    with pytest.raises(queue.Empty):
        capturing.drained.get(timeout=1.5)
    left = 2 * PIPE + 1
    while left:
        left -= len(os.read(slow_read, left))
    assert capturing.drained.get(timeout=BOUND) == "run"
    assert capturing.read() == b"late, but there"
    for fd in (busy, held):
        os.close(fd)
    capturing.close()
    os.close(slow_read)
    os.close(slow_write)


def test_every_block_of_an_outsider_begins_the_grace_anew(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, idle_grace=1.5, drain_cap=BOUND)
    capturing.capture.start()
    child = capturing.program("output_outsider.py", "pauses", 4, 0.5)  # 2 s in all
    log = capturing.end(child)
    assert log.splitlines()[1:] == [b"line 0", b"line 1", b"line 2", b"line 3"]
    assert capturing.troubles == []  # its own end was the end
    capturing.close()


def test_an_outsider_that_never_falls_silent_is_cut_off(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path, idle_grace=0.5, drain_cap=0.7)
    capturing.capture.start()
    child = capturing.program("output_outsider.py", "endless")
    capturing.end(child)
    assert len(capturing.troubles) == 1
    assert child.stderr is not None
    assert child.stderr.read() == b"broken pipe\n"
    capturing.close()


# --- the disk -----------------------------------------------------------------------------------


@pytest.mark.quick
def test_a_full_disk_stops_no_task_and_is_told_once(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    capturing.capture.start()
    full = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    write = capturing.pipe("run", full)
    other = capturing.pipe("other", capturing.log("web.log"))
    for _ in range(20):
        assert os.write(write, b"x" * PIPE) == PIPE  # blocks for ever if it is not read
    os.write(other, b"fine")
    for fd, run in ((write, "run"), (other, "other")):
        os.close(fd)
        capturing.capture.drain(run)
        assert capturing.drained.get(timeout=BOUND) == run
    assert capturing.read() == b"fine"
    first, last = capturing.troubles
    assert "No space left on device" in first
    assert f"{20 * PIPE:,} bytes were lost" in last
    capturing.close()
    os.close(full)


def test_a_log_that_cannot_be_opened_costs_its_bytes_only(capturing: Capturing) -> None:
    sink = Sink("web.log", path=str(capturing.folder / "missing" / "web.log"))
    read, write = os.pipe()
    capturing.capture.add("run", read, log=sink, console=None)
    os.write(write, b"gone")
    os.close(write)
    capturing.capture.drain("run")
    assert capturing.drained.get(timeout=BOUND) == "run"
    assert len(capturing.troubles) == 2
    assert all("web.log" in trouble for trouble in capturing.troubles)


def test_events_are_written_by_the_thread_and_before_and_after_it_at_once(tmp_path: Path) -> None:
    capturing = Capturing(tmp_path)
    folder = LogFolder.create(str(tmp_path), "shop", time.time())
    events = Path(folder.path, "procession.log")
    folder.write_through(capturing.capture.post)
    folder.event("before the start")
    assert events.read_text().count("\n") == 1
    capturing.capture.start()
    for number in range(100):
        folder.event(f"meanwhile {number}")
    capturing.close()
    assert events.read_text().count("\n") == 101
    folder.event("after the end")
    assert events.read_text().count("\n") == 102
    folder.close()


def test_a_sink_of_the_folder_is_opened_with_its_pipe_and_outlives_it(
    capturing: Capturing, tmp_path: Path
) -> None:
    folder = LogFolder.create(str(tmp_path), "shop", time.time())
    assert folder.sink("web", "stdout") is folder.sink("web", "stdout")
    for number in range(2):
        read, write = os.pipe()
        capturing.capture.add(number, read, log=folder.sink("web", "stdout"), console=None)
        if number:
            os.write(write, b"words")
        os.close(write)
        capturing.capture.drain(number)
        assert capturing.drained.get(timeout=BOUND) == number
        assert Path(folder.path, "web.log").read_bytes() == (b"words" if number else b"")
    assert folder.close() is None
