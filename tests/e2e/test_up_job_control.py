"""Ctrl-Z, `fg` and `&` under a shell with job control."""

from __future__ import annotations

import os
import signal

from tests.support.programs import gone
from tests.support.shell import PROMPT, Shell
from tests.support.up import Project, actor, sh


def test_ctrl_z_gives_the_prompt_back_and_the_tasks_go_on(project: Project, shell: Shell) -> None:
    gate = project.gate("gate")
    project.tasks({"a": sh(f"echo before; : < {gate}; echo after"), "b": actor("obedient", "b")})
    shell.run()
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
    assert "| after" not in shell.terminal.drain()
    shell.type(b"fg\n")
    shell.until("a          | after")
    shell.type(b"\x03")
    shell.until("status 0: Ctrl-C")
    project.stage.gone()


def test_a_stopped_job_that_is_ended_ends_all(project: Project, shell: Shell) -> None:
    project.tasks({"b": actor("obedient", "b")})
    shell.run()
    project.stage.ready("b")
    shell.type(b"\x1a")
    shell.until("Stopped")
    shell.type(b"kill %1\n")  # the shell continues it, so that it can hear
    project.stage.gone()


def test_in_the_background_a_typed_ctrl_c_is_not_for_it(project: Project, shell: Shell) -> None:
    project.tasks({"b": actor("obedient", "b")})
    shell.run("--quiet", after="& echo pid=$!.")
    (ready,) = project.stage.ready("b")
    shell.until("pid=")
    pid = int(shell.terminal.text.rsplit("pid=", 1)[1].split(".")[0])
    shell.until(f"pid={pid}.\r\n{PROMPT}")
    shell.terminal.seen = b""
    shell.type(b"\x03")
    shell.until(PROMPT)  # what is typed before that can be flushed
    shell.type(b"echo still $((40 + 4))\n")
    shell.until("still 44")
    assert not project.stage.ended(ready)
    os.kill(pid, signal.SIGTERM)
    project.stage.gone()


def test_bg_brings_the_output_back(project: Project, shell: Shell) -> None:
    """Also where the terminal stops background jobs that write (tostop): it is not its own."""
    gate = project.gate("gate")
    project.tasks({"a": sh(f": < {gate}; echo after"), "b": actor("obedient", "b")})
    shell.type(b"stty tostop\n")
    shell.run()
    project.stage.ready("b")
    shell.type(b"\x1a")
    shell.until("Stopped")
    shell.type(b"bg\n")
    project.open_gate("gate")
    shell.until("a          | after")
    shell.type(b"kill %1\n")
    shell.until("status 0: SIGTERM received")
    project.stage.gone()


def test_ctrl_z_while_a_stop_lasts_holds_nothing_up(project: Project, shell: Shell) -> None:
    project.tasks({"deaf": actor("deaf", "deaf", stop={"timeout": "700ms"})})
    shell.run()
    project.stage.ready("deaf")
    shell.type(b"\x03")
    shell.until("stopping: Ctrl-C")
    shell.type(b"\x1a")
    shell.until("Stopped")
    project.stage.gone()
    project.until_logged("status 0: Ctrl-C")
    assert "status 0" not in shell.terminal.drain(), "the prompt is the shell's"
    shell.type(b"fg\n")
    shell.until("status 0: Ctrl-C")
    assert shell.status() == 0


def test_last_words_wait_for_the_terminal_but_not_when_it_is_lost(
    project: Project, shell: Shell
) -> None:
    """Stopped by Ctrl-Z, all ended, and then killed: nobody is left who waits."""
    gate = project.gate("gate")
    project.tasks({"a": sh(f": < {gate}"), "b": actor("ends", "b", 0, gate)})
    shell.run()
    (ready,) = project.stage.ready("b")
    shell.type(b"\x1a")
    shell.until("Stopped")
    project.open_gate("gate")
    project.until_logged("status 0: all tasks ended")
    shell.type(b"kill -KILL %1\n")
    assert gone(ready.parent)
    project.stage.gone()
    assert "procession |" not in shell.terminal.drain().partition("Stopped")[2]
