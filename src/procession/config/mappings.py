"""A mapping of the file by the table of its keys: every key looked up, every value read.

Nothing stops at a problem: each value is read by itself.
"""

from __future__ import annotations

from procession import keys
from procession.config import systems
from procession.config.report import Report, described
from procession.config.suggest import closest
from procession.config.values import READERS
from procession.config.yaml import Mapping, Scalar, mark_of
from procession.errors import quoted
from procession.spec import EXTENSION_PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from procession.config.values import Reader
    from procession.config.yaml import Node

    Nodes = dict[str, tuple[Node, Node]]  # by our key: the key as written, and its value
    Special = Callable[[keys.Field, Node], object]


_NAMED = 16  # keys that a message has room for


class Table:
    """The keys of one mapping, ready to look up."""

    def __init__(
        self,
        fields: tuple[keys.Field, ...],
        others: str,
        *,
        required: tuple[str, ...] = (),
        own: bool = False,
        barred: dict[str, str] | None = None,
    ) -> None:
        """`others`: the name of the words of other tools in `config.words`. `required`: keys that
        the mapping has to have. `own`: keys that begin with `x-` are the file's own. `barred`: keys
        that are known elsewhere, with what is to be done instead."""
        self.others = others
        self.required = required
        self.own = own
        self.barred = barred or {}
        self.names = tuple(f.key for f in fields)
        self.known: dict[str, tuple[keys.Field, Reader | None]] = {}
        for field in fields:
            # None: what holds tasks, which `config.decode` reads itself
            entry = (field, READERS.get(field.kind))
            self.known[field.key] = self.known[field.key.replace("-", "_")] = entry

    def get(self, key: str) -> tuple[keys.Field, Reader | None] | None:
        """What is known about a key, with `_` for any of its `-`; None for an unknown one."""
        known = self.known.get(key)
        if known is None and "_" in key:
            known = self.known.get(key.replace("_", "-"))
        return known


def read(
    report: Report,
    node: Mapping,
    table: Table,
    folder: str,
    nodes: Nodes,
    *,
    special: Special | None = None,
    held: Callable[[Node], bool] | None = None,
    meant: set[str] | None = None,
) -> dict[str, Any]:
    """The values of a mapping by key, without those that are problems or not there.

    `nodes` receives every known key that is there. `special` reads what the table has no reader
    for. A value that is `held` is left alone: it is read later. `meant` receives what unknown keys
    were meant to be.
    """
    wanted = set() if meant is None else meant
    _find(report, node, table, nodes, wanted)
    for name in table.required:
        # not told twice: once as a key misspelled, once as missing
        if name not in nodes and name not in wanted:
            report.bad(node, f"`{name}` is missing")
    values: dict[str, Any] = {}
    for key, pair in nodes.items():
        if held is not None and held(pair[1]):
            continue
        value = _value(report, table, key, pair, folder, special)
        if value is not None:
            values[key] = value
    report.key, report.key_node = "", None
    return values


def read_again(report: Report, table: Table, key: str, nodes: Nodes, folder: str) -> object:
    """The value of one key of a mapping that was read before, as `read` gives it; None: told."""
    value = _value(report, table, key, nodes[key], folder, None)
    report.key, report.key_node = "", None
    return value


def below(
    report: Report,
    node: Node,
    table: Table,
    folder: str,
    nodes: Nodes | None = None,
    *,
    tail: str = "",
    meant: set[str] | None = None,
) -> dict[str, Any] | None:
    """`read` for a mapping that is the value of the reader's key, or `tail` below it. None where it
    is no mapping, which is told."""
    if not isinstance(node, Mapping):
        names = ", ".join(f"`{name}`" for name in table.names)
        report.bad(node, described(node), f"a mapping with any of {names}", tail=tail)
        return None
    outer = report.prefix, report.key, report.key_node
    report.prefix, report.key = report.path(tail), ""
    values = read(report, node, table, folder, {} if nodes is None else nodes, meant=meant)
    report.prefix, report.key, report.key_node = outer
    return values


def _value(
    report: Report,
    table: Table,
    key: str,
    nodes: tuple[Node, Node],
    folder: str,
    special: Special | None,
) -> object:
    field, reader = table.known[key]
    report.key, (report.key_node, node) = key, nodes
    if reader is None:
        assert special is not None, key
        value = special(field, node)
    else:
        value = reader(report, node, field, folder)
    if field.absent and value is not None and value is not False and value != ():
        value = _had_here(report, nodes[0], field, value)
    return value


def _had_here(report: Report, key: Node, field: keys.Field, value: object) -> object:
    reason = systems.refusal(field)
    if not reason:
        return value
    report.bad(key, f"`{field.key}` cannot be had on this system: {reason}", "no such key")
    return None


def _find(report: Report, node: Mapping, table: Table, found: Nodes, meant: set[str]) -> None:
    """Sort the keys of a mapping into known and unknown, given twice."""
    own = len(node.items)
    pairs = node.items + node.merged if node.merged else node.items
    for i in range(0, len(pairs), 2):
        key = pairs[i]
        known = table.get(key.value) if isinstance(key, Scalar) else None
        if known is None:
            meant.add(_unknown(report, key, table))
        elif (first := found.get(known[0].key)) is None:
            found[known[0].key] = (key, pairs[i + 1])
        elif i < own:
            _twice(report, key, known[0].key, first[0])


def _unknown(report: Report, key: Node, table: Table) -> str:
    """Tell of a key that the table does not have. What it was meant to be, if that is clear."""
    from procession.config import words

    if not isinstance(key, Scalar):
        report.bad(key, f"{described(key)} as a key", "text")
        return ""
    if table.own and key.value.startswith(EXTENSION_PREFIX):
        return ""
    report.key = key.value
    instead = table.barred.get(key.value.replace("_", "-"), "")
    meant = "" if instead else closest(key.value, table.names, getattr(words, table.others))
    if report.forgives(key, f"unknown key {quoted(key.value)}, passed over", meant):
        report.key = ""
        return ""
    expected = instead or ("" if meant else _known(table.names))
    whose = words.WHOSE.get(key.value, "") if table.others == "PROJECT" else ""
    what = f"unknown key {quoted(key.value)}"
    report.bad(key, f"{what}: this {whose}" if whose else what, expected, meant)
    report.key = ""
    return meant


def _known(names: tuple[str, ...]) -> str:
    if len(names) > _NAMED:
        return f"one of its {len(names)} keys, which `procession schema` has"
    return "one of " + ", ".join(names)


def _twice(report: Report, node: Node, key: str, first: Node) -> None:
    report.key = key
    line = mark_of(first).line
    report.bad(node, f"`{key}` is given twice, first in line {line}", "each key once")
    report.key = ""
