"""Capture and console together: a terminal that is slow, stuck or gone costs no task anything."""

from __future__ import annotations

import fcntl
import os
import queue
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from procession.logs.console import Unshown
from procession.logs.tame import tame
from tests.os.test_logs_capture import Capturing
from tests.os.test_logs_console import Showing
from tests.programs.output_bytes import KINDS, make
from tests.support.programs import BOUND

COUNT = 120_000  # lines of a flood: some 1.3 MB, more than all pipes and queues hold
LIMIT = 64 * 1024


def flood(word: str, count: int = COUNT) -> bytes:
    return b"".join(b"%b %d\n" % (word.encode(), n) for n in range(count)) + b"%b done\n" % (
        word.encode()
    )


def shown(screen: bytes, name: str) -> list[bytes]:
    """The lines shown of one task; every line of the screen must be a whole one of somebody."""
    lines = screen.splitlines()
    for line in lines:
        assert re.match(rb"(web|db|procession) +\| ", line), f"a mixed line: {line!r}"
    start = name.encode().ljust(10) + b" | "
    return [line.removeprefix(start) for line in lines if line.startswith(start)]


class Both:
    """A capture and a console."""

    def __init__(
        self, folder: Path, *, capturing: Mapping[str, float] | None = None, **options: object
    ) -> None:
        self.showing = Showing(**options)
        self.capturing = Capturing(folder, **(capturing or {}))
        self.capturing.capture.start()
        self.out = self.showing.console.stream("web", "stdout", "web.log")

    def flood(self, name: str, count: int = COUNT) -> subprocess.Popen[bytes]:
        console = self.showing.console.stream(name, "stdout", f"{name}.log")
        return self.capturing.program("output_flood.py", name, count, name=name, console=console)

    def close(self) -> None:
        self.showing.close()
        self.capturing.close()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path)
    yield made
    made.close()


@pytest.mark.quick
@pytest.mark.parametrize("kind", KINDS)
def test_the_terminal_shows_the_lines_and_the_log_has_the_bytes(both: Both, kind: str) -> None:
    child = both.capturing.program("output_bytes.py", kind, console=both.out)
    data = make(kind)
    whole = data if data.endswith(b"\n") else data + b"\n"
    shown = data if kind == "long" else tame(whole)  # the screen gets no control sequences
    size = len(shown) + 13 * shown.count(b"\n")
    both.showing.out.until(lambda seen: len(seen) >= size)
    assert both.capturing.end(child) == data
    assert both.showing.console.close(BOUND) == Unshown(0, 0)
    screen = both.showing.out.rest()
    if kind == "long":  # broken, for the screen: where, is a matter of how it was read
        pieces = [line.removeprefix(b"web        | ") for line in screen.split(b"\n")]
        assert b"".join(pieces) == data
    else:
        lines = shown.removesuffix(b"\n").split(b"\n")
        assert screen == b"".join(b"web        | " + line + b"\n" for line in lines)


def test_a_prompt_is_shown_though_its_line_is_not_complete(both: Both) -> None:
    write = both.capturing.pipe("run", both.capturing.log("web.log"), both.out)
    os.write(write, b"starting\nreally? ")
    both.showing.out.read(b"web        | starting\n")
    both.showing.out.read(b"web        | really? \n")
    os.write(write, b"\nyes\n")
    os.close(write)
    both.capturing.capture.drain("run")
    assert both.capturing.drained.get(timeout=BOUND) == "run"
    both.showing.console.close(BOUND)
    assert both.showing.out.rest().splitlines() == [
        b"web        | starting",
        b"web        | really? ",
        b"web        | yes",
    ]
    assert both.capturing.read() == b"starting\nreally? \nyes\n"


def test_lines_of_two_floods_never_mix(both: Both) -> None:
    children = {name: both.flood(name) for name in ("web", "db")}
    both.showing.out.until(lambda seen: b"web done\n" in seen and b"db done\n" in seen)
    for name, child in children.items():
        assert both.capturing.end(child, name) == flood(name)
    both.showing.console.close(BOUND)
    screen = both.showing.out.rest()
    for name in children:
        assert b"\n".join(shown(screen, name)) + b"\n" == flood(name)


@pytest.mark.quick
def test_a_stuck_terminal_holds_back_the_flood_and_nobody_else(tmp_path: Path) -> None:
    both = Both(tmp_path, limit=LIMIT, patience=60.0)
    noisy = both.flood("web")
    both.showing.out.until(lambda seen: len(seen) > 0)
    calm = both.flood("db", 3)
    assert both.capturing.end(calm, "db") == flood("db", 3)
    assert noisy.poll() is None, "it was not held back"
    both.showing.out.read(b"web done\n")
    assert both.capturing.end(noisy) == flood("web")
    assert both.showing.console.close(BOUND) == Unshown(0, 0)
    screen = both.showing.out.rest()
    assert b"\n".join(shown(screen, "web")) + b"\n" == flood("web")
    assert b"\n".join(shown(screen, "db")) + b"\n" == flood("db", 3)
    both.close()


@pytest.mark.quick
def test_after_its_patience_the_flood_goes_on_and_every_line_is_shown_or_told(
    tmp_path: Path,
) -> None:
    both = Both(tmp_path, limit=LIMIT, patience=0.2)
    noisy = both.flood("web")
    assert both.capturing.end(noisy) == flood("web")  # nobody has read a line of it yet
    both.showing.out.until(lambda seen: len(seen) >= LIMIT)
    told = both.showing.err.read(b"web.log has all of it\n")
    [lost] = re.findall(rb"web: ([\d,]+) lines .* of its stdout not shown", told)
    again = both.flood("web", 2)  # and then its lines are shown again
    assert both.capturing.end(again) == flood("web") + flood("web", 2)
    both.showing.out.read(b"web done\n")
    both.showing.console.close(BOUND)
    lines = shown(both.showing.out.rest(), "web")
    assert lines[-3:] == [b"web 0", b"web 1", b"web done"]
    assert len(lines) - 3 + int(lost.replace(b",", b"")) == COUNT + 1
    assert lines[:-3] == flood("web").splitlines()[: len(lines) - 3]
    both.close()


def test_a_run_that_ended_is_drained_though_the_terminal_is_stuck(tmp_path: Path) -> None:
    both = Both(tmp_path, limit=LIMIT, patience=0.2)
    for number in range(1, 11):  # the same task again and again, as after failures
        child = both.capturing.program(
            "output_flood.py", "web", 5000, number=number, console=both.out
        )
        both.capturing.end(child, number=number)
    assert both.capturing.read() == flood("web", 5000) * 10
    unshown = both.showing.console.close(0.0)
    screen = both.showing.out.rest()
    assert unshown.lines > 0
    assert len(screen) <= 3 * LIMIT
    both.close()


def test_a_pause_is_not_taken_for_the_silence_of_an_outsider(tmp_path: Path) -> None:
    both = Both(tmp_path, limit=4096, patience=60.0, capturing={"idle_grace": 0.1})
    fcntl.fcntl(both.showing.out.write, fcntl.F_SETPIPE_SZ, 4096)
    write = both.capturing.pipe("run", both.capturing.log("web.log"), both.out)
    both.capturing.capture.drain("run")
    block = b"x" * 99 + b"\n"
    for _ in range(3):  # one is shown, one is refused, one stays in the pipe
        os.write(write, block * 600)
    with pytest.raises(queue.Empty):
        both.capturing.drained.get(timeout=0.4)
    os.close(write)
    both.showing.out.until(lambda seen: seen.count(b"\n") == 1800)
    assert both.capturing.drained.get(timeout=BOUND) == "run"
    assert both.capturing.read() == block * 1800
    assert both.capturing.troubles == []
    both.close()


def test_a_closed_terminal_ends_the_showing_and_nothing_else(both: Both) -> None:
    noisy = both.flood("web")
    both.showing.out.until(lambda seen: len(seen) > 0)
    os.close(both.showing.out.fd)
    both.showing.out.fd = -1
    assert both.capturing.end(noisy) == flood("web")
    again = both.flood("web", 3)
    assert both.capturing.end(again) == flood("web") + flood("web", 3)
    assert len(both.showing.troubles) == 1
    assert both.capturing.troubles == []


def test_a_muted_terminal_holds_no_task_back(tmp_path: Path) -> None:
    both = Both(tmp_path, limit=LIMIT, patience=60.0)
    both.showing.console.mute()
    noisy = both.flood("web")
    assert both.capturing.end(noisy) == flood("web")
    both.showing.console.unmute()
    both.showing.err.read(b"not shown")
    both.close()


def test_full_disk_and_stuck_terminal_together_lose_it_all_and_hold_nobody(tmp_path: Path) -> None:
    both = Both(tmp_path, limit=LIMIT, patience=0.1)
    full = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    write = both.capturing.pipe("run", full, both.out)
    line = b"x" * 1023 + b"\n"
    for _ in range(2000):
        assert os.write(write, line) == len(line)
    os.close(write)
    both.capturing.capture.drain("run")
    assert both.capturing.drained.get(timeout=BOUND) == "run"
    assert len(both.capturing.troubles) == 2
    both.close()
    os.close(full)
