"""A project in a program: what becomes of it when the program ends, in whatever way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.programs import BOUND, PROGRAMS, Program, gone
from tests.support.up import Project

Begin = Callable[..., Program]

SENTINEL = "_sentinel_linux.py"


@pytest.fixture
def begin(project: Project) -> Iterator[Begin]:
    made: list[Program] = []

    def app(how: str, *actors: str) -> Program:
        one = Program.python(
            PROGRAMS / "api_app.py", how, project.logs, *actors, env=project.environment()
        )
        made.append(one)
        one.expect(b"up\n")
        return one

    yield app
    for one in made:
        one.close()


def sentinel_of(app: Program) -> int:
    """The number of the program's sentinel, once it is there."""
    deadline = time.monotonic() + BOUND
    while time.monotonic() < deadline:
        for child in children(app.pid):
            try:
                with open(f"/proc/{child}/cmdline", "rb") as file:
                    if SENTINEL.encode() in file.read():
                        return child
            except FileNotFoundError:
                continue  # it has ended meanwhile
        time.sleep(0.02)  # nothing tells of a start
    raise AssertionError("there is no sentinel")


def children(pid: int) -> list[int]:
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as file:
            found += map(int, file.read().split())
    return found


@pytest.mark.quick
def test_a_killed_program_leaves_nothing(project: Project, begin: Begin) -> None:
    app = begin("with", "obedient", "deaf", "family obedient 2 2")
    project.stage.ready("obedient", "deaf")
    app.signal(signal.SIGKILL)
    assert app.wait() == -signal.SIGKILL
    project.stage.gone()
    assert project.stage.all("heard", "obedient")[0].words[0] == "SIGTERM"


def test_the_sockets_of_a_killed_program_are_removed(project: Project, begin: Begin) -> None:
    def folders() -> list[str]:
        return [n for n in os.listdir(os.environ["XDG_RUNTIME_DIR"]) if n.startswith("procession-")]

    app = begin("with", "obedient!")
    project.stage.ready("obedient")
    assert len(folders()) == 1
    sentinel = sentinel_of(app)
    app.signal(signal.SIGKILL)
    assert gone(sentinel)
    assert folders() == []
    project.stage.gone()


def test_another_sentinel_takes_the_place_of_a_killed_one(project: Project, begin: Begin) -> None:
    app = begin("with", "obedient", "deaf")
    project.stage.ready("obedient", "deaf")
    first = sentinel_of(app)
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    second = sentinel_of(app)
    assert second != first
    app.signal(signal.SIGKILL)
    project.stage.gone()
    assert project.stage.all("heard", "obedient")
    assert gone(second)


def test_a_program_that_ends_stops_its_project_gracefully(project: Project, begin: Begin) -> None:
    app = begin("bare", "obedient", "family obedient 1 1")
    project.stage.ready("obedient")
    app.write(b"exit\n")
    assert app.wait(20) == 0, app.errors
    project.stage.gone(0.0)
    assert app.errors == b""
    assert b"stopping: stop asked for by the end of the program" in project.log(
        "procession.log", "app"
    )


def test_an_exception_that_leaves_the_block_stops_it_first(project: Project, begin: Begin) -> None:
    app = begin("with", "obedient")
    project.stage.ready("obedient")
    app.write(b"raise\n")
    assert app.wait(20) == 1
    project.stage.gone(0.0)
    assert app.errors.rstrip().endswith(b"LookupError: as asked")
    assert b"which was left by LookupError" in project.log("procession.log", "app")


def test_ctrl_c_stops_it_and_a_second_one_kills(project: Project, begin: Begin) -> None:
    app = begin("with", "deaf")
    project.stage.ready("deaf")
    app.signal(signal.SIGINT)
    project.until_logged("which was left by KeyboardInterrupt")
    app.signal(signal.SIGINT)
    assert app.wait(20) == -signal.SIGINT, app.errors  # its own patience is 40 s
    project.stage.gone(0.0)


@pytest.mark.parametrize("when", ["begun", "started"])
def test_ctrl_c_while_it_begins_is_the_end_of_it(project: Project, when: str) -> None:
    program = PROGRAMS / "api_early_ctrl_c.py"
    app = Program.python(program, when, project.logs, env=project.environment())
    try:
        app.expect(b"interrupted ['MainThread']\n")
        assert app.wait(20) == 0, app.errors
        assert b"stop asked for by the program" in project.log("procession.log", "app")
    finally:
        app.close()


def test_a_supervisor_that_fails_takes_its_tasks_along(project: Project) -> None:
    """A mistake of ours: whoever waits hears of it, and nothing stays."""
    from procession import up
    from procession.errors import ProcessionError
    from tests.support.inside import task
    from tests.support.up import actor

    def broken() -> None:
        raise ZeroDivisionError("as if it were ours")

    run = up(
        task("one", actor("obedient", "one")),
        task("two", actor("family", "two", "deaf", 1, 1)),
        environ=project.environment(),
        log_dir=project.logs,
    )
    run.ready(timeout=20)
    project.stage.ready("one")
    run._loop.call(broken)  # type: ignore[attr-defined]
    with pytest.raises(ProcessionError, match="lost by a mistake of ours") as lost:
        run.wait(timeout=20)
    assert isinstance(lost.value.__cause__, ZeroDivisionError)
    project.stage.gone()
    with pytest.raises(ProcessionError):
        run.down()


def test_without_a_descriptor_to_look_with_all_is_stopped_later(project: Project) -> None:
    app = Program.python(PROGRAMS / "api_short.py", project.logs, env=project.environment())
    try:
        app.expect(b"status 0, left []\n")
    finally:
        app.close()
    (log,) = project.logs.glob("short/short-*/procession.log")
    assert log.read_text().count("processes cannot be looked at now, and are later: ") == 1
