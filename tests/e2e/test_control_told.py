"""What the verbs say where something is not as one may think: ended, left out, changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.hands import Hand, up_and_ready
from tests.support.up import Project, actor, sh


@pytest.mark.quick
def test_logs_of_a_project_that_has_ended_are_those_of_its_last_run(
    project: Project, hand: Hand
) -> None:
    project.tasks({"web": sh("echo old")})
    assert project.up(log_dir=None).status() == 0
    one, two = sh("echo one; echo oops >&2", replicas=2), sh("echo two")
    project.tasks({"web": one, "db": two})
    assert project.up(log_dir=None).status() == 0
    done = hand.run("logs")
    assert done.stdout == ("db    | two\nweb-1 | one\nweb-1 | oops\nweb-2 | one\nweb-2 | oops\n")
    assert done.stderr.startswith("procession: it does not run; this is its last run, which ended ")
    assert f"{project.folder}/state/procession" in done.stderr
    assert done.stderr.count("\n") == 1
    assert hand.run("logs", "-f", "web-2").stdout == "web-2 | one\nweb-2 | oops\n"
    assert hand.run("logs", "-p", "demo", "--no-prefix", "db", cwd=Path("/")).stdout == "two\n"
    assert "wen: no task or replica" in hand.run("logs", "wen", status=2).stderr
    # what is kept elsewhere, and what another project of this name left, is not taken for it
    said = hand.run("logs", "--log-dir", "logs", status=3).stderr
    assert "it does not run; and no logs of it are kept in " in said
    elsewhere = project.folder / "other" / "demo"
    elsewhere.mkdir(parents=True)
    (elsewhere / "procession.yaml").write_text(json.dumps({"tasks": {"web": sh("echo alien")}}))
    assert "no logs of it are kept" in hand.run("logs", status=3, cwd=elsewhere).stderr
    assert project.up(log_dir=None, cwd=elsewhere).status() == 0
    assert hand.run("logs", cwd=elsewhere).stdout == "web | alien\n"
    assert "alien" not in hand.run("logs").stdout
    project.stage.gone()


def test_the_logs_of_the_last_run_are_found_where_up_was_told_to_put_them(
    project: Project, hand: Hand
) -> None:
    project.tasks({"web": sh("echo one")}, name="shop")
    assert project.up(log_dir="here").status() == 0
    assert hand.run("logs", "--log-dir", "here").stdout == "web | one\n"


def test_a_file_given_to_logs_by_f_is_told_how_it_is_given(project: Project, hand: Hand) -> None:
    for name in ("procession.yaml", "a/b", "x.YML"):
        said = hand.run("logs", "-f", name, status=2).stderr
        assert f"-f means follow here; the file is given by `--file {name}`" in said
        assert said.count("\n") == 1


def test_what_was_left_out_is_told_so(project: Project, hand: Hand) -> None:
    project.tasks(
        {
            "web": actor("obedient", "web"),
            "db": actor("obedient", "db"),
            "pair": actor("obedient", "pair", replicas=2),
        }
    )
    up = project.up("--only", "web,pair-1")
    hand.run("wait", "--timeout", "40")
    for name in ("db", "pair-2"):
        said = hand.run("start", name, status=2).stderr
        assert f"{name}: it was left out (--only, --except) when the project was started" in said
    assert (
        "dp: no task or replica of this project is called so"
        in hand.run("why", "dp", status=2).stderr
    )
    assert up.stop() == 0


def test_of_two_projects_of_one_file_it_is_said_how_to_name_one(
    project: Project, hand: Hand
) -> None:
    project.tasks({"web": actor("obedient", "web")})
    first = up_and_ready(project, hand)
    other = project.start("--name", "other")
    hand.run("wait", "-p", "other", "--timeout", "40")
    said = hand.run("ps", status=2).stderr
    assert said.startswith("procession: this project: several are meant: demo (supervisor ")
    assert "Name one by `-p NAME`\n" in said
    assert "-f" not in said
    assert (first.stop(), other.stop()) == (0, 0)


def test_a_file_that_was_changed_meanwhile_is_told_of_where_a_task_starts(
    project: Project, hand: Hand
) -> None:
    file = project.tasks({"web": actor("obedient", "web")}, include=["more.yaml"])
    more = project.file(json.dumps({"tasks": {"db": actor("obedient", "db")}}), "more.yaml")
    up = up_and_ready(project, hand)
    assert hand.run("restart", "web").stderr == ""
    os.utime(more, ns=(1, 1))
    line = "procession: more.yaml has changed since `up`; `down` and `up` take the change\n"
    assert hand.run("restart", "web").stderr == line
    assert hand.run("stop", "web").stderr == ""
    file.unlink()
    said = hand.run("start", "-p", "demo", "web").stderr
    assert sorted(said.splitlines()) == [line.strip(), line.strip().replace("more", "procession")]
    assert up.stop() == 0


def test_why_of_a_task_that_waits_names_no_run_and_no_file(project: Project, hand: Hand) -> None:
    slow = actor("obedient", "slow", ready={"file": "never"})
    project.tasks({"slow": slow, "web": actor("obedient", "web", depends_on=["slow"])})
    up = project.up()
    project.until_logged("web: pending: waits for slow to be ready")
    said = hand.run("why", "web").stdout
    assert "runs:     none yet" in said
    assert "web: pending: waits for slow to be ready" in said.partition("before:")[2]
    assert "run 0" not in said
    assert "output:" not in said
    assert up.stop() == 0
