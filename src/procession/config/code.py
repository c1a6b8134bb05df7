"""What a program says of its project, as the text of a file: so that one reader, one table of keys
and one set of checks serve both.

Each key of a task is a line of its own, and knows which call of the program said it: a problem is
told at that call's place.
"""

from __future__ import annotations

import os
import re

from procession._record import Record
from procession.config.source import Problem, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = "<code>"  # of the source; no problem that is told has it

_LINE = re.compile(rf"\bin (?:line |{re.escape(NAME)}:)(\d+)")


class Place(Record):
    """A call in a program. Counts from 1."""

    file: str
    line: int
    column: int


class Said(Record):
    """What one call says: keys with their values, as `checked` gives them."""

    place: Place
    values: tuple[tuple[str, str], ...]  # a key as it was written, and its value as YAML

    _hidden = frozenset({"values"})


def said(place: Place, values: Mapping[str, object]) -> Said:
    """Raises TypeError for a value of a type that no file can hold. What is None was not said."""
    return Said(place, tuple((key, flow(v, key)) for key, v in values.items() if v is not None))


class Written:
    """A whole project as `source`, with the places of its lines. `alone`: no file has tasks."""

    def __init__(self, project: Said, tasks: Iterable[Said], *, alone: bool = True) -> None:
        self._places: list[Place] = []
        self._lines: list[str] = []
        self._add(project, "")
        found = list(tasks)
        if found:
            self._line(found[0].place, "tasks:")
        elif alone:
            self._line(project.place, "tasks: []")
        for task in found:
            self._add(task, "- ")
        self.source = Source(NAME, "".join(f"{line}\n" for line in self._lines))

    def _add(self, said: Said, lead: str) -> None:
        for key, value in said.values:
            shown = key if key.isidentifier() else quote(key)
            self._line(said.place, f"{lead}{shown}: {value}")
            lead = " " * len(lead)

    def _line(self, place: Place, text: str) -> None:
        self._places.append(place)
        self._lines.append(text)

    def told(self, problem: Problem) -> Problem:
        """At the call that said what is wrong; a problem of another file is as it was."""
        what = _LINE.sub(lambda found: self._where(int(found[1])), problem.what)
        if problem.file != NAME:
            return problem.replace(what=what)
        place = self._place(problem.line)
        return problem.replace(
            file=place.file,
            line=place.line,
            column=place.column,
            what=what,
            source_line="",  # the program's line is another
            hidden=(),
        )

    def _place(self, line: int) -> Place:
        return self._places[min(line, len(self._places)) - 1]

    def _where(self, line: int) -> str:
        place = self._place(line)
        return f"in {place.file}:{place.line}"


def flow(value: object, path: str) -> str:
    """A value as YAML, on one line. Raises TypeError, with where in the value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, int):
        name = getattr(value, "name", None)  # signal.SIGTERM is a number, and has one
        return quote(name) if isinstance(name, str) else str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, os.PathLike):
        found = os.fspath(value)
        if isinstance(found, str):
            return quote(found)
    elif isinstance(value, list | tuple):
        return f"[{', '.join(flow(one, f'{path}[{i}]') for i, one in enumerate(value))}]"
    elif hasattr(value, "items"):
        inside = (f"{flow(key, path)}: {flow(one, f'{path}.{key}')}" for key, one in value.items())
        return f"{{{', '.join(inside)}}}"
    raise TypeError(
        f"{path}: a value of type {type(value).__name__}; expected text, a number, a boolean, "
        "a path, or lists and mappings of these"
    )


def _number(value: float) -> str:
    if value != value:
        return ".nan"
    text = repr(value)
    return text.replace("inf", ".inf")


def quote(text: str) -> str:
    """Any text as a scalar in double quotes (YAML 1.2, 7.3.1)."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
