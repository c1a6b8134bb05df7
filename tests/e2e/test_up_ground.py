"""`procession up`: what a task finds when it begins, and in which order tasks do."""

from __future__ import annotations

import os
import resource
import signal
import sys

import pytest

from tests.support.up import PROGRAMS, Project, actor, sh

CARELESS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1,SIGCHLD,SIGPIPE,SIGALRM"


@pytest.mark.quick
def test_a_task_begins_on_clean_ground(project: Project) -> None:
    project.tasks({"a": actor("facts", "found", "x", "y z")})
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        up = project.up(inherit=[write])
        assert up.status() == 0, up.said()
    finally:
        os.close(read)
        os.close(write)
    found = project.facts("found")
    assert found["argv"] == ["x", "y z"]
    assert found["cwd"] == str(project.folder)
    assert found["descriptors"] == [0, 1, 2]
    assert found["files"]["0"] == "/dev/null"
    assert found["files"]["1"].startswith("pipe:")
    assert found["files"]["2"].startswith("pipe:")
    assert found["files"]["1"] != found["files"]["2"]
    assert found["group"] == found["session"] == found["pid"], "a task leads a session of its own"
    assert found["environment"].pop("PROCESSION_RUN")
    ours = {"PROJECT": "demo", "TASK": "a", "REPLICA": "1", "RUN_NUMBER": "1"}
    for name, value in ours.items():
        assert found["environment"].pop(f"PROCESSION_{name}") == value
    for made_by_a_shell in ("_", "PWD", "OLDPWD", "SHLVL"):
        found["environment"].pop(made_by_a_shell, None)
    wanted = project.environment()
    for made_by_a_shell in ("_", "PWD", "OLDPWD", "SHLVL"):
        wanted.pop(made_by_a_shell, None)
    assert {k: v for k, v in found["environment"].items() if k != "LC_CTYPE"} == wanted


@pytest.mark.quick
@pytest.mark.parametrize("how", ["ignore", "block"])
def test_signals_are_clean_whatever_up_was_started_with(project: Project, how: str) -> None:
    """As under nohup, from a script's background, or from a manager that blocks them."""
    project.tasks({"kernel": {"program": "cat", "args": "/proc/self/status"},
                   "deputy": actor("obedient", "deputy")})  # fmt: skip
    careless = [sys.executable, "-S", str(PROGRAMS / "up_with_signals.py"), how, CARELESS]
    up = project.up("--quiet", wrap=careless)
    project.stage.ready("deputy")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    lines = project.log("kernel.log").decode().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert int(fields["SigBlk"], 16) == 0
    # two belong to the C library, and GNU make leaves them ignored in what it starts
    ignored = {n for n in range(1, 65) if int(fields["SigIgn"], 16) >> n - 1 & 1}
    assert ignored & signal.valid_signals() == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
@pytest.mark.parametrize("how", ["ignore", "block"])
def test_up_hears_what_it_was_started_with_ignored_or_blocked(
    project: Project, how: str, number: signal.Signals
) -> None:
    project.tasks({"a": actor("obedient", "a")})
    careless = [sys.executable, "-S", str(PROGRAMS / "up_with_signals.py"), how, "SIGTERM,SIGINT"]
    up = project.up(wrap=careless)
    project.stage.ready("a")
    assert up.stop(number) == 0, up.said()
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]


def test_environment_lies_over_env_files_over_what_was_inherited(project: Project) -> None:
    (project.folder / "first.env").write_text(
        "# a comment\n\n"
        "FILED=first\n"
        "BOTH=first\n"
        "export EXPORTED=yes\n"
        "SINGLE='$HOME  # kept'\n"
        'DOUBLE="two\\nlines"\n'
        "BARE=value # a comment\n"
        "EMPTY=\n"
        "STATED=first\n"
        "INHERITED_FILED=first\n"
    )
    (project.folder / "second.env").write_text("BOTH=second\n")
    variables = {"STATED": "file", "INHERITED_STATED": "file", "NUMBER": 7, "TRUTH": True}
    project.tasks(
        {"a": actor("facts", "found", env_file=["first.env", "second.env"], environment=variables)}
    )
    inherited = {"INHERITED": "i", "INHERITED_FILED": "i", "INHERITED_STATED": "i"}
    up = project.up(env=inherited)
    assert up.status() == 0, up.said()
    env = project.facts("found")["environment"]
    wanted = {
        "FILED": "first",
        "BOTH": "second",
        "EXPORTED": "yes",
        "SINGLE": "$HOME  # kept",
        "DOUBLE": "two\nlines",
        "BARE": "value",
        "EMPTY": "",
        "STATED": "file",
        "NUMBER": "7",
        "TRUTH": "true",
        "INHERITED": "i",
        "INHERITED_FILED": "first",
        "INHERITED_STATED": "file",
        "PATH": os.environ["PATH"],
    }
    assert {name: env.get(name) for name in wanted} == wanted


def test_tasks_start_in_the_order_of_the_file(project: Project) -> None:
    names = [f"t{number}" for number in (5, 3, 9, 1, 7, 2, 8)]
    project.tasks({name: sh("echo") for name in names})
    up = project.up()
    assert up.status() == 0, up.said()
    begun = [line.split()[1] for line in project.log("procession.log").decode().splitlines()
             if "-> running" in line]  # fmt: skip
    assert begun == names


@pytest.mark.quick
def test_a_start_delay_is_waited_for_and_holds_up_nobody_else(project: Project) -> None:
    project.tasks(
        {
            "late": actor("obedient", "late", start_delay="600ms"),
            "later": actor("obedient", "later", start_delay=0.9),
            "at-once": actor("obedient", "at-once"),
        }
    )
    up = project.up()
    late, later, at_once = project.stage.ready("late", "later", "at-once")
    assert [event.who for event in project.stage.told] == ["at-once", "late", "later"]
    # what the interpreter of each takes to say `ready` differs by far less than these gaps
    assert late.time - at_once.time > 0.3
    assert later.time - late.time > 0.1
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_more_tasks_than_the_soft_limit_of_descriptors(project: Project) -> None:
    """A task takes a handful of descriptors. Ours is raised; a task has the one `up` began with."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard > 1024, "the limit of this machine is too low to try"
    gate = project.gate("gate")
    many = {f"t{number}": sh(': <"$0"; ulimit -Sn', gate) for number in range(100)}
    project.tasks(many)
    up = project.up("--quiet", wrap=["sh", "-c", 'ulimit -Sn 128; exec "$@"', "sh"])
    project.until_logged("t99 run 1: starting -> running")
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    assert {project.log(f"{name}.log") for name in many} == {b"128\n"}


def test_text_that_the_locale_cannot_encode_fails_that_task_only(project: Project) -> None:
    """A locale that is not UTF-8: what the file says in other letters has no bytes there."""
    project.tasks({"a": sh("echo", environment={"X": "\u20ac"}), "b": sh("echo fine")})
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    up = project.up(env=ascii_only)
    assert up.status() == 126, up.said()
    assert up.out == "b          | fine\n"
    assert "Traceback" not in up.err
