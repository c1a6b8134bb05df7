"""`procession up`: ladders of signals, and how long a stop may take whatever a task asks for."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from tests.support.puppets import Puppets
from tests.support.up import Project, Up, actor

FOREVER = "1h"
# What each hears is told, and none of it ends the process but SIGUSR1.
HEARS_ALL = (
    "import signal; [signal.signal(n, lambda n, f: print('heard', signal.Signals(n).name, "
    "flush=True)) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]"
)
# Asks for half an hour at each request, and goes on.
ASKS_FOR_MORE = (
    "import signal; signal.signal(signal.SIGTERM, lambda *_: "
    "(notify.stopping(), notify.extend(1800)))"
)


def stopped(project: Project, up: Up) -> float:
    """Until all are gone; how many seconds that took."""
    began = time.monotonic()
    assert up.stop() == 0, up.said()
    project.stage.gone()
    return time.monotonic() - began


@pytest.mark.quick
@pytest.mark.parametrize("form", ["list", "mapping"])
def test_a_ladder_of_signals(project: Project, puppets: Puppets, form: str) -> None:
    """Each after the wait of the one before; the last of them ends it."""
    steps = [
        {"signal": "SIGHUP", "wait": "50ms"},
        {"signal": "INT", "to": "tree", "wait": "50ms"},
        {"signal": 15, "wait": "500ms"},  # what ends it must not overtake the rest
        {"signal": "SIGUSR1", "wait": FOREVER},
    ]
    a = puppets("a")
    stop: Any = steps if form == "list" else {"steps": steps}
    project.tasks({"a": a.task(stop=stop)})
    up = project.up()
    project.stage.ready("a")
    a.do(HEARS_ALL)
    a.send("[signal.pause() for _ in range(10)]")
    stopped(project, up)
    heard = project.log("a.log").decode().split()
    assert heard == ["heard", "SIGHUP", "heard", "SIGINT", "heard", "SIGTERM"]
    log = project.log("procession.log").decode()
    assert "a run 1: stopping -> stopped: the project stops, killed by signal 10" in log


def test_a_ladder_that_nobody_hears_ends_in_a_kill(project: Project) -> None:
    """All of the tree, after the last step has waited."""
    steps = [{"signal": "SIGINT", "wait": "100ms"}, {"signal": "SIGTERM", "wait": "200ms"}]
    project.tasks({"a": actor("family", "a", "deaf", 1, 1, stop=steps)})
    up = project.up()
    project.stage.ready(count=3)
    assert stopped(project, up) >= 0.3
    assert "a stopped: the project stops, killed by SIGKILL" in up.err


def test_a_step_may_ask_the_leader_alone(project: Project) -> None:
    """The children hear the second step, since the leader is deaf to the first."""
    steps = [
        {"signal": "SIGHUP", "to": "leader", "wait": "200ms"},
        {"signal": "SIGINT", "to": "group", "wait": FOREVER},
    ]
    gate = project.gate("gate")
    task = actor("family", "a", "obedient", 1, 0, stop=steps)
    task["environment"] = {"GATE": gate}
    project.tasks({"a": task})
    up = project.up()
    project.stage.ready("a", "a.child0")
    up.kill(signal.SIGTERM)
    project.stage.wait("heard", "a", "a.child0")  # the leader waits at the gate
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    project.stage.gone()
    heard = {event.who: event.words[0] for event in project.stage.all("heard")}
    assert heard == {"a": "SIGHUP", "a.child0": "SIGINT"}


@pytest.mark.quick
@pytest.mark.parametrize("by", ["key", "option", "option over key"])
def test_a_bound_of_the_whole_stop(project: Project, by: str) -> None:
    """Whatever a task's own stop allows, and also for those whose turn never came."""
    top = {"key": {"stop-timeout": "500ms"}, "option": {}}.get(by, {"stop-timeout": FOREVER})
    words = [] if by == "key" else ["--stop-timeout", "500ms"]
    gate = project.gate("gate")
    project.tasks(
        {
            "db": actor("deaf", "db", stop={"timeout": FOREVER}),
            "web": actor("deaf", "web", stop={"timeout": FOREVER}, depends_on=["db"]),
            "slow": actor("hears_once", "slow", gate, stop={"timeout": FOREVER}),
        },
        **top,
    )
    up = project.up(*words)
    project.stage.ready("db", "web", "slow")
    took = stopped(project, up)
    assert 0.5 <= took < 10
    assert "the stop took longer than 0.5 s" in up.err, up.said()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"], "it was asked before"


def test_a_stop_that_ends_in_time_is_not_cut_off(project: Project) -> None:
    project.tasks({"a": actor("obedient", "a")}, **{"stop-timeout": FOREVER})
    up = project.up()
    project.stage.ready("a")
    stopped(project, up)
    assert "took longer" not in up.err
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]


@pytest.mark.quick
@pytest.mark.parametrize("bound", ["extend", "stop-timeout"])
def test_more_time_is_given_up_to_a_cap(project: Project, puppets: Puppets, bound: str) -> None:
    a = puppets("a")
    extend = "600ms" if bound == "extend" else FOREVER
    top = {} if bound == "extend" else {"stop-timeout": "700ms"}
    stop = {"timeout": "100ms", "extend": extend}
    project.tasks({"a": a.task(ready={"notify": True}, stop=stop)}, **top)
    up = project.up()
    project.stage.ready("a")
    a.do("notify.ready()")
    a.do(ASKS_FOR_MORE)
    a.send("[signal.pause() for _ in range(10)]")
    project.until_logged("a ready")
    assert 0.7 <= stopped(project, up) < 10
    assert "a stopped: the project stops, killed by SIGKILL" in up.err, up.said()
    log = project.log("procession.log").decode()
    most = "0.6 s" if bound == "extend" else "1 h"
    assert log.count(f" more; it gets {most} in all (`stop: {{extend: …}}`)") == 1


def test_no_more_time_where_none_is_allowed(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    stop = {"timeout": "100ms", "extend": 0}
    project.tasks({"a": a.task(ready={"notify": True}, stop=stop)})
    up = project.up()
    project.stage.ready("a")
    a.do("notify.ready()")
    a.do(ASKS_FOR_MORE)
    a.send("[signal.pause() for _ in range(10)]")
    project.until_logged("a ready")
    assert 0.1 <= stopped(project, up) < 5
    assert "killed by SIGKILL" in up.err, up.said()


def test_a_command_alone_and_no_signal(project: Project) -> None:
    """A stop by a command alone: no signal was asked for, and what is left is killed."""
    steps = [{"command": ["sh", "-c", "echo $PROCESSION_PID >asked"], "wait": "100ms"}]
    project.tasks({"a": actor("obedient", "a", stop=steps)})
    up = project.up()
    (event,) = project.stage.ready("a")
    stopped(project, up)
    assert (project.folder / "asked").read_text() == f"{event.pid}\n"
    assert not project.stage.all("heard")
    with pytest.raises(ProcessLookupError):
        os.kill(event.pid, 0)
