"""Env-files: what is read from them, and what is told of broken ones, never their content."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from procession import envfile, lookup
from procession.lookup import Lookup, Trouble, resolve
from procession.spec import Task

GOOD = """\
# a comment
A=1
B = spaced out # a comment

  export C=exported
D='single $A ${A} \\' quoted # kept'
E="double\\n\\"quoted\\" ${A}"
F="two
lines"
G=
I=a#b
J='' # nothing
K=x=y
L=größe
A.b-c=dotted
"""

VALUES = {
    "A": "1",
    "B": "spaced out",
    "C": "exported",
    "D": "single $A ${A} ' quoted # kept",
    "E": 'double\n"quoted" ${A}',
    "F": "two\nlines",
    "G": "",
    "I": "a#b",
    "J": "",
    "K": "x=y",
    "L": "größe",
    "A.b-c": "dotted",
}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def read(path: Path, content: str | bytes) -> tuple[dict[str, str], list[Trouble]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_env_file(str(path))


def read_env_file(path: str) -> tuple[dict[str, str], list[Trouble]]:
    return Lookup({}).env_file(path)


@pytest.mark.quick
@pytest.mark.parametrize(
    "change",
    [
        str.encode,
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["plain", "with a byte order mark", "without a last line end"],
)
def test_what_a_file_may_hold(env_file: Path, change: object) -> None:
    assert callable(change)
    assert read(env_file, change(GOOD)) == (VALUES, [])


def test_windows_line_ends(env_file: Path) -> None:
    assert read(env_file, "A=1\r\nB='x'\r\n\r\nC=\r\n") == ({"A": "1", "B": "x", "C": ""}, [])


def test_an_empty_file_and_the_null_device(env_file: Path) -> None:
    assert read(env_file, "") == ({}, [])
    assert read_env_file(os.devnull) == ({}, [])


@pytest.mark.quick
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("A='hunter2\nB=2\n", [1]),
        ("A=1\n\n\n=hunter2\n", [4]),
        ("A=1\r\n\r\nhunter2 x\r\nB=2\r\n", [3]),
        ("A='a' hunter2\nB=1\nC=\"hunter2\n# c\n", [1, 3]),
        ("'A B'=hunter2\n", [1]),
        ("export\nhunter2: x\n", [1, 2]),
        ("A=1\n  hunter2\n\nexport hunter2 # c\n", [2, 4]),
    ],
)
def test_lines_that_cannot_be_read_are_told_by_number_but_not_shown(
    env_file: Path, content: str, lines: list[int]
) -> None:
    _, troubles = read(env_file, content)
    assert [(t.file, t.line) for t in troubles] == [(str(env_file), line) for line in lines]
    assert all(t.key == "env-file" for t in troubles)
    assert "hunter2" not in " ".join(map(str, troubles))


def test_a_name_without_a_value_is_told_with_its_place(env_file: Path) -> None:
    values, (trouble,) = read(env_file, "A=1\n\n   SECRET\nB=\n")
    assert values == {"A": "1", "B": ""}
    what = "a line without `=`; expected NAME=VALUE, or `#` before a comment"
    assert str(trouble) == f"{env_file}:3:4: env-file: {what}"


@pytest.mark.parametrize(
    ("content", "place", "what"),
    [
        ("A=1\nB=größe\n".encode("latin-1"), (2, 5), "byte 0xf6 is not UTF-8"),
        (b"\xef\xbb\xbfA=\xff", (1, 3), "byte 0xff is not UTF-8"),
        (b"A=1\nB=\0x\n", (2, 3), "a NUL byte"),
    ],
)
def test_what_is_no_text(env_file: Path, content: bytes, place: tuple[int, int], what: str) -> None:
    values, (trouble,) = read(env_file, content)
    assert values == {}
    assert (trouble.line, trouble.column) == place
    assert trouble.what == what


def test_what_cannot_be_read_at_all(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(path: str) -> str:
        values, (trouble,) = read_env_file(path)
        assert values == {}
        assert trouble.file == ""
        return trouble.what

    env_file.write_text("A=1\n")
    assert told(f"{env_file}.gone") == f"`{env_file}.gone` does not exist"
    assert "it is a folder" in told(str(env_file.parent))
    assert "it is no file" in told("/dev/zero")
    assert "Not a directory" in told(f"{env_file}/x")
    env_file.write_bytes(b"A=1\n" * 262_145)
    assert "larger than 1 MiB" in told(str(env_file))

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:  # root may read every file
        patch.setattr(envfile.os, "open", denied)
        assert told(str(env_file)).endswith("cannot be read: Permission denied")


def test_a_fifo_is_read_when_its_writer_writes(env_file: Path) -> None:
    os.mkfifo(env_file)

    def write() -> None:
        with open(env_file, "w") as file:  # waits for the reader
            file.write("A=1\n")
            file.flush()
            file.write("B='x" + "y" * 100_000 + "'\n")

    writer = threading.Thread(target=write)
    writer.start()
    values, troubles = read_env_file(str(env_file))
    writer.join()
    assert (values["A"], len(values["B"]), troubles) == ("1", 100_001, [])


def test_a_fifo_without_a_writer_is_told(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(env_file)
    monkeypatch.setattr(envfile, "_WRITER_SECONDS", 0.01)
    values, (trouble,) = read_env_file(str(env_file))
    assert values == {}
    assert "its writer took more than 0.01 s" in trouble.what


@pytest.mark.quick
def test_what_is_laid_over_what(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("B=first\nC=first\nD=first\n")
    second.write_text("C=second\nD=second\n")
    task = Task("t", "/bin/sh", environment=(("D", "own"),), env_files=(str(first), str(second)))
    environ = dict.fromkeys("ABCDE", "inherited")
    env = resolve(task, str(tmp_path), environ).env
    assert env == {"A": "inherited", "B": "first", "C": "second", "D": "own", "E": "inherited"}
    assert environ == dict.fromkeys("ABCDE", "inherited")


def test_every_broken_file_of_a_task_is_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("A='\nB=\"\n")
    task = Task("t", "/bin/sh", env_files=(str(bad), "/nowhere/x", str(bad)))
    with pytest.raises(lookup.LookupProblem) as caught:
        resolve(task, str(tmp_path), {})
    assert [(t.index, t.line) for t in caught.value.troubles] == [
        (0, 1), (0, 2), (1, 0), (2, 1), (2, 2)
    ]  # fmt: skip
