"""`check --show`: a file again, which means the same; where each value came from; no secret."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession import keys, spec
from procession.cli.render import problems_json, project_text
from procession.config.decode import decode
from procession.config.explained import Explained, explain
from procession.config.load import Examined, examine
from procession.config.origins import Item
from procession.config.source import Source
from procession.lookup import Lookup
from tests.support.configs import one_task, tasks_file

SECRET = "hunter2"
RICH = """\
name: shop
x-env: &env {MODE: production, SHARED: 'yes'}
tasks:
  - name: api
    program: python3
    args: [server.py, --port, 8000, '', 'a b', "it's", "\\t", no]
    cwd: /srv
    environment: {<<: *env, PORT: 8000, MODE: test}
    restart: on-failure
    restart_backoff: 1m30s
    stop: {signal: INT, timeout: 250ms}
    tags: [a, b]
    success-exit-codes: [0, 3]
  - name: 'worker'
    program: './a b'
    environment: [A=1, B=]
    start-delay: 1e-07
    leftover: wait
    quit-on-terminate: true
    program-must-exist: false
"""


def seen(text: str) -> Examined:
    """As `examine` makes it, without a disk and a host."""
    decoded = decode(Source("p.yaml", text), "/srv")
    return Examined("p.yaml", tuple(decoded.report.problems()), decoded, {}, Lookup({}))


def explained(text: str, **environ: str) -> Explained:
    return explain(seen(text), environ=environ)


def values(project: Explained, task: int = 0) -> dict[str, tuple[Any, str]]:
    """Each key with its value and origin, in words; `stop.signal` for a key of a mapping."""
    found: dict[str, tuple[Any, str]] = {}
    for item in project.tasks[task].items:
        found[item.key] = item.value, str(item.origin)
        parts = item.value if isinstance(item.value, tuple) else ()
        for part in parts:
            if isinstance(part, Item):
                found[f"{item.key}.{part.key}"] = part.value, str(part.origin)
    return found


@pytest.mark.quick
@pytest.mark.parametrize("text", [RICH, tasks_file(3), one_task()], ids=["rich", "list", "one"])
def test_what_is_shown_is_a_file_that_means_the_same(text: str) -> None:
    meant = decode(Source("p.yaml", text), "/srv").project
    again = decode(Source("shown.yaml", project_text(explained(text, HOME="/root"))), "/srv")
    assert again.report.problems() == []
    assert again.project == spec.Project(
        meant.name, meant.folder, tuple(t.replace(cwd=t.cwd or "/srv") for t in meant.tasks)
    )


@pytest.mark.quick
def test_every_key_is_shown_with_the_place_it_came_from() -> None:
    project = explained(RICH)
    found = values(project)
    assert str(project.name.origin) == "p.yaml:1:7"
    assert [(t.name, str(t.origin)) for t in project.tasks] == [
        ("api", "p.yaml:4:11"),
        ("worker", "p.yaml:14:11"),
    ]
    assert [i.key for i in project.tasks[0].items] == [f.key for f in keys.TASK_FIELDS[1:]]
    assert found["program"] == ("python3", "p.yaml:5:14")
    assert found["restart-backoff"] == (90.0, "p.yaml:10:22")
    assert found["stop.signal"] == ("SIGINT", "p.yaml:11:20")
    assert found["stop.to"] == ("group", "default")
    assert found["environment.PORT"] == ("8000", "p.yaml:8:35")
    assert found["environment.SHARED"] == ("yes", "p.yaml:2:40")  # where it was merged from
    assert found["environment.MODE"] == ("test", "p.yaml:8:47")  # and not from there
    assert found["leftover"] == ("stop", "default")
    second = values(project, 1)
    assert second["environment.B"] == ("", "p.yaml:16:24")
    assert second["cwd"] == ("/srv", "default")
    assert second["restart-backoff"] == (None, "default")


def test_tasks_of_a_mapping_are_where_their_names_are() -> None:
    assert str(explained("tasks:\n\n  web: {program: x}\n").tasks[0].origin) == "p.yaml:3:3"


@pytest.mark.quick
def test_secrets_are_masked_wherever_they_come_from() -> None:
    text = one_task(
        "environment:",
        f"  DB_PASSWORD: {SECRET}",
        f"  URL: postgres://me:{SECRET}@db/shop",
        "  EMPTY_TOKEN: ''",
        f"args: [--token, {SECRET}, '--api-key={SECRET}', '-H', 'Authorization: {SECRET}']",
    )
    project = explained(text, MY_SECRET=SECRET, HOME="/root")
    for shown in (project_text(project), problems_json("p.yaml", [], project), repr(project)):
        assert SECRET not in shown
        assert "/root" in shown
    assert values(project)["environment.EMPTY_TOKEN"][0] == ""
    assert 'DB_PASSWORD: "***"' in project_text(project)


def test_variables_of_env_files_name_their_file_and_never_their_value(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text(f"ONE={SECRET}\nTWO={SECRET}\n")
    (tmp_path / "b.env").write_text(f"TWO={SECRET}\nTHREE={SECRET}\n")
    (tmp_path / "p.yaml").write_text(
        one_task("env-file: [a.env, b.env]", "environment: {THREE: mine}")
    )
    sleep = tmp_path / ("sleep.exe" if sys.platform == "win32" else "sleep")
    sleep.touch(0o755)
    environ = {"PATH": str(tmp_path), "ONE": "old"}
    found = examine("p.yaml", cwd=str(tmp_path), environ=environ)
    project = explain(found, environ=environ)
    shown = values(project)
    assert shown["environment.ONE"] == ("***", f"env-file {tmp_path / 'a.env'}")
    assert shown["environment.TWO"] == ("***", f"env-file {tmp_path / 'b.env'}")
    assert shown["environment.THREE"] == ("mine", "p.yaml:5:26")
    assert SECRET not in project_text(project)
    program = project.tasks[0].items[0]
    assert os.path.normcase(program.note) == os.path.normcase(sleep)
    assert f"# p.yaml:3:14 -> {program.note}" in project_text(project)
    inherited = {item.key: (item.value, str(item.origin)) for item in project.inherited}
    assert inherited == {"ONE": ("old", "inherited"), "PATH": (str(tmp_path), "inherited")}


def test_the_name_says_who_gave_it() -> None:
    assert str(explained(one_task()).name.origin) == "default"
    named = explain(seen(RICH), environ={}, named=True)
    assert str(named.name.origin) == "option --name"


@pytest.mark.quick
def test_as_json_it_says_the_same() -> None:
    project = explained(RICH, HOME="/root")
    view = json.loads(problems_json("p.yaml", [], project))
    assert view["good"] is True
    assert view["problems"] == []
    api = view["project"]["tasks"][0]
    assert api["from"] == {"kind": "file", "file": "p.yaml", "line": 4, "column": 11}
    assert set(api["keys"]) == {f.key for f in keys.TASK_FIELDS[1:]}
    assert api["keys"]["stop"]["value"]["timeout"] == {
        "value": 0.25,
        "from": {"kind": "file", "file": "p.yaml", "line": 11, "column": 34},
    }
    assert api["keys"]["leftover"] == {"value": "stop", "from": {"kind": "default"}}
    assert view["project"]["inherited"] == {"HOME": "/root"}


def test_a_broken_file_has_no_one_meaning() -> None:
    with pytest.raises(ValueError, match="problems"):
        explained("tasks: 5")


def quoted(text: str) -> str:
    """Text in double quotes of YAML, whatever is in it."""
    return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


NICE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TEXTS = NICE | st.sampled_from(
    ["yes", "no", "~", "null", "1.10", "0x1f", "true", "- a", "a: b", "#", "a #b", "&a", "*a", "!!"]
)


@settings(max_examples=300)
@given(st.lists(TEXTS, max_size=4), st.floats(0, 1e9), st.floats(0, 1e-3))
def test_whatever_a_value_is_it_is_shown_so_that_it_can_be_read_back(
    texts: list[str], wait: float, delay: float
) -> None:
    text = one_task(
        f"args: [{', '.join(map(quoted, texts))}]",
        f"start-delay: {delay!r}",
        f"stop: {{timeout: {wait!r}}}",
        f"environment: {{{', '.join(f'V{i}: {quoted(t)}' for i, t in enumerate(texts))}}}",
    )
    found = seen(text)
    assert found.problems == ()
    assert found.decoded is not None
    shown = project_text(explain(found, environ={}))
    again = decode(Source("p.yaml", shown), "/srv")
    if "***" in shown:
        return
    assert again.report.problems() == [], shown
    assert again.project.tasks[0].replace(cwd=None) == found.decoded.project.tasks[0]
    assert all(line.isprintable() for line in shown.splitlines())
