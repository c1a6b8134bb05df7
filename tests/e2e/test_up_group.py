"""`procession up` where it has a control group to divide, as an ordinary user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.groups import Group, in_leaf, make, until_empty
from tests.support.programs import as_ordinary_user, gone
from tests.support.stage import Event
from tests.support.up import PROCESSION, Project, Up, actor, children

pytestmark = pytest.mark.root

FOREVER = {"timeout": "1h"}
OFF = {"PROCESSION_CGROUP": "0"}


def two(project: Project) -> None:
    project.tasks(
        {
            "a": actor("family", "a", "obedient", 1, 1),
            "deaf": actor("family", "deaf", "deaf", 1, 1, stop={"timeout": "300ms"}),
        }
    )


def supervisor_of(up: Up, ready: list[Event]) -> int:
    (found,) = children(up.pid) & {event.parent for event in ready}
    return found


def kill_both(up: Up, supervisor: int) -> None:
    """In one instant: neither sees the other's end."""
    for pid in (supervisor, up.pid):
        os.kill(pid, signal.SIGSTOP)
    for pid in (supervisor, up.pid):
        os.kill(pid, signal.SIGKILL)
    assert up.status() == -signal.SIGKILL
    assert gone(supervisor)


@pytest.mark.quick
def test_each_run_is_in_a_leaf_from_its_first_instruction(project: Project, group: Group) -> None:
    project.tasks({"a": actor("family", "a", "obedient", 2, 1), "b": actor("obedient", "b")})
    up = project.up(wrap=group.wrap)
    ready = project.stage.ready(count=5)
    leaves = group.leaves()
    assert set(leaves) == {"a", "b"}
    for event in ready:
        assert in_leaf(event.pid, leaves[event.who.partition(".")[0]]), event
    supervisor = supervisor_of(up, ready)
    assert in_leaf(supervisor, group.folder), "it went back"
    assert in_leaf(up.pid, group.folder)
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert group.places == []


@pytest.mark.quick
@pytest.mark.parametrize("groups", [True, False], ids=["with", "without"])
def test_a_daemon_that_left_no_trace_ends_with_its_run(
    project: Project, group: Group, groups: bool
) -> None:
    """And not only with the project, as without the layer. `leftover` is `stop`."""
    project.tasks({"a": actor("bare", "a"), "b": actor("obedient", "b")})
    up = project.up(wrap=group.wrap, env=None if groups else OFF)
    _, daemon = project.stage.ready("a", "a.daemon")
    project.stage.ready("b")
    project.until_logged("a run 1: running -> " + ("stopping" if groups else "completed"))
    assert project.stage.ended(daemon, within=5.0 if groups else 0.0) is groups
    assert up.process.poll() is None
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert group.places == []


def test_the_leaf_of_a_run_goes_with_it(project: Project, group: Group) -> None:
    project.tasks(
        {
            "fails": {"program": str(project.folder / "no-program"), "program-must-exist": False},
            "short": {"program": "true"},
            "b": actor("obedient", "b"),
        },
    )
    up = project.up(wrap=group.wrap)
    project.stage.ready("b")
    project.until_logged("short run 1: running -> completed")
    assert set(group.leaves()) == {"b"}
    up.stop()
    project.stage.gone()


def test_the_supervisor_is_killed(project: Project, group: Group) -> None:
    two(project)
    up = project.up("--quiet", wrap=group.wrap)
    ready = project.stage.ready(count=6)
    os.kill(supervisor_of(up, ready), signal.SIGKILL)
    project.stage.gone(within=2.0)
    assert up.status() == 1, up.said()
    assert {e.who for e in project.stage.all("heard")} == {"a", "a.child0", "a.daemon1"}
    assert "6 processes swept" in up.err
    assert group.places == []


def test_the_guardian_is_killed(project: Project, group: Group) -> None:
    two(project)
    up = project.up("--quiet", wrap=group.wrap)
    ready = project.stage.ready(count=6)
    supervisor = os.pidfd_open(supervisor_of(up, ready))
    os.kill(up.pid, signal.SIGKILL)
    assert up.status() == -signal.SIGKILL
    project.stage.gone(within=3.0)
    signal.pidfd_send_signal(supervisor, 0)  # not reaped, or not ended yet
    os.close(supervisor)
    until_empty(group.folder)
    assert group.places == []
    assert {e.who for e in project.stage.all("heard")} == {"a", "a.child0", "a.daemon1"}


@pytest.mark.quick
def test_both_are_killed_and_the_next_start_sweeps(project: Project, group: Group) -> None:
    two(project)
    first = project.up("--quiet", wrap=group.wrap)
    ready = project.stage.ready(count=6)
    kill_both(first, supervisor_of(first, ready))
    assert len(group.pids()) == 6, "nobody is left to end them"
    project.tasks({"b": actor("obedient", "b")}, name="next")
    second = project.up("--crash-grace", "0.3", wrap=group.wrap)
    project.stage.ready("b")
    assert all(project.stage.ended(event, 2.0) for event in ready)
    assert "6 processes swept that a killed procession had left" in second.err
    assert {e.who for e in project.stage.all("heard")} == {"a", "a.child0", "a.daemon1"}
    assert len(group.places) == 1
    assert second.stop() == 0, second.said()
    project.stage.gone()
    assert group.places == []


def test_a_supervisor_that_lives_is_not_swept(project: Project, group: Group) -> None:
    project.tasks({"a": actor("obedient", "a")})
    first = project.up(wrap=group.wrap)
    (a,) = project.stage.ready("a")
    project.tasks({"b": actor("obedient", "b")}, name="next")
    second = project.up(wrap=group.wrap)
    project.stage.ready("b")
    assert not project.stage.ended(a)
    assert len(group.places) == 2
    assert second.stop() == 0, second.said()
    assert not project.stage.ended(a)
    assert "swept" not in second.err
    assert first.stop() == 0, first.said()
    project.stage.gone()
    assert group.places == []


@pytest.mark.parametrize("end", ["stop", "crash", "both"])
def test_what_was_left_on_purpose_lives_on(project: Project, group: Group, end: str) -> None:
    project.tasks(
        {
            "a": actor("bare", "a", leftover="leave", stop=FOREVER),
            "b": actor("obedient", "b"),
        }
    )
    up = project.up(wrap=group.wrap)
    daemon, b = project.stage.ready("a.daemon", "b")
    project.until_logged("a run 1: running -> ")
    try:
        if end == "stop":
            assert up.stop() == 0, up.said()
        elif end == "crash":
            os.kill(b.parent, signal.SIGKILL)
            assert up.status() == 1, up.said()
        else:
            kill_both(up, b.parent)
            project.tasks({"c": {"program": "true"}}, name="next")
            assert project.up(wrap=group.wrap).status() == 0
        assert project.stage.ended(b, 2.0)
        assert not project.stage.ended(daemon)
        assert in_leaf(daemon.pid, group.folder), "as if there had been no leaf"
        assert group.places == []
    finally:
        project.stage.signal(daemon, signal.SIGKILL)
    project.stage.gone()


def test_the_leaf_of_what_was_left_goes_when_that_has_ended(project: Project, group: Group) -> None:
    project.tasks(
        {"a": actor("bare", "a", leftover="leave", stop=FOREVER), "b": actor("obedient", "b")}
    )
    up = project.up(wrap=group.wrap)
    daemon, b = project.stage.ready("a.daemon", "b")
    project.until_logged("a run 1: running -> ")
    leaf = group.leaves()["a"]
    project.stage.signal(daemon, signal.SIGKILL)
    until_empty(leaf)
    assert up.stop() == 0, up.said()
    assert project.stage.ended(b, 2.0)
    assert group.places == []
    project.stage.gone()


@contextmanager
def stranger(leaf: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of that user that an administrator moved into a leaf: nobody's descendant."""
    command = as_ordinary_user(["/bin/sh", "-c", "echo; exec sleep 1000"])
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it is that user's by now
        process.stdout.close()
        (leaf / "cgroup.procs").write_text(str(process.pid))
        yield process
    finally:
        process.kill()
        process.wait()


def test_who_was_moved_into_a_leaf_is_of_the_run(project: Project, group: Group) -> None:
    """It is no descendant: only its leaf knows of it, tells who it is, and tells of its end."""
    project.tasks({"a": actor("bare", "a", project.gate("go"))})
    up = project.up(wrap=group.wrap)
    project.stage.ready("a")
    with stranger(group.leaves()["a"]) as process:
        project.open_gate("go")
        assert up.status() == 0, up.said()
        assert process.wait() == -signal.SIGTERM
    project.stage.gone()
    assert group.places == []


def test_a_run_is_not_over_before_its_leaf_is_empty(project: Project, group: Group) -> None:
    project.tasks({"a": actor("bare", "a", project.gate("go"), leftover="wait", stop=FOREVER)})
    up = project.up(wrap=group.wrap)
    daemon = project.stage.ready("a", "a.daemon")[1]
    with stranger(group.leaves()["a"]) as process:
        project.open_gate("go")
        project.stage.signal(daemon, signal.SIGKILL)
        project.until_logged("a run 1: running -> ")
        assert project.stage.ended(daemon, 5.0)
        assert not up.ended(within=0.3)
        process.kill()
        assert up.status() == 0, up.said()
    project.stage.gone()


def test_who_may_not_be_signalled_is_killed_by_its_leaf(project: Project, group: Group) -> None:
    """A process of another user in a run: SIGTERM is refused us, cgroup.kill is not."""
    project.tasks({"a": actor("obedient", "a", stop={"timeout": "200ms"})})
    up = project.up(wrap=group.wrap)
    project.stage.ready("a")
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:  # root's
        try:
            (group.leaves()["a"] / "cgroup.procs").write_text(str(process.pid))
            assert up.stop() == 0, up.said()
            assert process.wait() == -signal.SIGKILL
        finally:
            process.kill()
    assert "could not be killed" not in up.err
    project.stage.gone()


def test_a_frozen_leaf_is_killed(project: Project, group: Group) -> None:
    project.tasks({"a": actor("family", "a", "obedient", 1, 1, stop={"timeout": "200ms"})})
    up = project.up(wrap=group.wrap)
    project.stage.ready(count=3)
    (group.leaves()["a"] / "cgroup.freeze").write_text("1")
    assert up.stop() == 0, up.said()
    project.stage.gone(within=2.0)
    assert project.stage.all("heard") == []
    assert group.places == []


@pytest.mark.parametrize("limit", ["cgroup.max.depth", "cgroup.max.descendants"])
@pytest.mark.parametrize("room", ["0", "1"])
def test_where_no_group_can_be_made_it_goes_without(
    project: Project, group: Group, limit: str, room: str
) -> None:
    (group.folder / limit).write_text(room)
    project.tasks({"a": actor("family", "a", "obedient", 1, 1), "b": actor("obedient", "b")})
    up = project.up(wrap=group.wrap)
    ready = project.stage.ready(count=4)
    assert len(group.places) == int(room)
    assert group.leaves() == {}
    assert all(in_leaf(event.pid, group.folder) for event in ready)
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert group.places == []


def test_root_uses_a_group_too(project: Project) -> None:
    group = make(owner=None)
    try:
        project.tasks({"a": actor("obedient", "a")})
        up = project.up(wrap=group.root)
        project.stage.ready("a")
        assert set(group.leaves()) == {"a"}
        assert up.stop() == 0, up.said()
    finally:
        group.close()
    project.stage.gone()


def test_a_group_that_is_not_ours_is_not_touched(project: Project) -> None:
    group = make(owner=None)
    try:
        project.tasks({"a": actor("obedient", "a")})
        up = project.up(wrap=group.wrap)
        (a,) = project.stage.ready("a")
        assert in_leaf(a.pid, group.folder)
        assert group.places == []
        assert up.stop() == 0, up.said()
    finally:
        group.close()
    project.stage.gone()


@pytest.mark.parametrize("who", ["nobody", "inner guardian", "inner supervisor", "inner both"])
def test_a_supervisor_below_another_has_its_leaves_below_the_others(
    project: Project, group: Group, who: str
) -> None:
    inner = {"deep": actor("family", "deep", "deaf", 1, 1, stop={"timeout": "200ms"})}
    project.file(json.dumps({"name": "inner", "tasks": inner}), "inner.yaml")
    words = [*PROCESSION[1:], "up", "-f", "inner.yaml", "--log-dir", "logs"]
    stop = {"timeout": "500ms"} if who == "inner both" else FOREVER
    project.tasks({"outer": {"program": sys.executable, "args": words, "stop": stop}}, name="outer")
    up = project.up(wrap=group.wrap)
    deep = project.stage.ready(count=3)[0]
    (outer_leaf,) = group.leaves().values()
    (inner_place,) = outer_leaf.glob("procession-*")
    (inner_leaf,) = (path for path in inner_place.iterdir() if path.is_dir())
    assert in_leaf(deep.pid, inner_leaf)
    (outer_supervisor,) = children(up.pid)
    (inner_guardian,) = children(outer_supervisor)
    (inner_supervisor,) = children(inner_guardian)
    both = [inner_guardian, inner_supervisor]
    doomed = {"inner guardian": both[:1], "inner supervisor": both[1:], "inner both": both}
    for pid in doomed.get(who, ()):
        os.kill(pid, signal.SIGSTOP)
    for pid in doomed.get(who, ()):
        os.kill(pid, signal.SIGKILL)
    if who == "nobody":
        up.kill(signal.SIGTERM)
    assert up.status() in (0, 1, 128 + signal.SIGKILL), up.said()
    project.stage.gone(within=5.0)
    assert group.places == []
