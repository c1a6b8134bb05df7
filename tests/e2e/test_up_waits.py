"""A stop that lasts says whom it waits for; colour can be asked for."""

from __future__ import annotations

import re

from tests.support.up import Project, actor, sh


def test_after_a_second_it_says_whom_it_waits_for_and_how_long(project: Project) -> None:
    project.tasks(
        {
            "deaf": actor("deaf", "deaf", stop={"timeout": "1500ms"}),
            "fine": actor("obedient", "fine"),
        }
    )
    up = project.up()
    project.stage.ready(count=2)
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert re.findall(r"waiting for .*", up.err) == ["waiting for deaf (killed in 0 s)"]


def test_a_stop_that_is_over_at_once_says_nothing_of_waiting(project: Project) -> None:
    project.tasks({"fine": actor("obedient", "fine")})
    up = project.up()
    project.stage.ready(count=1)
    assert up.stop() == 0, up.said()
    assert "waiting for" not in up.err


def test_colour_in_a_file_where_it_is_asked_for(project: Project) -> None:
    project.tasks({"a": sh("echo one")})
    up = project.up(env={"FORCE_COLOR": "1"})
    assert up.status() == 0
    assert "\x1b[" in up.out
    up = project.up(env={"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert up.status() == 0
    assert "\x1b[" not in up.out
