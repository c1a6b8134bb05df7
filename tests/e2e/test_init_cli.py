"""`procession init`: the file it writes, and what it does not write over."""

from __future__ import annotations

import os
import re

import pytest

from procession.cli.init import STARTER
from procession.config.load import load
from procession.errors import ProcessionError
from procession.keys import TASK_FIELDS
from tests.support.up import Project, Up


def init(project: Project, *words: str) -> Up:
    up = project.start("init", *words, log_dir=None)
    up.status()
    assert "Traceback" not in up.err
    return up


@pytest.mark.quick
def test_the_starter_starts(project: Project) -> None:
    written = init(project)
    assert (written.status(), written.err) == (0, "")
    assert written.out == "procession.yaml written; `procession up` starts it\n"
    up = project.up()
    project.until_logged("hello run 1: starting -> running")
    assert up.stop() == 0, up.said()


def test_every_example_in_the_starter_is_good(project: Project) -> None:
    head, tasks = STARTER.split("\n\n", 1)
    assert all(line.startswith("# ") for line in head.splitlines())
    text = re.sub(r"^( *)# ", r"\1", tasks, flags=re.M)
    (project.folder / ".env").write_text("A=b\n")
    (project.folder / "all.yaml").write_text(text)
    environ = dict(os.environ)
    found = load("all.yaml", cwd=str(project.folder), environ=environ).project
    assert found.name == "shop"
    hello, worker = found.tasks
    assert (hello.name, worker.name) == ("hello", "worker")
    assert hello.tags == ("web",)
    assert hello.environment == (("PORT", "8000"),)
    assert [need.task for need in worker.depends_on] == ["hello"]
    unsaid = {"name", "leftover", "program-must-exist", "shell", "launch-prefix", "completes"}
    unsaid |= {"ready-timeout", "watchdog", "port", "user", "group", "supplementary-groups"}
    unsaid |= {"umask", "nice", "cpus", "limits"}
    for field in TASK_FIELDS:
        assert (f"{field.key}:" in text) is (field.key not in unsaid or field.key == "name")


@pytest.mark.parametrize("words", [[], ["--from", "Procfile"]])
def test_nothing_is_written_over_without_force(project: Project, words: list[str]) -> None:
    (project.folder / "Procfile").write_text("web: sleep 1\n")
    file = project.file("mine")
    refused = init(project, *words)
    assert refused.status() == 2
    assert "procession.yaml: is there already. --force writes over it" in refused.err
    assert file.read_text() == "mine"
    assert init(project, *words, "--force").status() == 0
    assert "tasks:" in file.read_text()


@pytest.mark.quick
def test_a_procfile_runs_as_a_project(project: Project) -> None:
    (project.folder / ".env").write_text("WHO=me\n")
    (project.folder / "Procfile").write_text(
        "web: echo \"$PORT $WHO\" && exec sleep 1000\nlast: sh -c 'exit 3'\n"
    )
    assert init(project, "--from", "Procfile").status() == 0
    up = project.up()
    assert up.status() == 3, up.said()


def test_a_procfile_elsewhere_runs_in_its_folder(project: Project) -> None:
    app = project.folder / "app"
    app.mkdir()
    (app / "Procfile").write_text('web: echo "$WHO in $PWD"\n')
    (app / ".env").write_text("WHO=me\n")
    assert init(project, "--from", "app/Procfile", "-f", "made.yaml").status() == 0
    up = project.up("-f", "made.yaml")
    assert up.status() == 0, up.said()
    assert up.out == f"web        | me in {app}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "nowhere"], "nowhere: cannot be read: No such file"),
        (["--from", "."], "cannot be read: Is a directory"),
        (["--from", "odd"], "odd:1:1: byte 0xff is not UTF-8"),
        (["--from", "bad"], "bad:2:1: no task; expected `NAME: COMMAND`"),
        (["-f", "no/where.yaml"], "no/where.yaml: cannot be written: No such file"),
        (["extra"], "`extra` has no meaning here"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    project: Project, words: list[str], told: str
) -> None:
    (project.folder / "odd").write_bytes(b"\xff")
    (project.folder / "bad").write_text("web: a\nweb\n")
    refused = init(project, *words)
    assert refused.status() == 2, refused.said()
    assert told in refused.err
    assert not (project.folder / "procession.yaml").exists()


def test_what_was_made_says_what_is_missing_here(project: Project) -> None:
    (project.folder / "Procfile").write_text("web: nowhere-to-be-found --port 1\n")
    assert init(project, "--from", "Procfile").status() == 0
    with pytest.raises(ProcessionError, match="nowhere-to-be-found"):
        load(None, cwd=str(project.folder), environ=dict(os.environ))


def test_a_procfile_that_is_there_is_pointed_at(project: Project) -> None:
    (project.folder / "Procfile").write_text("web: sleep 1000\n")
    assert "`procession init --from Procfile --force`" in init(project).out


def test_what_it_says_to_do_next_is_of_the_file_it_wrote(project: Project) -> None:
    (project.folder / "Procfile").write_text("web: sleep 1000\n")
    said = init(project, "-f", "the shop.yml").out
    assert "`procession up -f 'the shop.yml'` starts it" in said
    assert "`procession init --from Procfile -f 'the shop.yml' --force`" in said
