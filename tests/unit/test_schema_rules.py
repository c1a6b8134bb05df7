"""The schema for editors says what the reader says: it takes what the reader takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession import spec
from procession.config.decode import decode
from procession.config.schema import schema
from procession.config.source import Source
from procession.config.values import READERS
from tests.support.configs import Broken, one_task, tasks_file
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES
from tests.support.json_schema import as_json, faults

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
    def hold(fields: tuple[spec.Field, ...], made: dict[str, Any]) -> None:
        assert made["additionalProperties"] is False
        assert list(made["properties"]) == [f.key for f in fields]
        for field in fields:
            part = made["properties"][field.key]
            assert part["description"] == field.doc
            if "default" in part:
                assert faults(part["default"], part, SCHEMA) == []
            if field.kind == "mapping":
                hold(field.fields, part)

    hold(spec.PROJECT_FIELDS, SCHEMA)
    hold(spec.TASK_FIELDS, SCHEMA["definitions"]["task"])
    hold(spec.TASK_FIELDS, SCHEMA["definitions"]["listed-task"])


# What the reader takes. Under each key, values in the forms people write.
TAKEN = {
    "program": ["sleep", "./a b", "true", "5", "'~x'", "C:\\x"],
    "args": ["a b", "[a, 1, 1.5, true, '']", "8000", "1.10", "false", "", "~", "[]"],
    "cwd": [".", "/srv", "5"],
    "environment": ["{A: 1, B: x, C: true, D: ''}", "[A=1, B=, C==]", "", "{}", "[]"],
    "env-file": [".env", "[a, b]", "", "[]"],
    "start-delay": ["0", "1.5", "90", "1m30s", "250ms", "' 1h 5m '", "1.5h", "'90'", "'1e2'"],
    "restart": ["no", "on-failure", "always", "true", "false", "'no'"],
    "restart-backoff": ["5s", "0", "0x10", "'0x10'", "1e1", "'.5'", "'+5'"],
    "quit-on-terminate": ["true", "False"],
    "tags": ["a", "[a, b]", "", "5", "[1, true]"],
    "stop": ["{}", "", "{signal: INT}", "{to: tree, timeout: 0}", "{signal: sigterm}"],
    "leftover": ["stop", "wait", "leave"],
    "success-exit-codes": ["0", "[0, 255]", "0x10"],
    "program-must-exist": ["true", "false"],
}
SIGNALS = ["SIGTERM", "TERM", "term", "15", "'15'", "SIGRTMIN+1", "RTMAX-1", "SIGINT"]


def in_a_task(key: str, value: str) -> str:
    keys = [f"{key}: {value}"] if key == "program" else ["program: x", f"{key}: {value}"]
    return "tasks:\n  web:\n" + "".join(f"    {k}\n" for k in keys)


def test_the_table_of_values_is_whole() -> None:
    assert set(TAKEN) == {f.key for f in spec.TASK_FIELDS} - {"name"}
    kinds = {f.kind for f in (*spec.TASK_FIELDS, *spec.STOP_FIELDS)}
    assert kinds <= {*READERS, "mapping"}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("key", "value"), [(k, v) for k, values in TAKEN.items() for v in values], ids=str
)
def test_it_takes_what_the_reader_takes(key: str, value: str) -> None:
    for name in {key, key.replace("-", "_")}:
        text = in_a_task(name, value)
        assert problems(text) == []
        assert against(text) == []


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
        "tasks: {a: {args: x}}",
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
     ".nan", "{signal: 9}", "{timeout: 1d}", "always", "wait", "/x", "256", "1e3", "''' '''"]
)  # fmt: skip


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(sorted(TAKEN)), WORDS, max_size=4))
def test_whatever_the_reader_takes_the_schema_takes(keys: dict[str, str]) -> None:
    text = "tasks:\n  web:\n" + "".join(
        f"    {key}: {value}\n" for key, value in ({"program": "x"} | keys).items()
    )
    if not problems(text):
        assert against(text) == []
