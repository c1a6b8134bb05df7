"""What files say of a task, as it was read: what could be made of it, where each value stands."""

from __future__ import annotations

from procession.config.nodes import find, pairs_of
from procession.config.yaml import Scalar, Sequence, mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession import spec
    from procession.config.mappings import Nodes
    from procession.config.part import Part
    from procession.config.report import Report
    from procession.config.source import Mark
    from procession.config.yaml import Mapping, Node


class Layer:
    """What one file says of one task, or (`defaults`) of all tasks.

    `nodes` has every key that is there with its node, `values` those that could be read, `held`
    those that differ from replica to replica. `meant`: what unknown keys were meant to be.
    `named`: the node of its name.
    """

    __slots__ = ("held", "meant", "named", "node", "nodes", "part", "path", "values")

    def __init__(self, part: Part, path: str, node: Node, named: Node | None = None) -> None:
        self.part = part
        self.path = path
        self.node = node
        self.named = named
        self.nodes: Nodes = {}
        self.values: dict[str, Any] = {}
        self.held: list[str] = []
        self.meant: set[str] = set()


class Entry:
    """A task of the project: all that files say of it, what wins first and `defaults` last.

    `own` counts the layers that are of the task itself. `task` is None where no task could be made
    at all. `looked_at` is what can be looked up of it all the same, and `wrong` names the keys
    whose values are not what the files say: those that are problems themselves, and `program` where
    there is none.
    """

    __slots__ = ("layers", "looked_at", "name", "own", "task", "wrong")

    def __init__(self, layer: Layer) -> None:
        self.name: str | None = None  # None: what is there cannot be a name
        self.layers = [layer]
        self.own = 1
        self.task: spec.Task | None = None
        self.looked_at: spec.Task | None = None
        self.wrong: frozenset[str] = frozenset()

    @property
    def first(self) -> Layer:
        """The layer of the first file that has the task."""
        return self.layers[self.own - 1]

    @property
    def own_layers(self) -> list[Layer]:
        """All but `defaults`."""
        return self.layers[: self.own]

    def said(self, key: str) -> Layer | None:
        """The layer that wins for a key; None where nobody says it."""
        for layer in self.layers:
            if key in layer.nodes:
                return layer
        return None

    def report(self, key: str = "") -> Report:
        """Where problems of a key are told."""
        return (self.said(key.partition(".")[0]) or self.first).part.report

    def place(self, key: str, index: int | None = None) -> tuple[Mark, str]:
        """Where the value of a key (`cwd`, `ready.exec`) is, or what is nearest to it, and its
        path."""
        name, *inner = key.split(".")
        layer = self.said(name)
        if layer is None:
            return mark_of(self.first.node), self.first.path
        node, path = layer.nodes[name][1], f"{layer.path}.{name}"
        for part in inner:
            below = find(node, part)
            if below is None:
                break
            node, path = below, f"{path}.{part}"
        if index is not None and type(node) is Sequence and index < len(node.items):
            return mark_of(node.items[index]), f"{path}[{index}]"
        return mark_of(node), path

    def bad(self, key: str, what: str, expected: str = "", suggestion: str = "") -> None:
        """The value of a key is a problem, which shows only when all is known of the task."""
        mark, path = self.place(key)
        self.report(key).at(mark, what, expected, suggestion, path)


def path_of(node: Mapping, path: str) -> str:
    """`tasks.web` for an entry of a list that has the name; `path` if it has no good one."""
    for key, value in pairs_of(node):
        if isinstance(key, Scalar) and key.value == "name":
            return f"tasks.{value.value}" if isinstance(value, Scalar) and value.value else path
    return path
