"""Tracers, signals that were ignored at the start, and times beyond what a system call takes."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys

import pytest

from tests.support.hands import Hand
from tests.support.programs import alive, gone
from tests.support.up import PROGRAMS, Project, actor, children, sh


def test_a_traced_leader_costs_the_supervisor_nothing(project: Project) -> None:
    """Its pidfd tells of the end before waitid does: the tracer comes first (ptrace(2))."""
    gate = project.gate("gate")
    file = str(project.folder / "pid")
    project.tasks(
        {
            "tracer": actor("traces", "tracer", gate, file),
            "traced": sh(f"echo $$ > {file}.new; mv {file}.new {file}; exec sleep 60"),
        }
    )
    up = project.up()
    (pid,) = (e.words[0] for e in project.stage.wait("killed", "tracer"))
    assert os.path.exists(f"/proc/{pid}"), "the tracer holds the zombie"
    project.open_gate("gate")
    assert up.status() == 137, up.said()  # both ended by themselves, and this one failed
    assert "traced failed: killed by SIGKILL" in up.err
    project.stage.gone()


@pytest.mark.parametrize("who", ["leader", "orphan"])
def test_who_dies_under_a_tracer_during_the_stop_holds_up_nothing(
    project: Project, who: str
) -> None:
    """It hears first, and nothing tells us: we have to ask."""
    gate = project.gate("gate")
    file = project.folder / "pid"
    tell = f"trap '' TERM; echo $$ >{file}.new; mv {file}.new {file}; exec sleep 60"
    escaped = tell.replace("$", r"\$")
    script = tell if who == "leader" else f'setsid sh -c "{escaped}" & wait'
    project.tasks({"a": sh(script, stop={"timeout": "200ms"})})
    up = project.up()
    tracer = subprocess.Popen(
        [sys.executable, "-S", str(PROGRAMS / "up_traces.py"), "tracer", gate, str(file), "wait"],
        env=project.environment(),
    )
    try:
        project.stage.wait("traces", "tracer")
        assert up.stop() == 0, up.said()
        assert "could not be killed" not in up.err
        found = re.search(r"stopped in ([0-9.]+) s", up.err)
        assert found, up.said()
        assert float(found[1]) < 4, up.said()
    finally:
        project.open_gate("gate")
        assert tracer.wait(10) == 0


def test_a_traced_orphan_holds_up_no_stop(project: Project) -> None:
    """A zombie of which only its tracer knows is dead all the same."""
    gate = project.gate("gate")
    file = str(project.folder / "pid")
    project.tasks({"a": sh(f"sleep 60 & echo $! >{file}.new; mv {file}.new {file}; wait")})
    up = project.up()
    tracer = subprocess.Popen(
        [sys.executable, "-S", str(PROGRAMS / "up_traces.py"), "tracer", gate, file],
        env=project.environment(),
    )
    try:
        (pid,) = (e.words[0] for e in project.stage.wait("killed", "tracer"))
        assert up.stop() == 0, up.said()
        assert "could not be killed" not in up.err
        assert os.path.exists(f"/proc/{pid}"), "the tracer holds the zombie"
        found = re.search(r"stopped in ([0-9.]+) s", up.err)
        assert found, up.said()
        assert float(found[1]) < 5, "it waited for what is dead"
    finally:
        project.open_gate("gate")
        assert tracer.wait(10) == 0


@pytest.mark.parametrize("limit", [100, 200, 300])
def test_a_wave_of_starts_leaves_descriptors_for_its_end(project: Project, limit: int) -> None:
    project.tasks({f"t{number}": sh("exec sleep 60") for number in range(90)})
    up = project.up(wrap=["sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh"])
    project.until_logged(" began")
    assert up.stop() == 0, up.said()
    assert "too many open files" in up.err.lower()
    assert "lost" not in up.err


def test_a_signal_that_was_ignored_at_the_start_is_no_stop(project: Project) -> None:
    project.tasks({"a": actor("obedient", "a")})
    careless = [sys.executable, "-S", str(PROGRAMS / "up_with_signals.py"), "ignore", "SIGUSR1"]
    up = project.up(wrap=careless)
    (ready,) = project.stage.ready("a")
    (supervisor,) = children(up.process.pid)
    os.kill(supervisor, signal.SIGUSR1)
    os.kill(supervisor, signal.SIGTERM)
    assert up.status() == 0, up.said()
    assert "SIGUSR1" not in up.err
    assert "SIGTERM was sent to the supervisor" in up.err
    assert project.stage.ended(ready, 5.0)


def test_a_time_of_months_is_waited_for(project: Project) -> None:
    project.tasks(
        {
            "later": sh("echo never", start_delay="90d"),
            "now": actor("obedient", "now", stop={"timeout": "90d"}),
        }
    )
    up = project.up()
    project.stage.ready("now")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert "never" not in up.out


def test_too_few_descriptors_cost_tasks_and_never_the_supervisor(project: Project) -> None:
    project.tasks({f"t{n}": sh("echo here") for n in range(30)})
    up = project.up(wrap=["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh"])
    assert up.status() == 126, up.said()
    assert "lost" not in up.err
    assert "raise the limit of open files" in up.err
    refused = up.err.count(" failed: could not start") - 1  # the closing line names the first
    assert 10 < refused < 30
    assert up.out.count("| here") == 30 - refused


@pytest.mark.parametrize("limit", range(6, 42))
def test_next_to_no_descriptors_is_one_clear_line(project: Project, limit: int) -> None:
    project.tasks({"a": sh("echo here")})
    place = project.folder / "runtime"
    place.mkdir(0o700)
    up = project.up(
        wrap=["/bin/sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"],
        env={"PROCESSION_RUNTIME_DIR": str(place)},
    )
    status = up.status()
    assert list(place.iterdir()) == []
    assert "Traceback" not in up.err
    assert "lost" not in up.err
    if limit < 40:
        assert (status, up.out) == (1, ""), up.said()
        assert up.err.count("\n") == 1, up.said()
        assert "open files" in up.err, up.said()
        assert limit < 8 or "(ulimit -n)" in up.err, up.said()
    else:
        assert status in (0, 126), up.said()


@pytest.mark.parametrize("how", ["env -i", "setsid env -i"])
def test_what_is_left_on_purpose_outlives_up(project: Project, how: str) -> None:
    """It has no environment, and its leader, whose session tells whose it is, is gone."""
    file = project.folder / "left"
    script = f"{how} /bin/sh -c 'echo $$ >{file}.new; mv {file}.new {file}; exec sleep 60' & "
    script += f"while ! test -e {file}; do :; done"
    project.tasks({"a": sh(script, leftover="leave")})
    up = project.up()
    status = up.status()
    left = int(file.read_text())
    try:
        assert status == 0, up.said()
        assert "swept" not in up.err
        assert alive(left)
    finally:
        os.kill(left, signal.SIGKILL)
        assert gone(left, 10)


def test_who_is_swept_without_belonging_to_a_task_is_named_in_the_log(project: Project) -> None:
    file = project.folder / "stray"
    script = f"setsid env -i /bin/sh -c 'exec >/dev/null 2>&1; echo $$ >{file}.new; "
    script += f"mv {file}.new {file}; exec sleep 60' & while ! test -e {file}; do :; done"
    project.tasks({"a": sh(script)})
    up = project.up(env={"PROCESSION_CGROUP": "0"})  # in a group of its own it would belong
    assert up.status() == 0, up.said()
    stray = int(file.read_text())
    assert gone(stray, 10)
    log = project.log("procession.log").decode()
    assert re.search(rf"SIGTERM to \S+ .*{stray}.*: nothing ties it to a task", log), log


def test_without_a_descriptor_to_look_with_it_is_looked_later(project: Project, hand: Hand) -> None:
    web = actor("obedient", "web", restart={"policy": "always", "delay": "0s"})
    project.tasks({"web": web, "db": actor("obedient", "db")})
    up = project.up()
    first, _ = project.stage.ready("web", "db")
    hand.run("wait", "--timeout", "40")  # what comes last of a start has come
    supervisor = first.parent
    before = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, before[1]))  # those are open for good
    os.kill(first.pid, signal.SIGKILL)
    project.until_logged("processes cannot be looked at now, and are later: ")
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, before)
    assert project.stage.ready("web", count=2)[0].pid != first.pid
    assert up.stop() == 0
    project.stage.gone()


def test_a_stop_without_a_descriptor_to_look_with_goes_on_later(
    project: Project, hand: Hand
) -> None:
    """Nobody in a tree can be told to end while nobody can be looked at; then all are."""
    project.tasks({"web": actor("obedient", "web"), "db": actor("obedient", "db")})
    up = project.up(env={"PROCESSION_CGROUP": "0"})
    first, _ = project.stage.ready("web", "db")
    hand.run("wait", "--timeout", "40")  # what comes last of a start has come
    supervisor = first.parent
    before = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, before[1]))
    up.kill(signal.SIGTERM)
    project.until_logged("processes cannot be looked at now, and are later: ")
    assert not up.ended(0.3)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, before)
    assert up.status() == 0, up.said()
    assert up.err.count("cannot be looked at") == 1, up.said()
    project.stage.gone()
