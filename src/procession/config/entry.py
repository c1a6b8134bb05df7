"""A task of the file as it was read: what could be made of it, and where each value stands."""

from __future__ import annotations

from procession.config.yaml import Scalar, Sequence, mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession import spec
    from procession.config.source import Mark
    from procession.config.yaml import Mapping, Node


class Entry:
    """A task of the file with the places of its values.

    `task` is None where no task could be made at all. `looked_at` is what can be looked up of it
    all the same, and `wrong` names the keys whose values are not what the file says: those that
    are problems themselves, and `program` where there is none.
    """

    __slots__ = ("looked_at", "node", "nodes", "path", "task", "wrong")

    def __init__(self, path: str, node: Node) -> None:
        self.path = path
        self.node = node
        self.nodes: dict[str, tuple[Node, Node]] = {}
        self.task: spec.Task | None = None
        self.looked_at: spec.Task | None = None
        self.wrong: frozenset[str] = frozenset()

    def place(self, key: str, index: int | None = None) -> tuple[Mark, str]:
        """Where a key's value is (or the task, if it has no such key), and its path."""
        if key not in self.nodes:
            return mark_of(self.node), self.path
        value = self.nodes[key][1]
        if index is not None and type(value) is Sequence:
            return mark_of(value.items[index]), f"{self.path}.{key}[{index}]"
        return mark_of(value), f"{self.path}.{key}"


def path_of(node: Mapping, path: str) -> str:
    """`tasks.web` for an entry of a list that has the name; `path` if it has no good one."""
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        key, value = pairs[i], pairs[i + 1]
        if isinstance(key, Scalar) and key.value == "name":
            return f"tasks.{value.value}" if isinstance(value, Scalar) and value.value else path
    return path
