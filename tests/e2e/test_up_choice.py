"""Which tasks of which files run, and as which copies: as people say it on the command line."""

from __future__ import annotations

import pytest

from tests.support.up import Project, Task, sh


def tasks() -> dict[str, Task]:
    """Each needs what it names to have completed; what a task says is its name."""
    return {
        "web": sh("echo", tags="front", depends_on={"db": "completed"}, completes=True),
        "db": sh("echo", tags=["store"], depends_on={"disk": "completed"}, completes=True),
        "disk": sh("echo", completes=True),
        "pair": sh("echo", replicas=2, completes=True),
        "tool": sh("echo", autostart=False, completes=True),
    }


@pytest.mark.quick
@pytest.mark.parametrize(
    ("words", "started"),
    [
        (["--only", "web"], "web db disk"),
        (["--only", "web", "--no-deps"], "web"),
        (["--only", "store,pair-2"], "db disk pair-2"),
        (["--except", "web,pair-1,tool"], "db disk pair-2"),
        (["--only", "web", "--except", "disk"], "web db"),
        (["--only", "tool"], "tool"),
    ],
)
def test_what_runs_is_what_was_chosen_with_what_it_needs(
    project: Project, words: list[str], started: str
) -> None:
    project.tasks(tasks())
    up = project.up("--quiet", *words)
    assert up.status() == 0, up.said()
    logs = {path.name for path in project.log_folder().iterdir() if path.stat().st_size}
    assert logs == {f"{name}.log" for name in started.split()} | {"procession.log"}


@pytest.mark.quick
def test_files_are_laid_over_each_other(project: Project) -> None:
    project.tasks({"web": sh("echo $WHO $HOW >web.out"), "gone": sh("exit 3")}, name="shop")
    project.file("tasks: {web: {environment: {WHO: me}}, gone: {args: [-c, 'exit 0']}}", "a.yaml")
    project.file("include: more.yaml\n", "b.yaml")
    project.file("defaults: {environment: {WHO: all, HOW: softly}}\n", "more.yaml")
    up = project.up("-f", "procession.yaml", "-f", "a.yaml", "-f", "b.yaml", "--quiet")
    assert up.status() == 0, up.said()
    assert (project.folder / "web.out").read_text() == "me softly\n"


def test_each_replica_runs_as_itself(project: Project) -> None:
    project.file(
        "template: true\n"
        "tasks:\n"
        "  web:\n"
        "    program: sh\n"
        "    args: [-c, 'echo {{ replica }} of {{ replicas }} $N >out-$N']\n"
        "    replicas: 3\n"
        "    environment: {N: '{{ replica * 10 }}'}\n"
    )
    up = project.up("--quiet", "--except", "web-2")
    assert up.status() == 0, up.said()
    found = {path.name: path.read_text() for path in project.folder.glob("out-*")}
    assert found == {"out-10": "1 of 3 10\n", "out-30": "3 of 3 30\n"}


def test_a_line_for_the_shell_and_a_prefix(project: Project) -> None:
    project.tasks(
        {
            "line": {"program": "echo ~ | tr / . >line.out", "shell": True},
            "wrapped": {**sh("echo $A >wrapped.out"), "launch-prefix": "env A=b"},
        }
    )
    up = project.up("--quiet", env={"HOME": "/home/me"})
    assert up.status() == 0, up.said()
    assert (project.folder / "line.out").read_text() == ".home.me\n"
    assert (project.folder / "wrapped.out").read_text() == "b\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--except", "nope"], "--except: no task, replica or tag is called `nope`"),
        (["--only", "web", "--except", "web", "--no-deps"], "--except: no task is left to run"),
        (["--exit-code-from", "nope"], "--exit-code-from: no task that runs has the name `nope`"),
        (["--stop-timeout", "soon"], "'soon' is not a duration"),
        (["-f", "procession.yaml", "-f", "gone.yaml"], "gone.yaml: there is no such file"),
    ],
)
def test_what_cannot_be_meant_starts_nothing(project: Project, words: list[str], said: str) -> None:
    project.tasks({"web": sh("touch started")})
    up = project.up(*words)
    assert up.status() == 2
    assert said in up.err
    assert not (project.folder / "started").exists()
