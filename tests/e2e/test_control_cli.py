"""A hand on a running project, as people have it: the command line, from another process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.hands import WITHIN, Hand, up_and_ready
from tests.support.up import PROCESSION, Project, actor, sh


@pytest.mark.quick
def test_a_running_project_is_seen_steered_and_brought_down(project: Project, hand: Hand) -> None:
    project.tasks({"web": actor("obedient", "web"), "db": actor("obedient", "db")})
    up = up_and_ready(project, hand)
    first = {event.who: event.pid for event in project.stage.ready("web", "db")}
    rows = hand.rows()
    assert list(rows) == ["web", "db"]
    assert {name: row["pid"] for name, row in rows.items()} == first
    assert list(rows["web"]) == [
        "name", "task", "replica", "state", "wanted", "ready", "healthy", "pid", "run",
        "restarts", "since", "exit", "reason", "status_text",
    ]  # fmt: skip

    assert "web running" in hand.run("restart", "web").stdout
    again = project.stage.ready("web", count=2)[0].pid
    row = hand.rows("web")["web"]
    assert (row["pid"], row["run"], row["restarts"]) == (again, 2, 0)
    assert again != first["web"]

    assert "db stopped" in hand.run("stop", "db").stdout
    row = hand.rows("db")["db"]
    assert (row["state"], row["wanted"], row["pid"]) == ("stopped", False, None)
    assert re.fullmatch(r"stop asked for by [^\s,]+, .*", row["reason"])
    hand.run("start", "db", "web")  # web is up: that is what was wished
    assert hand.rows("db")["db"]["run"] == 2
    assert hand.rows("web")["web"]["run"] == 2

    table = hand.run("ps", "--no-color").stdout.splitlines()
    assert table[0].split() == ["NAME", "STATE", "READY", "PID", "RUN", "SINCE", "REASON"]
    assert table[1].startswith("web   running  yes")

    assert hand.run("down").stdout == "demo has ended\n"
    assert up.status() == 0
    project.stage.gone()
    assert "does not run" in hand.run("ps", status=3).stderr


def test_what_ended_well_was_ready_and_what_nobody_wants_is_not_waited_for(
    project: Project, hand: Hand
) -> None:
    project.tasks(
        {
            "web": actor("obedient", "web"),
            "api": actor("obedient", "api"),
            "short": sh("exit 0"),
            "spare": sh("exit 1", autostart=False),
        }
    )
    up = up_and_ready(project, hand)
    project.until_logged("short run 1: running -> completed")
    assert "short completed" in hand.run("wait").stdout
    assert hand.rows("short")["short"]["ready"] is True
    assert "spare stopped" in hand.run("wait", "spare", status=1).stdout
    hand.run("stop", "web")
    assert "web" not in hand.run("wait").stdout
    hand.run("stop", "api")  # came true, though the project ends with its last
    assert up.status() == 0


def test_why_tells_the_reason_and_what_came_before(project: Project, hand: Hand) -> None:
    project.tasks({"bad": sh("exit 7"), "web": actor("obedient", "web")})
    up_and_ready(project, hand, status=1)
    said = hand.run("why", "bad", "web").stdout
    assert "bad: failed" in said
    assert "why:      exited with 7" in said
    assert re.search(r"before:\n    .* bad run 1: pending -> starting: started", said)
    assert "web: running" in said
    assert "is:       ready; wanted up" in said


def test_logs_are_printed_and_followed(project: Project, hand: Hand) -> None:
    gate = project.gate("gate")
    project.tasks(
        {
            "web": sh('echo one; echo two >&2; cat "$0"; printf "no end"', gate),
            "quiet": actor("obedient", "quiet"),
        }
    )
    up = up_and_ready(project, hand)
    project.until_logged("web run 1: starting -> running")
    follower = subprocess.Popen(
        [*PROCESSION, "logs", "-f", "web"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert follower.stdout is not None
    assert {follower.stdout.readline(), follower.stdout.readline()} == {
        b"web | one\n",
        b"web | two\n",
    }
    with open(gate, "w") as file:
        file.write("three\n")
    assert follower.stdout.readline() == b"web | three\n"
    assert up.stop() == 0
    assert follower.stdout.read() == b"web | no end\n"
    follower.stdout.close()
    assert follower.wait(WITHIN) == 0


def test_logs_begin_with_the_last_lines_and_one_may_leave(project: Project, hand: Hand) -> None:
    project.tasks({"web": sh("seq 1 2000; echo done; exec sleep 60")})
    up_and_ready(project, hand)
    project.stage.doubt()
    text = ""
    while "done" not in text:  # each look is a process of its own; the first ones may be early
        text = hand.run("logs", "-n", "3").stdout
    assert text == "web | 1999\nweb | 2000\nweb | done\n"
    everything = hand.run("logs", "--lines", "all", "--no-prefix").stdout
    assert everything == "".join(f"{n}\n" for n in range(1, 2001)) + "done\n"
    head = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", *PROCESSION, "logs", "-n", "all"],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        timeout=WITHIN,
        check=True,
    )
    assert (head.stdout, head.stderr) == (b"web | 1\n", b"")


def test_wait_for_the_end_tells_how_it_was(project: Project, hand: Hand) -> None:
    good, bad = project.gate("good"), project.gate("bad")
    project.tasks(
        {
            "good": sh('cat "$0"', good),
            "bad": sh('cat "$0"; exit 3', bad),
            "web": actor("obedient", "web"),
        }
    )
    up_and_ready(project, hand)
    said = hand.run("wait", "--for", "exit", "--timeout", "0.2", "good", status=124)
    assert said.stderr.startswith("procession: after 0.2 s not ended: good (running: started with")
    assert said.stderr.count("\n") == 1
    open(good, "w").close()
    assert "good completed" in hand.run("wait", "--for", "exit", "good").stdout
    open(bad, "w").close()
    assert "bad failed: exited with 3" in hand.run("wait", "--for", "exit", "bad", status=1).stdout


def test_mistakes_are_one_line_and_move_nothing(project: Project, hand: Hand) -> None:
    assert "no configuration file here" in hand.run("ps", status=2).stderr
    project.tasks({"web": actor("obedient", "web")})
    assert "does not run" in hand.run("down", status=3).stderr
    assert "there is no such file" in hand.run("ps", "-f", "none.yaml", status=2).stderr
    up_and_ready(project, hand)
    said = hand.run("stop", "web", "wen", status=2).stderr
    assert said.count("\n") == 1
    assert "wen: no task or replica" in said
    assert hand.rows()["web"]["state"] == "running"
    for verb in ("ps", "why", "logs", "stop", "wait"):
        said = hand.run(verb, "wen\x1b[31m\n", status=2).stderr
        assert said.startswith(r"procession: wen\x1b[31m\n: no task or replica")
        assert said.count("\n") == 1
    assert r"no project called \x1b runs" in hand.run("ps", "-p", "\x1b", status=3).stderr
    assert r"\x1b: there is no such file" in hand.run("ps", "-f", "\x1b", status=2).stderr
    said = hand.run("ps", "-p", "nothing", status=3).stderr
    assert "no project called nothing runs; what runs is" in said
    assert hand.run("ps", "-p", "demo", "--json", cwd=Path("/")).stdout != "[]\n"
    assert "demo" in hand.run("ps", "--all").stdout
    (told,) = json.loads(hand.run("ps", "--all", "--json").stdout)
    assert (told["project"], told["left_out"]) == ("demo", [])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        connection.connect(told["socket"])
        connection.sendall(b"GET /v1/project HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.quick
def test_a_project_runs_once_under_one_name(project: Project, hand: Hand) -> None:
    project.tasks({"web": actor("obedient", "web")})
    first = up_and_ready(project, hand)
    second = project.start()
    assert second.status() == 1
    assert "demo: it is running already (supervisor " in second.err
    other = project.start("--name", "other")
    project.stage.ready("web", count=2)
    hand.run("wait", "-p", "other", "--timeout", "40")
    said = hand.run("ps", status=2).stderr
    assert "several are meant: demo" in said
    hand.run("down", "-p", "other")
    assert other.status() == 0
    assert first.stop() == 0
    project.stage.gone()


def test_a_project_whose_lock_was_deleted_still_runs_once(project: Project, hand: Hand) -> None:
    project.tasks({"web": actor("obedient", "web")})
    up = up_and_ready(project, hand)
    supervisor = project.stage.ready("web")[0].parent
    os.unlink(folder_of(supervisor) / "lock")
    second = project.start()
    assert second.status() == 1
    assert f"demo: it is running already (supervisor {supervisor})" in second.err
    assert hand.rows()["web"]["state"] == "running"
    assert hand.run("down").stdout == "demo has ended\n"
    assert up.status() == 0
    project.stage.gone()


def test_a_project_whose_socket_was_deleted_is_not_said_to_have_ended(
    project: Project, hand: Hand
) -> None:
    project.tasks({"web": actor("obedient", "web")})
    up = up_and_ready(project, hand)
    supervisor = project.stage.ready("web")[0].parent
    os.unlink(folder_of(supervisor) / "control.sock")
    for verb in (("ps",), ("down",), ("stop", "web")):
        said = hand.run(*verb, status=1).stderr
        assert re.search(rf"its supervisor \({supervisor}\) lives, but its socket .* is gone", said)
        assert f"`kill {supervisor}` ends the project gracefully" in said
    os.kill(supervisor, signal.SIGTERM)
    assert up.status() == 0
    project.stage.gone()


def folder_of(supervisor: int) -> Path:
    """Where the project of this supervisor is found."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"]) / "procession"
    (found,) = (
        about.parent
        for about in runtime.glob("*/about.json")
        if json.loads(about.read_text())["pid"] == supervisor
    )
    return found


def test_a_folder_whose_name_moves_the_cursor_moves_none(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[2Jb"
    folder.mkdir()
    project = Project(folder)
    hand = Hand(project)
    try:
        project.tasks({"web": sh("exec sleep 60")})
        up = up_and_ready(project, hand)
        said = [hand.run(*words).stdout for words in (("ps", "--all"), ("why", "web"), ("down",))]
        assert up.status() == 0
        for text in (*said, up.out, up.err):
            assert "\x1b" not in text
        assert r"a\x1b[2Jb/procession.yaml" in said[0]
        assert r"a\x1b[2Jb/logs" in said[1]
        assert "logs: " in up.err + up.out
    finally:
        project.close()


def test_what_a_killed_supervisor_left_is_no_hindrance(project: Project, hand: Hand) -> None:
    project.tasks({"web": actor("obedient", "web")})
    up = up_and_ready(project, hand)
    os.kill(project.stage.ready("web")[0].parent, signal.SIGKILL)
    assert up.status() == 1
    project.stage.gone()
    project.stage.again()
    assert "does not run" in hand.run("ps", status=3).stderr
    up = up_and_ready(project, hand)
    assert up.stop() == 0
    project.stage.gone()


def test_a_project_without_a_runtime_folder_runs_and_says_so(project: Project) -> None:
    project.tasks({"web": actor("obedient", "web")})
    up = project.start(env={"PROCESSION_RUNTIME_DIR": "/proc/none"})
    project.stage.ready("web")
    project.until_logged("it cannot be steered from outside: runtime folder")
    assert up.stop() == 0
    project.stage.gone()


def test_a_runtime_folder_that_is_open_to_others_is_not_said_to_be_empty(
    project: Project, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as place:  # a short path: a socket's is in it
        monkeypatch.setenv("PROCESSION_RUNTIME_DIR", place)
        project.tasks({"web": sh("echo at work; exec sleep 60", ready={"log": "at work"})})
        up = up_and_ready(project, hand)
        Path(place).chmod(0o755)
        for words in (("ps",), ("ps", "--all"), ("wait", "--timeout", "5"), ("down",)):
            said = hand.run(*words, status=1).stderr
            assert f"{place} (open to others, mode 0755)" in said
            assert "does not run" not in said
        done = hand.run("logs", "web", "--log-dir", str(project.logs))
        assert "at work" in done.stdout
        assert "nobody can be asked" in done.stderr
        said = hand.run("logs", "web", "--log-dir", "elsewhere", status=1).stderr
        assert "logs: no logs of it are kept in" in said
        assert f"{place} (open to others, mode 0755)" in said
        Path(place).chmod(0o700)
        hand.run("down")
        assert up.status() == 0


def test_down_by_force_has_no_patience(project: Project, hand: Hand) -> None:
    project.tasks({"deaf": actor("deaf", "deaf", stop={"timeout": "1h"})})
    up = up_and_ready(project, hand)
    project.stage.ready("deaf")
    said = hand.run("down", "--timeout", "0.5", status=124).stderr
    assert "demo has not ended after 0.5 s" in said
    hand.run("down", "--force")
    assert up.status() == 0
    project.stage.gone()
