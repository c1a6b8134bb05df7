"""`procession up`: whether a run still does its job, and what becomes of it when it does not."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.hands import Hand
from tests.support.listeners import Listener, says_the_last
from tests.support.puppets import Puppets
from tests.support.up import Project, actor

Check = dict[str, Any]
AGAIN = {"restart": "on-failure", "restart_backoff": 0}
QUICK = {"interval": "20ms", "timeout": "5s", "failures": 2}


def well(flag: str = "well") -> Check:
    """Healthy while this file is there."""
    return {"exec": ["test", "-e", flag], **QUICK}


@pytest.mark.quick
def test_an_unhealthy_run_is_a_failed_one(project: Project) -> None:
    (project.folder / "well").touch()
    project.tasks({"a": actor("obedient", "a", health=well(), **AGAIN)})
    up = project.up()
    (first,) = project.stage.ready("a")
    project.until_logged("a healthy")
    (project.folder / "well").unlink()
    project.until_logged("a not healthy: exec `test -e well`: exited with 1")
    (project.folder / "well").touch()
    (second,) = project.stage.ready("a", count=2)
    assert second.pid != first.pid
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_without_a_restart_it_has_failed(project: Project) -> None:
    project.tasks({"a": actor("obedient", "a", health=well())})
    up = project.up()
    assert up.status() != 0, up.said()
    assert "a failed: unhealthy: exec `test -e well`: exited with 1" in up.err, up.said()
    project.stage.gone()


@pytest.mark.quick
def test_it_may_be_marked_alone_and_become_healthy_again(project: Project, hand: Hand) -> None:
    project.tasks({"a": actor("obedient", "a", health={**well(), "then": "mark"}, **AGAIN)})
    up = project.up()
    project.until_logged("a not healthy")
    row = hand.rows()["a"]
    assert (row["state"], row["ready"], row["healthy"]) == ("running", True, False)
    assert re.fullmatch(r"started with .*; unhealthy: exec .*: exited with 1", row["reason"])
    assert re.search(r"\n  before:\n(.*\n)*.* a not healthy: exec ", hand.run("why", "a").stdout)
    (project.folder / "well").touch()
    project.until_logged("a healthy")
    row = hand.rows()["a"]
    assert row["healthy"] is True
    assert "unhealthy" not in row["reason"]
    (first,) = project.stage.ready("a")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert [event.pid for event in project.stage.all("ready")] == [first.pid]


def test_a_failure_between_successes_is_none(project: Project) -> None:
    """Every second try fails; three in a row would have to."""
    script = "echo . >>tries; [ $(( $(wc -l <tries) % 2 )) = 0 ]"
    check = {"exec": ["sh", "-c", script], **QUICK, "failures": 2}
    clock = {"exec": ["sh", "-c", "echo . >>clock; [ $(wc -l <clock) -lt 15 ]"], **QUICK}
    clock["failures"] = 1
    project.tasks(
        {
            "a": actor("obedient", "a", health=check),
            "b": actor("obedient", "b", health=clock, quit_on_terminate=True),
        }
    )
    up = project.up()
    up.status()
    assert "a not healthy" not in project.log("procession.log").decode(), up.said()
    assert (project.folder / "tries").read_text().count(".") >= 4
    project.stage.gone()


def test_a_task_can_wait_until_another_is_healthy(project: Project) -> None:
    project.tasks(
        {
            "a": actor("obedient", "a", health={**well(), "then": "mark"}),
            "b": actor("obedient", "b", depends_on={"a": "healthy"}),
        }
    )
    up = project.up()
    project.until_logged("a not healthy")
    assert project.stage.all("ready", "b") == []
    (project.folder / "well").touch()
    project.stage.ready("b")
    assert up.stop() == 0, up.said()
    project.stage.gone()


# --- each kind of probe ------------------------------------------------------------------------


def test_a_server_that_answers_badly(project: Project) -> None:
    answers = [b"HTTP/1.1 200 OK\r\n\r\nfine"]
    with Listener(says_the_last(answers)) as server:
        check = {"http": f"http://127.0.0.1:{server.port}/", **QUICK}
        project.tasks({"a": actor("obedient", "a", health=check)})
        up = project.up()
        project.until_logged("a healthy")
        answers.append(b"HTTP/1.1 500 No\r\n\r\n")
        assert up.status() != 0, up.said()
    assert "answered 500, expected 200-399" in up.err, up.said()
    project.stage.gone()


def test_a_port_and_a_socket_that_are_closed(project: Project, puppets: Puppets) -> None:
    a, b = puppets("a"), puppets("b")
    port = puppets.port()
    project.tasks(
        {
            "a": a.task(ready={"tcp": port}, health={"tcp": port, **QUICK}),
            "b": b.task(ready={"unix": "s"}, health={"unix": "s", **QUICK}),
        }
    )
    up = project.up()
    for puppet, where in ((a, port), (b, "s")):
        puppet.do(f"listen({where!r})")
        project.until_logged(f"{puppet.name} healthy")
        puppet.send("close()")
    assert up.status() != 0, up.said()
    assert f"a failed: unhealthy: tcp 127.0.0.1:{port}: connection refused" in up.err, up.said()
    assert "b failed: unhealthy: unix" in up.err, up.said()
    project.stage.gone()


def test_a_line_that_has_to_be_written_again_and_again(project: Project, puppets: Puppets) -> None:
    """Within each interval: a heart that beats."""
    a = puppets("a")
    check = {"log": "^beat$", "interval": "500ms", "failures": 1}
    project.tasks({"a": a.task(health=check)})
    up = project.up()
    project.stage.ready("a")
    a.send("for _ in range(60): print('beat', flush=True); time.sleep(0.02)")
    project.until_logged("a healthy")
    assert up.status() != 0, up.said()
    assert "log `^beat$`: not seen since the last look" in up.err, up.said()
    project.stage.gone()


def test_a_run_that_is_not_ready_is_not_asked(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    project.tasks({"a": a.task(ready={"fd": 3}, health={"exec": "touch asked", **QUICK})})
    up = project.up()
    project.stage.ready("a")
    a.do("time.sleep(0.3)")  # nothing tells that something does not happen
    assert not (project.folder / "asked").exists()
    a.do("os.write(3, b'\\n')")
    project.until_logged("a healthy")
    assert (project.folder / "asked").exists()
    assert up.stop() == 0, up.said()
    project.stage.gone()


# --- watchdog ----------------------------------------------------------------------------------

FEEDS = "import threading; stop = threading.Event()"
FEED = (
    "threading.Thread(target=lambda: "
    "[notify.watchdog() for _ in iter(lambda: stop.wait(0.1), True)]).start()"
)


@pytest.mark.quick
def test_a_run_that_is_silent_for_too_long_is_a_failed_one(
    project: Project, puppets: Puppets
) -> None:
    a = puppets("a")
    project.tasks({"a": a.task(watchdog="3s", **AGAIN)})
    up = project.up()
    project.stage.ready("a")
    a.do("assert os.environ['WATCHDOG_USEC'] == '3000000' and notify.watchdog_interval() == 3")
    a.do(FEEDS)
    a.do(FEED)
    project.until_logged("a healthy")
    a.do("time.sleep(3.5)")  # longer than it may be silent
    assert "not healthy" not in project.log("procession.log").decode()
    a.do("stop.set()")
    project.until_logged("a not healthy: watchdog: nothing heard for 3 s")
    project.stage.ready("a", count=2)
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_run_can_say_that_something_is_wrong_with_it(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    project.tasks({"a": a.task(watchdog="1m")})
    up = project.up()
    project.stage.ready("a")
    a.do("notify.watchdog()")
    a.send("notify.watchdog(trigger=True)")  # and may be stopped before it says that it did
    assert up.status() != 0, up.said()
    assert "watchdog: the run itself says that something is wrong" in up.err, up.said()
    project.stage.gone()


def test_it_can_ask_for_another_time(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    project.tasks({"a": a.task(watchdog="1m")})
    up = project.up()
    project.stage.ready("a")
    a.send("notify.notify(WATCHDOG_USEC=100000)")
    assert up.status() != 0, up.said()
    assert "watchdog: nothing heard for 0.1 s" in up.err, up.said()
    project.stage.gone()


def test_the_watchdog_of_a_run_begins_when_it_is_ready(project: Project, puppets: Puppets) -> None:
    a = puppets("a")
    project.tasks({"a": a.task(watchdog="200ms", ready={"fd": 3})})
    up = project.up()
    project.stage.ready("a")
    a.do("time.sleep(0.5)")  # longer than it may be silent later
    assert "not healthy" not in project.log("procession.log").decode()
    a.send("os.write(3, b'\\n')")
    assert up.status() != 0, up.said()
    assert "watchdog: nothing heard for 0.2 s" in up.err, up.said()
    project.stage.gone()


# --- nothing is left ---------------------------------------------------------------------------


def test_a_stop_does_not_wait_for_a_probe(project: Project) -> None:
    family = actor("family", "probe", "deaf", 1, 1)
    check = {"exec": [family["program"], *family["args"]], "timeout": "100s"}
    project.tasks({"a": actor("obedient", "a", health=check)})
    up = project.up()
    project.stage.ready(count=4)
    assert up.stop() == 0, up.said()
    assert project.stage.gone() < 5
    assert "could not be killed" not in up.err


def test_a_supervisor_sleeps_while_nothing_is_tried(project: Project) -> None:
    """Watched by a watchdog and with checks behind it, it does not wake by itself."""
    ready = {"exec": "true", "log": "x", "fd": 3, "any": True}
    project.tasks(
        {
            "a": actor("obedient", "a", watchdog="1m", ready=ready),
            "b": actor("obedient", "b", health={"exec": "true", "interval": "1h"}),
        }
    )
    up = project.up()
    (event,) = project.stage.ready("a")
    project.until_logged("a ready")
    project.until_logged("b healthy")
    seen = [switches(event.parent)]
    for _ in range(40):  # until it has not woken for a second; 20 s at the most
        time.sleep(0.5)
        seen.append(switches(event.parent))
        if seen[-3:] == [seen[-1]] * 3:
            break
    assert seen[-3:] == [seen[-1]] * 3, seen
    assert up.stop() == 0, up.said()
    project.stage.gone()


def switches(pid: int) -> int:
    """How often its threads gave up the processor of their own accord."""
    found = 0
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        found += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", path.read_text(), re.M)[0])
    return found
