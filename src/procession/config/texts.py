"""Text as it is written: what every reader of a value begins with."""

from __future__ import annotations

from procession.config.report import Report, described
from procession.config.scalars import NULLS
from procession.config.yaml import Scalar, Sequence
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procession.config.yaml import Node


class Nothing:
    """What a key with no value says: there is none, though other files or `defaults` say one."""

    __slots__ = ()


NOTHING = Nothing()


def is_null(node: Node) -> bool:
    """Is nothing there: an empty value, `~` or `null`?"""
    return isinstance(node, Scalar) and node.implicit[0] and node.value in NULLS


def written(
    report: Report, node: Node, expected: str, tail: str = "", key: Node | None = None
) -> str | None:
    """The text of a scalar as it is written in the file. `key`, `tail`: see `Report.bad`."""
    if not isinstance(node, Scalar):
        report.bad(node, described(node), expected, tail=tail)
        return None
    value = node.value
    if value in NULLS and node.implicit[0]:
        quotes = f"{expected}; in quotes if that is what {quoted(value)} means"
        report.bad(node, described(node), quotes if value else expected, tail=tail, key=key)
        return None
    if report.odd_escapes and not can_be_passed(value):
        report.bad(node, "a character that no program can be given", "text without it", tail=tail)
        return None
    return value


def can_be_passed(value: str) -> bool:
    """No argument, path or variable can hold a NUL (it ends there) or half a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def quickly(report: Report, node: Node) -> str | None:
    """What `written` returns, for the many good values, without the words for the bad ones."""
    if not isinstance(node, Scalar) or report.odd_escapes:
        return None
    return None if node.value in NULLS and node.implicit[0] else node.value


def items(node: Node) -> Iterator[tuple[Node, str]]:
    """The items of a list with their tails `[0]`, `[1]`; one value that is no list has none."""
    if type(node) is Sequence:
        for i, item in enumerate(node.items):
            yield item, f"[{i}]"
    else:
        yield node, ""
