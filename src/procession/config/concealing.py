"""Where a file says what nobody is shown, and its problems as they may be shown.

What stands below `environment`, and below the `headers` of a probe, is never shown, whatever its
name: nobody knows what is in it.
Where the text is YAML, the tree says where that is; where it is not, the text is read by its keys,
indentation, brackets and quotes, and too much is hidden rather than too little.

Imported only where there is a problem.
"""

from __future__ import annotations

import re

from procession import keys
from procession.config.scalars import NULLS
from procession.config.suggest import closest
from procession.config.yaml import Mapping, Scalar, Sequence
from procession.secrets import MASK, looks_secret, masked_text, names_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.config.source import Problem, Source
    from procession.config.yaml import Node

    Spans = dict[int, list[tuple[int, int]]]  # by line (from 1): columns from 0

_END = 2**31  # as a column: to the end of the line
_WORDS = frozenset("env envs environ environment environments envvars vars variables".split())
_HEADERS = frozenset({"header", "headers", "http-headers"})
_KNOWN = frozenset(f.key for f in keys.TASK_FIELDS) | frozenset(f.key for f in keys.PROJECT_FIELDS)
# A variable's name as it may be shown; what follows it in a key that is no name may be its value.
_NAME = re.compile(r"[\"']?[A-Za-z_][A-Za-z0-9_.-]{0,100}")
_KEY = re.compile(
    r"(?:^|(?<=[\s{\[,?\"'-]))([A-Za-z_][\w.-]{0,80})[\"']?(?:\s{0,80}([:=])|(?=\s)|$)"
)
_VARIABLE = re.compile(r"(?:- )?[A-Za-z_][A-Za-z0-9_.-]{0,100}(?::(?=\s|$)|=)")
# How a line begins that is a part of the file's structure, and no text that belongs above.
_STRUCTURE = re.compile(r"[^\s:#{\[]{1,200}\s{0,80}:(?:\s|$)|-(?:\s|$)|---|\.\.\.|[#}\]]")
_SIGNS = re.compile(r"\s*:\s+([*&!][^\s,\]}]*(?:\s+[*&!][^\s,\]}]*)*)")
_COMMENT = re.compile(r"\s#")
_ALIAS = re.compile(r"(?<![^\s,\[{:])\*([^\s,\[\]{}]{1,200})")


def is_environment(name: str) -> bool:
    """Does a key mean variables: `environment`, another tool's word for it, or a misspelling; or
    headers, which are as secret?"""
    lower = name.lower().replace("_", "-")
    if lower in _HEADERS:
        return True
    near = lower[:1] == "e" and 8 <= len(lower) <= 14
    if not near and not any(part in lower for part in ("env", "viron", "var")):
        return False  # a file may have 100,000 keys, and comparing takes time
    if "file" in lower or "dotenv" in lower:
        return False
    return not _WORDS.isdisjoint(re.split(r"[^a-z]+", lower)) or bool(
        closest(lower, ("environment",))
    )


def name_shown(name: str) -> str:
    """A variable's name as a message may have it: of `A hunter2`, which lacks its colon, `A`."""
    found = _NAME.match(name)
    if found is None or found.end() == len(name.rstrip()):
        return name if len(name) < 2 or found else MASK
    return found[0] + MASK


def conceal(source: Source, problems: Iterable[Problem], root: Node | None = None) -> list[Problem]:
    """The problems of `source` (those of other files pass) with what is hidden of their lines, and
    their words without what stands there. `root` is the text's tree, None where it has none."""
    spans = hidden_in_text(source) if root is None else _Tree(source, root).spans
    return [
        censored(p.replace(hidden=tuple(spans.get(p.line, ())))) if p.file == source.name else p
        for p in problems
    ]


def censored(problem: Problem) -> Problem:
    """The problem's words, without the user's own where its place is hidden."""
    place = problem.column - 1
    what, meant = problem.what, problem.suggestion
    if any(start <= place < end for start, end in problem.hidden):
        meant = ""
        what = re.sub(r"'.*'", f"'{MASK}'", what, flags=re.DOTALL)
        what = re.sub(r"`([^`]*)`", lambda m: _harmless(m, problem.expected), what)
    elif masked_text(meant) != meant:
        meant = ""
    return problem.replace(what=what, suggestion=meant, path=masked_text(problem.path))


def _harmless(match: re.Match[str], expected: str) -> str:
    """A quotation as it is: signs that our own words mention, nothing, or what is shown anyway."""
    word = match[1]
    sign = len(word) <= 2 and not any(c.isalnum() for c in word)
    return match[0] if sign or word in NULLS or word in expected else f"`{MASK}`"


class _Tree:
    """The places of variables and secrets in a tree."""

    def __init__(self, source: Source, root: Node) -> None:
        self.spans: Spans = {}
        self._source = source
        self._meanings: dict[str, tuple[bool, bool]] = {}
        self._seen = seen = set[tuple[int, bool]]()
        waiting: list[tuple[Node, int]] = [(root, 0)]
        while waiting:
            node, depth = waiting.pop()
            place = (id(node), depth == 1)
            if place in seen:
                continue
            seen.add(place)
            if isinstance(node, Mapping):
                waiting += [(below, depth + 1) for below in self._mapping(node, depth)]
            elif isinstance(node, Sequence):
                waiting += [(below, depth + 1) for below in self._sequence(node)]
            elif names_variables(node.value):  # as text: somebody put quotes around too much
                self._hide(node)
        for number, known in self.spans.items():
            # an alias has no place in the tree; its name may have been meant as a value
            aliases = (m.span() for m in _ALIAS.finditer(source.line(number)))
            parts = self.spans[number] = sorted((*known, *aliases))
            # a comment beside a value may be what it was before
            if comment := _COMMENT.search(source.line(number), parts[-1][1]):
                parts.append((comment.end(), _END))

    def _meaning(self, name: str) -> tuple[bool, bool]:
        """Of a key, which a file has many times: does it mean variables; does it look secret?"""
        known = self._meanings.get(name)
        if known is None:
            known = self._meanings[name] = is_environment(name), looks_secret(name)
        return known

    def _mapping(self, node: Mapping, depth: int) -> list[Node]:
        """Hide what is to be hidden; what is to be looked into."""
        open_nodes: list[Node] = []
        misplaced = False  # `environment:` with nothing below: what follows may have been meant
        pairs = node.items + node.merged
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, Scalar):
                open_nodes += (key, value)
                continue
            name = key.value
            task = depth == 1 and isinstance(value, Mapping)  # a task may have any name
            environment, secret = self._meaning(name)
            if environment and not task:
                misplaced = isinstance(value, Scalar) and not value.value
                self._variables(value)
            elif (misplaced and name.replace("_", "-") not in _KNOWN) or (
                secret and not isinstance(value, Mapping)
            ):
                self._hide(value)
            else:
                open_nodes.append(value)
        return open_nodes

    def _sequence(self, node: Sequence) -> list[Node]:
        open_nodes: list[Node] = []
        after_option = False
        for item in node.items:
            word = item.value if isinstance(item, Scalar) else ""
            option = word.startswith("-")
            if after_option and not option:
                self._hide(item)
            else:
                open_nodes.append(item)
            after_option = option and "=" not in word and looks_secret(word)
        return open_nodes

    def _variables(self, node: Node) -> None:
        """Hide the values of variables, not their names."""
        if isinstance(node, Mapping):
            pairs = node.items + node.merged
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                if isinstance(key, Scalar) and has_value(self._source, key):
                    self._scalar(key, _NAME)
                else:
                    self._hide(key)
                self._signs(key)
                self._hide(value)
        elif isinstance(node, Sequence):
            for item in node.items:
                if isinstance(item, Mapping):
                    self._variables(item)
                elif isinstance(item, Scalar) and "=" in item.value:
                    self._scalar(item, re.compile(_NAME.pattern + r"\s*="))
                else:
                    self._hide(item)
        elif isinstance(node, Scalar) and node.value:  # not an alias whose anchor is missing
            self._hide(node)

    def _hide(self, node: Node) -> None:
        """Hide every scalar at and below `node`."""
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, Scalar):
                self._scalar(node)
                continue
            if (-id(node), True) in self._seen:
                continue
            self._seen.add((-id(node), True))
            self._tag(node)
            waiting += node.items
            waiting += getattr(node, "merged", ())

    def _signs(self, key: Node) -> None:
        """Hide what begins a value and is none in YAML, but may have been meant as one: `*word`."""
        mark = key.end_mark if isinstance(key, Scalar) else None
        if mark is not None:
            found = _SIGNS.match(self._source.line(mark.line + 1), mark.column)
            if found is not None:
                self._add(mark.line + 1, *found.span(1))

    def _tag(self, node: Node) -> None:
        mark = node.start_mark
        if isinstance(node, Sequence) and mark is not None:
            line = self._source.line(mark.line + 1)
            found = re.compile(r"(?:&\S+\s+)?!\S+").match(line, mark.column)
            if found is not None:
                self._add(mark.line + 1, mark.column, found.end())

    def _scalar(self, node: Scalar, shown: re.Pattern[str] | None = None) -> None:
        """Hide a scalar, but for what of it `shown` matches."""
        first, last = node.start_mark, node.end_mark
        if first is None or last is None:
            return
        start = first.column
        found = shown.match(self._source.line(first.line + 1), start) if shown else None
        if found is not None:
            start = found.end()
        for number in range(first.line, last.line + 1):
            end = last.column if number == last.line else _END
            self._add(number + 1, start if number == first.line else 0, end)

    def _add(self, number: int, start: int, end: int) -> None:
        line = self._source.line(number)
        part = line[start:end]
        if part.strip("\"' \t"):
            span = (start, end)
            if span not in self.spans.setdefault(number, []):
                self.spans[number].append(span)


def has_value(source: Source, key: Scalar) -> bool:
    """Does a colon follow the key? In `{word}` none does, and the word may be a value."""
    mark, end = key.start_mark, key.end_mark
    if mark is None or end is None:
        return False
    before = source.line(mark.line + 1)[: mark.column].rstrip()
    return before.endswith("?") or source.line(end.line + 1)[end.column :].lstrip().startswith(":")


def hidden_in_text(source: Source) -> Spans:
    """What is hidden of a text that is no YAML, or of a template: after a key that means variables,
    the rest of its line, all that is indented below, and what an open bracket or quote holds."""
    lines = source.text.splitlines()
    anchors: set[str] = set()
    while True:
        text = _Text(anchors)
        for number, line in enumerate(lines, 1):
            if line:
                text.line(number, line)
        if text.aliases <= anchors:
            return text.spans
        anchors |= text.aliases


class _Text:
    """Reads lines, and keeps what of them is hidden."""

    def __init__(self, anchors: set[str]) -> None:
        self.spans: Spans = {}
        self.aliases: set[str] = set()
        self._anchors = [f"&{name}" for name in anchors]
        self._indent = -1  # of the key whose value is hidden; -1: none is
        self._child = -1  # the indent of what is below it
        self._empty = False  # that key's own line has nothing after it
        self._soft = False  # it is a secret's, and may be a task's name
        self._depth = 0  # of brackets
        self._quote = ""

    def line(self, number: int, line: str) -> None:
        if self._indent >= 0 and self._belongs(line):
            start = self._name(line)
        else:
            self._indent = self._child = -1
            self._depth, self._quote = 0, ""
            start = self._key(line)
            if start < 0:
                return
        self._scan(line[start:])
        self.aliases.update(_ALIAS.findall(line, start))
        rest = line[start:].lstrip()
        if rest:
            self.spans[number] = [(len(line) - len(rest), _END)]

    def _name(self, line: str) -> int:
        """Where a variable's value begins in a line of its own, 0 if that is not clear."""
        word = line.lstrip()
        if self._depth > 0 or self._quote or self._soft or not self._empty or not word:
            return 0
        indent = len(line) - len(word)
        if self._child < 0:
            self._child = indent
        found = _VARIABLE.match(line, indent) if indent == self._child else None
        return found.end() if found else 0

    def _belongs(self, line: str) -> bool:
        """Is the line a part of the hidden value that began above?"""
        word = line.lstrip()
        if self._depth > 0 or self._quote or not word:
            return True
        indent = len(line) - len(word)
        if self._soft:
            return indent > self._indent and ":" not in word
        if indent > self._indent or (indent == self._indent and word.startswith("-")):
            return True
        if not _STRUCTURE.match(word):
            return True  # a value that lost its indentation
        if not self._empty or indent < self._indent:
            return False
        key = re.split(r"[:\s]", word, maxsplit=1)[0].strip("\"'").replace("_", "-")
        return key not in _KNOWN

    def _key(self, line: str) -> int:
        """Where the hidden part of a line begins that stands in no value of a line above; or -1."""
        places = [(line.find(a), len(a)) for a in self._anchors if a in line]
        anchor, length = min(places, default=(_END, 0))
        for match in _KEY.finditer(line):
            # without a sign after it: a colon forgotten, or just a word somewhere
            named = match[2] or match[1].lower().startswith("environ")
            variables = bool(named) and is_environment(match[1])
            if match.start() > anchor:
                break
            if variables or (match[2] and looks_secret(match[1])):
                self._empty = not line[match.end() :].strip()
                self._soft = self._empty and not variables
                self._indent = match.start(1)
                return match.end()
        if not length:
            return -1
        self._soft = self._empty = False
        self._indent = len(line) - len(line.lstrip())
        return anchor + length

    def _scan(self, text: str) -> None:
        """Count brackets outside quotes. A quote opens where a value may begin."""
        before = " "
        skip = False
        for c in text:
            if skip:
                skip = False
            elif self._quote:
                skip = c == "\\" and self._quote == '"'
                if c == self._quote:
                    self._quote = ""
            elif c in "\"'" and (before in " \t:,[{-=" or before == c):
                self._quote = c
            elif c in "[{":
                self._depth += 1
            elif c in "]}":
                self._depth = max(0, self._depth - 1)
            before = c
