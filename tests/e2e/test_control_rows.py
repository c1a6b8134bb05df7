"""`procession ps --json` in each state that a replica can be found in, field by field."""

from __future__ import annotations

import re
import signal

import pytest

from tests.support.hands import Hand
from tests.support.puppets import Puppets
from tests.support.up import Project, actor, sh


@pytest.mark.quick
def test_each_state_as_it_is_seen_from_outside(
    project: Project, hand: Hand, puppets: Puppets
) -> None:
    talks, slow = puppets("talks"), puppets("slow")
    health = {"exec": "false", "interval": "10ms", "failures": 1, "then": "mark"}
    well = {"exec": "true", "interval": "10ms"}
    deaf = actor("deaf", "deaf", stop={"timeout": "1h"})
    project.tasks(
        {
            "talks": talks.task(ready={"notify": True}),
            "slow": slow.task(ready={"fd": 3}),
            "ill": actor("obedient", "ill", health=health),
            "well": actor("obedient", "well", health=well),
            "waits": actor("obedient", "waits", depends_on=["slow"]),
            "broken": sh("exit 7", restart={"policy": "always", "delay": "1h"}),
            "failed": sh("exit 8"),
            "done": sh("exit 0", completes=True),
            "skipped": sh("true", depends_on={"failed": "completed-successfully"}),
            "off": sh("true", autostart=False),
            "deaf": deaf,
            "pair": actor("obedient", "pair", replicas=2),
        }
    )
    up = project.up()
    events = {e.who: e for e in project.stage.ready("talks", "slow", "ill", "well", "deaf")}
    talks.do("notify.ready('warming up')")
    for words in (
        "talks ready", "ill not healthy", "well healthy", "broken run 1: running -> backoff",
        "failed run 1: running -> failed", "done run 1: running -> completed", "skipped",
    ):  # fmt: skip
        project.until_logged(words)
    project.stage.ready("pair", count=2)
    hand.run("stop", "deaf", "--timeout", "0.1", status=124)
    rows = hand.rows()
    brief = {
        name: (row["state"], row["wanted"], row["ready"], row["healthy"], row["run"])
        for name, row in rows.items()
    }
    assert brief == {
        "talks": ("running", True, True, None, 1),
        "slow": ("running", True, False, None, 1),
        "ill": ("running", True, True, False, 1),
        "well": ("running", True, True, True, 1),
        "waits": ("pending", True, False, None, 0),
        "broken": ("backoff", True, False, None, 1),
        "failed": ("failed", True, False, None, 1),
        "done": ("completed", True, True, None, 1),
        "skipped": ("skipped", True, False, None, 0),
        "off": ("stopped", False, False, None, 0),
        "deaf": ("stopping", False, False, None, 1),
        "pair-1": ("running", True, True, None, 1),
        "pair-2": ("running", True, True, None, 1),
    }
    for name, event in events.items():
        assert rows[name]["pid"] == event.pid
    assert {rows[n]["pid"] for n in ("waits", "broken", "failed", "done", "off")} == {None}
    ends = {name: row["exit"] for name, row in rows.items() if row["exit"] is not None}
    assert ends == {"broken": "exited with 7", "failed": "exited with 8", "done": "exited with 0"}
    assert rows["talks"]["status_text"] == "warming up"
    assert [(rows[n]["task"], rows[n]["replica"]) for n in ("pair-1", "pair-2")] == [
        ("pair", 1),
        ("pair", 2),
    ]
    assert re.search("^waits for slow to be ready$", rows["waits"]["reason"])
    assert re.search(r"exited with 7 .*the next run is due in 1 h", rows["broken"]["reason"])
    assert rows["skipped"]["reason"].startswith("failed failed: exited with 8")
    for name in ("talks", "broken", "failed", "done"):
        assert 0 <= rows[name]["since"] < 60
    hand.run("down", "--force")
    assert up.status() == 0, up.said()
    project.stage.gone()


@pytest.mark.quick
def test_restarts_are_counted_and_those_of_people_are_not(project: Project, hand: Hand) -> None:
    project.tasks({"a": actor("obedient", "a", 1, restart="always", restart_backoff=0)})
    up = project.up()
    for count in (1, 2):
        (event,) = project.stage.ready("a", count=count)
        project.stage.signal(event, signal.SIGTERM)
    project.stage.ready("a", count=3)
    hand.run("restart", "a")
    project.stage.ready("a", count=4)
    row = hand.rows()["a"]
    assert (row["run"], row["restarts"]) == (4, 2)
    assert re.match(r"restart asked for by \S+", row["reason"])
    assert up.stop() == 0, up.said()
    project.stage.gone()
