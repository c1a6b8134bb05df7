"""The JSON Schema of the project file, for editors: made from the tables that the reader uses.

Draft 7, the newest that editors' YAML servers all know. A text the reader takes the schema takes
too; what a schema cannot say (a doubled key, two names that differ by case only, a program that is
not there, a signal of this system) is left to the reader. Patterns are kept to what Python,
ECMAScript and RE2 read alike but for one look-ahead.
"""

from __future__ import annotations

from procession import spec
from procession.config.scalars import MAX_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Schema = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"

# For completion. Any other text in the form of a signal's name is left to the reader: which
# signals there are depends on the system.
_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL")

_UNIT = r"(\s*[0-9]{1,15}(\.[0-9]{1,15})?\s*%s)?"
_DURATION = "".join(_UNIT % unit for unit in ("d", "h", "m", "s", "ms"))
_NUMBER_TEXT = r"\s*[+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*"
_BASED_TEXT = r"\s*0(o[0-7]+|x[0-9a-fA-F]+)\s*"
_FULL = {"type": "string", "pattern": r"\S"}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_NULL: Schema = {"type": "null"}


def schema() -> Schema:
    """The whole schema: values for `json.dumps`, each call a copy of its own."""
    root = _mapping(spec.PROJECT_FIELDS, "project")
    root["patternProperties"][f"^{spec.EXTENSION_PREFIX}"] = {
        "description": "The file's own: a place for anchors."
    }
    return {
        "$schema": DIALECT,
        "title": "Procession project",
        "description": "What runs together: read by `procession up`, explained by "
        "`procession check`.",
        **root,
        "definitions": {
            "task": _mapping(spec.TASK_FIELDS, "task", named=True),
            "listed-task": _mapping(spec.TASK_FIELDS, "task"),
            "task-name": _name(reserved=True),
        },
    }


def _mapping(fields: tuple[spec.Field, ...], kind: str, *, named: bool = False) -> Schema:
    """A mapping with the keys of a table. `named`: its own key stands for `name`."""
    properties: Schema = {}
    aliases: Schema = {}
    for field in fields:
        properties[field.key] = _property(field, kind)
        if "-" in field.key:
            # accepted, but nothing that an editor should offer
            aliases[f"^{field.key.replace('-', '[-_]')}$"] = properties[field.key]
    required = [f.key for f in fields if f.required and not (named and f.key == "name")]
    made: Schema = {
        "type": "object",
        "properties": properties,
        "patternProperties": aliases,
        "additionalProperties": False,
    }
    if required:
        made["required"] = required
    return made


def _property(field: spec.Field, kind: str) -> Schema:
    made: Schema = {"description": field.doc}
    if field.key == "name" and kind == "task":
        made["allOf"] = [{"$ref": "#/definitions/task-name"}]  # draft 7 ignores all beside a $ref
    elif field.kind == "mapping":
        made |= _any(_mapping(field.fields, field.key), _NULL)
    else:
        made |= _KINDS[field.kind](field)
    default = field.default
    if isinstance(default, tuple):
        default = list(default)
    elif isinstance(default, float) and default.is_integer():
        default = int(default)
    if default is not None:
        made["default"] = default
    return made


def _any(*choices: Schema) -> Schema:
    return {"anyOf": list(choices)}


def _list_of(item: Schema, least: int = 0) -> Schema:
    made: Schema = {"type": "array", "items": item}
    return made | {"minItems": least} if least else made


def _name(*, reserved: bool) -> Schema:
    barred = ""
    if reserved:
        words = ("".join(f"[{c.upper()}{c}]" for c in w) for w in sorted(spec.RESERVED_NAMES))
        barred = f"(?!({'|'.join(words)})$)"
    # a plain number is a name as well: `7` is read as it is written
    text = {"type": "string", "pattern": f"^{barred}{spec.TASK_NAME_PATTERN}$"}
    return _any(text | {"maxLength": spec.MAX_NAME}, {"type": ["number", "boolean"]})


def _tasks(field: spec.Field) -> Schema:
    return _any(
        {
            "type": "object",
            "propertyNames": {"$ref": "#/definitions/task-name"},
            "additionalProperties": {"$ref": "#/definitions/task"},
            "minProperties": 1,
        },
        _list_of({"$ref": "#/definitions/listed-task"}, 1),
    )


def _environment(field: spec.Field) -> Schema:
    variables = {
        "type": "object",
        "propertyNames": {"pattern": r"^[^=\s]+$"},
        "additionalProperties": _SCALAR,
    }
    pair = {"type": "string", "pattern": r"^[^=\s]+="}
    return _any(variables, _list_of(pair), _NULL)


def _duration(field: spec.Field) -> Schema:
    text = f"^({_NUMBER_TEXT}|{_BASED_TEXT}|(?=.*[0-9]){_DURATION}\\s*)$"
    return _any(
        {"type": "number", "minimum": 0, "maximum": int(MAX_SECONDS)},
        {"type": "string", "pattern": text},
    )


def _signal(field: spec.Field) -> Schema:
    return _any(
        {"enum": list(_SIGNALS)},
        {"type": "string", "pattern": "^[0-9A-Za-z+-]+$"},
        {"type": "integer", "minimum": 1},
    )


def _codes(field: spec.Field) -> Schema:
    code = {"type": "integer", "minimum": 0, "maximum": 255}
    return _any(code, _list_of(code, 1))


def _words(field: spec.Field) -> Schema:
    word = _any({"type": "string", "pattern": r"^[^\s,]+$"}, {"type": ["number", "boolean"]})
    return _any(word, _list_of(word), _NULL)


def _full() -> Schema:
    return _any(_FULL, {"type": ["number", "boolean"]})


_KINDS = {
    "args": lambda field: _any(_SCALAR, _list_of(_SCALAR), _NULL),
    "boolean": lambda field: {"type": "boolean"},
    "choice": lambda field: {"enum": list(field.choices)},
    "codes": _codes,
    "duration": _duration,
    "environment": _environment,
    "name": lambda field: _name(reserved=False),
    "path": lambda field: _full(),
    "paths": lambda field: _any(_full(), _list_of(_full()), _NULL),
    "restart": lambda field: {"enum": [*field.choices, True, False]},
    "signal": _signal,
    "tasks": _tasks,
    "text": lambda field: _full(),
    "words": _words,
}
