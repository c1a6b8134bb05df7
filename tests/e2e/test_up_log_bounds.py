"""`procession up`: how much of the output is kept on disk, by what `logs` of a file says."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.up import Project, sh

LINES = "seq -f %049.0f {} {}"  # 50 bytes each
LEAST = 65536  # bytes of a file before it is turned, whatever is asked for


def pieces(folder: Path, name: str) -> list[bytes]:
    """What is in the pieces of a log, and in the log itself, the oldest first."""
    found = sorted(folder.glob(f"{name}.[0-9]*"), key=lambda path: int(path.suffix[1:]))
    return [path.read_bytes() for path in (*found, folder / name)]


def numbers(text: bytes) -> list[int]:
    return [int(line) for line in text.splitlines()]


def folders(project: Project) -> list[Path]:
    """Of the runs that are kept."""
    above = project.logs / "demo"
    return sorted(path for path in above.iterdir() if not path.is_symlink())


def ran(project: Project) -> str:
    """What the supervisor said of a run that ended well."""
    up = project.up("--quiet")
    assert up.status() == 0, up.said()
    return up.err


@pytest.mark.quick
def test_a_file_is_turned_on_line_ends_and_nothing_is_lost(project: Project) -> None:
    """Both streams, also across the runs of a task."""
    script = (
        f"{LINES.format(1, 5000)}; {LINES.format(5001, 10000)} >&2; [ $PROCESSION_RUN_NUMBER = 2 ]"
    )
    project.tasks(
        {"web": sh(script, restart="on-failure", restart_backoff=0)}, logs={"max-file": "64K"}
    )
    ran(project)
    for name, first in (("web.log", 1), ("web.stderr.log", 5001)):
        found = pieces(project.log_folder(), name)
        assert len(found) > 5
        assert numbers(b"".join(found)) == [*range(first, first + 5000)] * 2
        for piece in found[:-1]:
            assert piece.endswith(b"\n"), "cut within a line"
            assert LEAST - 50 <= len(piece) <= LEAST + 50
        assert len(found[-1]) <= LEAST


@pytest.mark.quick
def test_the_oldest_of_all_goes_first_and_this_is_told(project: Project) -> None:
    total = 400 << 10
    project.tasks(
        {"web": sh(LINES.format(1, 30000))}, logs={"max-file": "64K", "max-total": "400K"}
    )
    ran(project)
    folder = project.log_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= total
    kept = numbers(b"".join(pieces(folder, "web.log")))
    assert kept == [*range(30001 - len(kept), 30001)], "the newest, without a gap"
    assert len(kept) * 50 > total / 2, "no more went than had to"
    told = project.log("procession.log").decode()
    assert re.search(r"logs: the oldest \d+ files? \([\d.]+ [KM]iB\) went: .* 400 KiB", told)


def test_what_earlier_runs_left_goes_before_what_is_written_now(project: Project) -> None:
    logs = {"max-file": "64K", "max-total": "400K"}
    project.tasks({"web": sh(LINES.format(1, 4000))}, logs=logs)  # 200 kB
    ran(project)
    (first,) = folders(project)
    project.tasks({"web": sh(LINES.format(1, 6000))}, logs=logs)  # 300 kB
    ran(project)
    assert numbers(b"".join(pieces(project.log_folder(), "web.log"))) == [*range(1, 6001)]
    left = sum(path.stat().st_size for path in first.iterdir()) if first.exists() else 0
    assert left <= (400 << 10) - 300_000


@pytest.mark.quick
def test_the_newest_runs_are_kept_and_older_ones_go_at_the_start(project: Project) -> None:
    project.tasks({"web": sh("echo $PROCESSION_RUN")}, logs={"keep-runs": 2})
    made = []
    for _ in range(4):
        ran(project)
        made.append(project.log_folder())
    assert len(set(made)) == 4
    assert set(folders(project)) == set(made[-2:])
    (made[-2] / "notes.txt").write_text("somebody's own")
    ran(project)
    ran(project)
    assert [path.name for path in made[-2].iterdir()] == ["notes.txt"]


@pytest.mark.quick
def test_without_a_word_they_are_bounded_too(project: Project) -> None:
    """A gigabyte is not written here: what is asked is what holds, and how many runs are kept."""
    project.tasks({"web": sh("true")})
    shown = project.start("check", "--show", log_dir=None)
    assert shown.status() == 0, shown.said()
    for line in ("max-file: 64M", "max-total: 1G", "keep-runs: 10"):
        assert line in shown.out
    for second in range(12):
        old = project.logs / "demo" / f"demo-2020-01-01--00-00-{second:02}"
        old.mkdir(parents=True)
        (old / "web.log").write_text("old\n")
    ran(project)
    kept = folders(project)
    assert len(kept) == 10
    assert kept[0].name == "demo-2020-01-01--00-00-03", "the newest are kept"


def test_who_follows_a_log_misses_nothing_at_a_turn(project: Project) -> None:
    gate = project.gate("gate")
    script = f"{LINES.format(1, 100)}; : <{gate}; {LINES.format(101, 6000)}"
    project.tasks({"web": sh(script)}, logs={"max-file": "64K"})
    up = project.up("--quiet")
    project.until_logged("web run 1: starting -> running")
    read, write = os.pipe()
    try:
        follower = project.start(
            "logs", "-f", "-n", "all", "--no-prefix", "web", out=write, log_dir=None
        )
        os.close(write)
        write = -1
        with open(read, "rb", closefd=False) as pipe:
            first = pipe.readline()  # it has begun
            project.open_gate("gate")
            assert up.status() == 0, up.said()
            assert numbers(first + pipe.read()) == [*range(1, 6001)]
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
    assert follower.status() == 0, follower.said()


def test_a_folder_that_somebody_removes_is_made_anew_and_told(project: Project) -> None:
    project.tasks({"web": sh("while echo tick; do sleep 0.05; done", ready={"log": "tick"})})
    up = project.up()
    project.until_logged("web ready")
    folder = project.log_folder()
    shutil.rmtree(folder)
    project.until_logged(f"logs: {folder} is gone, with what was written there, and is made anew")
    assert up.stop() == 0, up.said()
    assert up.err.count("is gone") == 1, up.said()
    assert (folder / "web.log").read_text().startswith("tick\n")
    assert "status 0" in (folder / "procession.log").read_text()
