"""The log folder and the files in it, on a real file system."""

from __future__ import annotations

import os
import re
import resource
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.errors import HostError
from procession.logs.bounds import SMALLEST, Bounds, Limits
from procession.logs.earlier import hold
from procession.logs.files import LogFolder
from procession.logs.sink import LOOK, RETRY, Sink

NOW = time.mktime((2025, 3, 4, 5, 6, 7, 0, 0, -1))


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LogFolder]:
    made = LogFolder.create(str(tmp_path), "shop", NOW)
    yield made
    assert made.close() is None


@pytest.mark.quick
def test_the_folder_is_private_and_latest_leads_to_it(tmp_path: Path, folder: LogFolder) -> None:
    assert folder.path == str(tmp_path / "shop" / "shop-2025-03-04--05-06-07")
    assert mode(folder.path) == mode(tmp_path / "shop") == 0o700
    assert os.readlink(tmp_path / "shop" / "latest") == "shop-2025-03-04--05-06-07"
    assert folder.note is None
    assert sorted(os.listdir(tmp_path / "shop")) == ["latest", "shop-2025-03-04--05-06-07"]


def test_two_supervisors_in_one_second_have_two_folders(tmp_path: Path) -> None:
    made = [LogFolder.create(str(tmp_path), "shop", NOW) for _ in range(3)]
    ends = [os.path.basename(f.path).removeprefix("shop-2025-03-04--05-06-07") for f in made]
    assert ends == ["", "-2", "-3"]
    assert os.readlink(tmp_path / "shop" / "latest") == os.path.basename(made[2].path)
    for folder in made:
        folder.close()


def test_the_name_of_one_that_was_cleaned_away_is_not_used_again(tmp_path: Path) -> None:
    """The order of the names is that of the runs: with an earlier one's name, this run would be
    the oldest of its second, and the next would clean it away."""
    ends = []
    earlier = LogFolder.create(str(tmp_path), "shop", NOW)
    for _ in range(3):
        made = LogFolder.create(str(tmp_path), "shop", NOW)
        earlier.close()
        shutil.rmtree(earlier.path)
        ends.append(made.path.removeprefix(str(tmp_path / "shop" / "shop-2025-03-04--05-06-07")))
        earlier = made
    earlier.close()
    assert ends == ["-2", "-3", "-4"]


def test_latest_that_is_something_else_stays_and_costs_no_log(tmp_path: Path) -> None:
    (tmp_path / "shop" / "latest").mkdir(parents=True)
    folder = LogFolder.create(str(tmp_path), "shop", NOW)
    assert folder.note is not None
    assert "latest" in folder.note
    assert sorted(os.listdir(tmp_path / "shop")) == ["latest", "shop-2025-03-04--05-06-07"]
    folder.event("works")
    folder.close()


def test_the_default_place_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = LogFolder.create(None, "shop", NOW)
    assert folder.path == str(
        tmp_path / "state" / "procession" / "log" / "shop" / "shop-2025-03-04--05-06-07"
    )
    folder.close()


def test_a_relative_place_is_meant_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = LogFolder.create("logs", "shop", NOW)
    assert folder.path == str(tmp_path / "logs" / "shop" / "shop-2025-03-04--05-06-07")
    folder.close()


def test_a_place_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match=rf"{tmp_path}/file.*--log-dir"):
        LogFolder.create(str(tmp_path / "file"), "shop", NOW)
    with pytest.raises(HostError, match="/proc/none"):
        LogFolder.create("/proc/none", "shop", NOW)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_a_project_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostError):
        LogFolder.create(str(tmp_path), name, NOW)
    assert os.listdir(tmp_path) == []


@pytest.mark.quick
def test_stdout_and_stderr_have_their_files(folder: LogFolder) -> None:
    for stream in ("stdout", "stderr"):
        for word in (b"one ", b"two"):  # a second opening, as for a later run, goes on
            fd = folder.open_stream("web-1", stream)
            assert not os.get_inheritable(fd)
            os.write(fd, word)
            os.close(fd)
    for name in ("web-1.log", "web-1.stderr.log"):
        path = os.path.join(folder.path, name)
        assert Path(path).read_bytes() == b"one two"
        assert mode(path) == 0o600


def test_no_two_streams_share_a_file(folder: LogFolder) -> None:
    names = ["a", "a.stderr", "a.stdout", "a.STDERR", "a.stderr.stdout", "a.stdout.stderr", "a.log"]
    files = [folder.file_of(name, stream) for name in names for stream in ("stdout", "stderr")]
    assert len(set(files)) == len(files)
    assert folder.file_of("a", "stdout") == "a.log"
    assert folder.file_of("a", "stderr") == "a.stderr.log"


def test_a_file_that_cannot_be_opened_is_an_error_that_names_it(folder: LogFolder) -> None:
    os.mkdir(os.path.join(folder.path, "web.log"))
    with pytest.raises(HostError, match=r"web\.log"):
        folder.open_stream("web", "stdout")


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, folder: LogFolder) -> None:
    os.symlink(tmp_path / "elsewhere", os.path.join(folder.path, "web.log"))
    with pytest.raises(HostError):
        folder.open_stream("web", "stdout")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.quick
def test_events_are_lines_with_date_time_and_zone(folder: LogFolder) -> None:
    folder.event("web run 1: starting")
    folder.event("two\nlines, and \udcff")
    first, second, third = Path(folder.path, "procession.log").read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
    assert re.fullmatch(rf"{stamp} web run 1: starting", first)
    assert re.fullmatch(rf"{stamp} two", second)
    assert third == "    lines, and \\udcff"


def test_events_go_where_they_are_told_to(folder: LogFolder) -> None:
    posted: list[tuple[Sink, bytes]] = []
    folder.write_through(lambda sink, block: posted.append((sink, block)))
    folder.event("later")
    assert Path(folder.path, "procession.log").read_bytes() == b""
    [(sink, block)] = posted
    assert sink.write(block, 0.0) is None
    assert Path(folder.path, "procession.log").read_bytes().endswith(b" later\n")


def test_a_file_that_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path) -> None:
    place = tmp_path / "not yet"
    sink = Sink("web.log", path=str(place / "web.log"))
    told = sink.open(100.0)
    assert told == "web.log: No such file or directory; what is written is lost until this ends"
    assert sink.write(b"lost1", 100.5) is None
    place.mkdir()
    assert sink.write(b"lost2", 100.0 + RETRY - 0.1) is None, "tried again before its time"
    told = sink.write(b"kept", 100.0 + RETRY)
    assert told == (
        "web.log: is written again; 10 bytes were lost meanwhile: No such file or directory"
    )
    assert sink.write(b" too", 101.5) is None
    assert sink.settle() is None
    assert sink.close() is None
    assert (place / "web.log").read_bytes() == b"kept too"


def test_what_was_lost_is_told_at_the_end_of_a_run_and_not_twice(tmp_path: Path) -> None:
    sink = Sink("web.log", path=str(tmp_path / "none" / "web.log"))
    assert sink.write(b"1234", 0.0) is not None
    assert sink.settle() == "web.log: 4 bytes were lost: No such file or directory"
    assert sink.settle() is None
    assert sink.write(b"567", 5.0) is None
    assert sink.close() == "web.log: 3 bytes were lost: No such file or directory"


def test_a_full_disk_is_no_error_to_raise() -> None:
    fd = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    sink = Sink("web.log", fd=fd)
    told = sink.write(b"x" * 100, 0.0)
    assert told == "web.log: No space left on device; what is written is lost until this ends"
    assert sink.write(b"x" * 100, 10.0) is None
    assert sink.settle() == "web.log: 200 bytes were lost: No space left on device"
    assert sink.close() is None
    os.close(fd)  # was ours, and is still open


def test_what_fits_is_written_where_a_write_is_cut_short(tmp_path: Path) -> None:
    sink = Sink("web.log", path=str(tmp_path / "web.log"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        assert sink.write(b"a" * 600, 0.0) is None
        told = sink.write(b"b" * 600, 0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told == "web.log: File too large; what is written is lost until this ends"
    assert sink.write(b"c" * 5, RETRY) == (
        "web.log: is written again; 200 bytes were lost meanwhile: File too large"
    )
    sink.close()
    assert (tmp_path / "web.log").read_bytes() == b"a" * 600 + b"b" * 400 + b"c" * 5


def test_a_file_that_is_truncated_under_us_goes_on_at_its_new_end(tmp_path: Path) -> None:
    sink = Sink("web.log", path=str(tmp_path / "web.log"))
    sink.write(b"before", 0.0)
    os.truncate(tmp_path / "web.log", 0)
    sink.write(b"after", 0.0)
    sink.close()
    assert (tmp_path / "web.log").read_bytes() == b"after"


# --- what somebody takes away while it is written -----------------------------------------------


def wrote(sink: Sink, text: bytes, now: float) -> str:
    return sink.write(text, now) or ""


def test_a_folder_that_is_removed_is_made_anew_and_told_once(tmp_path: Path) -> None:
    folder = LogFolder.create(str(tmp_path), "shop", NOW, limits=Limits(), files=3)
    web, db, late = (folder.sink(name, "stdout") for name in ("web", "db", "late"))
    for sink in (web, db):
        assert wrote(sink, b"before\n", 1.0) == ""
    shutil.rmtree(tmp_path / "shop")
    assert wrote(web, b"lost\n", 1.5) == ""  # nobody looks so often
    assert wrote(web, b"after\n", 1.0 + LOOK) == (
        f"logs: {folder.path} is gone, with what was written there, and is made anew"
    )
    assert wrote(db, b"after\n", 1.1 + LOOK) == ""
    assert wrote(late, b"first\n", 1.2 + LOOK) == ""
    assert wrote(web, b"and more\n", 9.0) == ""
    found = {p.name: p.read_bytes() for p in Path(folder.path).iterdir()}
    assert found == {"web.log": b"after\nand more\n", "db.log": b"after\n", "late.log": b"first\n"}
    assert mode(folder.path) == mode(tmp_path / "shop") == 0o700
    assert hold(folder.path, only_if_free=True) is None  # it is ours again
    folder.event("goes on, too")
    assert folder.close() is None
    assert "goes on, too" in (Path(folder.path) / "procession.log").read_text()


def test_a_file_that_is_removed_is_made_anew_and_told(tmp_path: Path, folder: LogFolder) -> None:
    web = folder.sink("web", "stdout")
    assert wrote(web, b"before\n", 1.0) == ""
    path = Path(folder.path) / "web.log"
    path.unlink()
    said = "web.log: is gone, with what was written there, and is made anew"
    assert wrote(web, b"after\n", 5.0) == said
    assert wrote(web, b"again\n", 9.0) == ""
    assert path.read_bytes() == b"after\nagain\n"
    path.rename(tmp_path / "elsewhere")  # by whoever turns logs: that file goes on
    assert wrote(web, b"moved\n", 20.0) == ""
    assert (tmp_path / "elsewhere").read_bytes() == b"after\nagain\nmoved\n"


def test_what_is_removed_just_before_a_turn_is_made_anew_by_the_next_write(tmp_path: Path) -> None:
    limits = Limits(file=10)
    folder = LogFolder.create(str(tmp_path), "shop", NOW, limits=limits, files=1)
    web = folder.sink("web", "stdout")
    assert wrote(web, b"before\n", 1.0) == ""
    shutil.rmtree(folder.path)
    assert wrote(web, b"x" * SMALLEST + b"\n", 1.1) == ""  # more than a file may have
    assert wrote(web, b"after\n", 1.2) == (
        f"logs: {folder.path} is gone, with what was written there, and is made anew"
    )
    folder.close()
    assert (Path(folder.path) / "web.log").read_bytes() == b"after\n"


def test_what_was_removed_takes_no_room(tmp_path: Path) -> None:
    bounds = Bounds(Limits(), 1)
    web = Sink("web.log", path=str(tmp_path / "web.log"), bounds=bounds)
    wrote(web, b"x" * 1000, 1.0)
    (tmp_path / "web.log").unlink()
    wrote(web, b"y" * 10, 5.0)
    assert bounds.used == 10
    web.close()


def test_where_the_named_place_is_gone_nothing_is_made(tmp_path: Path) -> None:
    base = tmp_path / "logs"
    folder = LogFolder.create(str(base), "shop", NOW)
    web = folder.sink("web", "stdout")
    assert wrote(web, b"before\n", 1.0) == ""
    shutil.rmtree(base)
    told = wrote(web, b"after\n", 5.0)
    assert told == "web.log: No such file or directory; what is written is lost until this ends"
    assert not base.exists()
    assert "6 bytes were lost" in (folder.close() or "")
