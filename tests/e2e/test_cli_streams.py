"""What is printed on purpose (help, a version, a schema), and an output that does not take it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINTS = [
    ["procession", "--help"],
    ["procession", "--version"],
    ["procession", "up", "--help"],
    ["procession", "check", "--help"],
    ["procession", "schema"],
    ["procession", "schema", "-h"],
    ["procession", "init", "--help"],
    ["procession", "init"],
    ["drekar_launch", "--help"],
]


def run(words: list[str], folder: Path, out: int, unbuffered: bool) -> tuple[int, str]:
    """The status and standard error."""
    env = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}
    env |= {"PYTHONUNBUFFERED": "1"} if unbuffered else {}
    command = [sys.executable, "-W", "error", "-m", *words]
    done = subprocess.run(
        command, check=False, cwd=folder, env=env, stdout=out, stderr=subprocess.PIPE
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("words", [*PRINTS, ["procession", "run", "--help"]], ids=" ".join)
def test_a_reader_that_has_gone_is_no_mistake(
    words: list[str], unbuffered: bool, tmp_path: Path
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        assert run(words, tmp_path, writes, unbuffered) == (0, "")
    finally:
        os.close(writes)


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_a_full_disk_is_one_clear_line(words: list[str], unbuffered: bool, tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        status, err = run(words, tmp_path, full, unbuffered)
    finally:
        os.close(full)
    assert status == 1
    told = "standard output: cannot be written to: no space left on device\n"
    assert err == f"{words[0]}: {told}"


def test_help_is_whole_where_it_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "help"
    for words in PRINTS:
        with open(file, "wb") as out:
            assert run(words, tmp_path, out.fileno(), False) == (0, "")
        assert file.stat().st_size > 10
        (tmp_path / "procession.yaml").unlink(missing_ok=True)
