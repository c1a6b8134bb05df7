"""The form of each kind of value in the schema.

Patterns are kept to what Python, ECMAScript and RE2 read alike but for one look-ahead. A key that
takes several types lists them in one `type`, with each type's own rules beside it: an `anyOf` makes
editors say "fits nothing" instead of what is wrong where. It stands where words are completed.
"""

from __future__ import annotations

from procession import keys, spec
from procession.config.scalars import MAX_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from procession.keys import Field

    Schema = dict[str, Any]

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

# Kinds with parts, which are written once.
SHARED = frozenset("restart stop depends-on ready health limits".split())


def mapping(fields: tuple[Field, ...], *, required: tuple[str, ...] = ()) -> Schema:
    """A mapping with the keys of a table."""
    properties: Schema = {}
    aliases: Schema = {}
    for field in fields:
        properties[field.key] = property_of(field)
        if "-" in field.key:
            # accepted, but nothing that an editor should offer
            aliases[f"^{field.key.replace('-', '[-_]')}$"] = properties[field.key]
    made: Schema = {
        "type": "object",
        "properties": properties,
        "patternProperties": aliases,
        "additionalProperties": False,
    }
    if required:
        made["required"] = list(required)
    return made


def property_of(field: Field) -> Schema:
    """What a key holds, with what it means."""
    made: Schema = {"description": field.doc}
    if field.kind in SHARED:
        made |= ref(field.kind)
    else:
        made |= KINDS[field.kind](field)
    default = field.default
    if isinstance(default, tuple):
        default = list(default)
    elif isinstance(default, float) and default.is_integer():
        default = int(default)
    if default is not None:
        made["default"] = default
    return made


def ref(name: str) -> Schema:
    """One of the definitions; draft 7 ignores all that stands beside a bare `$ref`."""
    return {"allOf": [{"$ref": f"#/definitions/{name}"}]}


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


def _environment(field: Field) -> Schema:
    return {
        "type": ["object", "array", "null"],
        "propertyNames": {"pattern": r"^[^=\s]+$"},
        "additionalProperties": _SCALAR,
        "items": {"type": "string", "pattern": r"^[^=\s]+="},
    }


def _duration(field: Field) -> Schema:
    text = f"^({_NUMBER_TEXT}|{_BASED_TEXT}|(?=.*[0-9]){_DURATION}\\s*)$"
    return {
        "type": ["number", "string"],
        "minimum": field.least or 0,
        "maximum": int(MAX_SECONDS),
        "pattern": text,
    }


def _signal(field: Field) -> Schema:
    form = {"type": ["string", "integer"], "pattern": "^[0-9A-Za-z+-]+$", "minimum": 1}
    return {"anyOf": [{"enum": list(_SIGNALS)}, form]}


def _codes(field: Field) -> Schema:
    last = spec.LAST_CODE_OF_WINDOWS
    return _or_list({"type": "integer", "minimum": 0, "maximum": last}) | {"minItems": 1}


def _words(field: Field) -> Schema:
    return _or_list({"type": _SCALARS, "pattern": r"^[^\s,]+$"}, "null")


def _integer(field: Field) -> Schema:
    return {"type": "integer", "minimum": int(field.least or 0), "maximum": int(field.most or 0)}


def _number(field: Field) -> Schema:
    made: Schema = {"type": "number", "minimum": field.least}
    return made if field.most is None else made | {"maximum": field.most}


def _size(field: Field) -> Schema:
    return {"type": ["integer", "string"], "minimum": int(field.least or 0), "pattern": _SIZE}


def _command(field: Field) -> Schema:
    item = _or_list(_FULL | {"type": _SCALARS})
    if field.default == ():
        return _or_list(_SCALAR, "null")
    return item | {"minItems": 1, "items": _SCALAR}


def _restart(field: Field) -> Schema:
    return {"anyOf": [_policy(field), mapping(field.fields)]}


def _policy(field: Field) -> Schema:
    return {"enum": [*field.choices, True, False]}


def _rules(field: Field) -> Schema:
    return {"type": ["object", "null"], "additionalProperties": {"enum": list(field.choices)}}


def _stop(field: Field) -> Schema:
    steps = next(part for part in field.fields if part.key == "steps")
    types = {"type": ["object", "array", "null"]}
    return mapping(field.fields) | _steps(steps) | types


def _steps(field: Field) -> Schema:
    return {"type": "array", "items": mapping(field.fields), "minItems": 1}


def _depends_on(field: Field) -> Schema:
    condition = {"enum": [*spec.CONDITIONS, None]}
    return {
        "type": [*_SCALARS, "array", "object", "null"],
        "pattern": r"\S",
        "items": _FULL,
        "additionalProperties": {"anyOf": [condition, mapping(field.fields)]},
    }


def _check(field: Field) -> Schema:
    return mapping(field.fields) | {"type": ["object", "null"], "minProperties": 1}


def _tcp(field: Field) -> Schema:
    host = r"(\[[^\[\]\s]+\]|[^\[\]\s:/@]+)"
    return {
        "type": ["integer", "string"],
        "minimum": 1,
        "maximum": keys.MAX_PORT,
        "pattern": rf"^\s*([0-9]{{1,18}}|{host}:[0-9]{{1,5}})\s*$",
    }


def _http(field: Field) -> Schema:
    url = {"type": ["string", "object"], "pattern": _URL}
    return mapping(field.fields, required=("url",)) | url


def _statuses(field: Field) -> Schema:
    one = {
        "type": ["integer", "string"],
        "minimum": 100,
        "maximum": 599,
        "pattern": r"^\s*[0-9]{3}\s*-\s*[0-9]{3}\s*$",
    }
    return _or_list(one) | {"minItems": 1}


def _headers(field: Field) -> Schema:
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": _TOKEN},
        "additionalProperties": _SCALAR,
    }


def _account(field: Field) -> Schema:
    return {"type": ["string", "integer"], "pattern": r"^[^\s:-][^\s:]*$", "minimum": 0}


def _umask(field: Field) -> Schema:
    return {"type": ["string", "integer"], "pattern": "^(0o)?[0-7]{1,4}$", "minimum": 0}


def _cpus(field: Field) -> Schema:
    one = {"type": ["string", "integer"], "pattern": r"^[0-9,\s-]+$", "minimum": 0}
    return _or_list(one, "null") | {"minItems": 1}


def _limits(field: Field) -> Schema:
    value = {"type": ["integer", "string"], "minimum": 0, "pattern": _LIMIT}
    pair = _or_list(value) | {"minItems": 2, "maxItems": 2}
    names = dict.fromkeys(name for names in keys.LIMITS.values() for name in names)
    return {
        "type": ["object", "null"],
        "properties": dict.fromkeys(names, pair),
        "additionalProperties": False,
    }


def _tasks(field: Field) -> Schema:
    return {
        "type": ["object", "array"],
        "propertyNames": {"$ref": "#/definitions/task-name"},
        "additionalProperties": {"$ref": "#/definitions/task"},
        "minProperties": 1,
        "items": {"$ref": "#/definitions/listed-task"},
        "minItems": 1,
    }


_SIZE = r"^\s*[0-9]{1,18}\s*[kKmMgGtT]?[iI]?[bB]?\s*$"
_LIMIT = r"^(unlimited|infinity|\s*[0-9]{1,18}\s*[kKmMgGtT]?[iI]?[bB]?\s*)$"
_URL = "^[hH][tT][tT][pP][sS]?://[!-~]+$"
_TOKEN = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"

KINDS: dict[str, Callable[[Field], Schema]] = {
    "account": _account,
    "accounts": lambda field: _or_list(_account(field), "null"),
    "args": lambda field: _or_list(_SCALAR, "null"),
    "backoff": lambda field: mapping(field.fields),
    "boolean": lambda field: {"type": "boolean"},
    "choice": lambda field: {"enum": list(field.choices)},
    "codes": _codes,
    "command": _command,
    "condition": lambda field: {"enum": list(field.choices)},
    "cpus": _cpus,
    "defaults": lambda field: {"anyOf": [{"$ref": "#/definitions/defaults"}, {"type": "null"}]},
    "depends-on": _depends_on,
    "duration": _duration,
    "environment": _environment,
    "headers": _headers,
    "health": _check,
    "http": _http,
    "include": lambda field: _or_list(_FULL, "null"),
    "integer": _integer,
    "limits": _limits,
    "mapping": lambda field: mapping(field.fields) | {"type": ["object", "null"]},
    "method": lambda field: {"type": _SCALARS, "pattern": _TOKEN, "maxLength": 40},
    "name": lambda field: _name(reserved=False),
    "number": _number,
    "path": lambda field: _FULL,
    "paths": lambda field: _or_list(_FULL, "null"),
    "policy": _policy,
    "program": lambda field: _FULL,
    "ready": _check,
    "regex": lambda field: _FULL,
    "restart": _restart,
    "rules": _rules,
    "signal": _signal,
    "size": _size,
    "socket": lambda field: _FULL,
    "statuses": _statuses,
    "steps": _steps,
    "stop": _stop,
    "task-name": lambda field: _FULL,
    "tasks": _tasks,
    "tcp": _tcp,
    "true": lambda field: {"enum": [True]},
    "umask": _umask,
    "url": lambda field: {"type": "string", "pattern": _URL},
    "words": _words,
}
TASK_NAME: Schema = _name(reserved=True)
