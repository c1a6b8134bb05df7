"""What the terminal is told: whom a stop waits for, colour where asked for, no wild cursor."""

from __future__ import annotations

import os
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


def test_a_task_does_not_move_our_cursor_unless_asked(project: Project) -> None:
    wild = r"\033[2J\033]0;mine\007one\rtwo\n"
    project.tasks({"a": sh(f"printf '{wild}'")})
    up = project.up()
    assert up.status() == 0
    assert up.out == "a          | two\n"
    written = b"\x1b[2J\x1b]0;mine\x07one\rtwo\n"
    assert project.log("a.log") == written
    up = project.up("--raw")
    assert up.status() == 0
    assert up.raw_out == b"a          | " + written


def test_what_a_slow_reader_did_not_get_is_told(project: Project) -> None:
    """A pipe that nobody reads: all that waits is counted, in the log and on stderr."""
    project.tasks({"a": sh("seq 1 100000")})
    reads, writes = os.pipe()
    try:
        up = project.up(out=writes)
        os.close(writes)
        writes = -1
        assert up.status() == 0
        words = " bytes were not shown: our output did not take them"
        assert words in project.log("procession.log").decode()
        assert words in up.err
        assert project.log("a.log").endswith(b"\n100000\n")
    finally:
        os.close(reads)
        if writes >= 0:
            os.close(writes)
