"""Logs that are bounded: files are turned on line ends, with nothing lost, and the oldest goes."""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession.logs import bounds as rules
from procession.logs.bounds import Bounds, Limits
from procession.logs.files import LogFolder
from procession.logs.sink import Sink
from procession.logs.tail import last_lines

STAMP = "shop-2025-03-04--05-06-0{}"
NOW = time.mktime((2025, 3, 4, 5, 6, 7, 0, 0, -1))


def limited(file: int, total: int = 1 << 30, runs: int = 10) -> Bounds:
    bounds = Bounds(Limits(file, total, runs), 1)
    bounds.file_limit = file  # below what a file is given in earnest
    return bounds


def pieces(path: Path) -> list[bytes]:
    """What is in the pieces of a log, and in the file, the oldest first."""
    found = sorted(path.parent.glob(f"{path.name}.*"), key=lambda p: int(p.suffix[1:]))
    return [part.read_bytes() for part in (*found, path)]


lines = st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"?") + b"\n"), max_size=30)


@settings(max_examples=60, deadline=None)
@given(lines, st.integers(1, 90), st.integers(1, 200), st.booleans())
def test_whatever_the_blocks_nothing_is_lost_and_no_line_is_cut(
    tmp_path_factory: pytest.TempPathFactory, text: list[bytes], limit: int, size: int, views: bool
) -> None:
    path = tmp_path_factory.mktemp("turn") / "web.log"
    data = b"".join(text)
    sink = Sink("web.log", path=str(path), bounds=limited(limit))
    for at in range(0, len(data), size):
        block = data[at : at + size]
        assert sink.write(memoryview(block) if views else block, 0.0) is None
    assert sink.open(0.0) is None  # where nothing was written at all
    assert sink.close() is None
    found = pieces(path)
    assert b"".join(found) == data
    longest = max((len(line) for line in text), default=0)
    for piece in found[:-1]:
        assert piece.endswith(b"\n")
        assert len(piece) < limit + max(1, longest)  # a line that came in parts is ended first
    assert not list(path.parent.glob("*.next"))


@pytest.mark.quick
def test_a_line_that_never_ends_is_cut_in_its_midst_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    sink = Sink("web.log", path=str(path), bounds=limited(1000))
    block = b"x" * (rules.OVERRUN // 2)
    for _ in range(7):
        sink.write(block, 0.0)
    sink.close()
    found = pieces(path)
    assert b"".join(found) == block * 7
    assert len(found) > 2
    assert max(map(len, found)) <= 1000 + rules.OVERRUN + len(block)


def test_the_oldest_is_dropped_first_and_told_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    bounds = limited(100, total=1000)
    sink = Sink("web.log", path=str(path), bounds=bounds)
    told = []
    for number in range(100):
        told.append(sink.write(b"%049d\n" % number, now=float(number)))
        kept = sum(map(len, pieces(path)))
        assert kept <= 1000
        assert kept == bounds.used
    kept_lines = b"".join(pieces(path)).splitlines()
    assert kept_lines[-1] == b"%049d" % 99
    assert kept_lines == [b"%049d" % n for n in range(100 - len(kept_lines), 100)]
    words = [text for text in told if text]
    assert len(words) == 2  # with `TELL_EVERY` seconds between them
    assert "the oldest" in words[0]
    assert "max-total" in words[0]
    assert (bounds.settle() or "").startswith("logs: the oldest")
    sink.close()


def test_a_file_that_cannot_be_turned_goes_on_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    (tmp_path / "web.log.next").mkdir()
    sink = Sink("web.log", path=str(path), bounds=limited(100))
    told = [sink.write(b"x" * 60 + b"\n", 0.0) for _ in range(4)]
    words = [text for text in told if text]
    assert words
    assert "cannot be turned" in words[0]
    assert path.read_bytes() == (b"x" * 60 + b"\n") * 4
    (tmp_path / "web.log.next").rmdir()
    for _ in range(4):
        sink.write(b"y" * 60 + b"\n", 0.0)
    sink.close()
    assert b"".join(pieces(path)) == (b"x" * 60 + b"\n") * 4 + (b"y" * 60 + b"\n") * 4
    assert (tmp_path / "web.log.1").exists()


def test_a_line_longer_than_a_file_that_cannot_be_turned_is_written_all_the_same(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web.log"
    (tmp_path / "web.log.next").mkdir()
    sink = Sink("web.log", path=str(path), bounds=limited(100))
    assert sink.write(b"first\n", 0.0) is None
    assert "cannot be turned" in (sink.write(b"x" * 1000 + b"\nlast\n", 0.0) or "")
    sink.close()
    assert path.read_bytes() == b"first\n" + b"x" * 1000 + b"\nlast\n"


def test_a_piece_never_overwrites_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "web.log.1").write_text("the user's own")
    sink = Sink("web.log", path=str(tmp_path / "web.log"), bounds=limited(10))
    sink.write(b"0123456789\nmore\n", 0.0)
    sink.close()
    assert (tmp_path / "web.log.1").read_text() == "the user's own"
    assert (tmp_path / "web.log.2").read_bytes() == b"0123456789\n"


def test_a_file_that_somebody_truncates_has_room_again(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    bounds = limited(100)
    sink = Sink("web.log", path=str(path), bounds=bounds)
    sink.write(b"x" * 89 + b"\n", 0.0)
    os.truncate(path, 0)
    sink.write(b"y" * 19 + b"\n", 0.0)
    sink.close()
    assert pieces(path) == [b"y" * 19 + b"\n"]
    assert bounds.used == 20


def test_each_of_many_files_gets_its_share_of_the_total() -> None:
    assert Limits(64 << 20, 1 << 30).file_limit(3) == 64 << 20
    assert Limits(64 << 20, 1 << 30).file_limit(801) == (1 << 30) // 1602
    assert Limits(64 << 20, 1 << 20).file_limit(10_000) == rules.SMALLEST


def earlier(base: Path, number: int, **files: int) -> Path:
    folder = base / "shop" / STAMP.format(number)
    folder.mkdir(parents=True)
    for name, size in files.items():
        (folder / f"{name}.log").write_bytes(b"x" * size)
    return folder


def names(base: Path) -> set[str]:
    return {entry.name for entry in (base / "shop").iterdir()} - {"latest"}


@pytest.mark.quick
def test_the_newest_runs_are_kept_and_others_go(tmp_path: Path) -> None:
    folders = [earlier(tmp_path, number, web=10, procession=5) for number in range(5)]
    (folders[0] / "notes.txt").write_text("the user's own")
    (tmp_path / "shop" / "shop-old").mkdir()
    (tmp_path / "shop" / "shop-2025-03-04--05-06-00-x").mkdir()
    made = LogFolder.create(str(tmp_path), "shop", NOW, limits=Limits(runs=3))
    made.clean()
    made.close()
    assert names(tmp_path) == {
        STAMP.format(0), STAMP.format(3), STAMP.format(4), STAMP.format(7),
        "shop-old", "shop-2025-03-04--05-06-00-x",
    }  # fmt: skip
    assert os.listdir(folders[0]) == ["notes.txt"]
    assert (folders[3] / "web.log").read_bytes() == b"x" * 10


def test_who_still_writes_is_left_alone(tmp_path: Path) -> None:
    living = LogFolder.create(str(tmp_path), "shop", NOW - 5)
    living.sink("web", "stdout").write(b"lives\n", 0.0)
    made = LogFolder.create(str(tmp_path), "shop", NOW, limits=Limits(runs=1, total=1))
    made.clean()
    assert Path(living.path, "web.log").read_bytes() == b"lives\n"
    living.close()
    made.clean()
    assert not os.path.exists(living.path)
    made.close()


def test_a_folder_is_held_until_it_is_closed(tmp_path: Path) -> None:
    made = LogFolder.create(str(tmp_path), "shop", NOW)
    fd = os.open(made.path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    made.close()
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


def test_logs_of_earlier_runs_go_before_ours(tmp_path: Path) -> None:
    old = earlier(tmp_path, 1, web=600)
    newer = earlier(tmp_path, 2, web=600)
    made = LogFolder.create(str(tmp_path), "shop", NOW, limits=Limits(total=1500), files=1)
    made.clean()
    assert old.exists()
    sink = made.sink("web", "stdout")
    told = sink.write(b"y" * 400 + b"\n", 0.0)
    assert told is not None
    assert not old.exists()
    assert newer.exists()
    made.close()
    assert Path(made.path, "web.log").stat().st_size == 401


def test_a_link_beside_the_logs_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "web.log").write_text("somebody's")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / STAMP.format(1)).symlink_to(elsewhere)
    folder = earlier(tmp_path, 2)
    (folder / "web.log").symlink_to(elsewhere / "web.log")
    made = LogFolder.create(str(tmp_path), "shop", NOW, limits=Limits(runs=1))
    made.clean()
    made.close()
    assert (elsewhere / "web.log").read_text() == "somebody's"


def test_the_last_lines_of_a_run_are_found_after_a_turn(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"after the turn\n")
    assert last_lines([(str(path), 5000)]) == ["after the turn"]


@pytest.mark.quick
def test_sizes_are_told_for_people() -> None:
    shown = [rules.shown(size) for size in (12, 2048, 640 << 10, 64 << 20, 1 << 30)]
    assert shown == ["12 bytes", "2 KiB", "640 KiB", "64 MiB", "1 GiB"]
    assert re.fullmatch(r"1\.\d+ GiB", rules.shown(1_500_000_000))
