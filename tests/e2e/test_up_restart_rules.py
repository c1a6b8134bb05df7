"""`procession up`: the long form of `restart`: rules, pauses, limits; and what people wish."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.support.hands import Hand
from tests.support.up import Project, actor, sh

GIVES_UP = "not restarted, by the rule for that"
PAUSE = re.compile(r"a run \d+: \S+ -> backoff: .*next run is due in ([\d.]+) (m?s)")


def pauses(project: Project) -> list[float]:
    """Before each restart of `a`, in seconds, as they were told."""
    log = project.log("procession.log").decode()
    return [float(number) * (0.001 if unit == "ms" else 1) for number, unit in PAUSE.findall(log)]


def ends_by(*hows: object) -> str:
    """A script whose runs end by these, one after the other, the last of them again and again:
    an exit code, or the name of a signal."""
    words = " ".join(map(str, hows))
    return (
        f"set -- {words}; [ $PROCESSION_RUN_NUMBER -lt $# ] && shift $((PROCESSION_RUN_NUMBER-1))"
        f" || shift $(($#-1)); ulimit -c 0; case $1 in [0-9]*) exit $1;; *) kill -s $1 $$; esac"
    )


@pytest.mark.quick
@pytest.mark.parametrize(
    ("policy", "rules", "hows", "runs", "status", "gives_up"),
    [
        ("no", {"75": "restart"}, [75, 75, 3], 3, 3, False),
        ("no", {"SIGUSR1": "restart"}, ["USR1", 4], 2, 4, False),
        ("on-failure", {"2": "give-up"}, [1, "TERM", 2], 3, 2, True),
        ("on-failure", {"SIGKILL": "give-up"}, [9, "KILL"], 2, 128 + 9, True),
        ("on-failure", {"kill": "give-up", "9": "restart"}, [9, 9, 0], 3, 0, False),
        ("always", {"0": "give-up", "SIGTERM": "give-up"}, [5, "HUP", 0], 3, 0, True),
        ("always", {"0": "restart", "SIGTERM": "give-up"}, [0, 0, "TERM"], 3, 128 + 15, True),
    ],
)
def test_what_an_end_means_by_code_and_by_signal(
    project: Project,
    policy: str,
    rules: dict[str, str],
    hows: list[int | str],
    runs: int,
    status: int,
    gives_up: bool,
) -> None:
    restart = {"policy": policy, "delay": 0, "rules": rules}
    project.tasks({"a": sh(f"echo >>runs; {ends_by(*hows)}", restart=restart)})
    up = project.up()
    assert up.status() == status, up.said()
    assert len((project.folder / "runs").read_text()) == runs
    assert (GIVES_UP in up.err) is gives_up, up.said()


@pytest.mark.quick
def test_pauses_grow_up_to_the_longest_and_are_waited_for(project: Project) -> None:
    backoff = {"first": "20ms", "factor": 3, "longest": "100ms", "jitter": 0}
    restart = {"policy": "on-failure", "backoff": backoff}
    project.tasks({"a": actor("ends", "a", 1, restart=restart)})
    up = project.up()
    times = [event.time for event in project.stage.ready(count=5)]
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert pauses(project)[:4] == [0.02, 0.06, 0.1, 0.1]
    for (one, other), pause in zip(itertools.pairwise(times), pauses(project), strict=False):
        assert other - one >= pause


def test_a_jitter_tells_those_apart_that_fell_together(project: Project) -> None:
    backoff = {"first": "5m", "longest": "5m", "jitter": 1}
    names = [f"t{number}" for number in range(8)]
    tasks = {n: sh("exit 1", restart={"policy": "always", "backoff": backoff}) for n in names}
    project.tasks(tasks)
    up = project.up()
    for name in names:
        project.until_logged(f"{name} run 1: running -> backoff")
    assert up.stop() == 0, up.said()
    log = project.log("procession.log").decode()
    drawn = [float(found) for found in re.findall(r"the next run is due in ([\d.]+) s", log)]
    assert len(drawn) == 8
    assert all(300 <= pause <= 600 for pause in drawn), drawn
    assert len(set(drawn)) > 1, "all of them fell on the same"


def test_a_stable_run_forgives_all_quick_ends_before_it(project: Project) -> None:
    """The third run lives until the gate opens, longer than it takes to be stable."""
    gate = project.gate("gate")
    script = f"echo >>runs; [ $PROCESSION_RUN_NUMBER = 3 ] && : <{gate}; exit 1"
    backoff = {"first": "10ms", "factor": 5, "jitter": 0, "longest": "1h"}
    restart = {"policy": "always", "backoff": backoff, "stable-after": "300ms"}
    clock = {"exec": "true", "interval": "300ms", "successes": 3}
    project.tasks({"a": sh(script, restart=restart), "b": sh("exec sleep 1000", ready=clock)})
    up = project.up()
    project.until_logged("a run 3: starting -> running")
    project.until_logged("b ready")  # after 600 ms at least
    project.open_gate("gate")
    project.until_logged("a run 5:")
    assert up.stop() == 0, up.said()
    assert pauses(project)[:4] == [0.01, 0.05, 0.01, 0.05]


@pytest.mark.quick
def test_so_many_restarts_within_a_time_and_it_gives_up(project: Project) -> None:
    restart = {"policy": "always", "delay": 0, "limit": 3, "within": "1h"}
    project.tasks({"a": sh("echo >>runs; exit 6", restart=restart)})
    up = project.up()
    assert up.status() == 6, up.said()
    assert len((project.folder / "runs").read_text()) == 4
    assert re.search(r"a failed: exited with 6 .*; gave up: 3 restarts within 1 h", up.err)
    told = re.findall(r"a running: restarted: .*; restart (\d) of 3 within 1 h", up.err)
    assert told == ["1", "2", "3"], up.said()


def test_the_window_of_the_limit_slides(project: Project) -> None:
    """Two restarts in 300 ms would be too many; with 200 ms between them there never are."""
    restart = {"policy": "always", "delay": "200ms", "limit": 2, "within": "300ms"}
    project.tasks({"a": actor("ends", "a", 1, restart=restart)})
    up = project.up()
    project.stage.ready(count=6)
    assert up.stop() == 0, up.said()
    assert "gave up" not in up.err
    project.stage.gone()


def test_a_spawn_that_failed_is_a_failure_and_counts(project: Project) -> None:
    """The program is not there, is there, and not any more: by the same rules each time."""
    restart = {"policy": "on-failure", "delay": "50ms", "limit": 2, "within": "1h"}
    task = {"program": "./later", "program-must-exist": False, "restart": restart}
    project.tasks({"a": task})
    up = project.up()
    assert up.status() == 127, up.said()
    log = project.log("procession.log").decode()
    assert log.count("starting -> backoff: could not start") == 2, log
    assert re.search(r"a failed: could not start: .*; gave up: 2 restarts within 1 h", up.err)


def test_a_program_that_appears_is_started_by_the_next_try(project: Project) -> None:
    later = project.folder / "later"
    restart = {"policy": "on-failure", "delay": "20ms"}
    project.tasks({"a": {"program": "./later", "program-must-exist": False, "restart": restart}})
    up = project.up()
    project.until_logged("a run 2: starting -> backoff: could not start")
    (project.folder / "made").write_text("#!/bin/sh\nexit 0\n")
    (project.folder / "made").chmod(0o755)
    (project.folder / "made").rename(later)
    assert up.status() == 0, up.said()


# --- what people wish --------------------------------------------------------------------------


@pytest.mark.quick
def test_a_stop_cancels_a_restart_that_is_due_and_a_wait_for_others(
    project: Project, hand: Hand
) -> None:
    project.tasks(
        {
            "broken": sh("exit 1", restart={"policy": "always", "delay": "1h"}),
            "never": actor("obedient", "never", ready={"file": "made"}),
            "waits": actor("obedient", "waits", depends_on=["never"]),
            "delayed": actor("obedient", "delayed", start_delay="1h"),
        }
    )
    up = project.up()
    project.stage.ready("never")
    project.until_logged("broken run 1: running -> backoff")
    states = {name: row["state"] for name, row in hand.rows().items()}
    assert states == {
        "broken": "backoff", "never": "running", "waits": "pending", "delayed": "pending",
    }  # fmt: skip
    hand.run("stop", "broken", "waits", "delayed")
    rows = hand.rows()
    for name in ("broken", "waits", "delayed"):
        assert (rows[name]["state"], rows[name]["wanted"]) == ("stopped", False), rows[name]
    (project.folder / "made").touch()
    project.until_logged("never ready")
    assert hand.rows("waits")["waits"]["run"] == 0, "what it waited for came, and it stayed down"
    # and what is asked last counts
    hand.run("start", "waits")
    project.stage.ready("waits")
    assert up.stop() == 0, up.said()
    project.stage.gone()
    assert not project.stage.all("ready", "delayed")


@pytest.mark.quick
def test_a_restart_that_a_person_asks_for_is_no_end(project: Project, hand: Hand) -> None:
    """Neither for `quit-on-terminate`, nor for `exit-code-from`, nor for a limit of restarts."""
    restart = {"policy": "no", "limit": 1, "within": "1h"}
    project.tasks(
        {
            "main": actor("obedient", "main", 9, quit_on_terminate=True, restart=restart),
            "side": actor("obedient", "side", 8),
        }
    )
    up = project.up("--exit-code-from", "side")
    project.stage.ready("main", "side")
    for count in (2, 3):
        hand.run("restart", "main", "side")
        project.stage.ready("main", "side", count=count)
    row = hand.rows("main")["main"]
    assert (row["state"], row["run"], row["restarts"]) == ("running", 3, 0)
    # its own end is one
    project.stage.signal(project.stage.all("ready", "main")[-1], 15)
    assert up.status() == 9, up.said()
    project.stage.gone()
