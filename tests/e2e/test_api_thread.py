"""`from procession import up`: a project in a thread of this very process, seen and steered.

The leak fixture looks at every test: no descriptor, thread, child, signal handler, umask, working
directory or subreaper flag of this process is other than before.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from procession import ConfigError, LateError, Task, TaskFailedError
from procession import Project as CodeProject
from procession.errors import AlreadyRunningError, HostError, ProcessionError, UsageError
from tests.support.inside import Inside, task
from tests.support.puppets import Puppets
from tests.support.up import PROCESSION, Project, actor, sh


@pytest.mark.quick
def test_a_project_runs_beside_its_caller_and_leaves_nothing(
    project: Project, inside: Inside
) -> None:
    family = actor("family", "two", "obedient", 2, 1)
    with inside(task("one", actor("obedient", "one")), task("two", family)) as run:
        assert [row.name for row in run.ready(timeout=20)] == ["one", "two"]
        (one, _) = project.stage.ready("one", "two")
        assert one.parent == os.getpid()
        (row,) = run.ps("one")
        assert (row.state, row.ready, row.pid, row.run) == ("running", True, one.pid, 1)
        assert row.reason == f"started with the project, pid {one.pid}"
        assert run.status is None
    assert run.status == 0
    project.stage.gone(0.0)
    assert project.stage.all("heard", "one")[0].words[0] == "SIGTERM"


def test_what_has_ended_is_not_ready(project: Project, inside: Inside) -> None:
    job = task("job", sh("exit 0", completes=True))
    for others in ((), (job,)):
        with inside(task("one", actor("obedient", "one")), *others) as run:
            run.ready(timeout=20)
            assert run.down(timeout=20) == 0
            with pytest.raises(TaskFailedError, match="the project has ended") as failed:
                run.ready(timeout=20)
            assert failed.value.rows[0].state == "stopped"
    with inside(job) as run:  # by itself, and all of it well
        assert run.wait(timeout=20) == 0
        assert [row.state for row in run.ready(timeout=20)] == ["completed"]


@pytest.mark.quick
def test_tasks_are_steered(project: Project, inside: Inside) -> None:
    with inside(
        task("one", actor("obedient", "one")), task("two", actor("obedient", "two"))
    ) as run:
        (first,) = project.stage.ready("one")
        (row,) = run.restart("one", timeout=20)
        (second,) = project.stage.ready("one", count=2)
        assert project.stage.ended(first)
        assert (row.run, row.pid) == (2, second.pid)
        (row,) = run.stop("one", timeout=20)
        assert row.state == "stopped"
        assert row.reason.startswith("stop asked for by the program it runs in")
        assert project.stage.ended(second)
        assert "wanted down" in run.why("one")
        (row,) = run.start("one", timeout=20)
        assert row.run == 3
        (row,) = run.ps("two")
        assert row.run == 1


def test_a_stopped_project_stays_until_it_is_brought_down(project: Project, inside: Inside) -> None:
    with inside(task("one", actor("obedient", "one"))) as run:
        project.stage.ready("one")
        run.stop("one", timeout=20)
        assert run.status is None
        run.start("one", timeout=20)
        project.stage.ready("one", count=2)
        assert run.down() == 0
        assert run.status == 0
        with pytest.raises(TaskFailedError, match="the whole project stops"):
            run.start("one")
        assert [row.state for row in run.ps()] == ["stopped"]


def test_a_project_ends_by_itself_with_its_status(inside: Inside) -> None:
    with inside(task("job", sh("echo did it; exit 3"))) as run:
        assert run.wait("job", timeout=20) == 1
        assert run.wait(timeout=20) == 3
        assert run.logs("job") == "did it\n"
        (row,) = run.ps()
        assert (row.state, row.exit) == ("failed", "exited with 3")
    assert run.down() == 3


@pytest.mark.quick
def test_who_is_not_ready_in_time_is_named_with_the_reason(
    project: Project, inside: Inside, puppets: Puppets
) -> None:
    puppet = puppets("slow")
    quick, slow = (
        task("quick", actor("obedient", "quick")),
        task("slow", puppet.task(ready={"file": "made"})),
    )
    with inside(CodeProject(quick, slow, folder=project.folder)) as run:
        run.ready("quick", timeout=20)
        project.stage.ready("slow")
        with pytest.raises(
            TimeoutError, match=r"after 0.1 s not ready: slow .running:.*made"
        ) as late:
            run.ready(timeout=0.1)
        assert isinstance(late.value, LateError)
        assert [row.name for row in late.value.rows] == ["slow"]
        puppet.do("touch('made')")
        run.ready(timeout=20)


@pytest.mark.quick
def test_who_will_not_be_ready_is_told_at_once_with_its_last_words(
    project: Project, inside: Inside
) -> None:
    bad = sh("echo begins; echo no database >&2; exit 4", ready={"tcp": 1})
    with inside(task("bad", bad), task("good", actor("obedient", "good"))) as run:
        began = time.monotonic()
        with pytest.raises(TaskFailedError) as failed:
            run.ready(timeout=30)
        assert time.monotonic() - began < 15
        words = str(failed.value)
        assert words.startswith("bad failed: exited with 4")
        assert "\n  bad | no database" in words
        assert [row.exit for row in failed.value.rows] == ["exited with 4"]
        assert run.status is None


@pytest.mark.quick
def test_a_time_that_is_none_is_told_before_anything_moves(
    project: Project, inside: Inside
) -> None:
    with inside(task("one", actor("obedient", "one"))) as run:
        run.ready(timeout=20)
        wrong: Any = "5s"
        for call in (run.ready, run.start, run.stop, run.restart, run.wait):
            with pytest.raises(TypeError, match=r"^timeout is '5s'; expected seconds, 0 or more$"):
                call("one", timeout=wrong)
        with pytest.raises(TypeError, match=r"^timeout is '5s'; expected seconds"):
            run.down(timeout=wrong)
        with pytest.raises(ValueError, match=r"^timeout is nan; expected seconds"):
            run.stop("one", timeout=math.nan)
        (row,) = run.ps()
        assert (row.state, row.wanted, row.run) == ("running", True, 1)
        with pytest.raises(LateError):  # what was left of a longer time is over
            run.wait("one", timeout=-1)
        run.ready("one", timeout=math.inf)


def test_a_task_that_was_left_out_is_told_so(project: Project, inside: Inside) -> None:
    one, two = task("one", actor("obedient", "one")), task("two", actor("obedient", "two"))
    with inside(one, two, only=["one"]) as run:
        with pytest.raises(UsageError, match=r"^two: it was left out .--only, --except. when"):
            run.start("two")
        with pytest.raises(UsageError, match=r"^three: no task or replica of this project"):
            run.start("three")


def test_who_ended_well_was_ready_and_who_was_stopped_is_not_waited_for(inside: Inside) -> None:
    later = task("later", sh("exec sleep 600", autostart=False))
    with inside(task("job", sh("exit 0")), task("stays", sh("exec sleep 600")), later) as run:
        assert run.wait("job", timeout=20) == 0
        assert [row.state for row in run.ready(timeout=20)] == ["completed", "running"]
        with pytest.raises(TaskFailedError, match="later stopped: it does not start with"):
            run.ready("later", timeout=20)
        run.start("later", timeout=20)
        assert len(run.ready(timeout=20)) == 3


def test_nobody_starts_where_anything_is_wrong(inside: Inside) -> None:
    with pytest.raises(ConfigError) as wrong:
        inside(Task("one", "sh", restrat="always"), Task("two", "no-such-program"))
    first, second = wrong.value.problems
    assert str(first).endswith("tasks.one.restrat: unknown key `restrat`; did you mean `restart`?")
    assert first.file.endswith("test_api_thread.py")
    assert "`no-such-program` is not on the task's PATH" in str(second)
    with pytest.raises(UsageError, match="there is no such file"):
        inside("nowhere.yaml")
    with pytest.raises(HostError, match="descriptor number"):
        inside(task("one", sh("exec sleep 60", ready={"fd": 3})))


def test_a_file_runs_and_code_is_laid_over_it(project: Project, inside: Inside) -> None:
    file = project.tasks(
        {
            "one": sh(
                "echo $WORD; exec sleep 600", environment={"WORD": "file"}, ready={"log": "."}
            ),
            "two": actor("obedient", "two"),
        }
    )
    with inside(str(file), Task("one", environment={"WORD": "code"}), only=["one"]) as run:
        run.ready(timeout=20)
        run.stop("one", timeout=20)
        assert run.logs() == "code\n"
        assert [row.name for row in run.ps()] == ["one"]
    assert run.name == "demo"


def test_it_stops_in_reverse(project: Project, inside: Inside) -> None:
    base = task("base", actor("obedient", "base"))
    above = task("above", actor("obedient", "above", depends_on=["base"]))
    with inside(base, above) as run:
        run.ready(timeout=20)
        project.stage.ready("base", "above")
    project.stage.gone(0.0)
    heard = [event.who for event in project.stage.all("heard")]
    assert heard == ["above", "base"]


def test_several_projects_live_side_by_side(project: Project, inside: Inside) -> None:
    with inside(CodeProject(task("one", actor("obedient", "one")), name="first")) as first:
        with inside(CodeProject(task("one", actor("obedient", "other")), name="second")) as second:
            first.ready(timeout=20)
            second.ready(timeout=20)
            one, other = project.stage.ready("one", "other")
            assert first.log_dir != second.log_dir
        assert project.stage.ended(other)
        assert not project.stage.ended(one)
        assert first.ps()[0].state == "running"
    project.stage.gone(0.0)


def test_daemons_and_other_children_of_the_program_are_told_apart(
    project: Project, inside: Inside
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as own:
        with inside(task("all", actor("family", "all", "obedient", 2, 2))) as run:
            run.ready(timeout=20)
            project.stage.ready("all")
        project.stage.gone()
        assert own.poll() is None
        assert own.stdin is not None
        own.stdin.write(b"\n")
        own.stdin.close()
        assert own.wait(timeout=20) == 0


def test_what_outlives_its_leader_is_waited_for(project: Project, inside: Inside) -> None:
    lingers = sh("sleep 600 & echo $!", leftover="wait")
    with inside(task("one", lingers)) as run:
        project.until_logged("waits for 1 process it left")
        (row,) = run.ps()
        assert (row.state, row.exit) == ("running", "exited with 0")
        assert "waits for 1 process it left" in row.reason
        os.kill(int(run.logs()), signal.SIGKILL)
        assert run.wait(timeout=20) == 0


def test_a_program_that_ignores_and_blocks_signals_starts_clean_tasks(
    project: Project, inside: Inside
) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        with inside(task("one", actor("obedient", "one"))) as run:
            run.ready(timeout=20)
            project.stage.ready("one")
        project.stage.gone(0.0)
        (heard,) = project.stage.all("heard", "one")
        assert heard.words[0] == "SIGTERM"
        assert run.ps()[0].reason.endswith("exited with 0"), run.ps()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTERM, before)


def test_it_is_started_and_steered_from_any_thread(project: Project, inside: Inside) -> None:
    found: list[object] = []

    def other() -> None:
        try:
            with inside(task("one", actor("obedient", "one"))) as run:
                found.extend(run.ready(timeout=20))
                project.stage.ready("one")
        except BaseException as e:  # noqa: BLE001 - the test looks at it
            found.append(e)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(40)
    (row,) = found
    assert getattr(row, "state", row) == "running"
    project.stage.gone(0.0)


def test_many_threads_wait_and_wish_at_once(project: Project, inside: Inside) -> None:
    names = [f"t{number}" for number in range(6)]
    failed: list[BaseException] = []
    with inside(*(task(name, actor("obedient", name)) for name in names)) as run:
        run.ready(timeout=20)

        def again(name: str) -> None:
            try:
                for _ in range(3):
                    run.restart(name, timeout=40)
                    run.ready(timeout=40)
            except BaseException as e:  # noqa: BLE001 - the test looks at it
                failed.append(e)

        threads = [threading.Thread(target=again, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
        # a restart of another makes that one not ready for a moment: that is no failure
        assert not failed
        assert {row.run for row in run.ps()} == {4}
    project.stage.gone(0.0)


def test_names_that_nobody_has(inside: Inside) -> None:
    with inside(task("one", sh("exec sleep 600"))) as run:
        for call in (run.ready, run.start, run.stop, run.restart, run.wait, run.ps, run.logs):
            with pytest.raises(UsageError, match=r"nine: no task or replica.*expected one"):
                call("nine")
        with pytest.raises(UsageError, match="no task is named"):
            run.stop()
        with pytest.raises(UsageError, match="nine"):
            run.why("nine")


def test_a_forked_child_has_no_hand_on_it(project: Project, inside: Inside) -> None:
    with inside(task("one", actor("obedient", "one"))) as run:
        run.ready(timeout=20)
        project.stage.ready("one")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with run:
                    try:
                        run.ps()
                    except ProcessionError as e:
                        status = 0 if "forked" in str(e) else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert run.ps()[0].state == "running"
    project.stage.gone(0.0)


def test_what_it_says_goes_to_a_logger_and_not_to_the_streams(
    project: Project,
    inside: Inside,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "procession")
    with inside(task("one", sh("echo on the way; exec sleep 600"))) as run:
        run.ready(timeout=20)
    assert capfd.readouterr() == ("", "")
    said = [record.getMessage() for record in caplog.records if record.name == "procession"]
    assert any(text.startswith("one running: started with the project") for text in said)
    assert said[-1].startswith("demo stopped in" if run.name == "demo" else f"{run.name} stopped")


def test_with_echo_it_is_shown(inside: Inside, capfd: pytest.CaptureFixture[str]) -> None:
    with inside(task("one", sh("echo on the way; exit 0")), echo=True) as run:
        run.wait(timeout=20)
    out, err = capfd.readouterr()
    assert "one        | on the way\n" in out
    assert "procession | one running" in err


def test_a_log_folder_that_cannot_be_made_starts_nothing(tmp_path: Path, inside: Inside) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        inside(task("one", sh("exec sleep 600")), log_dir=tmp_path / "file")


def test_under_gevent_it_refuses(monkeypatch: pytest.MonkeyPatch, inside: Inside) -> None:
    class Monkey:
        @staticmethod
        def is_module_patched(name: str) -> bool:
            return name == "threading"

    monkeypatch.setitem(sys.modules, "gevent.monkey", Monkey)  # type: ignore[arg-type]
    with pytest.raises(HostError, match="gevent has replaced threading in this process"):
        inside(task("one", sh("exec sleep 600")))


def test_others_find_it_where_that_is_wanted(project: Project, inside: Inside) -> None:
    def hand(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROCESSION, *words],
            env=project.environment(),
            cwd=project.folder,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    one = CodeProject(task("one", actor("obedient", "one")), name="found")
    with inside(one) as hidden:
        assert hand("ps", "-p", "found").returncode == 3
        with inside(one, steerable=True) as run:
            run.ready(timeout=20)
            (row,) = json.loads(hand("ps", "-p", "found", "--json").stdout)
            assert row["pid"] == run.ps()[0].pid
            with pytest.raises(AlreadyRunningError, match="it is running already"):
                inside(one, steerable=True)
            assert hand("down", "-p", "found").returncode == 0
            assert run.wait(timeout=20) == 0
            assert "asked for by " in run.ps()[0].reason or run.status == 0
        assert hidden.status is None
    project.stage.gone()
