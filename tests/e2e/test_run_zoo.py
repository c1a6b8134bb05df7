"""`procession run`: all that is hard to end, ended in every way there is, as an ordinary user."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from tests.support.programs import PROGRAMS, as_ordinary_user, gone
from tests.support.run import becoming_root, run, told
from tests.support.up import Project

GRACE = 0.3
CROWD = 40
MEMBERS = 9 + CROWD
ZOO = [sys.executable, "-S", str(PROGRAMS / "run_zoo.py"), "z", str(CROWD)]
STATUS = {
    "told to": 128 + signal.SIGKILL,
    "out of time": 124,
    "left": 7,
    "run killed": -signal.SIGKILL,
    "supervisor killed": 125,
}


@pytest.mark.parametrize(
    "end", ["told to", "out of time", "left", "run killed", "supervisor killed"]
)
def test_nothing_survives(project: Project, end: str) -> None:
    options = ["--grace", f"{GRACE}s", "--json-result", "result.json"]
    if end == "out of time":
        options += ["--timeout", "3s"]
    words = [*options, *ZOO, *(["leaves"] if end == "left" else [])]
    up = run(project, *words, wrap=as_ordinary_user([]))
    ready = project.stage.ready(count=MEMBERS)
    (leader,) = [event for event in ready if event.who == "z"]
    if end == "told to":
        up.kill(signal.SIGTERM)
    elif end == "run killed":
        up.kill(signal.SIGKILL)
    elif end == "supervisor killed":
        os.kill(leader.parent, signal.SIGKILL)
    assert up.status() == STATUS[end], up.said()
    project.stage.gone(within=GRACE + 1.0)
    assert gone(leader.parent), "the supervisor, which may have a result to write"
    if "killed" not in end:
        assert told(project)["survivors"] == []


@pytest.mark.root
def test_who_cannot_be_killed_is_named(project: Project) -> None:
    """A setuid program that became root altogether, below an ordinary user."""
    up = run(
        project,
        *("--grace", "100ms", "--json-result", "result.json"),
        *becoming_root(project),
        env={"PYTHONHOME": sys.base_prefix, "PROCESSION_CGROUP": "0"},
        wrap=as_ordinary_user([]),
    )
    (ready,) = project.stage.ready("root")
    try:
        up.kill(signal.SIGTERM)
        assert up.status() == 125, up.said()
        assert not project.stage.ended(ready)
        name = f"(pid {ready.pid})"
        assert f"could not be killed: becomes-root {name}" in up.err
        assert told(project)["survivors"] == [f"becomes-root {name}"]
        assert told(project)["stop"]["steps"][0]["refused"] == [f"becomes-root {name}"]
    finally:
        project.stage.signal(ready, signal.SIGKILL)
    project.stage.gone()
