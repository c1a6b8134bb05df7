"""`procession wait`: all of it at the same time, the first bad news at once, and why it is late."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.support.hands import WITHIN, Hand
from tests.support.puppets import Puppets
from tests.support.up import PROCESSION, Project, actor, sh


def waiting(project: Project, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROCESSION, "wait", *words],
        cwd=project.folder,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.quick
def test_who_was_ready_and_failed_since_ends_the_wait(
    project: Project, hand: Hand, puppets: Puppets
) -> None:
    slow, gate = puppets("slow"), project.gate("gate")
    project.tasks({"slow": slow.task(ready={"file": "made"}), "bad": sh('cat "$0"; exit 4', gate)})
    up = project.up()
    project.stage.ready("slow")
    with waiting(project, "--timeout", "40") as wait:
        assert wait.stdout is not None
        assert wait.stdout.readline().startswith("bad running: started with the project, pid ")
        open(gate, "w").close()
        assert wait.stdout.readline().startswith("bad failed: exited with 4")
        began = time.monotonic()
        assert wait.wait(WITHIN) == 1
        assert time.monotonic() - began < 20  # not at the end of its time
    slow.do("touch('made')")
    project.until_logged("slow ready")
    said = hand.run("wait", "--timeout", "40", status=1).stdout  # all of one look, and not a part
    assert "bad failed: exited with 4" in said
    assert "slow running" in hand.run("wait", "slow").stdout
    assert up.stop() == 0
    project.stage.gone()


def test_one_that_is_at_rest_already_ends_the_wait_at_once(project: Project, hand: Hand) -> None:
    project.tasks({"bad": sh("exit 7"), "slow": actor("obedient", "slow", ready={"file": "never"})})
    up = project.up()
    project.until_logged("bad run 1: running -> failed")
    assert hand.run("wait", status=1).stdout.startswith("bad failed: exited with 7")
    said = hand.run("wait", "--timeout", "0.2", "slow", status=124).stderr
    assert said.startswith("procession: after 0.2 s not ready: slow (running: started with the ")
    assert "; not ready yet: file " in said
    assert up.stop() == 0


def test_a_restart_that_fails_is_told_though_others_still_begin(
    project: Project, hand: Hand
) -> None:
    script = "test -e again && exit 5; touch again; exec sleep 60"
    late = sh("test -e second && exec sleep 60; touch second; echo up; exec sleep 60")
    project.tasks({"bad": sh(script), "late": {**late, "ready": {"log": "^up$"}}})
    up = project.up()
    hand.run("wait", "--timeout", "40")
    said = hand.run("restart", "bad", "late", "--timeout", "40", status=1).stdout
    assert "bad failed: exited with 5" in said
    assert up.stop() == 0


@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("what", ["exit", "ready"])
def test_the_last_two_that_end_close_together_are_both_told(
    project: Project, what: str, status: int
) -> None:
    """The project ends with them, and the wait is between two questions then."""
    gate = project.gate("gate")
    project.tasks(
        {
            "first": sh("exit 0", completes=True),
            "one": sh(': < "$0"', gate, completes=True),
            "two": sh(f': < "$0"; sleep 0.02; exit {status}', gate, completes=True),
        }
    )
    up = project.up()
    with waiting(project, "--timeout", "40", "--for", what) as wait:
        assert wait.stdout is not None
        assert wait.stdout.readline().startswith("first completed: ")
        project.open_gate("gate")
        assert wait.wait(WITHIN) == (1 if status else 0)
        said = wait.stdout.read()
    assert "one completed: " in said
    assert f"two {'failed' if status else 'completed'}: exited with {status}" in said
    assert up.status() == status
