"""`procession up`: which task's end is the end of all, and that projects of short tasks end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.up import Project, actor, sh

KEY_OR_OPTION = pytest.mark.parametrize("by", ["key", "option"])


def ended(
    project: Project, by: str, key: dict[str, object], option: list[str], tasks: dict[str, Any]
) -> int:
    """The status with a key of the file, or the option of the command line that says the same."""
    project.tasks(tasks, **(key if by == "key" else {}))
    up = project.up(*(option if by == "option" else []))
    status = up.status()
    assert "Traceback" not in up.err
    project.stage.gone()
    return status


@pytest.mark.quick
@KEY_OR_OPTION
@pytest.mark.parametrize(("how", "status"), [(0, 0), (7, 7), ("SIGKILL", 137)])
def test_the_status_of_one_task(project: Project, by: str, how: object, status: int) -> None:
    """Whatever else failed before, and how the others end when they are stopped."""
    tasks = {
        "failed": sh("exit 3"),
        "other": actor("obedient", "other", 4),
        "main": actor("ends", "main", how, depends_on={"failed": "completed", "other": "started"}),
    }
    key, option = {"exit-code-from": "main"}, ["--exit-code-from", "main"]
    assert ended(project, by, key, option, tasks) == status


def test_the_option_wins_over_the_file(project: Project) -> None:
    project.tasks(
        {"a": actor("obedient", "a"), "b": sh("exit 5"), "c": sh("exec sleep 1000")},
        **{"exit-code-from": "a"},
    )
    up = project.up("--exit-code-from", "b")
    assert up.status() == 5, up.said()
    project.stage.gone()


def test_one_that_never_starts_is_an_end_too(project: Project) -> None:
    """Its status is that of who kept it from starting: never 0."""
    tasks = {
        "bad": sh("exit 6"),
        "main": sh("true", depends_on={"bad": "completed-successfully"}),
        "other": actor("obedient", "other"),
    }
    assert ended(project, "key", {"exit-code-from": "main"}, [], tasks) == 6


@pytest.mark.quick
@KEY_OR_OPTION
def test_the_first_failure_for_good_ends_all(project: Project, by: str) -> None:
    again = {"restart": "on-failure", "restart_backoff": 0}
    tasks = {
        "well": sh("exit 0"),
        "mended": sh("[ $PROCESSION_RUN_NUMBER = 3 ]", **again),
        "other": actor("obedient", "other"),
        "bad": sh("exit 9", depends_on={"mended": "completed", "other": "started"}),
    }
    key, option = {"abort-on-failure": True}, ["--abort-on-failure"]
    assert ended(project, by, key, option, tasks) == 9
    assert "mended run 3: running -> completed" in project.log("procession.log").decode()


def test_without_it_a_failure_ends_nothing(project: Project) -> None:
    tasks = {
        "bad": sh("exit 9"),
        "other": actor("ends", "other", 0, depends_on={"bad": "completed"}),
    }
    project.tasks(tasks)
    up = project.up()
    project.stage.ready("other")  # it comes after the failure
    assert up.status() == 9, up.said()
    project.stage.gone()


@pytest.mark.quick
def test_a_project_of_short_tasks_ends_with_them_in_order(project: Project) -> None:
    """Who waits for a `completes` task by the short form waits for its good end."""
    project.tasks(
        {
            "serve": sh("echo serve >>order", depends_on=["migrate"], completes=True),
            "migrate": sh("echo migrate >>order", depends_on=["build"], completes=True),
            "build": sh("echo build >>order", completes=True),
        }
    )
    up = project.up()
    assert up.status() == 0, up.said()
    assert (project.folder / "order").read_text().split() == ["build", "migrate", "serve"]


def test_a_short_task_that_fails_keeps_back_who_needs_it(project: Project) -> None:
    project.tasks(
        {
            "build": sh("exit 4", completes=True),
            "serve": actor("obedient", "serve", depends_on=["build"]),
        }
    )
    up = project.up()
    assert up.status() == 4, up.said()
    assert "serve skipped: build failed: exited with 4" in up.err, up.said()
    assert not project.stage.all("ready")


def test_a_short_task_does_not_end_the_project_while_others_run(project: Project) -> None:
    project.tasks(
        {
            "build": sh("exit 0", completes=True),
            "serve": actor("obedient", "serve", depends_on=["build"]),
        }
    )
    up = project.up()
    project.stage.ready("serve")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    log = project.log("procession.log").decode()
    assert "build run 1: running -> completed" in log
    assert "build ready: it completed" in log
    told = [line for line in up.err.splitlines() if line.startswith("procession | build ")]
    assert [line.split()[3] for line in told] == ["running:", "completed:"], up.said()
