"""Ctrl-Z, `fg` and `&` under a shell with job control."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.support.programs import Program
from tests.support.up import PROCESSION, PROGRAMS, Project, Terminal, actor, sh

PROMPT = "here> "


@pytest.fixture
def shell(project: Project, terminal: Terminal) -> Iterator[Terminal]:
    """bash with job control on a terminal of its own, in the project's folder."""
    wrap = [sys.executable, "-S", str(PROGRAMS / "up_on_terminal.py"), terminal.path]
    bash = ["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"]
    env = project.environment({"PS1": PROMPT, "TERM": "xterm", "HISTFILE": "/dev/null"})
    with Program(*wrap, *bash, env=env, cwd=project.folder, session=False) as program:
        terminal.until(PROMPT)
        yield terminal
        terminal.type(b"exit\nexit\n")
        program.wait(10)


def up_line(project: Project, *words: str) -> bytes:
    line = shlex.join([*PROCESSION, "up", "--log-dir", str(project.logs), *words])
    return line.encode() + b"\n"


def test_ctrl_z_gives_the_prompt_back_and_the_tasks_go_on(
    project: Project, shell: Terminal
) -> None:
    gate = project.gate("gate")
    project.tasks({"a": sh(f"echo before; : < {gate}; echo after"), "b": actor("obedient", "b")})
    shell.type(up_line(project))
    shell.until("a          | before")
    project.stage.ready("b")
    shell.type(b"\x1a")
    shell.until("Stopped")
    shell.type(b"echo the prompt is $((40 + 2))\n")
    shell.until("the prompt is 42")
    project.open_gate("gate")
    project.until_logged("a run 1: running -> completed")
    assert project.log("a.log") == b"before\nafter\n"
    shell.type(b"echo still $((40 + 3))\n")
    shell.until("still 43")
    assert "| after" not in shell.drain()
    shell.type(b"fg\n")
    shell.until("a          | after")
    shell.type(b"\x03")
    shell.until("status 0: Ctrl-C")
    project.stage.gone()


def test_a_stopped_job_that_is_ended_ends_all(project: Project, shell: Terminal) -> None:
    project.tasks({"b": actor("obedient", "b")})
    shell.type(up_line(project))
    project.stage.ready("b")
    shell.type(b"\x1a")
    shell.until("Stopped")
    shell.type(b"kill %1\n")  # the shell continues it, so that it can hear
    project.stage.gone()


def test_in_the_background_a_typed_ctrl_c_is_not_for_it(project: Project, shell: Terminal) -> None:
    project.tasks({"b": actor("obedient", "b")})
    shell.type(up_line(project, "--quiet").replace(b"\n", b" & echo pid=$!.\n"))
    (ready,) = project.stage.ready("b")
    shell.until("pid=")
    pid = int(shell.text.rsplit("pid=", 1)[1].split(".")[0])
    shell.until(f"pid={pid}.\r\n{PROMPT}")
    shell.seen = b""
    shell.type(b"\x03")
    shell.until(PROMPT)  # what is typed before that can be flushed
    shell.type(b"echo still $((40 + 4))\n")
    shell.until("still 44")
    assert not project.stage.ended(ready)
    os.kill(pid, signal.SIGTERM)
    project.stage.gone()
