"""A referee for JSON Schema (draft 7), as far as our schema goes, and YAML as an editor reads it.

A keyword that it does not know is an error, so the schema cannot say what nobody has checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from procession.config import scalars
from procession.config.source import Source
from procession.config.yaml import Mapping, Scalar, compose, kind_of

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
}
_NOTES = {"$schema", "title", "description", "default", "definitions"}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """What the schema has against the value; empty if nothing."""
    if "$ref" in schema:
        assert len(schema) == 1, "draft 7 ignores what stands beside a $ref"
        name = schema["$ref"].removeprefix("#/definitions/")
        return faults(value, root["definitions"][name], root, at)
    return [f for key, rule in schema.items() for f in _against(value, schema, key, rule, root, at)]


def _against(
    value: Any, schema: dict[str, Any], key: str, rule: Any, root: dict[str, Any], at: str
) -> Iterator[str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in _NOTES or key == "patternProperties":
        return
    if key == "type":
        kinds = [rule] if isinstance(rule, str) else rule
        if not any(_is(value, kind) for kind in kinds):
            yield f"{at}: {value!r} is no {rule}"
    elif key == "enum":
        if not any(value == one and type(value) is type(one) for one in rule):
            yield f"{at}: {value!r} is none of {rule}"
    elif key == "anyOf":
        if all(faults(value, one, root, at) for one in rule):
            yield f"{at}: {value!r} fits nothing"
    elif key == "allOf":
        for one in rule:
            yield from faults(value, one, root, at)
    elif key in ("minimum", "maximum"):
        if number and (value < rule if key == "minimum" else value > rule):
            yield f"{at}: {value!r} is past {rule}"
    elif key in ("pattern", "maxLength"):
        if isinstance(value, str):
            good = re.search(rule, value) if key == "pattern" else len(value) <= rule
            if not good:
                yield f"{at}: {value!r} does not keep {key}"
    elif key in ("items", "minItems", "maxItems"):
        if isinstance(value, list):
            yield from _in_list(value, key, rule, root, at)
    elif isinstance(value, dict):
        yield from _in_object(value, schema, key, rule, root, at)
    else:
        assert key in _OBJECT, f"unknown keyword {key}"


_OBJECT = ("required", "minProperties", "propertyNames", "properties", "additionalProperties")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _in_list(value: list[Any], key: str, rule: Any, root: Any, at: str) -> Iterator[str]:
    if key in ("minItems", "maxItems"):
        if len(value) < rule if key == "minItems" else len(value) > rule:
            yield f"{at}: {len(value)} does not keep {key}"
        return
    for i, item in enumerate(value):
        yield from faults(item, rule, root, f"{at}[{i}]")


def _in_object(
    value: dict[str, Any], schema: dict[str, Any], key: str, rule: Any, root: Any, at: str
) -> Iterator[str]:
    assert key in _OBJECT, f"unknown keyword {key}"
    if key == "required":
        yield from (f"{at}: no {name}" for name in rule if name not in value)
    elif key == "minProperties":
        if len(value) < rule:
            yield f"{at}: fewer than {rule}"
    elif key == "propertyNames":
        for name in value:
            yield from faults(name, rule, root, f"{at}.{name}")
    elif key == "additionalProperties":
        for name, item in value.items():
            yield from _property(name, item, schema, root, at)


def _property(name: str, item: Any, schema: dict[str, Any], root: Any, at: str) -> Iterator[str]:
    """By the rules of the keywords that speak of properties, which belong together."""
    rules = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    rules += [r for p, r in schema.get("patternProperties", {}).items() if re.search(p, name)]
    more = schema["additionalProperties"]
    if not rules and more is False:
        yield f"{at}: unknown key {name}"
    for rule in rules or ([more] if isinstance(more, dict) else []):
        yield from faults(item, rule, root, f"{at}.{name}")


def as_json(text: str) -> Any:
    """The text as the YAML 1.2 core schema means it: what an editor holds against the schema."""
    root, problems = compose(Source("f", text))
    assert root is not None
    assert not problems, problems
    return _json(root)


def _json(node: Any) -> Any:
    if isinstance(node, Mapping):
        pairs = node.items + node.merged
        made: dict[str, Any] = {}
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            assert isinstance(key, Scalar)
            made.setdefault(key.value, _json(value))
        return made
    if not isinstance(node, Scalar):
        return [_json(item) for item in node.items]
    kind = kind_of(node)
    if kind == scalars.INTEGER:
        return scalars.integer(node.value)
    if kind == scalars.FLOAT:
        return scalars.number(node.value)
    if kind == scalars.BOOLEAN:
        return node.value in scalars.TRUE
    return None if kind == scalars.NULL else node.value
