"""The long form of `restart`, in parts by the names of `spec.Restart`: see `config.making`."""

from __future__ import annotations

from procession import keys, spec
from procession.config import scalars, systems
from procession.config.choices import signal_name, word, words_for
from procession.config.mappings import Table, below
from procession.config.report import Report, described
from procession.config.scalars import BOOLEAN, INTEGER
from procession.config.texts import is_null
from procession.config.yaml import Mapping, Scalar, kind_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.config.mappings import Nodes
    from procession.config.yaml import Node

_RESTART = Table(keys.RESTART_FIELDS, "RESTART")
_BACKOFF = Table(keys.BACKOFF_FIELDS, "BACKOFF")
# Where the key's name is not the record's.
ATTRIBUTES = {"stable-after": "stable_after", "within": "window"}
GROWS = frozenset(field.key for field in keys.BACKOFF_FIELDS)


def restart_mapping(report: Report, node: Mapping, folder: str) -> dict[str, Any] | None:
    """The parts of `spec.Restart` that the mapping says."""
    nodes: Nodes = {}
    meant: set[str] = set()
    values = below(report, node, _RESTART, folder, nodes, meant=meant)
    if values is None or (nodes.keys() | meant) - values.keys() >= {"policy"}:
        return None
    if "delay" in nodes and "backoff" in nodes:
        what = "`backoff` beside a fixed `delay`, which never grows"
        report.bad(nodes["backoff"][0], what, "one of the two", tail=".backoff")
    growing: dict[str, Any] = values.pop("backoff", {})
    return {ATTRIBUTES.get(key, key): value for key, value in values.items()} | growing


def backoff(report: Report, node: Node, field: keys.Field, folder: str) -> dict[str, Any] | None:
    """How the time between two runs grows."""
    if isinstance(node, Scalar) and not is_null(node):
        report.bad(node, described(node), "a mapping; a fixed time is a `delay`")
        return None
    nodes: Nodes = {}
    values = below(report, node, _BACKOFF, folder, nodes)
    longest = None if values is None else values.get("longest")
    if values is not None and longest is not None and longest < values.get("first", 0.0):
        what = f"{described(nodes['longest'][1])} is shorter than `first`"
        report.bad(nodes["longest"][1], what, "at least as long", tail=".longest")
    most = spec.Restart().longest
    if values is not None and longest is None and values.get("first", 0.0) > most:
        what = f"{described(nodes['first'][1])} is longer than `longest`, {most:g} s unless said"
        report.bad(nodes["first"][1], what, "a `longest` beside it", tail=".first")
    return values


def rules(
    report: Report, node: Node, field: keys.Field, folder: str
) -> tuple[spec.RestartRule, ...] | None:
    """What ends mean, by exit code or signal, in the order of the file."""
    if is_null(node):
        return ()
    if not isinstance(node, Mapping):
        report.bad(node, described(node), "a mapping from exit code or signal to what is done")
        return None
    found: dict[tuple[int | None, int | None], spec.RestartRule] = {}
    good = True
    own = len(node.items)
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        key, value = pairs[i], pairs[i + 1]
        end = _end(report, key)
        tail = f".{key.value}" if isinstance(key, Scalar) else ""
        said = _what_then(report, value, field, tail)
        if end is None or said is None:
            good = False
        elif end not in found:
            found[end] = spec.RestartRule(said == "restart", *end)
        elif i < own:
            assert isinstance(key, Scalar)
            report.bad(key, f"{quoted(key.value)} is given twice", "each end once", tail=tail)
            good = False
    return tuple(found.values()) if good else None


def _end(report: Report, key: Node) -> tuple[int | None, int | None] | None:
    """An exit code or the number of a signal, by a key. Digits are a code in quotes too: what
    writes JSON has to quote them."""
    digits = isinstance(key, Scalar) and key.value.isascii() and key.value.isdigit()
    if isinstance(key, Scalar) and (digits or kind_of(key) == INTEGER):
        code = scalars.integer(key.value)
        last = systems.last_code()
        if 0 <= code <= last:
            return code, None
        report.bad(key, described(key), f"an exit code from 0 to {last}, or a signal's name")
        return None
    called = signal_name(report, key, keys.STOP_FIELDS[0], "")
    return None if called is None else (None, systems.signals()[called])


def _what_then(report: Report, node: Node, field: keys.Field, tail: str) -> str | None:
    if isinstance(node, Scalar) and kind_of(node) == BOOLEAN:
        meant = "restart" if node.value in scalars.TRUE else "give-up"
        report.bad(node, described(node), words_for(field.choices), meant, tail=tail)
        return None
    return word(report, node, field, words_for(field.choices), "ENDS", tail)
