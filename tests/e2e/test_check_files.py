"""`check` on every broken file there is: all of it told, at its place, in time, and no traceback.

In this process, file by file: what the command itself does is in test_check_command.py.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from procession.cli.check import main
from tests.os.test_config_load_bounds import HOSTILE, SECONDS, slowness
from tests.support.configs import Broken, one_task
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES
from tests.support.configs_yaml import BROKEN_YAML

ALL = (*BROKEN_YAML, *BROKEN_SHAPE, *BROKEN_VALUES)
HEAD = re.compile(r"^(?P<file>[^ ].*?):(?P<line>\d+):(?P<column>\d+): ")


def check(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The status, and what went to standard output; nothing may go elsewhere."""
    status = main([str(word) for word in words])
    told = capsys.readouterr()
    assert told.err == ""
    assert "Traceback" not in told.out
    return status, told.out


def places(out: str) -> list[tuple[int, int]]:
    found = (HEAD.match(line) for line in out.splitlines())
    return [(int(m["line"]), int(m["column"])) for m in found if m]


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_every_broken_file_of_the_corpus(
    file: Broken, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(file.text, encoding="utf-8")
    status, out = check(capsys, path)
    assert status == 2
    # beside what the tables list, the programs and folders that this host does not have are told
    assert set(places(out)) >= {(t.line, t.column) for t in file.problems}, out
    count = len(places(out))
    assert out.endswith(f"\n{count} problem{'s' * (count != 1)} in {path}\n")


# What a file may have beside its text: (name, bytes, places of what must be told, words of it).
HOST = [
    ("a program that is not on PATH", one_task("args: a").replace("sleep", "slepp-x"),
     (3, 14), "`slepp-x` is not on the task's PATH"),
    ("a path that does not exist", one_task().replace("sleep", "./run.sh"),
     (3, 14), "`./run.sh` does not exist in"),
    ("a program that is a folder", one_task().replace("sleep", "/usr"), (3, 14), "is a folder"),
    ("a program with its arguments", one_task().replace("sleep", "sleep 5"),
     (3, 14), "arguments belong in `args`; did you mean `sleep`?"),
    ("an env-file that is not there", one_task("env-file: .nothing"), (4, 15), "does not exist"),
    ("the second of two env-files", one_task("env-file: [/dev/null, .nothing]"),
     (4, 27), "does not exist"),
    ("a folder that is not there", one_task("cwd: nowhere"), (4, 10), "does not exist"),
    ("Latin-1", one_task("args: caf\xe9").encode("latin-1"), (4, 14), "byte 0xe9 is not UTF-8"),
    ("UTF-16", one_task().encode("utf-16"), (1, 1), "UTF-16"),
    ("UTF-32", one_task().encode("utf-32"), (1, 1), "UTF-32"),
    ("a NUL", one_task("args: a\0b"), (4, 12), "a NUL byte"),
    ("no text at all", b"\x7fELF\2\1\1\0\x80", (1, 9), "not UTF-8"),
    ("10 MB", b"#" * 10_000_000, (1, 1), "larger than 1 MiB"),
    ("nothing", b"", (1, 1), "the file is empty"),
    ("a tab", "tasks:\n\tweb:\n\t\tprogram: x\n", (2, 1), "a tab in the indentation"),
    ("a template's braces", one_task("args: {{ port }}"), (4, 11), "quotes around text"),
    ("deep nesting", "tasks: " + "[" * 100 + "]" * 100, (1, 71), "nested more than 64"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "place", "words"), [case[1:] for case in HOST], ids=[case[0] for case in HOST]
)
def test_what_only_the_disk_and_the_host_tell(
    content: str | bytes,
    place: tuple[int, int],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    status, out = check(capsys, path)
    assert status == 2
    assert places(out) == [place], out
    assert words in out


@pytest.mark.quick
@pytest.mark.parametrize("program", ["built-later", "./build/later"])
def test_a_program_that_is_built_later_is_none(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(one_task().replace("sleep", program))
    assert check(capsys, path)[0] == 2
    path.write_text(one_task("program-must-exist: false").replace("sleep", program))
    status, out = check(capsys, path)
    assert status == 0, out
    assert "looked up at each start" in check(capsys, path, "--show")[1]


# Of the hostile files those of which much is told, or lines of a megabyte; that no file takes long
# to read is tested where reading is.
MUCH_TO_TELL = (
    "too large", "billion laughs", "deep lists", "many keys", "different keys", "many broken tasks",
    "one line", "quotes", "escapes", "tags",
)  # fmt: skip


@pytest.mark.timeout(120)  # of a host that does much else
@pytest.mark.parametrize("name", MUCH_TO_TELL)
def test_a_hostile_file_is_answered_in_time(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HOSTILE[name], newline="")
    slow = slowness()
    began = time.process_time()
    status, out = check(capsys, path)
    took = time.process_time() - began
    assert status == 2, out[:500]
    assert took < SECONDS * max(slow, slowness())
    assert len(out) < 500_000  # a line of a megabyte is not repeated


@pytest.mark.quick
def test_a_broken_line_of_an_env_file_is_told_there_without_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(one_task("env-file: .env"))
    (tmp_path / ".env").write_text("GOOD=1\nhunter2 is my password='\n")
    status, out = check(capsys, path)
    assert status == 2
    assert out.startswith(f"{tmp_path}/.env:2:1: tasks.web.env-file: ")
    assert "hunter2" not in out


@pytest.mark.parametrize("file", ALL[::5], ids=lambda file: file.name)
def test_as_json_it_is_the_same(
    file: Broken, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(file.text, encoding="utf-8")
    _, text = check(capsys, path)
    status, out = check(capsys, path, "--json", "--show")
    view = json.loads(out)
    assert status == 2
    assert view["file"] == str(path)
    assert view["good"] is False
    assert "project" not in view
    assert [(p["line"], p["column"]) for p in view["problems"]] == places(text)
    for problem in view["problems"]:
        assert list(problem) == [
            *("file", "line", "column", "path", "what", "expected", "suggestion", "message")
        ]
        assert problem["message"] in text.splitlines()
