"""`procession up`: the commands of a stop, and that nothing of them outlives it."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.support.up import Project, Task, Terminal, actor, children

FOREVER = "100s"


def command(*words: object, **keys: object) -> dict[str, Any]:
    return {"command": list(map(str, words)), **keys}


def family(kind: str, children: int, daemons: int, *status: int) -> list[object]:
    """The command line of an actor named `helper`."""
    task = actor("family", "helper", kind, children, daemons, *status)
    return [task["program"], *task["args"]]


def run_and_stop(project: Project, task: Task) -> str:
    """What the supervisor said of a task `a` from its start to its stop."""
    project.tasks({"a": task})
    up = project.up()
    project.stage.ready("a")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    return up.err


@pytest.mark.quick
def test_a_command_comes_before_the_signal_and_knows_whom_it_stops(project: Project) -> None:
    script = (
        "echo asks $PROCESSION_PID in $PWD as $PROCESSION_TASK $OWN; kill -s USR1 $PROCESSION_PID"
    )
    stop = command("sh", "-c", script, timeout=FOREVER)
    said = run_and_stop(
        project, actor("hears_once", "a", os.devnull, stop=stop, environment={"OWN": "own"})
    )
    (event,) = project.stage.all("ready", "a")
    heard = [event.words[0] for event in project.stage.all("heard", "a")]
    assert heard[0] == "SIGUSR1", said
    log = project.log("a.log").decode()
    assert log == f"asks {event.pid} in {project.folder} as a own\n"


@pytest.mark.quick
def test_a_ladder_is_climbed_step_by_step(project: Project) -> None:
    """The first command fails, the second is ended when its time is over, the signal does it."""
    steps = [
        command("sh", "-c", "echo one >>steps; exit 3", wait=FOREVER),
        command("sh", "-c", "echo two >>steps; exec sleep 1000", wait="200ms"),
        {"signal": "SIGINT", "to": "leader", "wait": FOREVER},
    ]
    said = run_and_stop(project, actor("obedient", "a", stop=steps))
    assert (project.folder / "steps").read_text() == "one\ntwo\n"
    assert [e.words[0] for e in project.stage.all("heard", "a")] == ["SIGINT"]
    assert "sh, which should stop it, failed: exited with 3" in said


def test_a_command_that_is_not_there_any_more_is_told_and_passed_over(project: Project) -> None:
    program = project.folder / "quits"
    program.symlink_to("/bin/true")
    project.tasks({"a": actor("obedient", "a", stop=command("./quits", timeout=FOREVER))})
    up = project.up()
    project.stage.ready("a")
    program.unlink()
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert "`./quits` does not exist" in up.err, up.said()
    assert [e.words[0] for e in project.stage.all("heard", "a")] == ["SIGTERM"]


def test_a_command_that_does_not_end_is_killed_with_all_it_started(project: Project) -> None:
    steps = [command(*family("deaf", 1, 1), wait="1s"), {"signal": "SIGTERM", "wait": FOREVER}]
    run_and_stop(project, actor("obedient", "a", stop=steps))
    assert len([e for e in project.stage.all("ready") if e.who.startswith("helper")]) == 3


def test_what_a_command_leaves_is_killed(project: Project) -> None:
    stop = command(*family("deaf", 0, 1, 0), timeout=FOREVER)
    run_and_stop(project, actor("obedient", "a", stop=stop))
    assert len([e for e in project.stage.all("ready") if e.who.startswith("helper")]) == 1


def test_a_command_may_wait_for_the_end_of_what_it_stops_and_tidy_up(project: Project) -> None:
    """Nor does the next run begin before it has."""
    script = (
        "kill $PROCESSION_PID; while kill -0 $PROCESSION_PID 2>/dev/null; do sleep 0.01; done; "
        "echo tidied; echo . >>tidied"
    )
    steps = [command("sh", "-c", script, wait=FOREVER)]
    # the first run is unhealthy when we say so, no later one ever
    well = "[ $PROCESSION_RUN_NUMBER != 1 ] || [ -e well ]"
    check = {"exec": ["sh", "-c", well], "interval": "10ms", "failures": 1}
    task = actor("obedient", "a", stop=steps, health=check, restart="on-failure", restart_backoff=0)
    project.tasks({"a": task})
    (project.folder / "well").touch()
    up = project.up()
    project.stage.ready("a")
    (project.folder / "well").unlink()
    project.stage.ready("a", count=2)
    assert (project.folder / "tidied").read_text().count(".") >= 1
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert "tidied" in project.log("a.log").decode()
    assert "outlived" not in up.err, up.said()


def test_a_command_is_ended_soon_after_all_it_was_to_stop(project: Project) -> None:
    stop = command("sh", "-c", "kill $PROCESSION_PID; exec sleep 1000", timeout=FOREVER)
    project.tasks({"a": actor("obedient", "a", stop=stop)})
    up = project.up()
    project.stage.ready("a")
    assert up.stop() == 0, up.said()
    assert project.stage.gone() < 8


def test_a_forced_stop_ends_the_command_too(project: Project, terminal: Terminal) -> None:
    stop = command(*family("deaf", 1, 1), timeout=FOREVER)
    project.tasks({"a": actor("deaf", "a", stop=stop)})
    up = project.up(wrap=terminal.wrap)
    project.stage.ready("a")
    terminal.type(b"\x03")
    project.stage.ready(count=4)
    terminal.type(b"\x03")
    assert up.status() == 0, terminal.drain()
    assert project.stage.gone() < 5


def test_a_command_is_ended_with_a_supervisor_that_is_killed(project: Project) -> None:
    stop = command(*family("deaf", 1, 1), timeout=FOREVER)
    project.tasks({"a": actor("deaf", "a", stop=stop)})
    up = project.up()
    project.stage.ready("a")
    up.kill(signal.SIGTERM)
    events = project.stage.ready(count=4)
    (supervisor,) = children(up.pid) & {event.parent for event in events}
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone()
    assert up.status() == 1, up.said()
