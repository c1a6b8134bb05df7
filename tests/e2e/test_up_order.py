"""`procession up`: who waits for whom, how long, and in vain; and that all stop in reverse."""

from __future__ import annotations

import signal

import pytest

from tests.support.hands import Hand
from tests.support.puppets import Puppets
from tests.support.up import Project, Task, actor, sh


def after(name: str, **needs: object) -> Task:
    return actor("obedient", name, depends_on=needs)


@pytest.mark.quick
def test_each_condition_is_waited_for_and_no_other(project: Project, puppets: Puppets) -> None:
    """One task goes through all that may be waited for; who waits starts in that order."""
    a = puppets("a")
    health = {"exec": "test -e well", "interval": "10ms", "then": "mark"}
    project.tasks(
        {
            "ended": after("ended", a="completed"),
            "well": after("well", a={"condition": "completed-successfully"}),
            "healthy": after("healthy", a={"condition": "healthy"}),
            "ready": after("ready", a="ready"),
            "default": actor("obedient", "default", depends_on=["a"]),
            "started": after("started", a="started"),
            "a": a.task(start_delay="100ms", ready={"fd": 3}, health=health),
        }
    )
    up = project.up()
    order = [event.who for event in project.stage.ready("started", "a")]
    a.do(r"os.write(3, b'\n')")
    project.stage.ready("ready", "default")
    project.until_logged("a not healthy")
    order = [event.who for event in project.stage.all("ready")]
    assert set(order[:2]) == {"started", "a"}
    assert set(order[2:]) == {"ready", "default"}
    (project.folder / "well").touch()
    project.stage.ready("healthy")
    a.send("os._exit(0)")
    project.stage.ready("ended", "well")
    assert [event.who for event in project.stage.all("ready")][4] == "healthy"
    assert up.stop() == 0, up.said()
    project.stage.gone()


@pytest.mark.quick
def test_what_never_can_be_is_skipped_with_the_reason_and_the_path(project: Project) -> None:
    project.tasks(
        {
            "bad": sh("exit 3"),
            "far": sh("touch started-far", depends_on={"near": "started"}),
            "near": sh("touch started-near", depends_on={"bad": "completed-successfully"}),
            "anyway": sh("touch anyway", depends_on={"bad": "completed"}),
        }
    )
    up = project.up()
    assert up.status() == 3, up.said()
    assert "near skipped: bad failed: exited with 3" in up.err, up.said()
    assert "far skipped: needs near -> bad; bad failed: exited with 3" in up.err, up.said()
    found = {path.name for path in project.folder.glob("*") if path.is_file()}
    assert found >= {"anyway"}
    assert not {"started-far", "started-near"} & found


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("ready", "a was not ready within 0.3 s"),
        ("healthy", "a was not healthy within 0.3 s"),
        ("completed", "a did not complete within 0.3 s"),
        ("completed-successfully", "a did not complete successfully within 0.3 s"),
    ],
)
def test_a_wait_that_takes_too_long(project: Project, condition: str, words: str) -> None:
    need = {"condition": condition, "timeout": "300ms"}
    project.tasks(
        {
            "a": actor("obedient", "a", ready={"file": "never"}, health={"exec": "true"}),
            "b": sh("touch started", depends_on={"a": need}, quit_on_terminate=True),
        }
    )
    up = project.up()
    assert up.status() == 1, up.said()
    assert f"b skipped: {words}" in up.err, up.said()
    assert not (project.folder / "started").exists()
    project.stage.gone()


def test_a_wait_for_a_start_that_takes_too_long(project: Project) -> None:
    need = {"condition": "started", "timeout": "200ms"}
    project.tasks(
        {
            "a": actor("obedient", "a", start_delay="1h"),
            "b": sh("true", depends_on={"a": need}, quit_on_terminate=True),
        }
    )
    up = project.up()
    assert up.status() == 1, up.said()
    assert "b skipped: a was not started within 0.2 s" in up.err, up.said()


@pytest.mark.quick
def test_an_automatic_restart_takes_along_who_says_so_in_order(project: Project) -> None:
    """`follower` is down before the next run of `db` begins, and up after it; `other` stays."""
    again = {"restart": "always", "restart_backoff": 0}
    project.tasks(
        {
            "db": actor("obedient", "db", 1, **again),
            "follower": after("follower", db={"condition": "started", "restart": True}),
            "last": after("last", follower={"condition": "started", "restart": True}),
            "other": after("other", db="started"),
        }
    )
    up = project.up()
    db, follower, last, other = project.stage.ready("db", "follower", "last", "other")
    project.stage.signal(db, signal.SIGTERM)
    project.stage.ready("db", "follower", "last", count=2)
    assert project.stage.ended(follower)
    assert project.stage.ended(last)
    assert not project.stage.ended(other)
    told = [(event.who, event.what) for event in project.stage.told]
    second = told.index(("db", "ready"), told.index(("db", "ready")) + 1)
    assert {("follower", "heard"), ("last", "heard")} <= set(told[:second]), "both were down before"
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert len(project.stage.all("ready", "other")) == 1
    log = project.log("procession.log").decode()
    begins = [log.index(f"{name} run 2: starting") for name in ("db", "follower", "last")]
    assert begins == sorted(begins)
    assert "follower run 1: running -> stopping: restarts with db" in log
    assert "last run 1: running -> stopping: restarts with follower" in log


@pytest.mark.quick
def test_all_stop_in_reverse_and_each_wave_at_once(project: Project) -> None:
    gates = {name: project.gate(f"gate-{name}") for name in ("web", "api", "db")}
    stop = {"timeout": "1h"}

    def task(name: str, gate: str, *needs: str) -> Task:
        return actor("hears_once", name, gates[gate], stop=stop, depends_on=list(needs))

    project.tasks(
        {
            "db": task("db", "db"),
            "api": task("api", "api", "db"),
            "web1": task("web1", "web", "api"),
            "web2": task("web2", "web", "db", "api"),
        }
    )
    up = project.up()
    project.stage.ready("db", "api", "web1", "web2")
    up.kill(signal.SIGTERM)
    project.stage.wait("heard", "web1", "web2")  # at once: neither has ended
    assert {e.who for e in project.stage.all("heard")} == {"web1", "web2"}
    project.open_gate("gate-web")
    project.stage.wait("heard", "api")
    assert not project.stage.all("heard", "db")
    project.open_gate("gate-api")
    project.stage.wait("heard", "db")
    project.open_gate("gate-db")
    assert up.status() == 0, up.said()
    project.stage.gone()


def test_a_circle_and_a_name_that_is_not_there_start_nothing(project: Project) -> None:
    project.tasks(
        {
            "a": sh("touch started", depends_on=["b"]),
            "b": sh("touch started", depends_on={"c": "started"}),
            "c": sh("touch started", depends_on={"a": {"condition": "healthy"}}),
            "d": sh("touch started", depends_on=["bb"]),
        }
    )
    up = project.up()
    assert up.status() == 2, up.said()
    assert "a → b → c → a" in up.err, up.said()
    assert "tasks.d.depends-on" in up.err, up.said()
    assert "`bb`" in up.err
    assert not (project.folder / "started").exists()


@pytest.mark.quick
def test_who_is_not_to_start_by_itself_waits_for_a_person_or_for_who_needs_it(
    project: Project, hand: Hand
) -> None:
    project.tasks(
        {
            "web": actor("obedient", "web"),
            "tool": actor("obedient", "tool", autostart=False, depends_on={"helper": "started"}),
            "helper": actor("obedient", "helper", autostart=False),
        }
    )
    up = project.up()
    project.stage.ready("web")
    hand.run("wait", "web")
    rows = hand.rows()
    assert {name: (row["state"], row["wanted"], row["run"]) for name, row in rows.items()} == {
        "web": ("running", True, 1),
        "tool": ("stopped", False, 0),
        "helper": ("stopped", False, 0),
    }
    hand.run("start", "tool")
    project.stage.ready("tool", "helper")
    log = project.log("procession.log").decode()
    assert log.index("helper run 1: starting") < log.index("tool run 1: starting")
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_project_whose_rest_nobody_starts_ends_with_what_ran(project: Project) -> None:
    project.tasks({"job": sh("exit 0", completes=True), "tool": sh("touch x", autostart=False)})
    up = project.up()
    assert up.status() == 0, up.said()
    assert not (project.folder / "x").exists()
