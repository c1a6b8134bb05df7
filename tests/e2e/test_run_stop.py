"""`procession run`: nothing is left of the command, whoever ends, and by what."""

from __future__ import annotations

import os
import resource
import signal

import pytest

from tests.support.programs import as_ordinary_user
from tests.support.run import acting, run, told
from tests.support.up import Project, children

RESULT = ("--json-result", "result.json")
PASSED_ON = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1"]


# --- the command ends by itself


@pytest.mark.quick
def test_what_the_leader_leaves_is_stopped(project: Project) -> None:
    words = acting("family", "a", "obedient", 3, 2, 7)
    up = run(project, *RESULT, *words, wrap=as_ordinary_user([]))
    assert up.status() == 7, up.said()
    project.stage.gone(within=1.0)
    heard = {e.who for e in project.stage.all("heard")}
    assert heard == {"a.child0", "a.child1", "a.child2", "a.daemon3", "a.daemon4"}
    found = told(project)
    assert (found["reason"], found["survivors"]) == ("exited", [])
    assert found["stop"]["why"] == "its leader exited with 7"
    assert sum(step["reached"] for step in found["stop"]["steps"]) == 5


@pytest.mark.quick
def test_what_is_deaf_is_killed_after_the_grace(project: Project) -> None:
    words = acting("family", "a", "deaf", 2, 2, 0)
    up = run(project, "--grace", "300ms", *RESULT, *words, wrap=as_ordinary_user([]))
    assert up.status() == 0, up.said()
    project.stage.gone(within=1.0)
    what = [step["what"] for step in told(project)["stop"]["steps"]]
    assert what[0] == "SIGTERM to the tree"
    assert what[-1].startswith("SIGKILL")


def test_what_hides_has_nowhere_to_go(project: Project) -> None:
    """A session of its own, an empty environment, no descriptor, its parent gone."""
    pids = project.folder / "pids"
    hide = f"env -i setsid sh -c 'echo $$ >>{pids}; exec sleep 1000 <&- >&- 2>&-' & "
    up = run(project, "sh", "-c", hide * 3 + f"until [ $(wc -l <{pids}) = 3 ]; do :; done; exit 5")
    pids.touch()
    assert up.status() == 5, up.said()
    for pid in pids.read_text().split():
        assert not os.path.exists(f"/proc/{pid}")


def test_a_fork_storm_is_brought_down(project: Project) -> None:
    up = run(
        project,
        *("--grace", "100ms", "--timeout", "300ms"),
        *acting("family", "a", "deaf", 60, 60),
        wrap=as_ordinary_user([]),
    )
    project.stage.ready(count=1)
    assert up.status() == 124, up.said()
    project.stage.gone(within=1.0)


# --- time


@pytest.mark.quick
def test_its_time_is_up(project: Project) -> None:
    up = run(project, "--timeout", "200ms", *RESULT, *acting("obedient", "a", 9))
    assert up.status() == 124, up.said()
    project.stage.gone(within=1.0)
    found = told(project)
    assert (found["reason"], found["status"]) == ("timed out", 124)
    assert found["duration"] >= 0.2
    # it may not have been ready for the signal
    assert found["exit_code"] == 9 or found["signal"] == "SIGTERM"


def test_its_time_is_up_and_it_is_deaf(project: Project) -> None:
    gate = project.gate("ready")
    words = ["sh", "-c", f"trap '' TERM; : >{gate}; sleep 1000 & wait; wait"]
    project.open_gate("ready")
    up = run(project, "--timeout", "300ms", "--grace", "200ms", *RESULT, *words)
    assert up.status() == 124, up.said()
    found = told(project)
    assert found["signal"] == "SIGKILL"
    assert 0.5 <= found["duration"] < 3.0


def test_a_command_in_time_is_not_touched(project: Project) -> None:
    up = run(project, "--timeout", "1h", *RESULT, "sh", "-c", "exit 4")
    assert up.status() == 4
    assert told(project)["stop"] is None


# --- signals


@pytest.mark.quick
def test_sigterm_begins_a_graceful_stop(project: Project) -> None:
    up = run(project, *RESULT, *acting("family", "a", "obedient", 1, 1))
    project.stage.ready(count=3)
    up.kill(signal.SIGTERM)
    assert up.status() == 0, up.said()
    project.stage.gone()
    heard = [(e.who, e.words[0]) for e in project.stage.all("heard")]
    assert sorted(heard) == [(who, "SIGTERM") for who in ("a", "a.child0", "a.daemon1")]
    assert told(project)["reason"] == "stopped"


@pytest.mark.quick
def test_a_deaf_one_is_forced_and_resending_does_not_hasten_it(project: Project) -> None:
    up = run(project, "--grace", "600ms", *RESULT, *acting("family", "a", "deaf", 1, 1))
    project.stage.ready(count=3)
    for _ in range(5):
        up.kill(signal.SIGTERM)
        up.kill(signal.SIGINT)
    assert up.status() == 128 + signal.SIGKILL, up.said()
    project.stage.gone(within=1.0)
    found = told(project)
    assert found["reason"] == "forced"
    steps = found["stop"]["steps"]
    assert steps[-1]["at"] - steps[0]["at"] >= 0.59


@pytest.mark.quick
@pytest.mark.parametrize("name", PASSED_ON)
def test_other_signals_are_passed_on_once_as_they_are(project: Project, name: str) -> None:
    gate = project.gate("gate")
    up = run(project, *RESULT, *acting("hears_once", "a", gate))
    project.stage.ready("a")
    up.kill(signal.Signals[name])
    (heard,) = project.stage.wait("heard", "a")
    project.open_gate("gate")
    assert heard.words[0] == name
    (pending,) = project.stage.wait("pending", "a")
    assert pending.words == (), "no second, and no SIGTERM"
    assert up.status() == 0, up.said()
    assert told(project)["reason"] == "exited", "what it means is the command's business"


@pytest.mark.parametrize("name", ["SIGUSR2", "SIGWINCH"])
def test_signals_of_no_end_are_passed_on_too(project: Project, name: str) -> None:
    gate = project.gate("ready")
    out = project.folder / "heard"
    script = (
        f"trap 'echo {name} >{out}; exit 6' {name[3:]}; echo ok >{gate}; while :; do wait; done"
    )
    up = run(project, "sh", "-c", f"sleep 1000 & {script}")
    with open(gate) as ready:
        assert ready.read() == "ok\n"
    up.kill(signal.Signals[name])
    assert up.status() == 6, up.said()
    assert out.read_text() == f"{name}\n"


def test_a_signal_that_kills_the_command_is_its_status(project: Project) -> None:
    up = run(project, *RESULT, "sleep", "1000")
    (supervisor,) = await_children(up.pid)
    await_children(supervisor)
    up.kill(signal.SIGUSR1)
    assert up.status() == 128 + signal.SIGUSR1
    assert told(project)["reason"] == "signalled"


def await_children(pid: int) -> set[int]:
    import time

    deadline = time.monotonic() + 10
    while not (found := children(pid)):
        assert time.monotonic() < deadline
        os.sched_yield()
    return found


def test_stopped_members_are_ended_too(project: Project) -> None:
    up = run(project, *acting("obedient", "a"))
    (event,) = project.stage.ready("a")
    project.stage.signal(event, signal.SIGSTOP)
    up.kill(signal.SIGTERM)
    assert up.status() == 0, up.said()
    project.stage.gone()


# --- our own death


@pytest.mark.quick
@pytest.mark.parametrize("kind", ["obedient", "deaf"])
def test_run_is_killed(project: Project, kind: str) -> None:
    """SIGKILL to the process that was started: the supervisor below it stops the command."""
    words = acting("family", "a", kind, 2, 2)
    up = run(project, "--grace", "500ms", *words, wrap=as_ordinary_user([]))
    project.stage.ready(count=5)
    up.kill(signal.SIGKILL)
    assert up.status() == -signal.SIGKILL
    project.stage.gone(within=0.5 + 1.0)
    assert len(project.stage.all("heard")) == (5 if kind == "obedient" else 0)


@pytest.mark.quick
@pytest.mark.parametrize("kind", ["obedient", "deaf"])
def test_the_supervisor_is_killed(project: Project, kind: str) -> None:
    words = acting("family", "a", kind, 2, 2)
    up = run(project, "--grace", "500ms", *words, wrap=as_ordinary_user([]))
    (supervisor,) = {event.parent for event in project.stage.ready(count=5) if event.who == "a"}
    os.kill(supervisor, signal.SIGKILL)
    assert up.status() == 125, up.said()
    project.stage.gone(within=1.0)
    assert len(project.stage.all("heard")) == (5 if kind == "obedient" else 0)
    assert "the supervisor was lost" in up.err


def test_the_whole_group_is_killed(project: Project) -> None:
    up = run(project, "--grace", "500ms", *acting("family", "a", "deaf", 1, 1))
    project.stage.ready(count=3)
    os.killpg(up.pid, signal.SIGKILL)
    assert up.status() == -signal.SIGKILL
    project.stage.gone(within=0.5 + 1.0)


# --- in company


def test_run_below_run_and_up_below_run(project: Project) -> None:
    import sys

    inner = [sys.executable, "-m", "procession", "run", "--grace", "5s"]
    up = run(project, *inner, *acting("family", "a", "obedient", 1, 1))
    project.stage.ready(count=3)
    up.kill(signal.SIGTERM)
    assert up.status() == 0, up.said()
    project.stage.gone()
    heard = [e.words[0] for e in project.stage.all("heard")]
    assert heard == ["SIGTERM"] * 3, "each once, though two managers watch over them"
    project.stage.again()
    project.tasks({"t": {"program": sys.executable, "args": acting("obedient", "t")[1:]}})
    up = run(project, sys.executable, "-m", "procession", "up", "--log-dir", "logs")
    project.stage.ready("t")
    up.kill(signal.SIGTERM)
    assert up.status() == 0, up.said()
    project.stage.gone()


def test_a_stop_before_it_was_started(project: Project) -> None:
    """While it waits for an env-file that a vault has yet to write."""
    gate = project.gate("vault")
    up = run(project, "--env-file", gate, *RESULT, "sleep", "1000")
    with open(gate, "w"):  # opens as soon as it is read
        up.kill(signal.SIGTERM)
    assert up.status() == 128 + signal.SIGTERM, up.said()
    assert told(project)["reason"] in ("not started", "stopped", "signalled")


def test_without_a_descriptor_to_look_with_it_is_stopped_later(project: Project) -> None:
    up = run(project, *RESULT, *acting("obedient", "a"))
    (command,) = project.stage.ready("a")
    before = resource.prlimit(command.parent, resource.RLIMIT_NOFILE)
    resource.prlimit(command.parent, resource.RLIMIT_NOFILE, (3, before[1]))
    up.kill(signal.SIGTERM)
    assert not up.ended(0.4)
    resource.prlimit(command.parent, resource.RLIMIT_NOFILE, before)
    assert up.status() == 0, up.said()
    assert up.err.count("processes cannot be looked at now, and are later: ") == 1, up.said()
    assert told(project)["survivors"] == []
    project.stage.gone()
