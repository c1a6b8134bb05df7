"""The fixtures for pytest, in runs of pytest of their own, as a user has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.up import Project

TIME_LIMIT = 50  # seconds
HEAD = "import os, signal, sys\nimport pytest\nfrom procession import Task, TaskFailedError\n"


def run(project: Project, tests: str, *options: str, head: str = HEAD) -> tuple[int, str]:
    """Status and output of pytest on these tests."""
    file = project.folder / "test_it.py"
    file.write_text(head + tests)
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider"),
            *(f"--basetemp={project.folder / 'tmp'}", *options, file),
        ],
        cwd=project.folder,
        env=project.environment({"PYTEST_ADDOPTS": None, "PYTHONDONTWRITEBYTECODE": "1"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.quick
def test_a_test_has_its_project_and_leaves_nothing(project: Project) -> None:
    project.tasks({"web": {"program": "sleep", "args": "600"}})
    status, output = run(
        project,
        """
def test_it(procession):
    port = procession.free_port()
    assert port != procession.free_port()
    web = Task("web", sys.executable, ["-m", "http.server", str(port)], ready={"tcp": port})
    running = procession.up(web)
    (row,) = running.ps()
    assert row.ready
    from_file = procession.up("procession.yaml")
    assert [one.name for one in procession.running] == [running.name, from_file.name]
    with open("pids", "w") as file:
        print(row.pid, from_file.ps()[0].pid, file=file)
""",
    )
    assert status == 0, output
    pids = (project.folder / "pids").read_text().split()
    assert len(pids) == 2
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


@pytest.mark.quick
def test_a_failed_test_tells_how_its_tasks_were_and_what_they_wrote(project: Project) -> None:
    status, output = run(
        project,
        """
def script(text):
    return {"program": "sh", "args": ["-c", text]}

def test_fails(procession):
    procession.up(Task("web", **script("echo it serves; echo and warns >&2; exec sleep 600")))
    procession.up(Task("job", **script("echo did; exit 3")), ready=False).wait(timeout=20)
    assert not "this"

def test_never_ready(procession):
    procession.up(Task("bad", **script("echo no database; exit 4"), ready={"tcp": 1}))

def test_passes(procession):
    procession.up(Task("quiet", **script("echo nobody sees this; exec sleep 600")))
""",
    )
    assert status == 1, output
    assert "2 failed, 1 passed" in output
    first, _, second = output.partition("test_never_ready")
    assert first.count("- procession: demo -") == 2
    assert "web  running: started with the project" in first
    assert "web | it serves\nweb | and warns\n" in first
    assert "job  failed: exited with 3" in first
    assert "job | did\n" in first
    assert "TaskFailedError: bad failed: exited with 4" in second
    assert "bad | no database\n" in second
    assert "nobody sees this" not in output


@pytest.mark.quick
def test_an_option_that_there_is_not_is_said_in_words(project: Project) -> None:
    status, output = run(
        project,
        """
def test_it(procession):
    procession.up(Task("web", "sleep", "600"), name="x")
""",
    )
    assert status == 1, output
    assert "UsageError: procession.up: name: no such option" in output
    assert "log_dir" in output
    assert "up_project" not in output


@pytest.mark.quick
def test_what_a_test_did_wrong_is_shown_at_its_own_line_and_a_mistake_of_ours_in_full(
    project: Project,
) -> None:
    status, output = run(
        project,
        """
def test_never_ready(procession):
    procession.up(Task("bad", "sh", ["-c", "exit 4"], ready={"tcp": 1}))

def test_no_such_program(procession):
    procession.up(Task("bad", "no-such-program"))

def test_no_such_file(procession):
    procession.up("gone.yaml")

def test_no_such_task(procession):
    procession.up(Task("web", "sleep", "600"), only=["nope"])

def test_no_such_name(procession):
    procession.up(Task("web", "sleep", "600")).restart("nope")

def test_in_a_program():
    from procession import up
    with up(Task("bad", "sh", ["-c", "exit 4"], ready={"tcp": 1})) as running:
        running.ready(timeout=20)
""",
    )
    assert status == 1, output
    assert "6 failed" in output
    assert "src/procession/" not in output
    assert output.count(">   ") == 6  # each at the line of the test
    status, output = run(
        project,
        """
def test_ours(procession, monkeypatch):
    from procession.api import _start
    monkeypatch.setattr(_start, "refuse_places", None)
    procession.up(Task("web", "sleep", "600"))
""",
    )
    assert status == 1, output
    assert "procession/pytest_plugin.py" in output
    assert "procession/api/_start.py" in output


def test_all_are_stopped_in_reverse_also_when_the_first_fails_to(project: Project) -> None:
    status, output = run(
        project,
        """
def obedient(name):
    return Task(name, sys.executable, ["-S", os.environ["OBEDIENT"], name])

def test_it(procession):
    one, two = procession.up(obedient("one")), procession.up(obedient("two"))
    def broken():
        raise ZeroDivisionError
    two._loop.call(broken)
""".replace('os.environ["OBEDIENT"]', json.dumps(_program("obedient"))),
    )
    assert status == 1, output
    assert "1 passed, 1 error" in output
    assert "lost by a mistake of ours" in output
    project.stage.gone(0.0)


def test_projects_may_serve_a_module_or_a_session(project: Project) -> None:
    status, output = run(
        project,
        """
@pytest.fixture(scope="module")
def web(procession_module):
    return procession_module.up(Task("web", "sleep", "600"))

@pytest.fixture(scope="session")
def base(procession_session):
    return procession_session.up(Task("base", "sleep", "600"))

@pytest.mark.parametrize("number", [1, 2])
def test_it(web, base, number):
    rows = [*web.ps(), *base.ps()]
    assert [row.run for row in rows] == [1, 1]
    with open("pids", "a") as file:
        print(*(row.pid for row in rows), file=file)
""",
    )
    assert status == 0, output
    first, second = (project.folder / "pids").read_text().splitlines()
    assert first == second
    assert not any(os.path.exists(f"/proc/{pid}") for pid in first.split())


@pytest.mark.quick
def test_who_does_not_use_it_loads_nothing(project: Project) -> None:
    status, output = run(
        project,
        """
def test_it(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("procession")
    ours = [name for name in sys.modules if name.partition(".")[0] == "procession"]
    assert sorted(ours) == ["procession", "procession.pytest_plugin"]
""",
        head="import sys\n",
    )
    assert status == 0, output


def _program(kind: str) -> str:
    return str(Path(__file__).parents[1] / "programs" / f"up_{kind}.py")


def test_a_task_that_fails_while_others_begin_is_no_ready_project(project: Project) -> None:
    status, output = run(
        project,
        """
def test_it(procession):
    bad = Task("bad", "sh", ["-c", "sleep 0.3; exit 4"])  # ready when it was started
    slow = Task("slow", "sleep", 600, ready={"file": "never"})
    with pytest.raises(TaskFailedError, match="^bad failed: exited with 4"):
        procession.up(bad, slow, timeout=30)
""",
    )
    assert status == 0, output
