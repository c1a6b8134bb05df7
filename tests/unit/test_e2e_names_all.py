"""Whatever a file or the command line of `up` may say, an end-to-end test says it too.

That it is said is all that this looks at. It keeps a new key, choice, limit or option from coming
without a test that runs it with real programs.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession import keys
from procession.cli import up as verb
from procession.keys import Field

pytestmark = pytest.mark.quick

TESTS = Path(__file__).parent.parent / "e2e"
# By these a test starts programs: what they are given by name is no key of a file.
STARTS = frozenset({"up", "start", "run", "parametrize", "mark", "Popen"})


@functools.cache
def said() -> tuple[frozenset[str], frozenset[str]]:
    """What the tests that run `up` use as a key, and which texts they have."""
    used: set[str] = set()
    texts: set[str] = set()
    for file in TESTS.glob("test_*.py"):
        source = file.read_text()
        if "project.up(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Dict):
                used.update(_text(key) for key in node.keys)
            elif isinstance(node, ast.Call) and _called(node) not in STARTS:
                used.update((word.arg or "").replace("_", "-") for word in node.keywords)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
                # of a file that is written as text
                used.update(re.findall(r"([a-z][a-z-]*): ", node.value + " "))
    return frozenset(used), frozenset(texts)


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def paths(fields: tuple[Field, ...], above: str = "") -> Iterator[tuple[str, Field]]:
    for field in fields:
        yield above + field.key, field
        if above + field.key not in ("tasks", "defaults"):  # the keys of a task: on their own
            yield from paths(field.fields, f"{above}{field.key}.")


ALL = dict([*paths(keys.PROJECT_FIELDS), *paths(keys.TASK_FIELDS, "task.")])


def test_each_key_is_in_an_end_to_end_test() -> None:
    used, texts = said()
    # a name in two parts is nothing else: there it may also be handed on as a text
    missing = [
        path
        for path, field in ALL.items()
        if field.key not in used and not ("-" in field.key and field.key in texts)
    ]
    assert missing == []


def test_each_choice_is_in_an_end_to_end_test() -> None:
    _, texts = said()
    missing = [
        f"{path}: {choice}"
        for path, field in ALL.items()
        for choice in field.choices
        if choice not in texts
    ]
    assert missing == []


def test_each_limit_is_in_an_end_to_end_test() -> None:
    used, _ = said()
    assert [name for name in keys.LIMITS["linux"] if name not in used] == []


def test_each_option_of_up_is_in_an_end_to_end_test() -> None:
    _, texts = said()
    words = {text.partition("=")[0] for text in texts}
    missing = [
        action.option_strings[-1]
        for action in verb._parser()._actions
        if action.option_strings and not words.intersection(action.option_strings)
    ]
    assert missing == []
