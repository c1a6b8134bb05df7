"""`procession up`: the graceful stop: who is asked, by what, for how long, and what follows."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.up import Project, actor, sh

FOREVER = {"timeout": "1h"}  # a stop that would last for ever if it were not graceful


@pytest.mark.quick
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name
)
def test_each_task_is_asked_once_by_its_own_signal(
    project: Project, number: signal.Signals
) -> None:
    gate = project.gate("gate")
    asked_by = {"a": None, "b": "SIGINT", "c": "usr1", "d": 1}
    project.tasks(
        {
            name: actor("hears_once", name, gate, stop=FOREVER | ({"signal": by} if by else {}))
            for name, by in asked_by.items()
        }
    )
    up = project.up()
    supervisor = {event.parent for event in project.stage.ready(*asked_by)}
    up.kill(number)
    heard = project.stage.wait("heard", *asked_by)
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    project.stage.gone()
    assert [e.words[0] for e in heard] == ["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"]
    assert {int(e.words[1]) for e in heard} == supervisor
    assert [e.words for e in project.stage.all("pending")] == [()] * 4, "one request became two"


def test_signals_to_the_whole_group_of_up_reach_the_tasks_once(project: Project) -> None:
    """What `kill -- -GROUP` or a shell that ends does; tasks live in sessions of their own."""
    gate = project.gate("gate")
    project.tasks({"a": actor("hears_once", "a", gate, stop=FOREVER)})
    up = project.up(group=True)
    project.stage.ready("a")
    os.killpg(up.pid, signal.SIGINT)
    project.stage.wait("heard", "a")
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"]
    assert [e.words for e in project.stage.all("pending")] == [()]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_sent_again_never_forces(project: Project, first: signal.Signals) -> None:
    """Managers resend. The deaf task's end by its own timeout tells that all was heard by then."""
    gate = project.gate("gate")
    project.tasks(
        {
            "patient": actor("hears_once", "patient", gate, stop=FOREVER),
            "deaf": actor("deaf", "deaf", stop={"timeout": "700ms"}),
        }
    )
    up = project.up()
    _, deaf = project.stage.ready("patient", "deaf")
    up.kill(first)
    project.stage.wait("heard", "patient")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGINT):
        up.kill(number)
    assert not project.stage.left(deaf)
    project.open_gate("gate")
    project.stage.wait("pending", "patient")
    assert up.status() == 0, up.said()
    project.stage.gone()


@pytest.mark.quick
def test_what_does_not_listen_is_killed_after_its_timeout(project: Project) -> None:
    project.tasks(
        {
            "deaf": actor("family", "deaf", "deaf", 1, 1, stop={"timeout": "300ms"}),
            "fine": actor("family", "fine", "obedient", 1, 1, stop=FOREVER),
        }
    )
    up = project.up()
    project.stage.ready(count=6)
    assert up.stop() == 0, up.said()
    project.stage.gone()
    heard = {e.who for e in project.stage.all("heard")}
    assert heard == {"fine", "fine.child0", "fine.daemon1"}


@pytest.mark.parametrize(
    ("to", "at_once", "later"),
    [
        ("leader", set(), {"child0", "daemon1"}),
        ("group", {"child0", "daemon1"}, set()),  # a daemon has nobody else to tell it
        ("tree", {"child0", "daemon1"}, set()),
    ],
)
def test_who_is_asked_first_and_what_is_left_is_asked_after_the_leader(
    project: Project, to: str, at_once: set[str], later: set[str]
) -> None:
    gate = project.gate("gate")
    task = actor("family", "a", "obedient", 1, 1, stop=FOREVER | {"to": to})
    task["environment"] = {"GATE": gate}
    project.tasks({"a": task})
    up = project.up()
    project.stage.ready(count=3)
    up.kill(signal.SIGTERM)
    project.stage.wait("heard", "a", *(f"a.{name}" for name in at_once))
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    project.stage.gone()
    order = [e.who.removeprefix("a.") for e in project.stage.told if e.what in ("heard", "leaves")]
    end = order.index("a", order.index("a") + 1)  # heard, then leaves
    assert set(order[:end]) - {"a"} == at_once
    assert set(order[end:]) - {"a"} == later


def test_a_stop_during_a_start_delay_or_a_back_off_ends_at_once(project: Project) -> None:
    marker = project.folder / "started"
    project.tasks(
        {
            "delayed": {**sh(f"touch {marker}"), "start-delay": "1h"},
            "backs-off": sh("exit 1", restart="always", restart_backoff="1h"),
            "runs": actor("obedient", "runs"),
        }
    )
    up = project.up()
    project.stage.ready("runs")
    project.until_logged("backs-off run 1: running -> backoff")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert not marker.exists()


def test_a_stop_while_nothing_runs(project: Project) -> None:
    project.tasks({"delayed": {**sh("true"), "start-delay": "1h"}})
    up = project.up()
    project.until_logged("began")
    assert up.stop() == 0, up.said()


@pytest.mark.quick
def test_what_a_leader_leaves_is_stopped_at_once(project: Project) -> None:
    """The default: the leader ends well by itself, what it left hears the stop signal."""
    stop = {"signal": "SIGUSR1", **FOREVER}
    project.tasks({"a": actor("family", "a", "obedient", 1, 1, 0, stop=stop)})
    up = project.up()
    assert up.status() == 0, up.said()
    project.stage.gone()
    heard = {(e.who, e.words[0]) for e in project.stage.all("heard")}
    assert heard == {("a.child0", "SIGUSR1"), ("a.daemon1", "SIGUSR1")}


def test_what_a_leader_leaves_and_does_not_listen_is_killed(project: Project) -> None:
    stop = {"timeout": "200ms"}
    project.tasks({"a": actor("family", "a", "deaf", 1, 1, 3, stop=stop)})
    up = project.up()
    assert up.status() == 3, up.said()
    project.stage.gone()


def test_leftover_wait_waits_for_what_the_leader_left(project: Project) -> None:
    project.tasks({"a": actor("family", "a", "obedient", 1, 1, 0, leftover="wait", stop=FOREVER)})
    up = project.up()
    child, daemon = project.stage.ready("a.child0", "a.daemon1")
    project.stage.wait("leaves", "a")
    project.stage.signal(child, signal.SIGUSR1)
    project.stage.wait("heard", "a.child0")
    assert up.process.poll() is None
    project.stage.signal(daemon, signal.SIGUSR1)
    assert up.status() == 0, up.said()
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGUSR1"] * 2


def test_leftover_wait_ends_when_a_stop_is_asked_for(project: Project) -> None:
    project.tasks({"a": actor("family", "a", "obedient", 1, 1, 0, leftover="wait", stop=FOREVER)})
    up = project.up()
    project.stage.wait("leaves", "a")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert [e.words[0] for e in project.stage.all("heard")] == ["SIGTERM"] * 2


def test_a_task_that_daemonises_is_stopped_as_any_other(project: Project) -> None:
    """As a classic daemon does: its leader ends at once, and well."""
    project.tasks(
        {
            "daemon": actor("family", "daemon", "obedient", 0, 1, 0, leftover="wait", stop=FOREVER),
            "other": actor("obedient", "other"),
        }
    )
    up = project.up()
    project.stage.ready("daemon.daemon0", "other")
    project.stage.wait("leaves", "daemon")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert ("daemon.daemon0", "SIGTERM") in {
        (e.who, e.words[0]) for e in project.stage.all("heard")
    }


def test_leftover_leave_lets_the_task_end_with_its_leader(project: Project) -> None:
    project.tasks(
        {
            "a": actor("family", "a", "obedient", 1, 0, 0, leftover="leave"),
            "other": actor("obedient", "other"),
        }
    )
    up = project.up()
    child, _ = project.stage.ready("a.child0", "other")
    project.until_logged("a run 1: running -> completed")
    project.stage.signal(child, signal.SIGUSR1)
    project.stage.wait("heard", "a.child0")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert project.stage.all("heard", "a.child0")[0].words[0] == "SIGUSR1"


def test_who_hides_from_its_task_is_swept_at_the_end(project: Project) -> None:
    """Own session, empty environment, parent gone: nobody knows whose it is, only that it is."""
    deaf = 'trap "" TERM INT HUP; exec 3>"$0"; echo hidden ready $$ >&3; while :; do sleep 9; done'
    hides = "env -i setsid sh -c '" + deaf + '\' "$0" & exec sleep 3600'
    project.tasks({"a": sh(hides, project.stage.path, stop={"timeout": "300ms"})})
    up = project.up()
    project.stage.ready("hidden")
    assert up.stop() == 0, up.said()
    project.stage.gone()


def test_a_stopped_process_is_stopped_all_the_same(project: Project) -> None:
    """SIGSTOP holds back every signal but SIGKILL and SIGCONT."""
    project.tasks({"a": actor("obedient", "a", stop={"timeout": "500ms"})})
    up = project.up()
    (ready,) = project.stage.ready("a")
    project.stage.signal(ready, signal.SIGSTOP)
    assert up.stop() == 0, up.said()
    project.stage.gone()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_to_the_supervisor_itself_stops_gracefully(
    project: Project, number: signal.Signals
) -> None:
    """As `pkill procession` sends it: to both halves."""
    gate = project.gate("gate")
    project.tasks({"a": actor("hears_once", "a", gate, stop=FOREVER)})
    up = project.up()
    supervisor = project.stage.ready("a")[0].parent
    os.kill(supervisor, number)
    up.kill(number)
    project.stage.wait("heard", "a")
    project.open_gate("gate")
    assert up.status() == 0, up.said()
    project.stage.gone()
    assert [e.words for e in project.stage.all("pending")] == [()]
