"""The schema for editors says what the reader says: it takes what the reader takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession import keys
from procession.config import systems
from procession.config.decode import decode
from procession.config.schema import schema
from procession.config.schema_kinds import KINDS
from procession.config.source import Source
from procession.config.values import READERS
from tests.support.configs import Broken, one_task, tasks_file
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES
from tests.support.json_schema import as_json, faults
from tests.support.systems import read_as_on

ROOT = Path(__file__).parents[2]
SCHEMA = schema()
LINE = "# yaml-language-server: $schema="


def against(text: str) -> list[str]:
    return faults(as_json(text), SCHEMA, SCHEMA)


def problems(text: str) -> list[str]:
    return [str(p) for p in decode(Source("f", text), "/srv").report.problems()]


@pytest.mark.quick
def test_the_committed_schema_is_what_the_model_says() -> None:
    found = importlib.util.spec_from_file_location("schema_tool", ROOT / "tools" / "schema.py")
    assert found is not None
    assert found.loader is not None
    tool = importlib.util.module_from_spec(found)
    found.loader.exec_module(tool)
    assert tool.FILE.read_text() == tool.schema_text(), "run python tools/schema.py"


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/*/procession.y*ml")), ids=str)
def test_the_examples_name_the_schema_and_keep_it(file: Path) -> None:
    text = file.read_text()
    named = [line.removeprefix(LINE) for line in text.splitlines() if line.startswith(LINE)]
    assert [(file.parent / name).resolve() for name in named] == [ROOT / "docs" / "schema.json"]
    assert against(text) == []


@pytest.mark.quick
def test_every_key_of_the_tables_is_in_it_with_its_meaning() -> None:
    def hold(fields: tuple[keys.Field, ...], made: dict[str, Any]) -> None:
        made = resolved(made)
        assert made["additionalProperties"] is False
        assert list(made["properties"]) == [f.key for f in fields]
        for field in fields:
            part = made["properties"][field.key]
            assert part["description"] == field.doc
            if "default" in part:
                assert faults(part["default"], part, SCHEMA) == []
            if field.kind in ("mapping", "ready", "health", "stop"):
                hold(field.fields, part)

    hold(keys.PROJECT_FIELDS, SCHEMA)
    hold(keys.TASK_FIELDS, SCHEMA["definitions"]["task"])
    hold(keys.TASK_FIELDS, SCHEMA["definitions"]["listed-task"])
    hold(keys.DEFAULT_FIELDS, SCHEMA["definitions"]["defaults"])


def resolved(made: dict[str, Any]) -> dict[str, Any]:
    """The definition that a part refers to, if it does."""
    for one in made.get("allOf", ()):
        found: dict[str, Any] = SCHEMA["definitions"][one["$ref"].removeprefix("#/definitions/")]
        return found
    return made


# What the reader takes. Under each key, values in the forms people write.
TAKEN = {
    "program": ["sleep", "./a b", "true", "5", "'~x'", "C:\\x"],
    "args": ["a b", "[a, 1, 1.5, true, '']", "8000", "1.10", "false", "", "~", "[]"],
    "shell": ["false"],
    "launch-prefix": ["gdb --args", "[nice, -n, 5]", "", "[]"],
    "cwd": [".", "/srv", "5"],
    "environment": ["{A: 1, B: x, C: true, D: ''}", "[A=1, B=, C==]", "", "{}", "[]"],
    "env-file": [".env", "[a, b]", "", "[]"],
    "depends-on": [
        "a",
        "[a, b]",
        "{a: ready, b: }",
        "{a: {restart: true}}",
        "",
        "[]",
        "{}",
        "{a: {condition: completed-successfully, timeout: 5s}, b: started}",
    ],
    "start-delay": ["0", "1.5", "90", "1m30s", "250ms", "' 1h 5m '", "1.5h", "'90'", "'1e2'"],
    "autostart": ["true", "false"],
    "completes": ["true", "false"],
    "ready": [
        "",
        "{tcp: 80}",
        "{tcp: 'db:80'}",
        "{tcp: '[::1]:80', any: true}",
        "{http: 'http://x/'}",
        "{http: {url: 'HTTPS://x:1/a?b', method: HEAD}}",
        "{http: {url: 'http://x', status: [200, '300-399'], body: ok, headers: {A: 1}}}",
        "{exec: a b}",
        "{exec: [a, 1]}",
        "{log: 'up (on|at)'}",
        "{file: a/b}",
        "{tcp: 1, interval: 1s, timeout: 5, initial_delay: 0, successes: 2, failures: 3}",
    ],
    "ready-timeout": ["1m", "0.5"],
    "health": ["~", "{tcp: 80, then: mark}", "{exec: x, failures: 1, interval: 100ms}"],
    "restart": [
        "no",
        "on-failure",
        "always",
        "true",
        "false",
        "'no'",
        "{policy: always}",
        "{policy: true, delay: 5}",
        "{policy: no, rules: {75: restart, SIGKILL: give-up}}",
        "{policy: on-failure, backoff: {first: 1, factor: 1.5, longest: 1m, jitter: 0}}",
        "{policy: always, stable-after: 5s, limit: 5, within: 1m, rules: }",
    ],
    "restart-backoff": ["5s", "0", "0x10", "'0x10'", "1e1", "'.5'", "'+5'"],
    "quit-on-terminate": ["true", "False"],
    "tags": ["a", "[a, b]", "", "5", "[1, true]"],
    "replicas": ["1", "12", "0x10"],
    "port": ["1", "8000", "65535"],
    "stop": [
        "{}",
        "",
        "{signal: INT}",
        "{to: tree, timeout: 0}",
        "{signal: sigterm}",
        "{command: a b, extend: 5m}",
        "[{signal: INT, to: tree, wait: 5}, {command: [a]}]",
        "{steps: [{command: a, wait: 1s}], extend: 0}",
    ],
    "leftover": ["stop", "wait", "leave"],
    "success-exit-codes": ["0", "[0, 255]", "0x10"],
    "program-must-exist": ["true", "false"],
}
# What Windows has not.
TAKEN_BY_POSIX = {
    "shell": ["true"],
    "ready": ["{unix: a.sock}", "{notify: true}", "{fd: 3}"],
    "watchdog": ["10s", "0.5"],
    "user": ["www-data", "1000"],
    "group": ["adm", "0"],
    "supplementary-groups": ["adm", "[adm, 5]", "", "[]"],
    "umask": ["'022'", "022", "0o27", "7"],
    "nice": ["-20", "0", "19"],
    "limits": ["{nofile: 1024}", "{core: 0, as: 1G, stack: [8M, unlimited]}", "", "{}"],
}
# What Linux alone has.
TAKEN_BY_LINUX = {
    "cpus": ["0", "[0, 1]", "'0-3,6'", "0-3", ""],
    "limits": ["{rtprio: 5}"],
}
SIGNALS = ["SIGTERM", "TERM", "term", "15", "'15'", "SIGRTMIN+1", "RTMAX-1", "SIGINT"]


def in_a_task(key: str, value: str) -> str:
    keys = [f"{key}: {value}"] if key == "program" else ["program: x", f"{key}: {value}"]
    return "tasks:\n  web:\n" + "".join(f"    {k}\n" for k in keys)


def test_the_table_of_values_is_whole() -> None:
    taken = {"name", *TAKEN, *TAKEN_BY_POSIX, *TAKEN_BY_LINUX}
    assert taken == {f.key for f in keys.TASK_FIELDS}
    kinds = {f.kind for f in every_field()}
    assert kinds <= {*READERS, "tasks", "defaults"}
    assert kinds == set(KINDS)


def every_field(fields: tuple[keys.Field, ...] = keys.PROJECT_FIELDS) -> Iterator[keys.Field]:
    for field in fields:
        yield field
        yield from every_field(field.fields)


OTHERS = "  a: {program: x}\n  b: {program: x}\n"  # for `depends-on` to name


@pytest.mark.quick
@pytest.mark.parametrize(
    ("system", "key", "value"),
    [
        (system, key, value)
        for system, table in (
            ("", TAKEN),
            ("linux", TAKEN_BY_POSIX),
            ("darwin", TAKEN_BY_POSIX),
            ("linux", TAKEN_BY_LINUX),
        )
        for key, values in table.items()
        for value in values
    ],
    ids=str,
)
def test_it_takes_what_the_reader_takes(
    system: str, key: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if system:
        read_as_on(system, monkeypatch)
    for name in {key, key.replace("-", "_")}:
        text = in_a_task(name, value) + OTHERS
        assert problems(text) == []
        assert against(text) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [(k, v) for k, values in TAKEN_BY_POSIX.items() for v in values if v not in ("", "[]", "{}")],
    ids=str,
)
def test_the_reader_says_why_windows_has_it_not(
    key: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "SYSTEM", "win32")
    text = in_a_task(key, value)
    (problem,) = problems(text)
    assert f"f:4:{problem.split(':')[2]}: tasks.web.{key}" in problem
    assert "cannot be had on this system: " in problem
    assert against(text) == [], "an editor may run elsewhere"


@pytest.mark.parametrize("key", [k for k in TAKEN_BY_LINUX if k != "limits"])
def test_the_reader_says_why_macos_has_it_not(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "SYSTEM", "darwin")
    (problem,) = problems(in_a_task(key, TAKEN_BY_LINUX[key][0]))
    assert "cannot be had on this system: macOS" in problem


@pytest.mark.parametrize("value", SIGNALS)
def test_it_takes_every_form_of_a_signal(value: str) -> None:
    text = one_task(f"stop: {{signal: {value}}}")
    taken = problems(text) == []
    assert against(text) == [] or not taken


def test_it_takes_lists_names_and_what_is_the_files_own() -> None:
    for text in (
        tasks_file(3),
        "x-common: &c {program: a}\ntasks:\n- {name: 7, <<: *c}\n- {name: A.b-c_9, <<: *c}\n",
        "name: demo\nx-y: [1]\ntasks: {1: {program: x}, true: {program: y, name: true}}\n",
    ):
        assert problems(text) == []
        assert against(text) == []


# --- what is wrong


def test_it_tells_most_of_what_the_reader_tells() -> None:
    files = [f for f in (*BROKEN_SHAPE, *BROKEN_VALUES) if not _unreadable(f)]
    untold = [f.name for f in files if not against(f.text)]
    assert len(untold) <= 0.25 * len(files), untold


def _unreadable(file: Broken) -> bool:
    try:
        as_json(file.text)
    except AssertionError:
        return True
    return False


@pytest.mark.quick
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("restrat: always", ".tasks.web: unknown key restrat"),
        ("restart: sometimes", ".tasks.web.restart"),
        ("args: [[a]]", ".tasks.web.args"),
        ("start-delay: soon", ".tasks.web.start-delay"),
        ("start-delay: 5 minutes", ".tasks.web.start-delay"),
        ("start-delay: -1", ".tasks.web.start-delay"),
        ("start-delay: ''", ".tasks.web.start-delay"),
        ("quit-on-terminate: yes", ".tasks.web.quit-on-terminate"),
        ("success-exit-codes: 0x100000000", ".tasks.web.success-exit-codes"),
        ("success-exit-codes: []", ".tasks.web.success-exit-codes"),
        ("stop: {singal: INT}", ".tasks.web.stop"),
        ("environment: {A: [1]}", ".tasks.web.environment"),
        ("environment: [A]", ".tasks.web.environment"),
        ("tags: [a b]", ".tasks.web.tags"),
        ("leftover:", ".tasks.web.leftover"),
    ],
)
def test_it_tells_a_mistake_where_it_is(value: str, says: str) -> None:
    assert problems(one_task(value))
    told = against(one_task(value))
    assert told
    assert all(says in line for line in told)


def test_it_tells_bad_names_and_missing_keys() -> None:
    for text in (
        "tasks: {'a b': {program: x}}",
        "tasks: {Procession: {program: x}}",
        "tasks: {-a: {program: x}}",
        "tasks: [{program: x}]",
        "tasks: []",
        "tasks: {}",
        "tasks: {a: }",
        "tasks: {" + "a" * 101 + ": {program: x}}",
        "services: {}",
    ):
        assert problems(text)
        assert against(text), text


WORDS = st.sampled_from(
    ["a", "1", "-1", "1.5", "true", "no", "''", "~", "[]", "{}", "[a, b]", "{a: b}", "[1, ~]", "5s",
     "' 5s'", "1h1m", "1m1h", "SIGINT", "A=1", "[A=1]", "{A: }", "tree", "'a b'", "0x1f", ".inf",
     "{tcp: 80}", "{http: 'http://x'}", "{exec: a, any: true}", "{policy: no}", "{delay: 5}",
     "{a: ready}", "{a: }", "[{signal: 1}]", "{nofile: 5}", "[0, 5]", "0-3", "{unix: x}", "3",
     ".nan", "{signal: 9}", "{timeout: 1d}", "always", "wait", "/x", "256", "1e3", "''' '''"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from([f.key for f in keys.TASK_FIELDS[1:]]), WORDS, max_size=4))
def test_whatever_the_reader_takes_the_schema_takes(keys: dict[str, str]) -> None:
    text = "tasks:\n  web:\n" + "".join(
        f"    {key}: {value}\n" for key, value in ({"program": "x"} | keys).items()
    )
    text += "  a: {program: x}\n"
    if not problems(text):
        assert against(text) == []


INNER = {
    field.key: sorted(part.key for part in field.fields)
    for field in (*keys.TASK_FIELDS, *keys.RESTART_FIELDS, *keys.PROBE_FIELDS)
    if field.fields
}
GIVEN = {"ready": "tcp: 80", "health": "log: x", "restart": "policy: no", "http": "url: 'http://x'"}
SMALL = WORDS | st.sampled_from(
    ["a:80", "80", "200", "'200-299'", "[200, 301]", "GET", "http://x", "https://x:1/a", "1m",
     "a b", "[a, 'b c']", "ready", "completed", "a", "{a: b}", "75", "2", "0", "mark", "0.5"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.data())
def test_whatever_the_reader_takes_inside_of_a_key_the_schema_takes(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(INNER)))
    inner = data.draw(st.dictionaries(st.sampled_from(INNER[key]), SMALL, max_size=3))
    parts = [f"{name}: {value}" for name, value in inner.items()]
    given_already = GIVEN.get(key, "")
    if given_already and given_already.split(":")[0] not in inner:
        parts.insert(0, given_already)
    value = "{" + ", ".join(parts) + "}"
    wrapped = {
        "depends-on": f"depends-on: {{a: {value}}}",
        "backoff": f"restart: {{policy: no, backoff: {value}}}",
        "http": f"ready: {{http: {value}}}",
    }
    text = one_task(wrapped.get(key, f"{key}: {value}")) + "  a: {program: x, health: {tcp: 1}}\n"
    if not problems(text):
        assert against(text) == []
