"""`procession up`: when an ended run is followed by another, and that two never live at once."""

from __future__ import annotations

import itertools
import signal

import pytest

from tests.support.up import Project, actor, sh

# Ends by `$2` until run number `$1`, by `$3` then; a digit is a status, a word a signal.
COUNTS = (
    'echo >>runs; n=$(wc -l <runs); how=$1; [ $n -ge $0 ] && how=$2; '
    'case $how in [0-9]*) exit $how;; *) kill -s $how $$; esac'
)  # fmt: skip


@pytest.mark.quick
@pytest.mark.parametrize(
    ("policy", "until", "at_last", "runs", "status"),
    [
        ("no", "0", "5", 1, 0),
        ("no", "5", "0", 1, 5),
        (False, "5", "0", 1, 5),
        (None, "5", "0", 1, 5),
        ("on-failure", "0", "5", 1, 0),
        ("on-failure", "5", "0", 3, 0),
        ("on-failure", "KILL", "0", 3, 0),
        ("on-failure", "TERM", "0", 3, 0),
    ],
)
def test_what_follows_an_end(
    project: Project, policy: str | bool | None, until: str, at_last: str, runs: int, status: int
) -> None:
    task = sh(COUNTS, 3, until, at_last, restart_backoff=0)
    project.tasks({"a": task if policy is None else task | {"restart": policy}})
    up = project.up()
    assert up.status() == status, up.said()
    assert len((project.folder / "runs").read_text()) == runs


@pytest.mark.parametrize("policy", ["always", True])
@pytest.mark.parametrize("how", [0, 5, "SIGKILL"])
def test_always_goes_on_until_it_is_stopped(
    project: Project, policy: str | bool, how: int | str
) -> None:
    project.tasks({"a": actor("ends", "a", how, restart=policy, restart_backoff=0)})
    up = project.up()
    runs = project.stage.ready(count=4)
    assert len({event.pid for event in runs}) >= 4
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_success_is_what_the_task_says_it_is(project: Project) -> None:
    task = sh(COUNTS, 3, 0, 7, restart="on-failure", restart_backoff=0, success_exit_codes=[7, 8])
    project.tasks({"a": task})
    up = project.up()
    assert up.status() == 0, up.said()
    assert len((project.folder / "runs").read_text()) == 3


def test_a_fixed_back_off_lies_between_two_runs(project: Project) -> None:
    project.tasks({"a": actor("ends", "a", 0, restart="always", restart_backoff="400ms")})
    up = project.up()
    project.stage.ready(count=3)
    assert up.stop() == 0, up.said()
    project.stage.gone()
    times = [event.time for event in project.stage.all("ready")]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 0.35


def test_without_a_fixed_back_off_it_grows(project: Project) -> None:
    project.tasks({"a": sh("exit 1", restart="always")})
    up = project.up()
    project.until_logged("due in 1.")
    project.until_logged("due in 2.")
    assert up.stop() == 0, up.said()


def test_a_program_that_cannot_start_backs_off_too(project: Project) -> None:
    project.tasks({"a": {"program": "./missing", "program-must-exist": False, "restart": "always"}})
    up = project.up()
    project.until_logged("due in 1.")
    assert up.stop() == 0, up.said()
    assert project.log("procession.log").count(b"could not start") == 1


@pytest.mark.quick
def test_the_next_run_begins_when_nothing_of_the_last_is_left(project: Project) -> None:
    """Deaf children and daemons of a leader that was killed: they go first."""
    task = actor("family", "a", "deaf", 1, 1, restart="always", restart_backoff=0,
                 stop={"timeout": "200ms"})  # fmt: skip
    project.tasks({"a": task})
    up = project.up()
    for run in (1, 2, 3):
        leader, *_ = family = project.stage.ready("a", "a.child0", "a.daemon1", count=run)
        if run == 3:
            break
        project.stage.signal(leader, signal.SIGKILL)
        project.stage.ready("a", count=run + 1)
        assert [e.who for e in family if not project.stage.ended(e)] == []
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_restart_does_not_come_after_a_stop(project: Project) -> None:
    """The task ends badly because it was asked to end: that is no reason to start it again."""
    project.tasks({"a": actor("obedient", "a", 7, restart="always", restart_backoff=0)})
    up = project.up()
    project.stage.ready("a")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert len(project.stage.all("ready")) == 1


def test_many_quick_runs_lose_no_line(project: Project) -> None:
    """250 runs here; bench/output.py has the thousand, and a thousand tasks at once."""
    runs = 250
    script = (
        "n=0; [ -e n ] && read n <n; n=$((n+1)); echo $n >n; echo run $n; echo err $n >&2;"
        f" [ $n -eq {runs} ]"
    )
    project.tasks({"a": sh(script, restart="on-failure", restart_backoff=0)})
    up = project.up("--quiet")
    assert up.status() == 0, up.said()
    numbers = range(1, runs + 1)
    assert project.log("a.log").decode() == "".join(f"run {n}\n" for n in numbers)
    assert project.log("a.stderr.log").decode() == "".join(f"err {n}\n" for n in numbers)


def test_many_quick_tasks_lose_no_line_and_are_not_started_again(project: Project) -> None:
    names = [f"t{number}" for number in range(120)]
    project.tasks(
        {name: sh("echo $0; echo >&2 again $0", name, restart="on-failure") for name in names}
    )
    up = project.up()
    assert up.status() == 0, up.said()
    assert sorted(up.out.splitlines()) == sorted(f"{name:<10} | {name}" for name in names)
    for name in names:
        assert project.log(f"{name}.log").decode() == f"{name}\n"
        assert project.log(f"{name}.stderr.log").decode() == f"again {name}\n"
