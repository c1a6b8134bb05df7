"""The last lines of log files: of this run alone, bounded, and harmless."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from procession.logs.tail import WIDTH, last_lines

pytestmark = pytest.mark.quick


def file(folder: Path, name: str, data: bytes, *, at: int = 1) -> str:
    path = folder / name
    path.write_bytes(data)
    os.utime(path, (at, at))
    return str(path)


def test_the_last_lines_in_their_order(tmp_path: Path) -> None:
    out = file(tmp_path, "out", b"".join(b"%d\n" % n for n in range(100)))
    assert last_lines([(out, 0)], 3) == ["97", "98", "99"]


def test_an_unfinished_line_is_one_too(tmp_path: Path) -> None:
    assert last_lines([(file(tmp_path, "out", b"one\ntwo"), 0)]) == ["one", "two"]


def test_what_was_written_last_comes_last(tmp_path: Path) -> None:
    out = file(tmp_path, "out", b"a\nb\n", at=2)
    err = file(tmp_path, "err", b"x\ny\n", at=1)
    assert last_lines([(out, 0), (err, 0)]) == ["x", "y", "a", "b"]


def test_each_has_half_and_what_the_other_leaves(tmp_path: Path) -> None:
    many = b"".join(b"%d\n" % n for n in range(100))
    out, err = file(tmp_path, "out", many), file(tmp_path, "err", b"x\n", at=2)
    assert last_lines([(out, 0), (err, 0)], 4) == ["97", "98", "99", "x"]
    file(tmp_path, "err", many, at=2)
    assert last_lines([(out, 0), (err, 0)], 4) == ["98", "99", "98", "99"]


def test_an_earlier_run_is_not_shown(tmp_path: Path) -> None:
    out = file(tmp_path, "out", b"earlier\nnow\n")
    assert last_lines([(out, len(b"earlier\n"))]) == ["now"]
    assert last_lines([(out, len(b"earlier\nnow\n"))]) == []


def test_a_large_file_is_read_at_its_end_alone(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with open(path, "wb") as made:
        made.truncate(1 << 40)  # a hole: to read it would take for ever
        made.seek(0, os.SEEK_END)
        made.write(b"\nlast\n")
    assert last_lines([(str(path), 0)], 1) == ["last"]


@pytest.mark.parametrize("data", [b"x" * 100_000, b"\x1b[" + b"1;" * 50_000, b"\t" * 100_000])
def test_a_long_line_is_shortened(tmp_path: Path, data: bytes) -> None:
    (line,) = last_lines([(file(tmp_path, "out", data + b"\n"), 0)])
    assert len(line) <= WIDTH + 3


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b]0;title\x07text\x1b[5A", "text"),
        (b"10%\r20%\r30%\r", "30%"),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        (b"a\tb", "a       b"),
        (b"nul \x00 c1 \xc2\x9b2J", "nul \\x00 c1"),
    ],
)
def test_nothing_in_it_does_more_than_show_text(tmp_path: Path, written: bytes, shown: str) -> None:
    assert last_lines([(file(tmp_path, "out", written + b"\n"), 0)]) == [shown]


def test_what_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert last_lines([(str(tmp_path / "nowhere"), 0), (str(tmp_path), 0)]) == []
