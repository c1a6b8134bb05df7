"""`procession run` and `doctor` where there is a control group to divide."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from tests.support.groups import Group, until_empty
from tests.support.programs import PROGRAMS, gone
from tests.support.run import acting, becoming_root, run, told
from tests.support.stage import Event
from tests.support.up import Project, Terminal, children

pytestmark = pytest.mark.root

GRACE = 0.3
CROWD = 10
ZOO = [sys.executable, "-S", str(PROGRAMS / "run_zoo.py"), "z", str(CROWD)]


@pytest.mark.parametrize("end", ["told to", "run killed", "supervisor killed", "left"])
def test_nothing_survives_and_no_group_is_left(project: Project, group: Group, end: str) -> None:
    left = ["leaves"] if end == "left" else []
    up = run(project, "--grace", f"{GRACE}s", *ZOO, *left, wrap=group.wrap)
    ready = project.stage.ready(count=9 + CROWD)
    (leader,) = [event for event in ready if event.who == "z"]
    if end != "left":
        number = signal.SIGTERM if end == "told to" else signal.SIGKILL
        os.kill(leader.parent if end == "supervisor killed" else up.pid, number)
    statuses = {"told to": 137, "run killed": -9, "supervisor killed": 125, "left": 7}
    assert up.status() == statuses[end], up.said()
    project.stage.gone(within=GRACE + 1.0)
    until_empty(group.folder)
    assert group.places == []


def test_both_are_killed_and_the_next_start_sweeps(project: Project, group: Group) -> None:
    first = run(project, *ZOO, wrap=group.wrap)
    ready = project.stage.ready(count=9 + CROWD)
    (supervisor,) = children(first.pid)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (supervisor, first.pid):
            os.kill(pid, number)
    assert first.status() == -signal.SIGKILL
    assert gone(supervisor)
    assert len(group.pids()) == len(ready)
    second = run(project, "--grace", "0.1s", "true", wrap=group.wrap)
    assert second.status() == 0
    assert f"{len(ready)} processes swept that a killed procession had left" in second.err
    project.stage.gone(within=1.0)
    assert group.places == []


def test_what_may_not_be_signalled_is_killed_all_the_same(project: Project, group: Group) -> None:
    """A setuid program that became root: without a group it survives, and is named."""
    up = run(
        project,
        *("--grace", "100ms", "--json-result", "result.json"),
        *becoming_root(project),
        env={"PYTHONHOME": sys.base_prefix},
        wrap=group.wrap,
    )
    (ready,) = project.stage.ready("root")
    up.kill(signal.SIGTERM)
    assert up.status() == 128 + signal.SIGKILL, up.said()
    assert told(project)["survivors"] == []
    project.stage.gone(within=1.0)
    assert isinstance(ready, Event)
    assert group.places == []


def test_a_command_that_cannot_be_started(project: Project, group: Group) -> None:
    up = run(project, "/no/such/program", wrap=group.wrap)
    assert up.status() == 127
    assert group.places == []


def test_on_a_terminal_it_is_the_same(project: Project, group: Group, terminal: Terminal) -> None:
    up = run(project, *acting("bare", "a"), terminal=terminal, wrap=group.wrap)
    assert up.status() == 0, up.said()
    project.stage.gone()
    assert group.pids() == set()
    assert group.places == []


@pytest.mark.parametrize(
    ("where", "state", "words"),
    [
        ("ours", "ok", "ours to divide: used"),
        ("switched off", "limited", "switched off"),
        ("root's", "limited", "not delegated to us"),
    ],
)
def test_doctor_tells_what_is_used(
    project: Project, group: Group, where: str, state: str, words: str
) -> None:
    if where == "root's":
        os.chown(group.folder, 0, 0)
    env = {"PROCESSION_CGROUP": "0"} if where == "switched off" else None
    up = project.start("doctor", "--json", wrap=group.wrap, log_dir=None, env=env)
    assert up.status() == 0, up.said()
    found = json.loads(up.out)
    (fact,) = [fact for fact in found["facts"] if fact["key"] == "cgroup"]
    assert fact["state"] == state
    assert words in fact["value"]
    used = any("control group" in layer for layer in found["layers"])
    assert used is (state == "ok")
    assert any("setuid" in cell for cell in found["blind"]) is not used
    if where == "root's":
        assert "mkdir" in fact["better"] or "Delegate=yes" in fact["better"]
    assert group.places == []
