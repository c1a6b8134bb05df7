"""What a file may say: each accepted form of each key, and what it means. The table to document."""

from __future__ import annotations

import os

import pytest
import yaml

from procession import keys, spec
from procession.config import yaml as reader
from procession.config.decode import Decoded, decode
from procession.config.source import Source
from tests.support.configs import one_task
from tests.support.systems import read_as_on

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each system refuses is told by tests of its own."""
    read_as_on("linux", monkeypatch)


def read(text: str, folder: str = "/srv", name: str | None = None) -> Decoded:
    decoded = decode(Source("p.yaml", text), folder, name=name)
    assert [str(p) for p in decoded.report.problems()] == []
    return decoded


def task_of(*keys: str) -> spec.Task:
    (task,) = read(one_task(*keys)).project.tasks
    return task


Form = tuple[str | tuple[str, ...], object]

ARGS: list[Form] = [
    ("args: -m http.server 8000", ("-m", "http.server", "8000")),
    ("args: \"-m  http.server\\t8000\"", ("-m", "http.server", "8000")),
    ("args: say 'it is' \"a b\"", ("say", "it is", "a b")),
    ("args: a\\ b # a comment", ("a b",)),
    ("args: 'a # no comment'", ("a", "#", "no", "comment")),
    ("args: '$HOME *.py; x | y'", ("$HOME", "*.py;", "x", "|", "y")),
    ('args: "\'\'"', ("",)),
    ("args: ''", ()),
    ("args:", ()),
    ("args: []", ()),
    ("args: 8080", ("8080",)),
    ("args: 1.10", ("1.10",)),
    ("args: true", ("true",)),
    ("args: [1.10, 007, 0x1F, 1e3, true, No, -5, +1, .5]",
     ("1.10", "007", "0x1F", "1e3", "true", "No", "-5", "+1", ".5")),
    ("args: ['null', \"~\", '', 'a b', 2026-01-01, 12:30]",
     ("null", "~", "", "a b", "2026-01-01", "12:30")),
    ("args: [a=b, --x=y z, !!str 5, ! 6]", ("a=b", "--x=y z", "5", "6")),
    (("args: >", "  -m http.server", "  8000"), ("-m", "http.server", "8000")),
    (("args: |", "  -c 'a", "  b'"), ("-c", "a\nb")),
    (("args:", "  - |", "    import os", "    print(1)"), ("import os\nprint(1)\n",)),
    (("args:", "- -v"), ("-v",)),
    ('args: ["\\u00e9\\x41\\t"]', ("éA\t",)),
]  # fmt: skip

ENVIRONMENT: list[Form] = [
    ("environment: {A: 1.10, B: true, C: text, D: '', E: 0o17, NO: no}",
     (("A", "1.10"), ("B", "true"), ("C", "text"), ("D", ""), ("E", "0o17"), ("NO", "no"))),
    ("environment: [A=1, B=, 'C=a b', D=x=y]",
     (("A", "1"), ("B", ""), ("C", "a b"), ("D", "x=y"))),
    ("environment: {1: one, true: yes, a.b-c(x): z}", (("1", "one"), ("true", "yes"),
     ("a.b-c(x)", "z"))),
    ("environment:", ()),
    ("environment: {}", ()),
    ("environment: []", ()),
]  # fmt: skip

DURATIONS: list[tuple[str, float]] = [
    ("0", 0.0),
    ("90", 90.0),
    ("0.5", 0.5),
    (".5", 0.5),
    ("1e-1", 0.1),
    ("+5", 5.0),
    ("0x10", 16.0),
    ("'90'", 90.0),
    ("250ms", 0.25),
    ("1.5s", 1.5),
    ("1m30s", 90.0),
    ("1m 30s", 90.0),
    ("'2 h'", 7200.0),
    ("1d2h3m4s5ms", 93784.005),
    ("0s", 0.0),
    ("36500d", 36500 * 86400.0),
]

PLAIN: list[tuple[str, str, object]] = [
    ("restart: no", "restart", spec.Restart("no")),
    ("restart: 'no'", "restart", spec.Restart("no")),
    ("restart: false", "restart", spec.Restart("no")),
    ("restart: on-failure", "restart", spec.Restart("on-failure")),
    ("restart: always", "restart", spec.Restart("always")),
    ("restart: True", "restart", spec.Restart("always")),
    ("restart-backoff: 1m", "restart", spec.Restart("no", 60.0)),
    ("quit-on-terminate: true", "quit_on_terminate", True),
    ("quit_on_terminate: FALSE", "quit_on_terminate", False),
    ("program-must-exist: false", "program_must_exist", False),
    ("program_must-exist: false", "program_must_exist", False),
    ("program-must-exist: !!bool false", "program_must_exist", False),
    ("tags: web", "tags", ("web",)),
    ("tags: [web, 2, web, 1.10]", "tags", ("web", "2", "1.10")),
    ("tags:", "tags", ()),
    ("leftover: wait", "leftover", "wait"),
    ("success-exit-codes: 3", "success_exit_codes", (3,)),
    ("success-exit-codes: [0, 3, 0x10, 255, 3]", "success_exit_codes", (0, 3, 16, 255)),
    ("cwd: .", "cwd", "/srv"),
    ("cwd: ./a/b", "cwd", os.path.join("/srv", "a/b")),
    ("cwd: ../x", "cwd", os.path.join("/srv", "../x")),
    ("cwd: /abs", "cwd", "/abs"),
    ("cwd: 2026", "cwd", os.path.join("/srv", "2026")),
    ("cwd: '~'", "cwd", os.path.join("/srv", "~")),
    ("env-file: .env", "env_files", (os.path.join("/srv", ".env"),)),
    (
        "env-file: [.env, /etc/x, ./sub/.env]",
        "env_files",
        (os.path.join("/srv", ".env"), "/etc/x", os.path.join("/srv", "sub/.env")),
    ),
    ("env-file:", "env_files", ()),
    ("stop:", "stop", spec.Stop()),
    ("stop: {signal: int}", "stop", spec.Stop("SIGINT")),
    ("stop: {signal: SigInt, to: tree, timeout: 3}", "stop", spec.Stop("SIGINT", "tree", 3.0)),
    ("stop: {signal: 15, to: leader}", "stop", spec.Stop("SIGTERM", "leader")),
    ("stop: {signal: '9', timeout: 500ms}", "stop", spec.Stop("SIGKILL", timeout=0.5)),
]


@pytest.mark.parametrize(("keys", "meaning"), ARGS)
def test_forms_of_args(keys: str | tuple[str, ...], meaning: object) -> None:
    assert task_of(*([keys] if isinstance(keys, str) else keys)).args == meaning


@pytest.mark.parametrize(("keys", "meaning"), ENVIRONMENT)
def test_forms_of_environment(keys: str, meaning: object) -> None:
    assert task_of(keys).environment == meaning


@pytest.mark.parametrize(("written", "seconds"), DURATIONS)
def test_forms_of_durations(written: str, seconds: float) -> None:
    assert task_of(f"start-delay: {written}").start_delay == pytest.approx(seconds)


@pytest.mark.parametrize(("line", "attribute", "meaning"), PLAIN)
def test_forms_of_other_keys(line: str, attribute: str, meaning: object) -> None:
    assert getattr(task_of(line), attribute) == meaning


@pytest.mark.parametrize("written", ["true", "7z", "'7'", "1.10", "/bin/x", "./x", "a b", "no"])
def test_a_program_is_taken_as_written(written: str) -> None:
    (task,) = read(f"tasks: {{web: {{program: {written}}}}}\n").project.tasks
    assert task.program == written.strip("'")


def test_a_task_without_more_has_the_defaults_of_the_model() -> None:
    assert task_of() == spec.Task("web", "sleep")


def test_the_defaults_of_the_table_are_those_of_the_model() -> None:
    unsaid = {"environment", "cpus", "limits", "steps"}
    records = {
        "task": (keys.TASK_FIELDS, spec.Task("web", "x")),
        "stop": (keys.STOP_FIELDS, spec.Stop()),
    }
    for fields, record in records.values():
        for field in fields:
            if field.required or field.key in ("restart", "restart-backoff", "stop"):
                continue
            attribute = field.key.replace("-", "_").replace("env_file", "env_files")
            empty = () if attribute in unsaid else None
            assert getattr(record, attribute) == (empty if field.default is None else field.default)
    assert spec.Restart() == spec.Restart("no", None)
    assert spec.Task("web", "x").restart == spec.Restart()
    assert spec.Task("web", "x").stop == spec.Stop()


def test_tasks_are_a_list_or_a_mapping() -> None:
    listed = read("tasks:\n- name: b\n  program: x\n- {name: 1, program: y}\n").project
    mapped = read("tasks:\n  b: {program: x}\n  1: {program: y, name: 1}\n").project
    assert listed == mapped
    assert [t.name for t in listed.tasks] == ["b", "1"]


@pytest.mark.parametrize(
    ("text", "folder", "override", "name"),
    [
        ("name: demo\n", "/srv/shop", None, "demo"),
        ("name: demo\n", "/srv/shop", "other", "other"),
        ("", "/srv/shop", None, "shop"),
        ("", "/srv/shop", "other", "other"),
        ("name: 2026\n", "/srv", None, "2026"),
        ("", "/srv/my shop (old)", None, "my-shop-old"),
        ("", "/srv/.hidden", None, "hidden"),
        ("", "/srv/größe", None, "gr-e"),
        ("", "/", None, "project"),
        ("", "/srv/---", None, "project"),
        ("", "C:\\Users\\me\\shop", None, "shop"),
        ("name: Procession\n", "/srv", None, "Procession"),
    ],
)
def test_where_the_projects_name_is_from(
    text: str, folder: str, override: str | None, name: str
) -> None:
    project = read(text + one_task(), folder, override).project
    assert project.name == name
    assert project.folder == folder


def test_extension_keys_hold_what_tasks_share() -> None:
    project = read(
        "x-common: &common\n"
        "  restart: always\n"
        "  environment: &vars {A: 1, B: 2}\n"
        "x-more: &more {tags: [m], restart: no}\n"
        "tasks:\n"
        "  a: {<<: *common, program: x}\n"
        "  b:\n"
        "    <<: [*more, *common]\n"
        "    program: y\n"
        "    environment: {<<: *vars, B: 3}\n"
        "  c: {program: z, env-file: &f [one], tags: &t [x, y]}\n"
        "  d: {program: z, env-file: *f, tags: *t, environment: *vars}\n"
    ).project
    a, b, c, d = project.tasks
    assert a == spec.Task(
        "a", "x", restart=spec.Restart("always"), environment=(("A", "1"), ("B", "2"))
    )
    assert b.restart == spec.Restart("no")
    assert b.tags == ("m",)
    assert dict(b.environment) == {"A": "1", "B": "3"}
    assert (
        (c.env_files, c.tags)
        == (d.env_files, d.tags)
        == ((os.path.join("/srv", "one"),), ("x", "y"))
    )
    assert d.environment == a.environment


def test_a_merge_gives_way_however_the_key_is_written() -> None:
    text = "x-a: &a {start_delay: 1, quit-on-terminate: true}\n"
    text += "tasks: {web: {<<: *a, program: x, start-delay: 2}}\n"
    (task,) = read(text).project.tasks
    assert (task.start_delay, task.quit_on_terminate) == (2.0, True)


def test_tasks_can_be_merged() -> None:
    text = "x-t: &t\n  a: {program: one}\n  b: {program: two}\n"
    project = read(text + "tasks:\n  a: {program: mine}\n  <<: *t\n").project
    assert [(t.name, t.program) for t in project.tasks] == [("a", "mine"), ("b", "two")]


def test_a_quoted_merge_sign_is_just_text() -> None:
    assert task_of("environment: {'<<': x}").environment == (("<<", "x"),)


def test_windows_line_ends_and_a_missing_last_one() -> None:
    text = one_task("args: a b").replace("\n", "\r\n").rstrip()
    assert read(text).project.tasks[0].args == ("a", "b")


def test_an_environment_is_not_shown() -> None:
    decoded = read(one_task("environment: {PASSWORD: hunter2}"))
    assert "hunter2" not in repr(decoded.project)


@pytest.mark.parametrize("escape", ["\\0", "\\x00", "\\u0000", "\\U00000000"])
@pytest.mark.parametrize(
    "key", ["args: '{}'", "args: ['{}']", "cwd: '{}'", "tags: '{}'", "environment: {{'{}': x}}"]
)
def test_no_value_holds_a_nul(key: str, escape: str) -> None:
    line = key.format(f"a{escape}b").replace("'", '"')
    (problem,) = decode(Source("p.yaml", one_task(line)), "/srv").report.problems()
    assert problem.line == 4


def test_half_a_surrogate_pair_comes_through_no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """libyaml refuses such an escape; PyYAML's own parser does not, and a spawn would raise."""
    text = one_task('args: ["\\ud800"]', "program-must-exist: false")
    assert decode(Source("p.yaml", text), "/srv").report.problems()
    monkeypatch.setattr(reader.compose, "__defaults__", (yaml.BaseLoader,))
    (problem,) = decode(Source("p.yaml", text), "/srv").report.problems()
    assert (problem.path, problem.column) == ("tasks.web.args[0]", 12)


def test_a_path_of_long_words_is_shortened() -> None:
    text = f"tasks:\n  web:\n    program: x\n    {'k' * 1000}: 1\n"
    (problem,) = decode(Source("p.yaml", text), "/srv").report.problems()
    assert len(str(problem)) < 600
