"""The JSON Schema of the project file, for editors: made from the tables that the reader uses.

Draft 7, the newest that editors' YAML servers all know. A text the reader takes the schema takes
too; what a schema cannot say (a doubled key, two names that differ by case only, a program that is
not there, a signal or an exit code of this system) is left to the reader. Patterns are kept to what
Python, ECMAScript and RE2 read alike but for one look-ahead.
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
_SCALARS = ["string", "number", "boolean"]
_SCALAR: Schema = {"type": _SCALARS}
_FULL: Schema = {"type": _SCALARS, "pattern": r"\S"}  # a number is text too: as it is written


def schema() -> Schema:
    """The whole schema: values for `json.dumps`. Parts of it are shared: not to be changed."""
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


# A key that takes several types lists them in one `type`, with each type's own rules beside it:
# an `anyOf` would make editors say "fits nothing" instead of what is wrong where.


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
        made |= _mapping(field.fields, field.key) | {"type": ["object", "null"]}
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


def _or_list(item: Schema, *more: str) -> Schema:
    """An item, a list of them, or something of the types `more`."""
    kinds = item["type"] if isinstance(item["type"], list) else [item["type"]]
    return item | {"type": [*kinds, "array", *more], "items": item}


def _name(*, reserved: bool) -> Schema:
    barred = ""
    if reserved:
        words = ("".join(f"[{c.upper()}{c}]" for c in w) for w in sorted(spec.RESERVED_NAMES))
        barred = f"(?!({'|'.join(words)})$)"
    pattern = f"^{barred}{spec.TASK_NAME_PATTERN}$"
    return {"type": _SCALARS, "pattern": pattern, "maxLength": spec.MAX_NAME}


def _tasks(field: spec.Field) -> Schema:
    return {
        "type": ["object", "array"],
        "propertyNames": {"$ref": "#/definitions/task-name"},
        "additionalProperties": {"$ref": "#/definitions/task"},
        "minProperties": 1,
        "items": {"$ref": "#/definitions/listed-task"},
        "minItems": 1,
    }


def _environment(field: spec.Field) -> Schema:
    return {
        "type": ["object", "array", "null"],
        "propertyNames": {"pattern": r"^[^=\s]+$"},
        "additionalProperties": _SCALAR,
        "items": {"type": "string", "pattern": r"^[^=\s]+="},
    }


def _duration(field: spec.Field) -> Schema:
    text = f"^({_NUMBER_TEXT}|{_BASED_TEXT}|(?=.*[0-9]){_DURATION}\\s*)$"
    return {
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": int(MAX_SECONDS),
        "pattern": text,
    }


def _signal(field: spec.Field) -> Schema:
    form = {"type": ["string", "integer"], "pattern": "^[0-9A-Za-z+-]+$", "minimum": 1}
    return {"anyOf": [{"enum": list(_SIGNALS)}, form]}


def _codes(field: spec.Field) -> Schema:
    last = spec.LAST_CODE_OF_WINDOWS
    return _or_list({"type": "integer", "minimum": 0, "maximum": last}) | {"minItems": 1}


def _words(field: spec.Field) -> Schema:
    return _or_list({"type": _SCALARS, "pattern": r"^[^\s,]+$"}, "null")


_KINDS = {
    "args": lambda field: _or_list(_SCALAR, "null"),
    "boolean": lambda field: {"type": "boolean"},
    "choice": lambda field: {"enum": list(field.choices)},
    "codes": _codes,
    "duration": _duration,
    "environment": _environment,
    "name": lambda field: _name(reserved=False),
    "path": lambda field: _FULL,
    "paths": lambda field: _or_list(_FULL, "null"),
    "restart": lambda field: {"enum": [*field.choices, True, False]},
    "signal": _signal,
    "tasks": _tasks,
    "text": lambda field: _FULL,
    "words": _words,
}
