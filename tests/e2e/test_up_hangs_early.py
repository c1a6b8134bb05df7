"""What goes wrong before anything runs: a file that never comes, a program that is none."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.programs import gone
from tests.support.up import Project, children


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_is_heard_though_the_file_never_comes(
    project: Project, number: signal.Signals
) -> None:
    os.mkfifo(project.folder / "ff")
    up = project.start("-f", "ff")
    writer = os.open(project.folder / "ff", os.O_WRONLY)  # returns when somebody reads
    try:
        up.kill(number)
        assert up.status() == 0, up.said()
    finally:
        os.close(writer)
    assert "stopped before anything was started" in up.err


def test_a_supervisor_that_hangs_early_dies_with_its_guardian(project: Project) -> None:
    os.mkfifo(project.folder / "ff")
    up = project.start("-f", "ff")
    writer = os.open(project.folder / "ff", os.O_WRONLY)
    try:
        (supervisor,) = children(up.process.pid)
        up.kill(signal.SIGKILL)
        assert gone(supervisor, 10)
    finally:
        os.close(writer)


def test_only_that_names_nothing_starts_nothing(project: Project) -> None:
    project.tasks({"a": {"program": "true"}})
    up = project.start("--only", "")
    assert up.status() == 2
    assert "--only names nothing" in up.err
    assert not project.logs.exists()


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("#!/not/there\n", 127, "the interpreter that its #! line names is not"),
        ("no program\n", 126, "it is no program of this system, and has no #! line"),
    ],
)
def test_what_cannot_be_executed_is_told_in_words(
    project: Project, text: str, status: int, words: str
) -> None:
    program = project.folder / "program"
    program.write_text(text)
    program.chmod(0o755)
    project.tasks({"a": {"program": "./program"}})
    up = project.up()
    assert up.status() == status
    assert words in up.err
    assert "Errno" not in up.err
