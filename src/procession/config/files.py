"""The files of a project, read from disk: those that are named, and what they include.

With `config.load` the only module of this room that touches the file system.
"""

from __future__ import annotations

import os
import sys

from procession.config.nodes import find as find_key
from procession.config.part import Part
from procession.config.source import MAX_BYTES, Problem, Source, decode_bytes
from procession.config.strings import full
from procession.config.texts import is_null, items
from procession.errors import UsageError, one_line, quoted, worded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.config.code import Written
    from procession.config.part import Late
    from procession.config.yaml import Node

__tracebackhide__ = worded
DEFAULT_NAMES = ("procession.yaml", "procession.yml", "drekar-launch.yaml")
TEMPLATE = ".j2"  # how the name of a file ends that is rendered before it is read
STDIN = "-"
MAX_FILES = 100  # of a project: more are data that went astray
_START = "Name one with -f FILE; `procession init` writes one to begin with"


def find(folder: str) -> str:
    """The path of the configuration file in `folder`: the first of `DEFAULT_NAMES`.

    Raises UsageError if there is none.
    """
    for name in DEFAULT_NAMES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    looked_for = ", ".join(DEFAULT_NAMES[:-1]) + " or " + DEFAULT_NAMES[-1]
    raise UsageError(one_line(folder), "no configuration file here", looked_for, _START)


class Files:
    """The files of one project as `parts`, each after all that it is laid over.

    `unread` has the problems of those that are no text at all; `whole` says that nothing is
    missing. `rendered`: one of them is a template. `shown` and `folder` are the name and the folder
    of the file that was named first.
    """

    def __init__(
        self,
        cwd: str,
        environ: dict[str, str],
        variables: dict[str, str],
        *,
        base: str | None = None,
        forgiving: bool = False,
    ) -> None:
        """`base`: what all relative paths are meant from; None: each file's own folder."""
        self._cwd = cwd
        self._base = base
        self._environ = environ
        self._variables = variables
        self._forgiving = forgiving
        self._reading: dict[str, str] = {}  # the files around the one being read: path, name
        self._done: set[str] = set()
        self.parts: list[Part] = []
        self.names: list[str] = []  # theirs, as people know them
        self.unread: list[Problem] = []
        self.whole = True
        self.rendered = False
        self.shown = ""
        self.folder = ""

    def read(self, path: str | None, *, template: bool = False) -> None:
        """A file that was named, and what it includes; None: the one that is found. `template`: it
        is one whatever its name. A second time nothing happens. Raises UsageError if it cannot be
        read."""
        if path == STDIN:
            place, shown, folder = STDIN, "<stdin>", self._cwd
        else:
            place = find(self._cwd) if path is None else os.path.join(self._cwd, path)
            shown = os.path.basename(place) if path is None else path
            folder = ""
        identity = STDIN if path == STDIN else _identity(place)
        if identity in self._done:
            return
        data = _standard_input() if path == STDIN else _bytes(place, shown)
        folder = folder or plain(os.path.dirname(place))
        if not self.shown:
            self.shown = shown
            self.folder = folder if self._base is None else self._base
        self._add(identity, shown, data, folder, template=template)

    def say(self, written: Written) -> None:
        """What a program says, after all files that are named."""
        folder = self._cwd if self._base is None else self._base
        if not self.shown:
            self.shown, self.folder = written.source.name, folder
        part = Part(written.source, folder, forgiving=self._forgiving)
        self.whole &= part.root is not None
        self.parts.append(part)

    def _add(
        self, identity: str, shown: str, data: bytes, folder: str, *, template: bool = False
    ) -> None:
        self._done.add(identity)
        self._reading[identity] = shown
        path = os.path.join(folder, os.path.basename(shown))
        renderer = _Renderer(path, self._environ, self._variables)
        source = decode_bytes(shown, data)
        if not isinstance(source, Problem) and (template or shown.endswith(TEMPLATE)):
            self.rendered = True
            source = renderer.file(source)
        if isinstance(source, Problem):
            self.unread.append(source)
            self.whole = False
        else:
            where = folder if self._base is None else self._base
            part = Part(source, where, forgiving=self._forgiving, renderer=renderer)
            self.rendered |= part.template
            self.whole &= part.root is not None
            self._include(part, shown, folder)
            self.parts.append(part)
            self.names.append(shown)
        del self._reading[identity]

    def _include(self, part: Part, shown: str, folder: str) -> None:
        """Read what the file includes, and so put it before the file."""
        node = find_key(part.root, "include")
        if node is None or is_null(node):
            return
        part.refuse_late(node, "a path that is the same for all")
        report = part.report
        for item, tail in items(node):
            report.prefix, report.key = "", "include"
            written = full(report, item, "a path", tail)
            if written is None:
                self.whole = False
                continue
            called = os.path.join(os.path.dirname(shown), written.removeprefix("./"))
            self._include_one(part, item, tail, os.path.join(folder, written), called)

    def _include_one(self, part: Part, node: Node, tail: str, path: str, called: str) -> None:
        identity = _identity(path)
        wrong = meant = ""
        if identity in self._reading:
            around = list(self._reading)
            circle = [*around[around.index(identity) :], identity]
            shown = " → ".join(one_line(self._reading[one]) for one in circle)
            wrong = f"files that include each other: {shown}"
        elif identity in self._done:
            return
        elif len(self._done) >= MAX_FILES:
            wrong = f"more than {MAX_FILES} files by now"
        else:
            try:
                with open(path, "rb") as file:
                    data = file.read(MAX_BYTES + 1)
            except FileNotFoundError:
                wrong, meant = f"{quoted(called)} does not exist", _similar(path, self._reading)
            except IsADirectoryError:
                wrong = f"{quoted(called)} is a folder"
            except (OSError, ValueError) as error:
                wrong = f"{quoted(called)} cannot be read: {_reason(error)}"
            else:
                self._add(identity, called, data, plain(os.path.dirname(path)))
                return
        self.whole = False
        part.report.key = "include"
        part.report.bad(node, wrong, "a file to include", meant, tail=tail)


class _Renderer:
    """Templates, loaded for the files that are any."""

    def __init__(self, path: str, environ: dict[str, str], variables: dict[str, str]) -> None:
        self._values = path, environ, variables

    def file(self, source: Source) -> Source | Problem:
        from procession.config.rendering import Templates

        return Templates(*self._values).file(source)

    def render(self, source: Source, root: Node) -> tuple[list[Problem], list[Late]]:
        from procession.config.rendering import Templates

        return Templates(*self._values).render(source, root)

    def each(
        self, source: Source, wanted: Iterable[tuple[Late, int, int]]
    ) -> dict[tuple[int, int, int], str | Problem]:
        from procession.config.rendering import Templates

        return Templates(*self._values).each(source, wanted)


def _identity(path: str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:  # a NUL in it; the reading says so
        return path


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError("-f -", "standard input is closed", "a configuration on it")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _bytes(path: str, shown: str) -> bytes:
    """The first `MAX_BYTES` of a file that was named, and one more. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(one_line(shown), "there is no such file", "", _near(path)) from None
    except IsADirectoryError:
        inside = [n for n in DEFAULT_NAMES if os.path.isfile(os.path.join(path, n))]
        hint = f"It holds one: -f {os.path.join(shown, inside[0])}" if inside else ""
        raise UsageError(one_line(shown), "is a folder", "a file", hint) from None
    except (OSError, ValueError) as error:
        raise UsageError(one_line(shown), f"cannot be read: {_reason(error)}", "a file") from None


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def plain(folder: str) -> str:
    """The folder without `.` and `..`. Symbolic links stay, unless a `..` follows one."""
    return (
        os.path.realpath(folder) if os.pardir in folder.split(os.sep) else os.path.abspath(folder)
    )


def _near(full_path: str) -> str:
    """What may have been meant by the path of a file that is not there."""
    folder = os.path.dirname(full_path)
    if not os.path.isdir(folder):
        return f"The folder {one_line(folder)} is not there or may not be read"
    near = _similar(full_path)
    return f"Did you mean {one_line(os.path.join(folder, near))}?" if near else ""


def _similar(full_path: str, around: Iterable[str] = ()) -> str:
    """The name of a file beside one that is not there, and none of those `around` it.

    How names end is compared last: `.yaml` alone makes no two of them similar.
    """
    folder, name = os.path.split(full_path)
    try:
        names = os.listdir(folder)
    except OSError:
        return ""
    from difflib import get_close_matches

    alike: dict[str, list[str]] = {}
    for other in names:
        if os.path.join(os.path.realpath(folder), other) not in around:
            alike.setdefault(_stem(other), []).append(other)
    for stem in get_close_matches(_stem(name), alike, 1):
        return get_close_matches(name, alike[stem], 1, 0.0)[0]
    return ""


def _stem(name: str) -> str:
    return os.path.splitext(name.removesuffix(TEMPLATE))[0]
