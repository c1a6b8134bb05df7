"""`procession up`: when a task counts as ready, by each kind of probe, and what waits for it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.listeners import Listener, says_the_last
from tests.support.puppets import Puppet, Puppets
from tests.support.up import Project, actor, children, sh

Check = dict[str, Any]


def starts_after(project: Project, puppet: Puppet, check: Check, line: str, **keys: object) -> None:
    """`second` starts once `line` was done by `first`, and not before."""
    project.tasks(
        {
            "first": puppet.task(ready=check, **keys),
            "second": actor("obedient", "second", depends_on=["first"]),
        }
    )
    up = project.up()
    project.stage.ready("first")
    project.until_logged("waits for first to be ready")
    done = puppet.do(line)
    (second,) = project.stage.ready("second")
    assert second.time > done
    assert up.stop() == 0, up.said()
    project.stage.gone()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("check", "line"),
    [
        ({"log": "^now ready$"}, "print('now ready', flush=True)"),
        ({"log": "^now ready$"}, "print('now ready', file=sys.stderr, flush=True)"),
        ({"log": "password: $"}, "print('password: ', end='', flush=True)"),
        ({"log": "(x+x+)+y"}, "print('x' * 60_000 + '\\nxxy', flush=True)"),
        ({"file": "made"}, "touch('made')"),
        ({"unix": "sock"}, "listen('sock')"),
        ({"notify": True}, "notify.ready()"),
        ({"fd": 3}, "os.write(3, b'\\n')"),
        ({"fd": 77}, "os.write(77, b'up\\nmore')"),
        ({"exec": ["test", "-e", "made"], "interval": "20ms"}, "touch('made')"),
    ],
)
def test_a_task_is_ready_when_its_probe_holds(
    project: Project, puppets: Puppets, check: Check, line: str
) -> None:
    starts_after(project, puppets("first"), check, line)


@pytest.mark.quick
@pytest.mark.parametrize("where", ["{}", "localhost:{}"])
def test_a_task_is_ready_when_somebody_listens(
    project: Project, puppets: Puppets, where: str
) -> None:
    port = puppets.port()
    starts_after(project, puppets("first"), {"tcp": where.format(port)}, f"listen({port})")


@pytest.mark.quick
def test_a_task_is_ready_when_its_server_answers_well(project: Project, puppets: Puppets) -> None:
    answers = [b"HTTP/1.1 503 Not yet\r\n\r\n"]
    with Listener(says_the_last(answers)) as server:
        check = {
            "http": {
                "url": f"http://127.0.0.1:{server.port}/health",
                "body": "^up$",
                "headers": {"X-Token": "secret"},
            },
            "interval": "20ms",
        }
        project.tasks(
            {
                "first": actor("obedient", "first", ready=check),
                "second": actor("obedient", "second", depends_on=["first"]),
            }
        )
        up = project.up()
        project.stage.ready("first")
        answers.append(b"HTTP/1.1 200 OK\r\n\r\nnearly up")
        answers.append(b"HTTP/1.1 200 OK\r\n\r\nup")
        project.stage.ready("second")
        assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_file_of_before_the_run_counts_when_it_changes(
    project: Project, puppets: Puppets
) -> None:
    (project.folder / "made").write_text("by an earlier run")
    starts_after(project, puppets("first"), {"file": "made"}, "open('made', 'a').write('x')")


def test_of_several_probes_all_have_to_hold(project: Project, puppets: Puppets) -> None:
    puppet = puppets("first")
    check = {"log": "one", "notify": True, "fd": 5, "exec": "test -e made", "interval": "20ms"}
    project.tasks(
        {
            "first": puppet.task(ready=check),
            "second": actor("obedient", "second", depends_on=["first"]),
        }
    )
    up = project.up()
    for line in ("print('one', flush=True)", "notify.ready()", "os.write(5, b'\\n')"):
        puppet.do(line)
    done = puppet.do("touch('made')")
    (second,) = project.stage.ready("second")
    assert second.time > done
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_of_several_probes_one_may_be_enough(project: Project, puppets: Puppets) -> None:
    check = {"tcp": puppets.port(), "fd": 5, "exec": "false", "any": True}
    starts_after(project, puppets("first"), check, "os.write(5, b'\\n')")


# --- what does not become ready ----------------------------------------------------------------


def test_what_is_not_ready_in_time_is_a_failed_run_that_says_why(
    project: Project, puppets: Puppets
) -> None:
    port = puppets.port()
    once = project.folder / "once"  # there when the file is read, and not any more after a try
    once.write_text("#!/bin/sh\nrm once\n[ -e nothing ]\n")
    once.chmod(0o755)
    checks: dict[str, tuple[Check, str]] = {
        "tcp": ({"tcp": port}, f"tcp 127.0.0.1:{port}: connection refused"),
        "unix": ({"unix": "sock"}, "no such file or directory"),
        "file": ({"file": "made"}, "it is not there"),
        "exits": (
            {"exec": "sh -c 'echo still loading >&2; exit 3'"},
            "exec `sh -c echo still loading >&2; exit 3`: exited with 3: still loading",
        ),
        "missing": ({"exec": ["./once"], "interval": "10ms"}, "`./once` does not exist in"),
        "hangs": ({"exec": "sleep 1000", "timeout": "50ms"}, "it took longer than 0.05 s"),
        "log": ({"log": "ready"}, "log `ready`: not yet"),
        "notify": ({"notify": True}, "notify: not yet"),
        "fd": ({"fd": 3}, "fd 3: not yet"),
        "late": ({"exec": "true", "initial-delay": "1m"}, "exec `true`: not tried yet"),
    }
    project.tasks(
        {
            name: actor("obedient", name, ready=check, ready_timeout="3s")
            for name, (check, _) in checks.items()
        }
    )
    up = project.up()
    assert up.status() != 0, up.said()
    project.stage.gone()
    told = up.err.splitlines()
    for name, (_, words) in checks.items():
        begins = f"procession | {name} failed: not ready within 3"
        (line,) = [line for line in told if line.startswith(begins)]
        assert words in line


@pytest.mark.quick
def test_so_many_failures_in_a_row_are_enough(project: Project) -> None:
    check = {"exec": "sh -c 'echo . >>tries; exit 1'", "interval": "10ms", "failures": 4}
    project.tasks({"a": actor("obedient", "a", ready=check)})
    up = project.up()
    assert up.status() != 0, up.said()
    assert (project.folder / "tries").read_text().count(".") == 4
    project.stage.gone()


def test_a_descriptor_that_is_closed_without_a_word_is_a_failure_at_once(
    project: Project, puppets: Puppets
) -> None:
    puppet = puppets("a")
    project.tasks({"a": puppet.task(ready={"fd": 4})})
    up = project.up()
    puppet.send("os.close(4)")
    assert up.status() != 0, up.said()
    assert "fd 4: descriptor 4 was closed without a newline" in up.err, up.said()
    project.stage.gone()


def test_a_failed_readiness_is_restarted_by_policy(project: Project) -> None:
    """The first two runs fail two tries each, the third is ready at its first."""
    script = "echo $PROCESSION_RUN_NUMBER >>tries; [ $(wc -l <tries) -ge 5 ]"
    check = {"exec": ["sh", "-c", script], "failures": 2, "interval": "10ms"}
    task = sh("exec sleep 1000", ready=check, restart="on-failure", restart_backoff=0)
    project.tasks({"a": task, "b": actor("obedient", "b", depends_on=["a"])})
    up = project.up()
    project.stage.ready("b")
    assert (project.folder / "tries").read_text().split() == ["1", "1", "2", "2", "3"]
    assert up.stop() == 0, up.said()
    project.stage.gone()


# --- commands of probes ------------------------------------------------------------------------


def test_a_command_runs_where_the_task_does_and_as_it_does(project: Project) -> None:
    (project.folder / "sub").mkdir()
    facts = actor("facts", project.folder / "found.json")
    check = {"exec": [facts["program"], *facts["args"]], "timeout": "20s"}
    environment = {"OWN": "value"}
    task = actor("obedient", "a", ready=check, cwd="sub", environment=environment, port=7000)
    project.tasks({"a": task})
    up = project.up(env={"LEFT": "as it is"})
    project.until_logged("a ready")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    found = project.facts("found.json")
    assert found["cwd"] == str(project.folder / "sub")
    env = found["environment"]
    assert (env["OWN"], env["LEFT"]) == ("value", "as it is")
    assert (env["PROCESSION_TASK"], env["PORT"]) == ("a", "7000")
    assert found["session"] == found["pid"], "a session of its own"
    assert found["descriptors"] == [0, 1, 2]
    assert set(found["ignored"]) <= {"SIGPIPE", "SIGXFSZ"}, "what Python itself ignores"
    assert found["blocked"] == []


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(project: Project) -> None:
    family = actor("family", "probe", "deaf", 1, 1)
    check = {"exec": [family["program"], *family["args"]], "timeout": "1s", "failures": 1}
    project.tasks({"a": sh("exec sleep 1000", ready=check)})
    up = project.up()
    project.stage.ready(count=3)
    assert up.status() != 0, up.said()
    project.stage.gone()
    assert "it took longer than 1 s" in up.err


def test_what_a_command_leaves_is_killed_when_it_has_ended(project: Project) -> None:
    family = actor("family", "probe", "obedient", 0, 1, 0)
    check = {"exec": [family["program"], *family["args"]], "timeout": "20s"}
    project.tasks(
        {
            "a": actor("obedient", "a", ready=check),
            "b": actor("obedient", "b", depends_on=["a"]),
        }
    )
    up = project.up()
    project.stage.ready("b")
    (daemon,) = project.stage.all("ready", "probe.daemon0")
    with pytest.raises(ProcessLookupError):
        os.kill(daemon.pid, 0)
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_run_is_not_over_before_its_probe_is(project: Project) -> None:
    """Nor does the next begin."""
    family = actor("family", "probe", "deaf", 1, 1)
    check = {"exec": [family["program"], *family["args"]], "timeout": "100s"}
    gate = project.gate("gate")
    task = actor("ends", "a", 0, gate, ready=check, restart="always", restart_backoff=0)
    project.tasks({"a": task})
    up = project.up()
    project.stage.ready("a", count=1)
    first = project.stage.ready(count=4)
    project.open_gate("gate")
    project.stage.ready("a", count=2)
    for event in first:
        with pytest.raises(ProcessLookupError):
            os.kill(event.pid, 0)
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_command_is_ended_with_a_supervisor_that_is_killed(project: Project) -> None:
    family = actor("family", "probe", "deaf", 1, 1)
    check = {"exec": [family["program"], *family["args"]], "timeout": "100s"}
    project.tasks({"a": actor("obedient", "a", ready=check)})
    up = project.up()
    events = project.stage.ready(count=4)
    (supervisor,) = children(up.pid) & {event.parent for event in events}
    os.kill(supervisor, signal.SIGKILL)
    project.stage.gone()
    assert up.status() == 1, up.said()


# --- probes are asked no more than they have to ------------------------------------------------


def test_a_probe_never_overlaps_with_itself_and_stops_when_it_holds(project: Project) -> None:
    script = (
        "echo begin >>probe.log; n=$(wc -l <probe.log); sleep 0.05; "
        "echo end >>probe.log; [ $n -ge 7 ]"
    )
    check = {"exec": ["sh", "-c", script], "interval": "1ms", "timeout": "10s"}
    again = {"exec": ["sh", "-c", "echo . >>clock"], "interval": "10ms"}
    project.tasks(
        {
            "a": actor("obedient", "a", ready=check),
            "b": actor("obedient", "b", depends_on=["a"], health=again),
        }
    )
    up = project.up()
    project.stage.ready("b")
    seen = (project.folder / "probe.log").read_text()
    assert seen == "begin\nend\n" * 4
    wait_for(project, lambda: len(read(project.folder / "clock")) >= 20)
    assert (project.folder / "probe.log").read_text() == seen
    assert up.stop() == 0, up.said()
    project.stage.gone()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_for(project: Project, holds: Callable[[], bool]) -> None:
    """Until it holds; looked at whenever a file of the project changes."""
    import time

    from tests.support.stage import WITHIN
    from tests.support.up import Inotify

    deadline = time.monotonic() + WITHIN
    with Inotify() as changes:
        changes.add(project.folder)
        while not holds():
            assert changes.wait(deadline), f"not within {WITHIN} s"


def test_initial_delay_comes_before_the_first_try(project: Project) -> None:
    check = {"exec": "sh -c 'date +%s.%N >tried'", "initial-delay": "300ms"}
    project.tasks({"a": actor("obedient", "a", ready=check)})
    up = project.up()
    project.until_logged("a ready after")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    event_log = project.log("procession.log").decode()
    words = next(line for line in event_log.splitlines() if "a ready after" in line)
    assert float(words.split("ready after ")[1].split(" s")[0]) >= 0.3


# --- what a run finds in its environment --------------------------------------------------------


@pytest.mark.quick
def test_a_run_knows_who_it_is(project: Project) -> None:
    project.tasks(
        {
            "a": actor("facts", "a.json", environment={"PORT": "1", "PROCESSION_TASK": "x"}),
            "b": sh("env >b.$PROCESSION_REPLICA; mv b.$PROCESSION_REPLICA b$PROCESSION_REPLICA",
                    replicas=3, port=7000),
        }
    )  # fmt: skip
    up = project.up(env={"NOTIFY_SOCKET": "/outer", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"})
    assert up.status() == 0, up.said()
    env = project.facts("a.json")["environment"]
    assert env["PROCESSION_PROJECT"] == "demo"
    assert env["PROCESSION_TASK"] == "a"
    assert env["PROCESSION_REPLICA"] == "1"
    assert env["PROCESSION_RUN_NUMBER"] == "1"
    assert env["PROCESSION_RUN"].endswith(".a.1"), "the cookie, whose end says the same"
    assert env["PORT"] == "1", "its own, where the task has no `port`"
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & env.keys()
    for index in (1, 2, 3):
        lines = (project.folder / f"b{index}").read_text().splitlines()
        assert f"PORT={6999 + index}" in lines
        assert f"PROCESSION_REPLICA={index}" in lines


def test_a_later_run_has_a_later_number(project: Project) -> None:
    script = 'echo $PROCESSION_RUN_NUMBER >>runs; [ "$PROCESSION_RUN_NUMBER" = 3 ]'
    project.tasks({"a": sh(script, restart="on-failure", restart_backoff=0)})
    up = project.up()
    assert up.status() == 0, up.said()
    assert (project.folder / "runs").read_text().split() == ["1", "2", "3"]


def test_a_socket_that_the_task_itself_names_stays(project: Project) -> None:
    task = actor("facts", "a.json", environment={"NOTIFY_SOCKET": "/outer"})
    project.tasks({"a": task})
    up = project.up(env={"NOTIFY_SOCKET": "/outer"})
    assert up.status() == 0, up.said()
    assert project.facts("a.json")["environment"]["NOTIFY_SOCKET"] == "/outer"


def test_descriptors_of_ours_do_not_reach_a_task_with_one_of_its_own(
    project: Project, puppets: Puppets
) -> None:
    task = actor("facts", "a.json", ready={"fd": 5}, restart="no")
    project.tasks({"a": task})
    with socket.socket() as inherited:
        os.set_inheritable(inherited.fileno(), True)
        up = project.up(inherit=[inherited.fileno()])
        up.status()
    assert project.facts("a.json")["descriptors"] == [0, 1, 2, 5]
