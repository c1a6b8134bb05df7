"""How a process begins on Windows itself: its job, its handles, its environment, its refusals."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.core.status import ExitStatus
from procession.errors import HostError
from procession.process import _spawn_windows
from procession.process import _win32 as win
from procession.process.command import Command
from procession.process.spawn import spawn
from tests.support.windows import BOUND
from tests.support.windows_trees import Forest, command

pytestmark = pytest.mark.windows


@pytest.fixture
def forest() -> Iterator[Forest]:
    found = Forest()
    yield found
    found.close()


@pytest.mark.parametrize("known", [True, False], ids=["job list", "suspended"])
def test_both_roads_into_the_job(
    forest: Forest, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(_spawn_windows, "_job_list", known)
    run = forest.start("windows_family", "2")
    assert len(run.pids(2)) == 2
    assert len(run.tree.members()) == 2
    run.tree.kill()
    run.empty()


def test_a_system_that_does_not_know_the_attribute_is_asked_once(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Windows 10. The refusal is played; the other road is real."""
    asked = []
    real = win.create_process

    def refuses(*words: object, **more: object) -> object:
        if more["job"] is not None:
            asked.append(more["job"])
            error = OSError("not known")
            error.winerror = win.ERROR_INVALID_PARAMETER
            raise error
        return real(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(_spawn_windows, "_job_list", True)
    monkeypatch.setattr(win, "create_process", refuses)
    for _ in range(2):
        run = forest.start("windows_family", "1")
        assert run.pids(1) == [run.pid]
        assert win.in_job(run.handle.process, run.handle.job)
    assert len(asked) == 1


def test_where_jobs_do_not_nest_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Windows 8; played, and no suspended process is left of it."""

    def refuses(job: int, process: int) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(_spawn_windows, "_job_list", False)
    monkeypatch.setattr(win, "assign", refuses)
    monkeypatch.setattr(win, "in_job", lambda process: True)
    with pytest.raises(HostError, match="this system nests none"):
        spawn(command("windows_family", "1"))


def test_the_environment_is_what_was_given(forest: Forest) -> None:
    names = {"UMLAUT": "äöü 日本 😀", "EMPTY": "", "a_name": "x=y"}
    run = forest.start("windows_environment", *names, env=names)
    run.expect(*(f"{name}={value}" for name, value in names.items()))


def test_the_folder_may_have_any_name(forest: Forest, tmp_path: Path) -> None:
    folder = tmp_path / "a folder & more ü"
    folder.mkdir()
    run = forest.start("windows_environment", "--cwd", cwd=str(folder))
    run.expect(str(folder))


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"executable": r"C:\no\such.exe"}, FileNotFoundError, "such.exe"),
        ({"cwd": r"C:\no such folder"}, OSError, "no such folder"),
        ({"executable": "python.exe"}, ValueError, "absolute"),
        ({"argv": ()}, ValueError, "empty argv"),
        ({"argv": ("a", "x" * 40000)}, ValueError, "Windows takes"),
        ({"env": {"A=B": "x"}}, ValueError, "A=B"),
        ({"env": {"A": "x\0y"}}, ValueError, "'A'"),
        ({"uid": 0}, HostError, "uid"),
        ({"umask": 0o22}, HostError, "umask"),
        ({"groups": (1,)}, HostError, "groups"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    more: dict[str, object], error: type[Exception], words: str
) -> None:
    wanted = Command((sys.executable, "-c", "1"), sys.executable).replace(**more)
    with pytest.raises(error, match=words):
        spawn(wanted)


def test_the_status_is_known_until_it_is_reaped_and_after(forest: Forest) -> None:
    run = forest.start("windows_environment", "--exit", "70000")
    run.empty()
    assert run.handle.poll_exit() == ExitStatus(70000)
    assert not run.handle.reaped
    usage = run.tree.finish()
    assert usage is not None
    assert usage.user + usage.system > 0
    assert run.handle.reaped
    assert run.handle.poll_exit() == ExitStatus(70000)
    assert run.handle.reap() == usage
    assert not run.handle.send(9)


def test_a_living_process_is_not_reaped(forest: Forest) -> None:
    run = forest.start("windows_family", "1")
    run.pids(1)
    with pytest.raises(RuntimeError, match="still runs"):
        run.handle.reap()


def test_without_streams_a_program_has_null(forest: Forest) -> None:
    handle = spawn(command("windows_environment", "--streams"))
    tree = forest.trees.plant("null", "c", handle)
    assert win.wait(handle.process, int(BOUND * 1000))  # type: ignore[attr-defined]
    assert handle.poll_exit() == ExitStatus(0)
    os.stat(os.devnull)
    tree.finish()
