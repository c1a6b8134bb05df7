"""What a task needs of others: `depends-on` in its three forms. Whether there are such tasks is
asked when all are known: see `config.crosscheck`."""

from __future__ import annotations

from procession import keys, spec
from procession.config.choices import condition
from procession.config.mappings import Table, below
from procession.config.report import Report, described
from procession.config.strings import filled
from procession.config.texts import is_null, items
from procession.config.yaml import Mapping, Scalar
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.mappings import Nodes
    from procession.config.yaml import Node

_DEPENDENCY = Table(keys.DEPENDENCY_FIELDS, "DEPENDENCY")
_CONDITION = keys.DEPENDENCY_FIELDS[0]
_EXPECTED = "the name of a task, a list of names, or a mapping from name to condition"


def depends_on(
    report: Report, node: Node, field: keys.Field, folder: str
) -> tuple[spec.Dependency, ...] | None:
    """A list of names (or one), or a mapping from name to condition or long form."""
    if is_null(node):
        return ()
    if isinstance(node, Mapping):
        return _mapping(report, node, folder)
    found: dict[str, spec.Dependency] = {}
    good = True
    for item, tail in items(node):
        if isinstance(item, Mapping):
            expected = "a name; with conditions, a mapping without `- ` before the names"
            report.bad(item, described(item), expected, tail=tail)
            good = False
            continue
        name = filled(report, item, _EXPECTED, tail)
        if name is None:
            good = False
        elif name.lower() in found:
            report.bad(item, f"{quoted(name)} is given twice", "each task once", tail=tail)
            good = False
        else:
            found[name.lower()] = spec.Dependency(name)
    return tuple(found.values()) if good else None


def _mapping(report: Report, node: Mapping, folder: str) -> tuple[spec.Dependency, ...] | None:
    found: dict[str, spec.Dependency] = {}
    good = True
    own = len(node.items)
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        key, value = pairs[i], pairs[i + 1]
        if not isinstance(key, Scalar) or not key.value.strip():
            report.bad(key, f"{described(key)} as the name of a task", "a name")
            good = False
            continue
        name = key.value
        if name.lower() in found:
            if i < own:
                what = f"{quoted(name)} is given twice"
                report.bad(key, what, "each task once", tail=f".{name}")
                good = False
            continue  # what a merge brings gives way
        made = _dependency(report, name, key, value, folder)
        good = good and made is not None
        found[name.lower()] = made or spec.Dependency(name)
    return tuple(found.values()) if good else None


def _dependency(
    report: Report, name: str, key: Node, node: Node, folder: str
) -> spec.Dependency | None:
    if is_null(node):
        return spec.Dependency(name)
    if isinstance(node, Mapping):
        nodes: Nodes = {}
        values = below(report, node, _DEPENDENCY, folder, nodes, tail=f".{name}")
        if values is None or len(values) < len(nodes):
            return None
        return spec.Dependency(name, **values)
    said = condition(report, node, _CONDITION, folder, f".{name}")
    return None if said is None else spec.Dependency(name, said)
