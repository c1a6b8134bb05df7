"""What a YAML parser's error means to somebody who writes a configuration.

The parsers (libyaml, and PyYAML's own, each with its own words) speak of tokens and contexts, and
point to where they noticed. Here the common mistakes are told as mistakes, at the place to mend.
"""

from __future__ import annotations

from procession.config.source import MAX_DEPTH, Mark
from procession.errors import one_line, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from procession.config.source import Problem, Source

    class Place(Protocol):
        """A parser's mark; counts from 0."""

        @property
        def line(self) -> int: ...
        @property
        def column(self) -> int: ...


def reworded(source: Source, error: Exception) -> Problem:
    """The problem behind a `yaml.YAMLError`."""
    problem = str(getattr(error, "problem", None) or "")
    noticed: Place | None = getattr(error, "problem_mark", None)
    if noticed is None:
        return _unreadable(source, error)
    context = str(getattr(error, "context", None) or "")
    began: Place | None = getattr(error, "context_mark", None)
    here = _mark(noticed)
    start = here if began is None else _mark(began)
    line = source.line(here.line)
    found = line[here.column - 1 : here.column]
    for rule in (_scanning, _quoting, _structure):
        told = rule(problem, context, here, start, found, line[: here.column - 1])
        if told is not None:
            return source.problem(*told)
    return source.problem(here, one_line(f"{context}: {problem}" if context else problem))


def _mark(place: Place) -> Mark:
    return Mark(place.line + 1, place.column + 1)


def _unreadable(source: Source, error: Exception) -> Problem:
    """A character that YAML does not allow. libyaml tells its place in bytes."""
    place = int(getattr(error, "position", 0))
    if getattr(error, "encoding", "") != "unicode":
        place = len(source.text.encode()[:place].decode("utf-8", "ignore"))
    code = ord(source.text[place : place + 1] or "?")
    return source.problem(
        source.mark(place),
        f"the character U+{code:04X} is not allowed in YAML",
        f'text without it, or an escape in double quotes: "\\x{code:02x}"'
        if code < 256
        else "text without it",
    )


def _scanning(
    problem: str, context: str, here: Mark, start: Mark, found: str, before: str
) -> tuple[Mark, str, str] | None:
    """Characters where they may not be, and more brackets than any project has."""
    if "nesting depth" in problem:  # libyaml since 0.2.6, which looks ahead of what we are given
        return here, f"nested more than {MAX_DEPTH} levels deep", ""
    if found == "\t" and ("start any token" in problem or "tab" in problem):
        return here, "a tab in the indentation", "blanks: YAML allows no tabs there"
    if "node content" in problem and not found:
        return here, "the file ends inside a list or mapping", "`]` or `}`"
    if "start any token" in problem or "node content" in problem:
        return here, f"a value cannot begin with {quoted(found)}", "quotes around such text"
    if "mapping values" in problem:
        return (
            here,
            "a `:` where no key can be",
            "quotes around text with `: ` in it, or a key indented like the keys beside it",
        )
    if "alias" in context or "anchor" in context:
        sign = "*" if "alias" in context else "&"
        return start, f"`{sign}` without a name", f"quotes around text that begins with `{sign}`"
    if "tag" in context.split() or "tag" in problem.split():
        return start, "a tag that cannot be read", "quotes around text that begins with `!`"
    if "entries are not allowed" in problem:
        return here, "a list that begins on its key's line", "`- ` on the lines below the key"
    if "directive" in context or "directive" in problem or "incompatible YAML" in problem:
        return start, "no directive that is known", "quotes around text that begins with `%`"
    return None


def _quoting(
    problem: str, context: str, here: Mark, start: Mark, found: str, before: str
) -> tuple[Mark, str, str] | None:
    """Quoted text, block text, and keys that are not ended."""
    if "quoted scalar" in context:
        if "escape" in problem or "hexad" in problem or "hexd" in problem:
            return (
                here,
                "a backslash in double quotes begins an escape, and this one is unknown",
                "single quotes, or the backslash doubled",
            )
        return start, "the quote that opens here is not closed", "a closing quote"
    if "block scalar" in context and "tab" not in problem:
        return here, "text on the line of a `|` or `>`", "the text on the lines below, indented"
    if "simple key" in context:
        return start, "neither a key nor a part of the value before", "`key: value`"
    return None


def _structure(
    problem: str, context: str, here: Mark, start: Mark, found: str, before: str
) -> tuple[Mark, str, str] | None:
    """Lists and mappings that do not hold together."""
    if "flow" in context:
        kind, sign = ("mapping", "}") if "mapping" in context else ("list", "]")
        if here.line == start.line:
            return here, f"unexpected {quoted(found or 'end')} in a {kind}", f"`,` or `{sign}`"
        opening = "{" if sign == "}" else "["
        return start, f"the `{opening}` is not closed", f"`{sign}` at the end of the {kind}"
    if "block" in context and before.strip():
        what = f"unexpected {quoted(found)} after a value"
        if "{{" in before:
            return here, what, "quotes around text that begins with `{{`"
        return here, what, "the end of the line, or quotes around the whole value"
    if "block mapping" in context:
        return (
            here,
            f"this does not belong to the mapping that begins in line {start.line}",
            "a key indented like the first one there",
        )
    if "block collection" in context or "block sequence" in context:
        return (
            here,
            f"this does not belong to the list that begins in line {start.line}",
            "`- ` indented like the first one there",
        )
    if "document start" in problem:
        return here, "this follows the end of the document", "nothing more"
    return None
