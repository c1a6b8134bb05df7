"""One file of a project as YAML: its tree, its report, what waits for a replica's number."""

from __future__ import annotations

from procession.config.nodes import pairs_of
from procession.config.report import Report
from procession.config.scalars import NULL, TEXT, TRUE, plain_kind
from procession.config.yaml import Mapping, Scalar, compose, mark_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from procession.config.source import Problem, Source
    from procession.config.yaml import Node

    class Renderer(Protocol):
        """What renders the texts of a file that says `template: true`: `config.rendering`."""

        def render(self, source: Source, root: Node) -> tuple[list[Problem], list[Late]]:
            """Render the scalars below `root` in their places. What could not be rendered, and
            what has to wait for the number of a replica."""
            ...

        def each(
            self, source: Source, wanted: Iterable[tuple[Late, int, int]]
        ) -> dict[tuple[int, int, int], str | Problem]:
            """The texts of `(late, replica, replicas)`, by the `id` of the late one's node and
            these numbers."""
            ...


class Late:
    """A scalar that needs the number of a replica to be rendered."""

    __slots__ = ("node", "path", "text")

    def __init__(self, node: Scalar, path: str) -> None:
        self.node = node
        self.path = path
        self.text = node.value


class Part:
    """One file. Relative paths in it are meant from `folder`, which is absolute. `unrendered`: some
    of its texts could not be rendered, so that none is good to be looked up."""

    __slots__ = ("folder", "late", "name", "renderer", "report", "root", "template", "unrendered")

    def __init__(
        self,
        source: Source,
        folder: str,
        *,
        forgiving: bool = False,
        renderer: Renderer | None = None,
    ) -> None:
        """Raises nothing for any text: what is wrong is in `report.problems()`."""
        self.name = source.name
        self.folder = folder
        self.renderer = renderer
        self.root, told = compose(source)
        self.late: dict[int, Late] = {}
        self.unrendered = False
        self.template = isinstance(self.root, Mapping) and _is_template(self.root)
        if renderer is not None and self.root is not None and self.template:
            unrendered, late = renderer.render(source, self.root)
            self.unrendered = bool(unrendered)
            told += unrendered
            self.late = {id(one.node): one for one in late}
        self.report = Report(source, told, self.root)
        self.report.forgiving = forgiving
        self.report.could_render = renderer is not None and not self.template

    def late_below(self, node: Node) -> Iterator[Late]:
        """What at and below a node waits for a replica's number, each once."""
        seen: set[int] = set()
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Scalar):
                if id(node) in self.late:
                    yield self.late[id(node)]
                continue
            waiting += node.items
            waiting += getattr(node, "merged", ())

    def refuse_late(self, node: Node, why: str) -> None:
        """Tell of each text at and below `node` that would need a replica's number, and have
        nothing else told there."""
        for late in self.late_below(node):
            mark = mark_of(late.node)
            self.report.at(mark, "`replica` and `replicas` are not known here", why, "", late.path)
            self.report.close(mark)


def put(node: Scalar, text: str) -> None:
    """Let a scalar say what its template gave: as if it stood there without quotes, except that
    nothing at all stays an empty text."""
    node.value = text
    typed = text and plain_kind(text) not in (NULL, TEXT)
    node.implicit = (True, False) if typed else (False, True)


def _is_template(root: Mapping) -> bool:
    for key, value in pairs_of(root):
        if isinstance(key, Scalar) and key.value == "template":
            return isinstance(value, Scalar) and value.implicit[0] and value.value in TRUE
    return False
