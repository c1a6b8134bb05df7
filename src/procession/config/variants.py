"""Tasks whose values differ from replica to replica (`{{ replica }}`): read once for each of them.
Imported where a file has any."""

from __future__ import annotations

from procession.config.making import make, merged, one_restart
from procession.config.mappings import read_again
from procession.config.part import put
from procession.config.source import Problem
from procession.config.tasks import TASK
from procession.config.yaml import mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession import spec
    from procession.config.entry import Entry, Layer
    from procession.config.part import Late, Part

    Texts = dict[tuple[int, int, int], str | Problem]  # by node, replica, replicas


def make_each(entries: list[Entry], folder: str, defaults: spec.Defaults | None) -> None:
    """Make the tasks of these entries, with a variant for each replica."""
    counts = [merged(layer.values for layer in e.layers).get("replicas", 1) for e in entries]
    texts = _texts(entries, counts)
    for entry, count in zip(entries, counts, strict=True):
        made: list[spec.Task] = []
        for replica in range(1, count + 1):
            layers = [_values(layer, replica, count, texts) for layer in entry.layers]
            make(entry, merged(layers), folder, defaults)
            if entry.task is None or entry.wrong or not all(map(_whole, entry.layers, layers)):
                break  # the others are wrong in the same way
            made.append(entry.task)
        if entry.task is not None and len(made) == count > 1:
            entry.task = made[0].replace(variants=tuple(made))


def _whole(layer: Layer, values: dict[str, Any]) -> bool:
    """Could all that differs be read?"""
    delay = "delay" in values.get("restart", {})
    return all(key in values or (key == "restart-backoff" and delay) for key in layer.held)


def _texts(entries: list[Entry], counts: list[int]) -> Texts:
    """All that is to be rendered, asked once of each file's templates."""
    wanted: dict[Part, list[tuple[Late, int, int]]] = {}
    for entry, count in zip(entries, counts, strict=True):
        for layer in entry.layers:
            asked = wanted.setdefault(layer.part, [])
            for key in layer.held:
                for late in layer.part.late_below(layer.nodes[key][1]):
                    asked += ((late, replica, count) for replica in range(1, count + 1))
    texts: Texts = {}
    for part, asked in wanted.items():
        if asked:
            assert part.renderer is not None
            texts |= part.renderer.each(part.report.source, asked)
    return texts


def _values(layer: Layer, replica: int, count: int, texts: Texts) -> dict[str, Any]:
    """What a layer says of one replica."""
    values = dict(layer.values)
    part = layer.part
    report = part.report
    report.prefix = layer.path
    for key in layer.held:
        good = True
        for late in part.late_below(layer.nodes[key][1]):
            text = texts[id(late.node), replica, count]
            if isinstance(text, Problem):
                report.add(mark_of(late.node), text)
                good = False
            else:
                put(late.node, text)
        value = read_again(report, TASK, key, layer.nodes, part.folder) if good else None
        if value is not None:
            values[key] = value
    report.prefix = ""
    if "restart-backoff" in values:
        one_restart(layer, values)
    return values
