"""How a task is stopped: a mapping, or a ladder of steps.

What is read here is in parts, by the names of `spec.Stop`, so that one file's parts can be laid
over another's: see `config.making`.
"""

from __future__ import annotations

from procession import keys, spec
from procession.config import systems
from procession.config.mappings import Table, below
from procession.config.report import Report, described
from procession.config.texts import is_null
from procession.config.yaml import Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.config.mappings import Nodes
    from procession.config.yaml import Node

SIGNAL_WAIT = 10.0  # seconds after a signal of a step that does not say it
_STOP = Table(keys.STOP_FIELDS, "STOP")
_STEP = Table(keys.STEP_FIELDS, "STEP")
_INSTEAD_OF_STEPS = ("signal", "to", "timeout", "command")


def stop(report: Report, node: Node, field: keys.Field, folder: str) -> dict[str, Any] | None:
    """The parts of `spec.Stop` that are said. A list is short for `steps`."""
    if is_null(node):
        return {}
    if type(node) is Sequence:
        found = steps(report, node, field, folder)
        return None if found is None else {"steps": found}
    nodes: Nodes = {}
    values = below(report, node, _STOP, folder, nodes)
    if values is not None and "steps" in nodes:
        for key in _INSTEAD_OF_STEPS:
            if key in nodes:
                what = f"`{key}` beside `steps`, which stand in its place"
                report.bad(nodes[key][0], what, f"one of the two; `{key}` as the first step")
    return values


def steps(
    report: Report, node: Node, field: keys.Field, folder: str
) -> tuple[spec.StopStep, ...] | None:
    """The steps of a ladder, at least one."""
    expected = "a list of steps, each with a `signal` or a `command`"
    if type(node) is not Sequence:
        report.bad(node, described(node), expected)
        return None
    if not node.items:
        report.bad(node, "no step at all", expected)
        return None
    found = [_step(report, item, folder, f"[{i}]") for i, item in enumerate(node.items)]
    good = tuple(step for step in found if step is not None)
    return good if len(good) == len(found) else None


def _step(report: Report, node: Node, folder: str, tail: str) -> spec.StopStep | None:
    if not isinstance(node, Mapping):
        report.bad(node, described(node), "a mapping with a `signal` or a `command`", tail=tail)
        return None
    nodes: Nodes = {}
    meant: set[str] = set()
    values = below(report, node, _STEP, folder, nodes, tail=tail, meant=meant)
    if values is None or len(values) < len(nodes) or not meant.isdisjoint(("signal", "command")):
        return None
    if ("signal" in values) == ("command" in values):
        what = "both a signal and a command" if "signal" in values else "no `signal`, no `command`"
        report.bad(node, what, "one of the two in a step", tail=tail)
        return None
    if "signal" in values:
        values.setdefault("wait", SIGNAL_WAIT)
        wrong = systems.not_to_leader(values["signal"], values.get("to", "group"))
        if wrong is not None:
            report.bad(nodes["to"][1], *wrong, tail=f"{tail}.to")
            return None
    elif "to" in values:
        report.bad(nodes["to"][0], "`to` of a command", "a `signal`, or no `to`", tail=f"{tail}.to")
        return None
    return spec.StopStep(**values)
