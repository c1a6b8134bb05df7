"""What the host refuses is told in the file, at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from procession.config.load import load
from procession.errors import ConfigError
from tests.support.configs import one_task

PROGRAM = "tasks:\n  web:\n    program: sh\n"


def told(folder: Path, text: str) -> list[str]:
    (folder / "p.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load("p.yaml", cwd=str(folder), environ={"PATH": "/usr/bin:/bin"})
    return [str(problem).split(";")[0] for problem in caught.value.problems]


@pytest.mark.quick
def test_each_refusal_is_where_its_value_is(tmp_path: Path) -> None:
    text = one_task(
        "user: no-such-user",
        "supplementary-groups: ['0', no-such-group]",
        "ready: {exec: [gone1, x]}",
        "health: {exec: gone2}",
        "stop: [{signal: INT}, {command: gone3}]",
        "launch-prefix: gone4 -x",
    ).replace("sleep", "sh")
    found = [line for line in told(tmp_path, text) if "only root" not in line]
    path = "is not on the task's PATH"
    assert found == [
        "p.yaml:4:11: tasks.web.user: this host has no user `no-such-user`",
        "p.yaml:5:33: tasks.web.supplementary-groups[1]: this host has no group `no-such-group`",
        f"p.yaml:6:19: tasks.web.ready.exec: `gone1` {path}",
        f"p.yaml:7:20: tasks.web.health.exec: `gone2` {path}",
        f"p.yaml:8:27: tasks.web.stop[1]: `gone3` {path}",
        f"p.yaml:9:20: tasks.web.launch-prefix: `gone4` {path}",
    ]


def test_what_may_come_is_no_problem(tmp_path: Path) -> None:
    text = one_task("ready: {exec: ./made}", "program-must-exist: false")
    (tmp_path / "p.yaml").write_text(text)
    loaded = load("p.yaml", cwd=str(tmp_path), environ={"PATH": "/usr/bin:/bin"})
    assert loaded.launches == {"web": None}, "looked up again at its start"


def test_a_default_is_told_where_it_is_said(tmp_path: Path) -> None:
    text = "defaults:\n  user: no-such-user\ntasks: {a: {program: sh}, b: {program: sh}}\n"
    assert told(tmp_path, text) == [
        "p.yaml:2:9: defaults.user: this host has no user `no-such-user`",
    ]
