"""`procession up` inside another, and as the first process of a container."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from tests.support.up import PROCESSION, Project, actor, children

FOREVER = {"timeout": "1h"}


def nest(project: Project, kind: str) -> None:
    """A project whose only task is `procession up` of another project."""
    inner = {"deep": actor("family", "deep", kind, 1, 1, stop={"timeout": "300ms"})}
    project.file(json.dumps({"name": "inner", "tasks": inner}), "inner.yaml")
    words = [*PROCESSION[1:], "up", "-f", "inner.yaml", "--log-dir", "logs"]
    task = {"program": sys.executable, "args": words, "stop": FOREVER}
    project.tasks({"outer": task}, name="outer")


@pytest.mark.parametrize("kind", ["obedient", "deaf"])
def test_a_project_in_a_project_stops_with_it(project: Project, kind: str) -> None:
    nest(project, kind)
    up = project.up()
    project.stage.ready(count=3)
    assert up.stop(signal.SIGINT) == 0, up.said()
    project.stage.gone()
    heard = [(e.who, e.words[0]) for e in project.stage.all("heard")]
    everybody = [(who, "SIGTERM") for who in ("deep", "deep.child0", "deep.daemon1")]
    assert sorted(heard) == (everybody if kind == "obedient" else [])
    assert b"inner stopped" in project.log("outer.stderr.log", "outer"), "it ended by itself"


@pytest.mark.parametrize("who", ["outer supervisor", "inner guardian", "inner supervisor"])
def test_a_crash_of_either_leaves_nothing(project: Project, who: str) -> None:
    nest(project, "deaf")
    up = project.up()
    inner_supervisor = project.stage.ready("deep")[0].parent
    project.stage.ready(count=3)
    (outer_supervisor,) = children(up.pid)
    (inner_guardian,) = children(outer_supervisor)
    numbers = {
        "outer supervisor": outer_supervisor,
        "inner guardian": inner_guardian,
        "inner supervisor": inner_supervisor,
    }
    os.kill(numbers[who], signal.SIGKILL)
    project.stage.gone(within=5.0)
    # the outer project sees a task that crashed, or was itself the one that did
    assert up.status() in ((1,) if "supervisor" in who else (128 + signal.SIGKILL,)), up.said()


@pytest.mark.root
def test_the_first_process_of_a_container(project: Project) -> None:
    """Process 1 of a namespace: the kernel drops signals it has no handler for, orphans come to
    it, and when it ends all the others are killed."""
    project.tasks(
        {
            "a": actor("family", "a", "obedient", 1, 1, stop=FOREVER),
            "b": actor("obedient", "b", 3, stop=FOREVER),
        }
    )
    project.stage.pins = False
    up = project.up(wrap=["unshare", "--pid", "--fork", "--mount-proc"])
    project.stage.ready(count=4)
    (first,) = children(up.pid)
    os.kill(first, signal.SIGTERM)
    assert up.status() == 0, up.said()
    project.stage.gone()
    heard = {e.who for e in project.stage.all("heard")}
    assert heard == {"a", "a.child0", "a.daemon1", "b"}


@pytest.mark.root
@pytest.mark.parametrize("proc", ["none", "of another namespace"])
def test_without_a_proc_of_its_own_nothing_is_started(project: Project, proc: str) -> None:
    """What a task leaves behind could not be seen, and would outlive the project in silence."""
    project.tasks({"a": actor("obedient", "a")})
    wrap = ["unshare", "--pid", "--fork"]
    if proc == "none":
        wrap = ["unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    up = project.up(wrap=wrap)
    assert up.status() == 1, up.said()
    assert "a /proc of this pid namespace" in up.err
    assert "Traceback" not in up.err
    assert project.stage.told == []
