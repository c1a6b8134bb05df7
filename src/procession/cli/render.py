"""Views to text: what verbs print. No input or output here."""

from __future__ import annotations

import json

from procession.config.explained import DEFAULT, FILE, Explained, Item, Origin
from procession.config.scalars import TEXT, plain_kind
from procession.config.source import Problem
from procession.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_COMMENT_COLUMN = 44  # where the comments stand, if the value leaves room
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+")

# Booleans, to the many readers of YAML 1.1; in quotes they are text to all.
_OLD_BOOLEANS = frozenset(("y", "n", "yes", "no", "on", "off"))

# Keys that may be left out without a default to write down, and what then happens.
_WITHOUT = {"restart-backoff": "grows from 1 s to 30 s while runs end quickly"}


def project_text(project: Explained) -> str:
    """The project as YAML, the place each value came from as a comment beside it.

    It is a project file again, and means the same (but for what is masked).
    """
    meant = f"relative paths are meant from {one_line(project.folder)}"
    lines = [f"# {one_line(project.file)} as understood; {meant}"]
    lines += _line("", project.name)
    lines.append("tasks:")
    for task in project.tasks:
        lines.append(_commented(f"  {_text(task.name)}:", str(task.origin)))
        for item in task.items:
            lines += _line("    ", item)
    lines.append("# every task inherits these, unless its env-files or `environment` say otherwise")
    lines += (f"#   {_text(item.key)}: {_shown(item.value)}" for item in project.inherited)
    return "\n".join(lines) + "\n"


def _line(indent: str, item: Item) -> Iterator[str]:
    key = f"{indent}{_text(item.key)}:"
    value = item.value
    if value is None:
        yield _commented(f"{indent}# {item.key}: {_WITHOUT.get(item.key, 'none')}", DEFAULT)
    elif isinstance(value, tuple) and value and isinstance(value[0], Item):
        # where a mapping is means little: each of its values says where it is
        yield key
        for part in value:
            yield from _line(indent + "  ", part)
    elif item.kind == "environment":
        yield _commented(f"{key} {{}}", str(item.origin))
    else:
        yield _commented(f"{key} {_shown(value, item.kind)}", _origin(item))


def _origin(item: Item) -> str:
    return f"{item.origin} -> {item.note}" if item.note else str(item.origin)


def _commented(text: str, comment: str) -> str:
    return f"{text:<{_COMMENT_COLUMN}}  # {one_line(comment)}"


def _shown(value: object, kind: str = "") -> str:
    """A value as YAML on one line."""
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _duration(value)
    if kind in ("choice", "restart"):
        return str(value)  # one of our own words, as people write it: `restart: no`
    return _text(value) if isinstance(value, str) else str(value)


def _duration(seconds: float) -> str:
    """Read back, it is the same number: `0.5s`; bare where a unit cannot follow (`1e-07`)."""
    text = repr(seconds).removesuffix(".0")
    whole, _, part = text.partition(".")
    return f"{text}s" if whole.isdigit() and len(part) < 16 and "e" not in part else text


def _text(text: str) -> str:
    """Text as a YAML scalar: plain where nothing else can be read in it, else in double quotes."""
    plain = text.strip("-") and _PLAIN.issuperset(text) and text[0] not in "+."
    if plain and plain_kind(text) == TEXT and text.lower() not in _OLD_BOOLEANS:
        return text
    # JSON's escapes are YAML's too; what does not print, JSON leaves as it is
    quotes = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escaped(c) for c in quotes)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


# --- for editors and scripts -------------------------------------------------------------------


def problems_json(file: str, problems: Iterable[Problem], project: Explained | None) -> str:
    """One JSON object: `file`, `problems`, and `project` where it was asked for and is whole."""
    told = [_problem(problem) for problem in problems]
    view: dict[str, Any] = {"file": file, "good": not told, "problems": told}
    if project is not None:
        view["project"] = _project(project)
    return json.dumps(view, indent=2) + "\n"


def _problem(problem: Problem) -> dict[str, Any]:
    """Without the source line: an editor has it, and it may hold a secret."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "what": problem.what,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
        "message": str(problem),
    }


def _project(project: Explained) -> dict[str, Any]:
    return {
        "folder": project.folder,
        "name": _item(project.name),
        "tasks": [
            {
                "name": task.name,
                "from": _place(task.origin),
                "keys": {item.key: _item(item) for item in task.items},
            }
            for task in project.tasks
        ],
        "inherited": {item.key: item.value for item in project.inherited},
    }


def _item(item: Item) -> dict[str, Any]:
    value: Any = item.value
    if item.kind in ("mapping", "environment") and isinstance(value, tuple):
        value = {part.key: _item(part) for part in value}
    made = {"value": value, "from": _place(item.origin)}
    return made | {"note": item.note} if item.note else made


def _place(origin: Origin) -> dict[str, Any]:
    place: dict[str, Any] = {"kind": origin.kind}
    if origin.file:
        place["file"] = origin.file
    if origin.kind == FILE:
        place |= {"line": origin.line, "column": origin.column}
    return place
