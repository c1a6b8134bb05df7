"""Where the problems of one file are gathered, each with its path and its place."""

from __future__ import annotations

from procession.config.scalars import BOOLEAN, NULL, TEXT
from procession.config.source import MAX_PROBLEMS, Mark, Problem
from procession.config.yaml import Mapping, Scalar, kind_of, mark_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.source import Source
    from procession.config.yaml import Node


_PATH_SHOWN = 240  # characters: a path is made of the user's own words, of any length


def described(node: Node) -> str:
    """What a node is, as the subject of a problem: "the number `5`", "a list"."""
    if not isinstance(node, Scalar):
        return "a mapping" if isinstance(node, Mapping) else "a list"
    kind = kind_of(node)
    if kind == TEXT:
        return f"the text {quoted(node.value)}" if node.value else "an empty text"
    if kind == NULL:
        return f"{quoted(node.value)}, which means no value" if node.value else "no value"
    return f"the {'boolean' if kind == BOOLEAN else 'number'} {quoted(node.value)}"


def _has_braces(text: str) -> bool:
    """Near its begin: a long text that many tasks share is met for each of them."""
    return text.find("{{", 0, _PATH_SHOWN) >= 0


class TooManyProblemsError(Exception):
    """`MAX_PROBLEMS` are told: going on would take time, and nobody reads the rest."""


class Report:
    """The problems found so far, and where the reader is: `prefix`, `key` and `key_node`."""

    def __init__(self, source: Source, told: list[Problem], root: Node | None = None) -> None:
        self.source = source
        self.root = root  # None: the text could not be read as YAML
        self.prefix = ""  # of the mapping being read, such as `tasks.web`
        self.key = ""  # the key being read, as the table calls it
        self.key_node: Node | None = None
        # NUL and half a surrogate pair cannot stand in the text itself: without one of these
        # escapes no value has one, and none needs to be searched
        low = source.text.lower() if "\\" in source.text else ""
        self.odd_escapes = any(e in low for e in ("\\0", "\\x00", "\\u0000", "\\ud", "\\u0000d"))
        self._placed = [(p.line, p.column, p) for p in told]
        self.shell_words: dict[str, tuple[str, ...]] = {}  # what shlex made of which text
        self.arguments = 0  # in all tasks
        self.forgiving = False  # see `spec.Defaults`
        self.notes: list[Problem] = []  # what was forgiven
        # what YAML itself found wrong there is not told again in other words
        self._closed = {(p.line, p.column) for p in told}
        self._seen: set[tuple[str, int, int, str]] = set()
        self.could_render = False  # it would be a template, if it said so
        self.full = False  # `MAX_PROBLEMS` are told: more is not looked for

    def path(self, tail: str = "") -> str:
        """Where the reader is, in words: `tasks.web.args[2]`."""
        dot = "." if self.prefix and self.key else ""
        return f"{self.prefix}{dot}{self.key}{tail}"

    def bad(
        self,
        node: Node,
        what: str,
        expected: str = "",
        suggestion: str = "",
        *,
        tail: str = "",
        key: Node | None = None,
    ) -> None:
        """`node`, met where the reader is and `tail` below, is a problem. The same is told once.

        (A mapping that many tasks merge is read for each of them.) A value that is not there at
        all is told at its key, `key` or the reader's: its own place is just a colon's end.
        """
        mark = mark_of(node)
        if (mark.line, mark.column) in self._closed:
            return
        if isinstance(node, Mapping) and self.source.text_at(mark).startswith("{{"):
            expected, suggestion = "quotes around text that begins with `{{`", ""
        elif self.could_render and isinstance(node, Scalar) and _has_braces(node.value):
            rendered = "`template: true` at the top, which renders it"
            expected, suggestion = f"{expected}, or {rendered}" if expected else rendered, ""
        key = key or (None if tail else self.key_node)
        if key is not None and isinstance(node, Scalar) and not node.value and node.implicit[0]:
            mark = mark_of(key)
        self.at(mark, what, expected, suggestion, self.path(tail))

    def forgives(self, node: Node, what: str, suggestion: str = "") -> bool:
        """May `node` mean what `what` says instead of being a problem? Then that is noted, once."""
        if not self.forgiving:
            return False
        mark = mark_of(node)
        once = ("note", mark.line, mark.column, what)
        if once not in self._seen and len(self.notes) < MAX_PROBLEMS:
            self._seen.add(once)
            self.notes.append(self.source.problem(mark, what, "", suggestion, self.path()))
        return True

    def close(self, mark: Mark) -> None:
        """What a reader says of this place from now on is not told: it is known to be wrong."""
        self._closed.add((mark.line, mark.column))

    def at(self, mark: Mark, what: str, expected: str, suggestion: str, path: str) -> None:
        """A problem at a place of the source. The same is told once, a long path shortened.

        Raises TooManyProblemsError, as `bad` and `add` do.
        """
        once = (self.source.name, mark.line, mark.column, what)
        if self._is_news(once):
            if len(path) > _PATH_SHOWN:
                path = path[:_PATH_SHOWN] + "..."
            problem = self.source.problem(mark, what, expected, suggestion, path)
            self._placed.append((mark.line, mark.column, problem))

    def add(self, mark: Mark, problem: Problem) -> None:
        """A problem of another file, which belongs to this place of the source. Told once."""
        if self._is_news((problem.file, problem.line, problem.column, problem.what)):
            self._placed.append((mark.line, mark.column, problem))

    def _is_news(self, once: tuple[str, int, int, str]) -> bool:
        if once in self._seen:
            return False
        self._seen.add(once)
        if len(self._placed) >= MAX_PROBLEMS:
            self.full = True
            raise TooManyProblemsError
        return True

    def problems(self) -> list[Problem]:
        """All problems in the order of their places, fit to be shown."""
        found = [p for _, _, p in sorted(self._placed, key=lambda placed: placed[:2])]
        if self.full:
            last = found[-1]
            what = "and more problems: there are too many to go on"
            found.append(Problem(self.source.name, last.line, last.column, "", what))
        return self.concealed(found)

    def concealed(self, problems: list[Problem]) -> list[Problem]:
        """`problems` or `notes` as they may be shown: see `config.concealing`."""
        if not problems:
            return []
        from procession.config.concealing import conceal  # `re`, which no good file pays for

        return conceal(self.source, problems, self.root)
