"""Values that are numbers, times, sizes or booleans: a function for each kind, as `config.values`
describes them. `least` and `most` of the table bound them."""

from __future__ import annotations

from procession.config import scalars, systems
from procession.config.report import Report, described
from procession.config.scalars import BOOLEAN, FLOAT, INTEGER, NULL, TEXT
from procession.config.suggest import closest
from procession.config.texts import items
from procession.config.yaml import Scalar, kind_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.yaml import Node
    from procession.keys import Field

_YES_NO = {"yes": "true", "on": "true", "y": "true", "1": "true"}
_YES_NO |= {"no": "false", "off": "false", "n": "false", "0": "false"}
_OLD_BOOLEANS = {"yes": True, "on": True, "no": False, "off": False}


def duration(report: Report, node: Node, field: Field, folder: str) -> float | None:
    """A time: seconds, or `1m30s`, `250ms`, `2h`."""
    expected = "seconds (`0.5`), or a time such as `250ms`, `1m30s`, `2h`"
    if not isinstance(node, Scalar) or kind_of(node) in (NULL, BOOLEAN):
        report.bad(node, described(node), expected)
        return None
    try:
        value = scalars.seconds(node.value, kind_of(node))
    except scalars.BadDurationError as error:
        report.bad(node, f"{quoted(node.value)} {error.what}", expected, error.suggestion)
        return None
    if field.least is not None and value < field.least:
        report.bad(node, f"{quoted(node.value)} is no time at all", "at least 1 ms")
        return None
    return value


def boolean(report: Report, node: Node, field: Field, folder: str) -> bool | None:
    """`true` or `false`."""
    if isinstance(node, Scalar) and kind_of(node) == BOOLEAN:
        return node.value in scalars.TRUE
    old = old_boolean(report, node)
    if old is not None:
        return old
    meant = ""
    if isinstance(node, Scalar):
        meant = closest(node.value, ("true", "false"), _YES_NO) if node.value else ""
    report.bad(node, described(node), "`true` or `false`", meant)
    return None


def old_boolean(report: Report, node: Node) -> bool | None:
    """What YAML 1.1 takes for a boolean (https://yaml.org/type/bool.html, without the letters,
    which few readers took), where an old file is forgiven."""
    if not isinstance(node, Scalar) or not node.implicit[0]:
        return None
    value = _OLD_BOOLEANS.get(node.value.lower())
    if value is None or node.value not in (
        node.value.lower(),
        node.value.capitalize(),
        node.value.upper(),
    ):
        return None
    word = "true" if value else "false"
    return value if report.forgives(node, f"{quoted(node.value)} is read as `{word}`") else None


def integer(report: Report, node: Node, field: Field, folder: str) -> int | None:
    """A whole number within the field's bounds."""
    least, most = field.least or 0, field.most or 0
    expected = f"a whole number from {least:.0f} to {most:.0f}"
    value = _integer(node)
    if value is not None and least <= value <= most:
        return value
    report.bad(node, described(node), expected)
    return None


def _integer(node: Node) -> int | None:
    if isinstance(node, Scalar) and kind_of(node) == INTEGER:
        return scalars.integer(node.value)
    return None


def number(report: Report, node: Node, field: Field, folder: str) -> float | None:
    """A number within the field's bounds."""
    least, most = field.least or 0.0, float("inf") if field.most is None else field.most
    bounds = f"of at least {least:g}" if field.most is None else f"from {least:g} to {most:g}"
    if isinstance(node, Scalar) and kind_of(node) in (INTEGER, FLOAT):
        value = scalars.number(node.value)
        if least <= value <= most and value != float("inf"):
            return value
    report.bad(node, described(node), f"a number {bounds}")
    return None


def size(report: Report, node: Node, field: Field, folder: str) -> int | None:
    """Bytes: a whole number, or `64M`, `1G`."""
    value = written_size(node)
    expected = "bytes, or a size such as `512K`, `64M`, `1G`"
    if value is None:
        report.bad(node, described(node), expected)
        return None
    if not (field.least or 0) <= value <= (field.most or 2**62):
        what = "is too small" if value < (field.least or 0) else "is too large"
        bounds = f"at least {field.least:.0f} bytes" if value < (field.least or 0) else expected
        report.bad(node, f"{described(node)} {what}", bounds)
        return None
    return value


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def written_size(node: Node) -> int | None:
    """The bytes that a scalar says; None if it says none. Units are powers of 1024, as in `ls -h`:
    `64M`, `64MiB` and `64MB` are one."""
    value = _integer(node)
    if value is not None:
        return value if value >= 0 else None
    if not isinstance(node, Scalar) or kind_of(node) != TEXT:
        return None
    text = node.value.strip().lower()
    for end in ("ib", "b"):
        if text.endswith(end) and text != end:
            text = text[: -len(end)]
            break
    unit = text[-1:] if not text[-1:].isdigit() else ""
    digits = text[: len(text) - len(unit)].rstrip()
    if unit not in _UNITS or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    return int(digits) * _UNITS[unit]


def codes(report: Report, node: Node, field: Field, folder: str) -> tuple[int, ...] | None:
    """Exit codes: one, or a list that is not empty."""
    last = systems.last_code()
    expected = f"an exit code from 0 to {last}, or a list of them"
    found: list[int] = []
    good = True
    for item, tail in items(node):
        value = _integer(item)
        if value is not None and 0 <= value <= last:
            found.append(value)
            continue
        report.bad(item, described(item), expected, tail=tail)
        good = False
    if good and not found:
        report.bad(node, "an empty list: no run could ever succeed", expected)
        return None
    return tuple(dict.fromkeys(found)) if good else None
