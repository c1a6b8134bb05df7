"""Files written for another launcher: what is noted, and what stays a problem."""

from __future__ import annotations

import pytest

from procession import spec
from procession.config.decode import Decoded, decode
from procession.config.source import Source
from tests.support.configs import one_task
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES

pytestmark = pytest.mark.quick

FORGIVING = spec.Defaults(forgiving=True)


def read(text: str, defaults: spec.Defaults | None = FORGIVING) -> Decoded:
    return decode(Source("p.yaml", text), "/srv", defaults=defaults)


def noted(text: str) -> list[str]:
    decoded = read(text)
    assert [str(p) for p in decoded.report.problems()] == []
    strict = read(text, spec.Defaults())
    assert len(strict.report.problems()) == len(decoded.report.notes), "each is one problem to us"
    assert strict.report.notes == []
    return [str(note) for note in decoded.report.notes]


@pytest.mark.parametrize(
    ("key", "attribute", "value", "words"),
    [
        ("quit-on-terminate: yes", "quit_on_terminate", True, "`yes` is read as `true`"),
        ("quit-on-terminate: OFF", "quit_on_terminate", False, "`OFF` is read as `false`"),
        ("restart: On", "restart", spec.Restart("always"), "`On` is read as `true`"),
        ("restart: off", "restart", spec.Restart("no"), "`off` is read as `false`"),
        ("args: it's me", "args", ("it's", "me"), "quotes that do not pair"),
        ("frobnicate: [1, {}]", "args", (), "unknown key `frobnicate`, passed over"),
        ("1: x", "args", (), "unknown key `1`, passed over"),
    ],
)
def test_what_is_noted(key: str, attribute: str, value: object, words: str) -> None:
    text = one_task(key)
    (note,) = noted(text)
    assert note.startswith("p.yaml:4:")
    assert words in note
    assert getattr(read(text).project.tasks[0], attribute) == value


def test_what_is_right_is_not_noted() -> None:
    assert noted(one_task("restart: no", "quit-on-terminate: true", "args: a 'b c'")) == []


def test_names() -> None:
    text = "name: a group\ntasks:\n  my task: {program: x}\n"
    assert len(noted(text)) == 2
    project = read(text).project
    assert (project.name, project.tasks[0].name) == ("a-group", "my-task")


def test_what_many_tasks_merge_is_noted_once() -> None:
    text = "x-a: &a {colour: red}\ntasks:\n  a: {program: x, <<: *a}\n  b: {program: y, <<: *a}\n"
    assert len(read(text).report.notes) == 1


@pytest.mark.parametrize(
    "text",
    [
        "tasks:\n  a b: {program: x}\n  a-b: {program: x}\n",
        "tasks:\n  '??': {program: x}\n",
        "tasks:\n  größe 1: {program: x}\n",
        one_task("quit-on-terminate: 'yes'"),
        one_task("quit-on-terminate: yEs"),
        one_task("quit-on-terminate: y"),
        one_task("restart: maybe"),
        one_task("[a]: b"),
        "taskz:\n  a: {program: x}\n",
    ],
)
def test_what_stays_a_problem(text: str) -> None:
    assert read(text).report.problems()


@pytest.mark.parametrize("file", [*BROKEN_SHAPE, *BROKEN_VALUES], ids=lambda file: file.name)
def test_nothing_is_lost_in_silence(file: object) -> None:
    """Of a broken file something is told, or noted, in the same places."""
    text: str = file.text  # type: ignore[attr-defined]
    strict = {(p.line, p.column) for p in read(text, None).report.problems()}
    report = read(text).report
    forgiven = {(p.line, p.column) for p in (*report.problems(), *report.notes)}
    assert forgiven >= strict
