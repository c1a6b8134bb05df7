"""The rules of looking up that need no host: which files a name may mean, on POSIX and Windows."""

from __future__ import annotations

import pytest

from procession.lookup import Launch, LookupProblem, Trouble, file_names, is_path

pytestmark = pytest.mark.quick

PATHEXT = ".COM;.EXE;.BAT"


@pytest.mark.parametrize(
    ("name", "posix", "windows"),
    [
        ("python3", False, False),
        ("./run", True, True),
        ("bin/run", True, True),
        ("/bin/sh", True, True),
        ("bin\\run.exe", False, True),
        ("C:\\x.exe", False, True),
        ("C:x.exe", False, True),
        ("a b", False, False),
    ],
)
def test_what_is_a_path(name: str, posix: bool, windows: bool) -> None:
    assert is_path(name, False) == posix
    assert is_path(name, True) == windows


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("python", ["python.COM", "python.EXE", "python.BAT"]),
        ("python.exe", ["python.exe"]),
        ("python.Exe", ["python.Exe"]),
        ("python3.11", ["python3.11.COM", "python3.11.EXE", "python3.11.BAT"]),
        ("run.sh", ["run.sh.COM", "run.sh.EXE", "run.sh.BAT"]),
    ],
)
def test_windows_tries_the_endings_of_pathext(name: str, files: list[str]) -> None:
    assert file_names(name, PATHEXT, True) == files
    assert file_names(name, PATHEXT, False) == [name]


def test_an_empty_pathext_leaves_no_file() -> None:
    assert file_names("python", ";", True) == []


def test_the_environment_of_a_launch_is_not_shown() -> None:
    launch = Launch(("a",), "/a", "/", {"PASSWORD": "hunter2"})
    assert "hunter2" not in repr(launch)
    assert launch.env["PASSWORD"] == "hunter2"


def test_a_problem_says_everything_in_one_line() -> None:
    troubles = [
        Trouble("cwd", "`/x` does not exist", "a folder"),
        Trouble("env-file", "a line that cannot be read", file="/e\nv", line=3),
        Trouble("program", "`pyhton` is not on the task's PATH", suggestion="python"),
    ]
    problem = LookupProblem("web", troubles, 127)
    assert str(problem) == (
        "web: cwd: `/x` does not exist; expected a folder; "
        "/e\\nv:3:1: env-file: a line that cannot be read; "
        "program: `pyhton` is not on the task's PATH; did you mean `python`?"
    )
    assert problem.troubles == tuple(troubles)
    assert problem.status == 127
