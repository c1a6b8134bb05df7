"""`procession up`: asked to stop, or killed, in the first milliseconds of its life."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.up import Project, Up, actor, children, readable

ROUNDS = 30
STEP = 0.005  # seconds by which each round waits longer: from before the first import to running

# Without `-W error`: the interpreter's own `import warnings` swallows a KeyboardInterrupt, prints
# it, and goes on, whatever program it is about to run.
PLAIN = (sys.executable, "-m", "procession")


def rounds(project: Project) -> Iterator[Up]:
    """So many starts one after the other, each asked to stop a little later in its life. Waiting
    for an end that does not come is what lets the time pass."""
    for number in range(ROUNDS):
        up = project.up("--quiet", run=PLAIN)
        assert not up.ended(within=number * STEP), up.said()
        yield up


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_an_early_stop_always_ends_and_leaves_nothing(
    project: Project, number: signal.Signals
) -> None:
    project.tasks(
        {
            "a": actor("obedient", "a"),
            "family": actor("family", "family", "obedient", 1, 1),
            "late": actor("obedient", "late", start_delay="40ms"),
        }
    )
    for up in rounds(project):
        up.kill(number)
        status = up.status()
        project.stage.gone()
        if status != 0:
            # The interpreter has not come to us yet: the signal's default action ends it, or it
            # makes a KeyboardInterrupt of it, which ends with 1 while `site` is imported.
            assert status in (-number, 128 + number, 1), up.said()
            assert "supervisor" not in up.err, up.said()
            assert project.stage.told == [], "something began, and was not stopped gracefully"
        project.stage.again()


@pytest.mark.parametrize("who", ["supervisor", "guardian"])
def test_an_early_kill_leaves_nothing(project: Project, who: str) -> None:
    """The half that is left ends what was begun; where the guardian went first, the supervisor
    ends by itself a moment later."""
    project.tasks(
        {"a": actor("obedient", "a"), "family": actor("family", "family", "obedient", 1, 1)}
    )
    for up in rounds(project):
        halves = children(up.pid)
        pinned = [os.pidfd_open(pid) for pid in halves]
        try:
            if who == "guardian":
                up.kill(signal.SIGKILL)
            else:
                for pidfd in pinned:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                if not halves:  # not forked yet: then there is nothing to be killed
                    up.kill(signal.SIGTERM)
            up.status()
            project.stage.gone()
            deadline = time.monotonic() + 5.0
            assert all(readable(pidfd, deadline) for pidfd in pinned), "the other half lives"
        finally:
            for pidfd in pinned:
                os.close(pidfd)
        project.stage.again()
