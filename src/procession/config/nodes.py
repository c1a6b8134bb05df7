"""Looking for things in a tree: the value of a key, the places of what a mapping or list holds."""

from __future__ import annotations

from procession.config.yaml import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procession.config.yaml import Node


def pairs_of(node: Mapping) -> Iterator[tuple[Node, Node]]:
    """Keys with their values; what is merged comes last."""
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        yield pairs[i], pairs[i + 1]


def find(node: Node | None, key: str) -> Node | None:
    """The value of a key, in either spelling, in a mapping."""
    if isinstance(node, Mapping):
        for name, value in pairs_of(node):
            if isinstance(name, Scalar) and name.value.replace("_", "-") == key:
                return value
    return None


def places(node: Node | None, *, keys: bool = False) -> dict[str, Node]:
    """Where each value of a mapping is, or its key; in a list of `NAME=VALUE`, or of names, where
    the item is; where one name stands alone, that. Empty for anything else."""
    found: dict[str, Node] = {}
    if isinstance(node, Mapping):
        for name, value in pairs_of(node):
            if isinstance(name, Scalar):
                found.setdefault(name.value, name if keys else value)
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar):
                found.setdefault(item.value.partition("=")[0], item)
    elif node is not None:
        found[node.value] = node
    return found
