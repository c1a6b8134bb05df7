"""`procession run` as the first process of a container: a pid namespace of its own, by unshare.

The kernel drops signals that the first process has no handler for, orphans come to it, and when it
ends everybody else is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.run import acting, run, told
from tests.support.stage import WITHIN
from tests.support.up import Project, Terminal, Up, children

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]


def first_of(up: Up) -> int:
    """Its pid here, where it is not 1."""
    (first,) = children(up.pid)
    return first


@pytest.mark.root
def test_a_graceful_stop(project: Project) -> None:
    project.stage.pins = False  # actors tell the pids of another namespace
    words = ["--json-result", "result.json", *acting("family", "a", "obedient", 1, 1, 6)]
    up = run(project, *words, wrap=CONTAINER)
    assert up.status() == 6, up.said()
    project.stage.gone()
    assert {e.who for e in project.stage.all("heard")} == {"a.child0", "a.daemon1"}
    assert told(project)["reason"] == "exited"


@pytest.mark.root
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1"])
def test_signals_reach_the_command(project: Project, name: str) -> None:
    project.stage.pins = False
    up = run(project, *acting("obedient", "a", 5), wrap=CONTAINER)
    project.stage.ready("a")
    os.kill(first_of(up), signal.Signals[name])
    assert up.status() == 5, up.said()
    (heard,) = project.stage.wait("heard", "a")
    assert heard.words[0] == name


@pytest.mark.root
def test_a_command_that_was_killed(project: Project) -> None:
    up = run(project, "sh", "-c", "kill -9 $$", wrap=CONTAINER)
    assert up.status() == 128 + signal.SIGKILL
    up = run(project, "--timeout", "100ms", "sleep", "1000", wrap=CONTAINER)
    assert up.status() == 124


@pytest.mark.root
def test_strangers_orphans_are_reaped(project: Project) -> None:
    """What somebody started in the container beside us (docker exec) comes to us as well."""
    project.stage.pins = False
    up = run(project, *acting("obedient", "a"), wrap=CONTAINER)
    project.stage.ready("a")
    first = first_of(up)
    (supervisor,) = children(first)
    gate = project.gate("gate")
    # `sh` ends at once: what it started becomes an orphan, waits, and ends
    inside = ["nsenter", "--target", str(first), "--pid", "--mount"]
    script = f"(read x <{gate}) & exit 0"
    subprocess.run([*inside, "sh", "-c", script], check=True, env=project.environment())
    strangers = children(first) - {supervisor}
    assert len(strangers) == 1
    project.open_gate("gate")
    os.write(project._gates[-1], b"x\n")
    deadline = time.monotonic() + WITHIN
    while children(first) != {supervisor}:
        assert time.monotonic() < deadline, "it stays a zombie"
        os.sched_yield()
    os.kill(first, signal.SIGTERM)
    assert up.status() == 0
    project.stage.gone()


@pytest.mark.root
def test_the_supervisor_is_killed(project: Project) -> None:
    project.stage.pins = False
    words = acting("family", "a", "obedient", 1, 1)
    up = run(project, *words, wrap=CONTAINER)
    project.stage.ready(count=3)
    (supervisor,) = children(first_of(up))
    os.kill(supervisor, signal.SIGKILL)
    assert up.status() == 125, up.said()
    project.stage.gone()
    assert len(project.stage.all("heard")) == 3


@pytest.mark.root
def test_on_a_terminal(project: Project, terminal: Terminal) -> None:
    """As with `docker run -it`: a typed Ctrl-C means the command; process 1 cannot die of it."""
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGINT})\n"
        "print('caught', flush=True)\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})\n"
        "signal.pause()\n"
    )
    wrap = [*CONTAINER, *terminal.wrap]
    up = project.start("run", sys.executable, "-S", "-c", code, log_dir=None, wrap=wrap)
    terminal.until("ready")
    terminal.type(b"\x03")
    terminal.until("caught")
    terminal.type(b"\x03")
    assert up.status() == 128 + signal.SIGINT, terminal.drain()
