"""How a replica is told by `ps` and `why`."""

from __future__ import annotations

from pathlib import Path

import pytest

from procession.cli.ps import table
from procession.control.words import events, told

pytestmark = pytest.mark.quick


def row(**known: object) -> dict[str, object]:
    facts: dict[str, object] = {
        "name": "web", "task": "web", "state": "running", "ready": True, "healthy": None,
        "pid": 12, "run": 1, "restarts": 0, "since": 1.0, "exit": None, "wanted": True,
        "reason": "started with the project, pid 12", "status_text": "",
    }  # fmt: skip
    return {**facts, **known}


@pytest.mark.parametrize(
    ("known", "color"),
    [
        ({}, "32"),
        ({"ready": False}, "33"),
        ({"healthy": False}, "33"),
        ({"state": "failed", "ready": False}, "31"),
        ({"state": "backoff", "ready": False}, "33"),
    ],
)
def test_what_runs_and_is_not_ready_has_not_the_colour_of_what_is(
    known: dict[str, object], color: str
) -> None:
    line = table([row(**known)], color=True).splitlines()[1]
    assert line.startswith(f"\x1b[{color}mweb")


def test_a_reason_is_cut_to_the_terminal_and_nowhere_else() -> None:
    long = row(reason="why " * 40)
    whole = table([long], color=False)
    assert "why " * 39 + "why\n" in whole
    lines = table([long], color=False, width=80).splitlines()
    assert len(lines[1]) == 80
    assert lines[1].endswith("…")
    assert table([row()], color=False, width=200) == table([row()], color=False)
    assert "why why why" in table([long], color=False, width=10)  # a part of it is left in any case


def test_a_task_that_never_ran_has_no_runs_and_no_output(tmp_path: Path) -> None:
    (tmp_path / "procession.log").write_text("2026-11-28T09:00:00 web: pending: waits for db\n")
    said = list(told(row(state="pending", run=0, pid=None, ready=False), str(tmp_path)))
    assert "  runs:     none yet" in said
    assert "    2026-11-28T09:00:00 web: pending: waits for db" in said
    assert not any("output" in line for line in said)
    assert f"  output:   {tmp_path / 'web.log'}" in list(told(row(), str(tmp_path)))


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "1"),
        ({"run": 2, "exit": "exited with 1"}, "2; the last exited with 1"),
        ({"run": 2, "restarts": 1}, "2, 1 of them a restart"),
        ({"run": 5, "restarts": 3}, "5, 3 of them restarts"),
    ],
)
def test_runs_are_counted_in_words(known: dict[str, object], words: str) -> None:
    assert f"  runs:     {words}" in list(told(row(**known), None))


def test_what_its_checks_said_is_of_what_came_before(tmp_path: Path) -> None:
    said = ["web run 1: starting -> running: x", "web ready after 0.1 s", "web not healthy: tcp"]
    others = ["web2 ready after 0.1 s", "my web ready", "web readable"]
    lines = [f"2026-11-28T09:00:00 {line}" for line in (*said, *others)]
    (tmp_path / "procession.log").write_text("\n".join(lines) + "\n")
    assert list(events(str(tmp_path), "web")) == lines[:3]
