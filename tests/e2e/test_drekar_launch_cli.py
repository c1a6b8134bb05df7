"""`python -m drekar_launch`: the old launcher's options, keys, files and statuses.

docs/migration-drekar.md names these tests, and a test holds the two together.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import Project, Up, actor, sh

DREKAR = (sys.executable, "-W", "error", "-m", "drekar_launch")
PAGE = Path(__file__).parents[2] / "docs" / "migration-drekar.md"
FILE = "drekar-launch.yaml"

Launch = Callable[..., Up]


@pytest.fixture
def launch(project: Project) -> Launch:
    """Start the old command line in the project's folder, its log place below that."""

    def start(*words: str, env: dict[str, str | None] | None = None, **more: Any) -> Up:
        cache = {"XDG_CACHE_HOME": str(project.folder / "cache"), **(env or {})}
        return project.start(*words, env=cache, log_dir=None, run=DREKAR, **more)

    return start


def tasks(project: Project, *listed: dict[str, object], file: str = FILE, **top: object) -> Path:
    written = project.tasks([dict(t) for t in listed], **top)
    return written.rename(project.folder / file)


def log(project: Project, group: str, file: str) -> str:
    place = project.folder / "cache" / "drekar-launch" / "log"
    return (place / group / "latest" / file).read_text()


def says(words: str, **keys: object) -> dict[str, object]:
    return {"name": "a", **sh(f'echo "{words}"', **keys)}


# --- options


@pytest.mark.quick
def test_the_default_file_is_the_old_one_alone(project: Project, launch: Launch) -> None:
    project.tasks({"new": sh("echo new")})
    tasks(project, says("old"))
    up = launch()
    assert up.status() == 0, up.said()
    assert up.out == "a          | old\n"


def test_without_the_default_file_it_says_so(project: Project, launch: Launch) -> None:
    project.tasks({"new": sh("echo new")})
    up = launch()
    assert up.status() == 2
    assert "drekar-launch.yaml: there is no such file" in up.err


@pytest.mark.parametrize("form", [["--config=x.yml"], ["--config", "x.yml"]])
def test_config_names_the_file(project: Project, launch: Launch, form: list[str]) -> None:
    tasks(project, says("here"), file="x.yml")
    up = launch(*form)
    assert up.status() == 0, up.said()
    assert "here" in up.out


def test_config_j2_names_a_template(project: Project, launch: Launch) -> None:
    (project.folder / "x.yaml").write_text(
        '{% set text = "from the template" %}\n\nname: j2\ntasks:\n  - name: a\n    program: echo\n'
        "    args: {{text}} {{ configdir }} {{ platform }} {{ vars.who }}\n"
    )
    up = launch("--config-j2=x.yaml", "--var-who=me")
    assert up.status() == 0, up.said()
    assert up.out == f"a          | from the template {project.folder} {sys.platform} me\n"


def test_two_files_are_one_too_many(project: Project, launch: Launch) -> None:
    up = launch("--config=x", "--config-j2=y")
    assert up.status() == 2
    assert "one file is read" in up.err


def test_cwd_is_where_tasks_run_that_name_no_folder(project: Project, launch: Launch) -> None:
    for folder in ("sub", "files"):
        (project.folder / folder).mkdir()
    here = {"name": "b", **sh("echo $0 $PWD", "b", cwd=".")}
    tasks(project, {"name": "a", **sh("echo $0 $PWD", "a")}, here, file="files/x.yaml")
    up = launch("--config=files/x.yaml", "--cwd=sub")
    assert up.status() == 0, up.said()
    assert f"| a {project.folder}/sub\n" in up.out
    assert f"| b {project.folder}\n" in up.out


def test_a_cwd_that_is_not_there_is_told(project: Project, launch: Launch) -> None:
    tasks(project, says("no"))
    up = launch("--cwd=nowhere")
    assert up.status() == 2
    assert "drekar_launch: --cwd:" in up.err
    assert "is not a folder" in up.err


@pytest.mark.parametrize(
    ("top", "words", "group"),
    [({}, [], "drekar-launch"), ({"name": "mine"}, [], "mine"), ({"name": "m"}, ["--name=n"], "n")],
)
def test_the_name_and_the_log_place(
    project: Project, launch: Launch, top: dict[str, str], words: list[str], group: str
) -> None:
    tasks(project, {"name": "a", **sh("echo out; echo err >&2")}, **top)
    up = launch(*words)
    assert up.status() == 0, up.said()
    assert log(project, group, "a.log") == "out\n"
    assert log(project, group, "a.stderr.log") == "err\n"
    place = project.folder / "cache" / "drekar-launch" / "log" / group
    (made,) = [entry.name for entry in place.iterdir() if not entry.is_symlink()]
    assert re.fullmatch(rf"{group}-\d{{4}}-\d\d-\d\d--\d\d-\d\d-\d\d", made)


def test_without_a_cache_variable_logs_are_below_the_home(project: Project, launch: Launch) -> None:
    tasks(project, says("x"))
    up = launch(env={"XDG_CACHE_HOME": None, "HOME": str(project.folder)})
    assert up.status() == 0, up.said()
    assert (project.folder / ".cache/drekar-launch/log/drekar-launch/latest/a.log").exists()


def test_quiet_shows_no_output_and_keeps_it(project: Project, launch: Launch) -> None:
    tasks(project, says("hello"))
    up = launch("--quiet")
    assert up.status() == 0, up.said()
    assert up.out == ""
    assert log(project, "drekar-launch", "a.log") == "hello\n"


def test_gui_is_answered_in_one_line_and_goes_on(project: Project, launch: Launch) -> None:
    tasks(project, says("hello"))
    up = launch("--gui")
    assert up.status() == 0, up.said()
    (line,) = [line for line in up.err.splitlines() if "--gui" in line]
    assert "Ctrl-C" in line
    assert "hello" in up.out


def test_unknown_options_are_ignored_aloud(project: Project, launch: Launch) -> None:
    tasks(project, says("hello"))
    up = launch("--frobnicate=1")
    assert up.status() == 0, up.said()
    assert "not known and ignored: --frobnicate=1" in up.err


def test_a_variable_needs_a_value(project: Project, launch: Launch) -> None:
    up = launch("--var-port")
    assert up.status() == 2
    assert "'--var-port' is no --var-NAME=VALUE" in up.err


# --- keys, as its page showed them


def test_an_old_file_with_every_key_runs_unchanged(project: Project, launch: Launch) -> None:
    (project.folder / "my.env").write_text("# comment\nFROM_FILE=yes\n\n")
    (project.folder / "sub").mkdir()
    (project.folder / FILE).write_text("""\
name: example
tasks:
  - name: server_1
    program: sh
    args: show.sh 8100 Server1
    cwd: .
  - name: server_2
    program: sh
    args:
      - ../show.sh
      - 8101
      - Hello from Server2!
      - true
    cwd: sub
    start-delay: 0.2
    restart: false
    restart-backoff: 1
    tags: [web]
    environment:
      PORT: 8101
    env-file: my.env
  - name: last
    program: sleep
    args: 0.6
    quit-on-terminate: true
""")
    (project.folder / "show.sh").write_text('echo "$# $* PORT=$PORT FROM_FILE=$FROM_FILE"')
    up = launch(env={"PORT": None})
    assert up.status() == 0, up.said()
    assert "server_1   | 2 8100 Server1 PORT= FROM_FILE=\n" in up.out
    assert "server_2   | 3 8101 Hello from Server2! true PORT=8101 FROM_FILE=yes\n" in up.out


def notes(up: Up) -> list[str]:
    """What was said of the file before anything started, with its place."""
    return re.findall(r"^procession: drekar-launch\.yaml:(\d+:\d+: .*)$", up.err, re.MULTILINE)


@pytest.mark.quick
def test_an_unknown_key_is_passed_over_aloud(project: Project, launch: Launch) -> None:
    text = "colour: blue\ntasks:\n- name: a\n  program: echo\n  args: hello\n  restrat: true\n"
    (project.folder / FILE).write_text(text)
    up = launch()
    assert up.status() == 0, up.said()
    assert up.out == "a          | hello\n"
    assert notes(up) == [
        "1:1: colour: unknown key `colour`, passed over",
        "6:3: tasks.a.restrat: unknown key `restrat`, passed over; did you mean `restart`?",
    ]


def test_a_name_with_blanks_becomes_one_without(project: Project, launch: Launch) -> None:
    (project.folder / FILE).write_text(
        "name: My Group\ntasks:\n- name: Server No. 1\n  program: echo\n  args: hello\n"
    )
    up = launch()
    assert up.status() == 0, up.said()
    assert up.out == "Server-No.-1 | hello\n"
    assert log(project, "My-Group", "Server-No.-1.log") == "hello\n"
    assert len(notes(up)) == 2, up.err


def test_two_names_that_become_one_are_a_mistake(project: Project, launch: Launch) -> None:
    tasks(project, {"name": "a b", "program": "echo"}, {"name": "a-b", "program": "echo"})
    up = launch()
    assert up.status() == 2
    assert "the name `a-b` is taken" in up.err


def test_yes_and_no_are_booleans(project: Project, launch: Launch) -> None:
    """YAML 1.1, where a boolean is wanted; where text is, it stays text."""
    (project.folder / FILE).write_text(
        "tasks:\n- {name: a, program: echo, args: yes, environment: {A: on}, restart: no}\n"
        "- {name: b, program: sh, args: -c 'exit 4', restart: Off, quit-on-terminate: YES}\n"
    )
    up = launch()
    assert up.status() == 4, up.said()
    assert "a          | yes\n" in up.out
    assert notes(up) == [
        "3:54: tasks.b.restart: `Off` is read as `false`",
        "3:78: tasks.b.quit-on-terminate: `YES` is read as `true`",
    ]


def test_quotes_that_do_not_pair_are_characters(project: Project, launch: Launch) -> None:
    tasks(project, {"name": "a", "program": "echo", "args": "it's a \\"})
    up = launch()
    assert up.status() == 0, up.said()
    assert up.out == "a          | it's a \\\n"


def test_a_variable_for_a_plain_file_is_ignored_aloud(project: Project, launch: Launch) -> None:
    tasks(project, says("hello"))
    up = launch("--var-port=1")
    assert up.status() == 0, up.said()
    assert (
        "drekar-launch.yaml is no template: `port` would mean nothing in it, passed over" in up.err
    )


def test_procession_itself_forgives_nothing(project: Project) -> None:
    (project.folder / FILE).write_text(
        "tasks:\n- name: a b\n  program: echo\n  args: it's\n  color: red\n"
        "  quit-on-terminate: yes\n  restart: on\n"
    )
    up = project.up()
    assert up.status() == 2
    assert len(re.findall(r"^drekar-launch\.yaml:\d+:\d+: ", up.err, re.MULTILINE)) == 5, up.err


def test_an_env_file_is_laid_over_the_environment(project: Project, launch: Launch) -> None:
    (project.folder / "my.env").write_text("FROM_FILE=yes\n")
    script = '[ -n "$PATH" ] && echo $INHERITED $FROM_FILE $OWN'
    tasks(project, {"name": "a", **sh(script, env_file="my.env", environment={"OWN": "3"})})
    up = launch(env={"INHERITED": "1"})
    assert up.status() == 0, up.said()
    assert up.out == "a          | 1 yes 3\n"


def test_a_task_is_asked_by_sigint(project: Project, launch: Launch) -> None:
    task = sh('trap "echo int; exit 0" INT; trap "echo term; exit 0" TERM; echo up; cat "$0"; :')
    task["args"] = [*task["args"], project.gate("gate")]  # type: ignore[misc]  # a list by now
    tasks(project, {"name": "a", **actor("obedient", "a")}, {"name": "b", **task})
    up = launch()
    project.stage.ready("a")
    assert up.stop(signal.SIGINT) == 0, up.said()
    assert "term" not in up.out
    project.stage.gone()


@pytest.mark.quick
def test_ctrl_c_is_a_success(project: Project, launch: Launch) -> None:
    tasks(project, {"name": "a", **actor("obedient", "a")})
    up = launch()
    project.stage.ready("a")
    assert up.stop(signal.SIGINT) == 0, up.said()
    project.stage.gone()


@pytest.mark.parametrize("restart", [{}, {"restart": True}])
def test_quit_on_terminate_ends_all_with_its_status(
    project: Project, launch: Launch, restart: dict[str, object]
) -> None:
    quits = {"name": "b", **sh("exit 42"), "quit-on-terminate": True, **restart}
    tasks(project, {"name": "a", **actor("obedient", "a")}, quits)
    up = launch()
    assert up.status() == 42, up.said()
    project.stage.gone()


def test_what_a_file_leaves_unsaid(project: Project) -> None:
    from procession.cli.drekar import parse
    from procession.config.load import load

    tasks(
        project,
        {"name": "a", "program": "sh", "restart": True},
        {"name": "b", "program": "sh", "restart": True, "restart-backoff": 2},
        {"name": "c", "program": "sh", "stop": {"timeout": 1}},
    )
    options = parse(["--cwd", str(project.folder)])
    path = str(project.folder / FILE)
    environ = dict(os.environ)
    found = load(path, cwd=str(project.folder), environ=environ, defaults=options.defaults)
    a, b, c = found.project.tasks
    assert (a.restart.policy, a.restart.delay, b.restart.delay) == ("always", 5.0, 2.0)
    assert (a.stop.signal, a.stop.timeout) == ("SIGINT", 15.0)
    assert (c.stop.signal, c.stop.timeout) == ("SIGTERM", 1.0)
    assert a.cwd == str(project.folder)


# --- the page


@pytest.mark.quick
def test_the_page_names_a_test_for_every_row() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    here = Path(__file__).read_text()
    assert len(rows) > 20
    for row in rows:
        name = row.rstrip(" |").rpartition("|")[2].strip().strip("`")
        assert f"def {name}(" in here, row
