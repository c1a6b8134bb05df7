"""Where the values of a project came from, and the values with that beside them."""

from __future__ import annotations

from procession._record import Record
from procession.config.nodes import find
from procession.config.yaml import Scalar, mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.part import Part
    from procession.config.yaml import Node

FILE, ENV_FILE, DEFAULT, INHERITED, OPTION = "file", "env-file", "default", "inherited", "option"


class Origin(Record):
    """Where a value came from: one of the kinds above, and the place if it is a file."""

    kind: str
    file: str = ""
    line: int = 0  # from 1; 0: the file as a whole
    column: int = 0

    def __str__(self) -> str:
        if self.kind == FILE:
            return f"{self.file}:{self.line}:{self.column}"
        return f"{self.kind} {self.file}" if self.file else self.kind


class Item(Record):
    """One key with its value: text, a number, a boolean, a tuple of these, or of `Item`s."""

    key: str  # empty in a list
    kind: str  # of value, as in the tables of `keys`; `variable` in an environment
    value: object
    origin: Origin
    note: str = ""  # what the value came to on this host


class Places:
    """Where something is said, what wins first."""

    __slots__ = ("found",)

    def __init__(self, found: list[tuple[Part, Node]]) -> None:
        self.found = found

    @property
    def origin(self) -> Origin:
        """The place that wins; nobody says it: a default."""
        if not self.found:
            return Origin(DEFAULT)
        part, node = self.found[0]
        mark = mark_of(node)
        return Origin(FILE, part.name, mark.line, mark.column)

    def below(self, key: str, *, short: bool = False) -> Places:
        """Where a key of that mapping is said. `short`: a scalar in its place says it too."""
        inside = [
            (part, node if short and isinstance(node, Scalar) else find(node, key))
            for part, node in self.found
        ]
        return Places([(part, node) for part, node in inside if node is not None])

    def or_else(self, other: Places) -> Places:
        """These places, or where there are none, those."""
        return self if self.found else other
