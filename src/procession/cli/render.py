"""Views to text: what verbs print. No input or output here."""

from __future__ import annotations

import json

from procession.config.origins import DEFAULT, FILE, Item, Origin
from procession.config.scalars import TEXT, plain_kind
from procession.config.source import Problem
from procession.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from procession.config.explained import Explained

_COMMENT_COLUMN = 44  # where the comments stand, if the value leaves room
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+")

# Booleans, to the many readers of YAML 1.1; in quotes they are text to all.
_OLD_BOOLEANS = frozenset(("y", "n", "yes", "no", "on", "off"))

# Keys that may be left out without a default to write down, and what then happens.
_WITHOUT = {
    "restart-backoff": "grows from 1 s to 30 s while runs end quickly",
    "backoff": "none: the delay is fixed",
    "cpus": "all of them",
    "failures": "tried until `ready-timeout`",
    "group": "as that of the user",
    "limit": "never gives up",
    "nice": "as ours",
    "ready": "once it was started",
    "stop-timeout": "as long as the tasks may take",
    "supplementary-groups": "as those of the user",
    "umask": "as ours",
    "user": "as ourselves",
}
_WITHOUT_COMPLETING = {**_WITHOUT, "ready": "when it ended well"}
_WORDS = frozenset({"choice", "policy", "condition"})  # our own, as people write: `restart: no`
_MAPPINGS = frozenset({"environment", "limits", "headers", "rules"})  # empty, they are `{}`


def project_text(project: Explained) -> str:
    """The project as YAML, the place each value came from as a comment beside it.

    It is a project file again, and means the same (but for what is masked, and for what differs
    from replica to replica, which is a comment).
    """
    meant = f"relative paths are meant from {one_line(project.folder)}"
    lines = [f"# {', '.join(map(one_line, project.files))} as understood; {meant}"]
    for item in (project.name, *project.items):
        lines += _line("", item)
    lines.append("tasks:")
    for task in project.tasks:
        lines.append(_commented(f"  {_text(task.name)}:", str(task.origin)))
        completes = any(item.key == "completes" and item.value is True for item in task.items)
        for item in task.items:
            lines += _line("    ", item, _WITHOUT_COMPLETING if completes else _WITHOUT)
        for name, items in task.others:
            lines.append(f"    # as {_text(name)}:")
            lines += ("    #" + line for item in items for line in _line("   ", item))
    lines.append("# every task inherits these, unless its env-files or `environment` say otherwise")
    lines += (f"#   {_text(item.key)}: {_shown(item.value)}" for item in project.inherited)
    return "\n".join(lines) + "\n"


def _line(indent: str, item: Item, without: Mapping[str, str] = _WITHOUT) -> Iterator[str]:
    key = f"{indent}{_text(item.key)}:"
    value = item.value
    if value is None:
        yield _commented(f"{indent}# {item.key}: {without.get(item.key, 'none')}", DEFAULT)
    elif isinstance(value, tuple) and value and isinstance(value[0], Item):
        # where a mapping is means little: each of its values says where it is
        yield key
        for part in value:
            yield from _line(indent + "  ", part) if part.key else _listed(indent + "  ", part)
    elif item.kind in _MAPPINGS and not value:
        yield _commented(f"{key} {{}}", str(item.origin))
    else:
        yield _commented(f"{key} {_shown(value, item.kind)}", _origin(item))


def _listed(indent: str, item: Item) -> Iterator[str]:
    """A mapping that is an item of a list."""
    parts = item.value if isinstance(item.value, tuple) else ()
    lines = [line for part in parts for line in _line(indent + "  ", part)]
    values = [line for line in lines if not line.lstrip().startswith("#")]
    for i, line in enumerate(values):
        yield f"{indent}- {line[len(indent) + 2 :]}" if i == 0 else line


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
        return repr(value) if kind == "number" else _duration(value)
    if kind == "size" and isinstance(value, int):
        return _size(value)
    if kind in _WORDS:
        return str(value)
    return _text(value) if isinstance(value, str) else str(value)


def _size(size: int) -> str:
    for unit, worth in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size and size % worth == 0:
            return f"{size // worth}{unit}"
    return str(size)


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
        "files": list(project.files),
        "folder": project.folder,
        "name": _item(project.name),
        "keys": _keys(project.items),
        "tasks": [
            {
                "name": task.name,
                "from": _place(task.origin),
                "keys": _keys(task.items),
                "others": {name: _keys(items) for name, items in task.others},
            }
            for task in project.tasks
        ],
        "inherited": {item.key: item.value for item in project.inherited},
    }


def _keys(items: Iterable[Item]) -> dict[str, Any]:
    return {item.key: _item(item) for item in items}


def _item(item: Item) -> dict[str, Any]:
    value: Any = item.value
    if isinstance(value, tuple) and value and isinstance(value[0], Item):
        named = bool(value[0].key)
        value = _keys(value) if named else [_item(part) for part in value]
    elif value == () and item.kind in _MAPPINGS:
        value = {}
    made = {"value": value, "from": _place(item.origin)}
    return made | {"note": item.note} if item.note else made


def _place(origin: Origin) -> dict[str, Any]:
    place: dict[str, Any] = {"kind": origin.kind}
    if origin.file:
        place["file"] = origin.file
    if origin.kind == FILE:
        place |= {"line": origin.line, "column": origin.column}
    return place
