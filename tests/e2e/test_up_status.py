"""`procession up`: with which status it ends (0 asked to or all well, a task's, 1, 2)."""

from __future__ import annotations

import re
import signal

import pytest

from tests.support.up import Project, Task, actor, sh


@pytest.mark.quick
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_stop_that_was_asked_for_is_success(project: Project, number: signal.Signals) -> None:
    project.tasks(
        {
            "good": actor("obedient", "good"),
            "bad": actor("obedient", "bad", 9),
            "default": {"program": "sleep", "args": 3600},
            "quits": actor("obedient", "quits", 4, quit_on_terminate=True),
        }
    )
    up = project.up()
    project.stage.ready("good", "bad", "quits")
    assert up.stop(number) == 0, up.said()
    project.stage.gone()


def test_all_ended_well(project: Project) -> None:
    project.tasks({"a": sh("exit 0"), "b": sh("true"), "c": sh("exit 3", success_exit_codes=[3])})
    assert project.up().status() == 0


@pytest.mark.parametrize(
    ("task", "status"),
    [
        (actor("ends", "a", 3), 3),
        (actor("ends", "a", 255), 255),
        (actor("ends", "a", "SIGKILL"), 128 + 9),
        (actor("ends", "a", "SIGTERM"), 128 + 15),
        (actor("ends", "a", "SIGSEGV"), 128 + 11),
        (actor("ends", "a", 0, success_exit_codes=[3]), 1),  # a failure is never told as success
        (actor("ends", "a", 4, success_exit_codes=[0, 3]), 4),
    ],
    ids=lambda value: str(value["args"][3:]) if isinstance(value, dict) else None,
)
def test_one_failed(project: Project, task: Task, status: int) -> None:
    project.tasks({"a": task, "good": sh("exit 0")})
    up = project.up()
    assert up.status() == status, up.said()
    how = str(task["args"][-1])
    told = [line for line in up.err.splitlines() if line.startswith("procession | a ")]
    assert any(re.search(rf"\b{how}\b", line) for line in told), up.said()


def test_the_first_failure_counts_in_time_not_in_the_file(project: Project) -> None:
    gate = project.gate("gate")
    project.tasks({"second": actor("ends", "second", 5, gate), "first": actor("ends", "first", 6)})
    up = project.up()
    first, _ = project.stage.ready("first", "second")
    assert not project.stage.left(first), "the first has ended"
    # its end must be seen before the other's
    project.until_logged("first run 1: running -> failed")
    project.open_gate("gate")
    assert up.status() == 6, up.said()


@pytest.mark.quick
@pytest.mark.parametrize("how", [0, 5, 200, "SIGKILL", "SIGTERM", "SIGUSR1"])
def test_quit_on_terminate_ends_the_project_with_its_status(
    project: Project, how: int | str
) -> None:
    gate = project.gate("gate")
    project.tasks(
        {
            "other": actor("obedient", "other", 3),
            "main": actor("ends", "main", how, gate, quit_on_terminate=True),
        }
    )
    up = project.up()
    project.stage.ready("other", "main")
    project.open_gate("gate")
    wanted = how if isinstance(how, int) else 128 + signal.Signals[how]
    assert up.status() == wanted, up.said()
    project.stage.gone()
    assert [e.who for e in project.stage.all("heard")] == ["other"], "the others stop gracefully"


@pytest.mark.parametrize(
    ("program", "status"),
    [("./missing", 127), ("no-such-program-anywhere", 127), ("./plain", 126), ("./orphan", 127)],
)
@pytest.mark.parametrize("quits", [True, False])
def test_a_task_that_cannot_start(project: Project, program: str, status: int, quits: bool) -> None:
    (project.folder / "plain").write_text("no program\n")
    orphan = project.folder / "orphan"
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    task = {"program": program, "program-must-exist": False, "quit-on-terminate": quits}
    others = {"other": actor("obedient", "other")} if quits else {}
    project.tasks({**others, "main": task})
    up = project.up()
    assert up.status() == status, up.said()
    project.stage.gone()
    assert "main" in up.err


def test_a_file_that_is_no_program_at_all(project: Project) -> None:
    """Executable by its mode, and the kernel does not know what it is: ENOEXEC."""
    noise = project.folder / "noise"
    noise.write_bytes(b"\x00\x01\x02\x03")
    noise.chmod(0o755)
    project.tasks({"main": {"program": "./noise"}})
    up = project.up()
    assert up.status() == 126, up.said()


def test_of_several_that_quit_the_first_to_end_counts(project: Project) -> None:
    gate = project.gate("gate")
    project.tasks(
        {
            "a": actor("obedient", "a", 11, quit_on_terminate=True),
            "b": actor("ends", "b", 12, gate, quit_on_terminate=True),
            "c": actor("obedient", "c", 13, quit_on_terminate=True),
        }
    )
    up = project.up()
    project.stage.ready("a", "b", "c")
    project.open_gate("gate")
    assert up.status() == 12, up.said()
    project.stage.gone()


def test_quit_on_terminate_waits_until_it_ended_for_good(project: Project) -> None:
    """Its restarts come first."""
    script = "echo >>runs; [ $(wc -l <runs) -lt 3 ] && exit 5; exit 0"
    task = sh(script, restart="on-failure", restart_backoff=0, quit_on_terminate=True)
    project.tasks({"main": task, "other": actor("obedient", "other")})
    up = project.up()
    assert up.status() == 0, up.said()
    assert (project.folder / "runs").read_text() == "\n" * 3
    project.stage.gone()


def test_a_failure_before_a_stop_does_not_make_the_stop_fail(project: Project) -> None:
    project.tasks({"fails": sh("exit 5"), "stays": actor("obedient", "stays")})
    up = project.up()
    project.until_logged("fails run 1: running -> failed")
    project.stage.ready("stays")
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_failure_that_a_restart_made_good_is_none(project: Project) -> None:
    script = "echo >>runs; [ $(wc -l <runs) -ge 2 ]"
    project.tasks({"a": sh(script, restart="on-failure", restart_backoff=0)})
    up = project.up()
    assert up.status() == 0, up.said()
