"""Each rule of a terminal, as a person meets it: bash with job control, typed keys, pipes."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.support.programs import gone
from tests.support.shell import PROMPT, Shell
from tests.support.up import Project, actor, children, sh

CTRL_C = b"\x03"
ESCAPE = "\x1b["


def reasons(project: Project) -> list[str]:
    """Why the whole was stopped, each time it was asked."""
    log = project.log("procession.log").decode()
    return re.findall(r"^\S+ (?:stopping|forced): (.*)", log, re.MULTILINE)


# --- the end of the terminal


def test_a_window_that_is_closed_is_a_graceful_stop(project: Project, shell: Shell) -> None:
    project.tasks({"a": actor("obedient", "a")})
    shell.run()
    project.stage.ready("a")
    shell.terminal.close()
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]
    project.until_logged("status 0")
    assert reasons(project) == ["SIGHUP received"]


@pytest.mark.parametrize(
    ("before", "after"),
    [("nohup", "&"), ("(trap '' HUP; exec", ")"), ("(trap '' HUP; exec", ") &")],
)
def test_where_a_hang_up_is_ignored_all_goes_on(
    project: Project, shell: Shell, before: str, after: str
) -> None:
    """And the terminal that is gone costs the terminal output only (EIO)."""
    gate = project.gate("gate")
    project.tasks({"a": sh(f": < {gate}; echo after"), "b": actor("obedient", "b")})
    shell.run(before=before, after=after)
    (ready,) = project.stage.ready("b")
    shell.terminal.close()
    shell.program.wait(10)
    project.open_gate("gate")
    project.until_logged("a run 1: running -> completed")
    if before != "nohup":  # that led our output to a file
        project.until_logged("the terminal is gone; the tasks go on")
    assert project.log("a.log") == b"after\n"
    assert not project.stage.ended(ready)
    os.kill(ready.parent, signal.SIGTERM)
    project.stage.gone()
    project.until_logged("status 0")
    assert reasons(project) == ["SIGTERM was sent to the supervisor"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_int_and_term_are_heard_though_they_were_ignored_at_the_start(
    project: Project, shell: Shell, number: signal.Signals
) -> None:
    """As a shell without job control starts what it puts in the background."""
    project.tasks({"a": actor("obedient", "a")})
    shell.run(before="(trap '' INT TERM; exec", after=") & echo pid=$!.")
    project.stage.ready("a")
    os.kill(int(shell.shown(r"pid=(\d+)\.")[0]), number)
    project.stage.gone()
    project.until_logged("status 0")
    assert reasons(project) == [f"{number.name} received"]


# --- a reader that goes away


def test_behind_head_the_tasks_and_the_logs_go_on(project: Project, shell: Shell) -> None:
    gates = [project.gate("first"), project.gate("more")]
    many = "for n in 1 2 3 4 5; do echo line $n; done"
    script = f": < {gates[0]}; echo first; : < {gates[1]}; {many}"
    project.tasks({"a": sh(script), "b": actor("obedient", "b")})
    shell.run(after="| head -n 1")
    (ready,) = project.stage.ready("b")
    (head,) = [pid for pid in children(shell.program.pid) if ready.parent not in children(pid)]
    project.open_gate("first")
    shell.until("a          | first\r\n")
    assert gone(head)
    project.open_gate("more")
    shell.until("stdout: nobody reads it any more; the tasks go on, their output is in the logs")
    project.until_logged("a run 1: running -> completed")
    assert project.log("a.log") == b"first\n" + b"".join(b"line %d\n" % n for n in range(1, 6))
    shell.type(CTRL_C)
    project.stage.gone()
    shell.until("status 0: Ctrl-C")
    assert "Traceback" not in shell.terminal.drain()


def test_behind_head_with_all_of_it_ctrl_c_still_stops(project: Project, shell: Shell) -> None:
    project.tasks({"b": actor("obedient", "b")})
    shell.run(after="2>&1 | head -n 1; echo status=${PIPESTATUS[0]}.")
    project.stage.ready("b")
    shell.until("procession | logs:")
    shell.type(CTRL_C)
    project.stage.gone()
    project.until_logged("status 0: Ctrl-C")
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]


# --- colour


@pytest.mark.parametrize(
    ("before", "after", "colour"),
    [
        ("TERM=xterm-256color", "", True),
        ("TERM=dumb", "", False),
        ("NO_COLOR=1", "", False),
        ("NO_COLOR=", "", True),
        ("FORCE_COLOR=1", "2>&1 | cat", True),
        ("FORCE_COLOR=1 TERM=dumb", "", True),
        ("FORCE_COLOR=1 NO_COLOR=1", "", False),
        ("", "2>&1 | cat", False),
    ],
)
def test_colour_is_for_terminals_that_have_it_and_for_who_asks(
    project: Project, shell: Shell, before: str, after: str, colour: bool
) -> None:
    project.tasks({"a": sh("echo one")})
    shell.run(before=before, after=after)
    shell.until("status 0: all tasks ended")
    shell.until(f"\r\n{PROMPT}")
    shown = shell.terminal.text.partition("logs:")[2]
    assert (ESCAPE in shown) == colour, shown
    assert "a          | one" in shell.until("one")


def test_without_any_terminal(project: Project, shell: Shell) -> None:
    project.tasks({"a": sh("echo one; echo two >&2; test -t 0 || test -t 1 || echo none")})
    shell.run(before="setsid --wait", after="</dev/null >all.txt 2>&1")
    assert shell.status() == 0
    text = (project.folder / "all.txt").read_text()
    assert "\x1b" not in text
    for words in ("one", "two", "none"):
        assert f"a          | {words}\n" in text


# --- while a stop lasts


def test_a_second_typed_ctrl_c_forces_and_says_so(project: Project, shell: Shell) -> None:
    project.tasks({"deaf": actor("deaf", "deaf", stop={"timeout": "1h"})})
    shell.run()
    project.stage.ready("deaf")
    shell.type(CTRL_C)
    shell.until("stopping: Ctrl-C")
    shell.type(CTRL_C)
    shell.until("forced: Ctrl-C again")
    project.stage.gone()
    assert shell.status() == 0
    assert reasons(project) == ["Ctrl-C", "Ctrl-C again"]


def test_after_a_second_it_says_whom_it_waits_for(project: Project, shell: Shell) -> None:
    project.tasks({"deaf": actor("deaf", "deaf", stop={"timeout": "1h"})})
    shell.run()
    project.stage.ready("deaf")
    shell.type(CTRL_C)
    shell.until("waiting for deaf (killed in 3599 s)")
    shell.type(CTRL_C)
    project.stage.gone()
    assert shell.status() == 0


def test_a_swept_supervisor_says_so(project: Project, shell: Shell) -> None:
    project.tasks({"a": actor("obedient", "a"), "deaf": actor("deaf", "deaf")})
    shell.run("--crash-grace", "0.2")
    ready = project.stage.ready("a", "deaf")
    (supervisor,) = {event.parent for event in ready}
    os.kill(supervisor, signal.SIGKILL)
    shell.until("procession: the supervisor was lost (killed by SIGKILL); 2 processes swept")
    project.stage.gone()
    assert shell.status() == 1


def test_a_crash_says_why_in_words(project: Project, shell: Shell) -> None:
    project.tasks({"a": sh("echo last words; kill -SEGV $$")})
    shell.run()
    shell.until("a          | last words")
    shell.shown(r"a failed: killed by SIGSEGV \(segmentation fault[^)]*\) after \d\.\d s")
    assert shell.status() == 139


# --- the window's size


def test_a_resize_changes_nothing(project: Project, shell: Shell) -> None:
    """The terminal's foreground group is told (SIGWINCH); lines stay below each other."""
    gate = project.gate("gate")
    project.tasks(
        {
            "a-long-name-of-a-task": sh(f"echo before; : < {gate}; echo after"),
            "b": actor("obedient", "b"),
        }
    )
    shell.resize(200)
    shell.run()
    shell.until("a-long-name-of-a-task | before")
    (ready,) = project.stage.ready("b")
    (guardian,) = children(shell.program.pid)
    for columns in (20, 0, 1000):
        shell.resize(columns)
    os.kill(guardian, signal.SIGWINCH)
    os.kill(ready.parent, signal.SIGWINCH)
    project.open_gate("gate")
    shell.until("a-long-name-of-a-task | after")
    assert not project.stage.ended(ready)
    shell.type(CTRL_C)
    assert shell.status() == 0
    project.stage.gone()
    assert reasons(project) == ["Ctrl-C"]


def test_long_names_are_shortened_where_the_terminal_is_narrow(
    project: Project, shell: Shell
) -> None:
    """To a third of it at most, each to something of its own; the logs have the whole names."""
    names = [f"importer-of-invoices-{n}" for n in (1, 2)]
    project.tasks({name: sh("echo here") for name in names} | {"b": sh("echo there")})
    shell.resize(48)
    shell.run()
    shell.until("importe..oices-1 | here\r\n")
    shell.until("importe..oices-2 | here\r\n")
    shell.until("b                | there\r\n")
    shell.until("procession       | ")
    assert shell.status() == 0
    assert project.log(f"{names[0]}.log") == b"here\n"
