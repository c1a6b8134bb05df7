"""Logs are read from outside, from any line on, and over their turns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession.logs.bounds import Bounds, Limits
from procession.logs.follow import Follower
from procession.logs.sink import Sink


def bounded(limit: int) -> Bounds:
    bounds = Bounds(Limits(), 1)
    bounds.file_limit = limit
    return bounds


def rest(follower: Follower) -> bytes:
    return b"".join(iter(follower.read, b""))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=30), st.integers(4, 40))
def test_nothing_is_missed_or_read_twice_over_turns(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]], limit: int
) -> None:
    path = tmp_path_factory.mktemp("follow") / "web.log"
    sink = Sink("web.log", path=str(path), bounds=bounded(limit))
    follower = Follower(str(path))
    written = read = b""
    for number, (count, look) in enumerate(steps):
        text = b"".join(b"%d.%d\n" % (number, n) for n in range(count))
        if text:
            sink.write(text, 0.0)
        written += text
        if look:
            read += rest(follower)
            assert read == written
    read += rest(follower)
    assert read == written
    follower.close()
    sink.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(1, 12) | st.none(), st.integers(4, 40), st.booleans())
def test_it_begins_with_the_last_lines_of_all_pieces(
    tmp_path_factory: pytest.TempPathFactory,
    lines: int,
    count: int | None,
    limit: int,
    unfinished: bool,
) -> None:
    path = tmp_path_factory.mktemp("last") / "web.log"
    sink = Sink("web.log", path=str(path), bounds=bounded(limit))
    text = [b"%d\n" % n for n in range(lines)] + [b"no end"] * unfinished
    for line in text:
        sink.write(line, 0.0)
    follower = Follower(str(path))
    follower.from_the_last(count)
    assert rest(follower) == b"".join(text if count is None else text[-count:])
    sink.write(b"\nmore\n", 0.0)
    assert rest(follower) == b"\nmore\n"
    follower.close()
    sink.close()


@pytest.mark.quick
def test_long_files_are_read_from_behind(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    lines = [b"%d %s\n" % (n, b"x" * 1000) for n in range(2000)]
    path.write_bytes(b"".join(lines))
    follower = Follower(str(path))
    for count in (1, 300, 1999, 2000, 2001):
        follower.from_the_last(count)
        assert rest(follower) == b"".join(lines[-count:])
    follower.close()


@pytest.mark.quick
def test_a_file_that_comes_later_and_one_that_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    follower = Follower(str(path))
    follower.from_the_last(10)
    assert follower.read() == b""
    path.write_bytes(b"first\n")
    assert rest(follower) == b"first\n"
    os.truncate(path, 0)
    assert follower.read() == b""
    with path.open("ab") as file:
        file.write(b"2\n")
    assert rest(follower) == b"2\n"
    follower.close()


def test_pieces_that_were_dropped_meanwhile_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    sink = Sink("web.log", path=str(path), bounds=bounded(4))
    sink.write(b"one\n", 0.0)
    follower = Follower(str(path))
    assert follower.read() == b"one\n"
    sink.write(b"two\nthree\nfour\n", 0.0)
    for piece in (1, 2):
        os.unlink(f"{path}.{piece}")
    assert rest(follower) == b"three\nfour\n"
    follower.close()
    sink.close()
