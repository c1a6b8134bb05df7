"""Writes what Python programs are told of the keys and of `procession.api`, from the model's own
tables and from the docstrings: src/procession/api/_keys.py and docs/reference-python.md.

    python tools/python_reference.py
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import procession
from procession import keys, pytest_plugin

ROOT = Path(__file__).parent.parent
KEYS = ROOT / "src" / "procession" / "api" / "_keys.py"
PAGE = ROOT / "docs" / "reference-python.md"

TYPES = {
    "account": "str | int",
    "boolean": "bool",
    "choice": "str",
    "command": "str | Sequence[Value]",
    "cpus": "str | int | Sequence[int]",
    "defaults": "Mapping[str, Value]",
    "duration": "str | float",
    "environment": "Mapping[str, Scalar] | Sequence[str]",
    "health": "Mapping[str, Value]",
    "integer": "int",
    "limits": "Mapping[str, Value]",
    "mapping": "Mapping[str, Value]",
    "path": "Path",
    "paths": "Path | Sequence[Path]",
    "ready": "Mapping[str, Value]",
    "task-name": "str",
}
HEAD = '''"""The keywords of `Task` and `Project`: the keys of a file, for those who check types.

Written by tools/python_reference.py; never loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

Scalar = str | int | float | bool | None
Path = str | os.PathLike[str]
Value = Scalar | os.PathLike[str] | Sequence["Value"] | Mapping[Any, "Value"]
'''
OWN_OF_TASK = ("name", "program", "args")  # which stand in the call itself
OWN_OF_PROJECT = ("name", "include", "template", "tasks")


def keys_text() -> str:
    """The module with the types of the keywords."""
    return (
        HEAD
        + "".join(_typed("TaskKeys", keys.TASK_FIELDS, OWN_OF_TASK))
        + "".join(_typed("ProjectKeys", keys.PROJECT_FIELDS, OWN_OF_PROJECT))
    )


def _typed(name: str, fields: tuple[keys.Field, ...], without: tuple[str, ...]) -> Iterator[str]:
    yield f"\n\nclass {name}(TypedDict, total=False):\n"
    for field in fields:
        if field.key not in without:
            kind = TYPES.get(field.kind, "Value")
            optional = kind if kind in ("Value",) else f"{kind} | None"
            yield f"    {field.key.replace('-', '_')}: {optional}\n"


def page() -> str:
    """docs/reference-python.md."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield "# Reference: Python"
    yield ""
    yield "Made from the docstrings by `make docs`. What they are for:"
    yield "[a project in a Python program](guide-python.md). Every keyword of a task and of a"
    yield "project is a key of the file, with `_` for `-`: [all keys](reference.md)."
    for name in ("up", "up_async", "Project", "Task", "Running", "Row"):
        yield from _thing(f"procession.{name}", getattr(procession, name), 2)
    yield ""
    yield "## Errors"
    for name in ("ConfigError", "LateError", "TaskFailedError"):
        yield from _thing(f"procession.{name}", getattr(procession, name), 3)
    yield ""
    yield "## The fixtures of pytest"
    for name in ("procession", "procession_module", "procession_session"):
        yield from _thing(name, getattr(pytest_plugin, name), 3)
    yield from _thing("procession.pytest_plugin.Projects", pytest_plugin.Projects, 3)
    yield ""


def _thing(title: str, thing: object, level: int) -> Iterator[str]:
    yield ""
    yield f"{'#' * level} `{title}`"
    yield ""
    yield from _said(thing)
    if not inspect.isclass(thing) or thing is procession.Row or issubclass(thing, Exception):
        return
    for name, member in vars(thing).items():
        if name.startswith("_") or name == "begin":
            continue
        if isinstance(member, property):
            yield ""
            yield f"**`{name}`** (property)"
            yield ""
            yield from _text(member.__doc__)
        elif inspect.isfunction(member):
            yield ""
            yield f"**`{name}{_signature(member)}`**"
            yield ""
            yield from _text(member.__doc__)


def _said(thing: object) -> Iterator[str]:
    thing = getattr(thing, "__wrapped__", None) or getattr(thing, "_fixture_function", thing)
    if inspect.isfunction(thing) or thing in (procession.Task, procession.Project):
        yield "```python"
        yield f"{'async ' if inspect.iscoroutinefunction(thing) else ''}{_call(thing)}"
        yield "```"
        yield ""
    yield from _text(inspect.getdoc(thing))
    if thing is procession.Row:
        yield ""
        yield f"Its fields: {', '.join(f'`{name}`' for name in procession.Row._fields)}."


def _call(thing: object) -> str:
    name = thing.__name__  # type: ignore[attr-defined]  # a function or a class
    return f"{name}{_signature(thing)}"


def _signature(thing: object) -> str:
    text = str(inspect.signature(thing))  # type: ignore[arg-type]  # a function or a class
    text = re.sub(r"\(self(?:, )?", "(", text)
    return re.sub(r"Unpack\[\w+\]", "Value", text).replace("'", "")


def _text(doc: str | None) -> Iterator[str]:
    yield from textwrap.dedent(inspect.cleandoc(doc or "")).splitlines()


if __name__ == "__main__":
    KEYS.write_text(keys_text(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
