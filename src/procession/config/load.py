"""A file on disk to a project ready to launch, or to the full list of its problems.

The only module of this room that touches the file system.
"""

from __future__ import annotations

import gc
import os
import sys

from procession import spec
from procession._record import Record
from procession.config.decode import decode
from procession.config.names import fit_name, is_name
from procession.config.report import TooManyProblemsError
from procession.config.source import MAX_BYTES, Problem, decode_bytes
from procession.errors import ConfigError, UsageError, one_line, quoted
from procession.lookup import Launch, Lookup, LookupProblem, Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from procession.config.decode import Decoded
    from procession.config.entry import Entry
    from procession.config.report import Report
    from procession.config.source import Source
    from procession.config.yaml import Mapping as YamlMapping

    Values = tuple[str, dict[str, str], dict[str, str]]  # for `config.rendering`

DEFAULT_NAMES = ("procession.yaml", "procession.yml", "drekar-launch.yaml")
TEMPLATE = ".j2"  # how the name of a file ends that is rendered before it is read
STDIN = "-"
_START = "Name one with -f FILE; `procession init` writes one to begin with"


class Loaded(Record):
    """A file that has no problem."""

    project: spec.Project
    launches: dict[str, Launch | None]  # by task; None: to be looked up again at its start
    file: str  # as the user knows it: as given, or as found in the folder
    notes: tuple[str, ...] = ()  # what was forgiven (`spec.Defaults.forgiving`), in words


class Examined(Record):
    """A file with all that is known of it, whether it has problems or not."""

    file: str  # as in `Loaded`
    problems: tuple[Problem, ...]  # in the order of the file
    decoded: Decoded | None  # None: the bytes were no text
    launches: dict[str, Launch | None]  # as in `Loaded`; None also for what cannot be launched
    lookup: Lookup  # with what it read of this host
    notes: tuple[str, ...] = ()  # as in `Loaded`


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


def load(
    path: str | None,
    *,
    cwd: str,
    name: str | None = None,
    base: str | None = None,
    environ: Mapping[str, str],
    template: bool = False,
    variables: Mapping[str, str] | None = None,
    defaults: spec.Defaults | None = None,
) -> Loaded:
    """Read a file and look up all that its tasks need.

    `path` is meant from `cwd` (absolute); None: `find(cwd)`; `-`: standard input. Relative paths
    in the file are meant from `base`, else from the file's folder (`cwd` for standard input).
    The project's name is `name`, else the file's `name`, else made of the folder's.
    A file whose name ends in `.j2`, and any with `template`, is rendered first; `variables` are
    what it knows as `vars`. `defaults`: what holds where the file says nothing.
    Raises UsageError if there is no such file or it cannot be read, if `base` is no folder or
    `name` no name, or if `variables` are given to what is no template; ConfigError, with every
    problem in the order of the file, if it is broken.
    """
    seen = examine(
        path,
        cwd=cwd,
        name=name,
        base=base,
        environ=environ,
        template=template,
        variables=variables,
        defaults=defaults,
    )
    if seen.problems or seen.decoded is None:
        raise ConfigError(seen.file, seen.problems)
    return Loaded(seen.decoded.project, seen.launches, seen.file, seen.notes)


def examine(
    path: str | None,
    *,
    cwd: str,
    name: str | None = None,
    base: str | None = None,
    environ: Mapping[str, str],
    template: bool = False,
    variables: Mapping[str, str] | None = None,
    defaults: spec.Defaults | None = None,
) -> Examined:
    """What `load` does, for who wants to explain the file: problems are returned, not raised.

    Raises UsageError as `load` does. `decoded.report.source.text` is the text that was read: of a
    template what it gave; where the template itself is wrong there is no `decoded`.
    """
    _check_name(name)
    shown, data, folder = _read(path, cwd)
    values = (os.path.join(folder, os.path.basename(shown)), dict(environ), dict(variables or {}))
    if base is not None:
        folder = _plain(os.path.join(cwd, base))
        if not os.path.isdir(folder):
            raise UsageError("--cwd", f"{one_line(folder)} is not a folder", "one that exists")
    lookup = Lookup(environ)
    source = decode_bytes(shown, data)
    template = template or shown.endswith(TEMPLATE)
    if template and not isinstance(source, Problem):
        source = _rendered(source, values)
    if isinstance(source, Problem):
        return Examined(shown, (source,), None, {}, lookup)
    # What is built here lives on or is freed by its counts; the collector, which counts what is
    # built, would go through all of it again and again: half of the time at 1,000 tasks.
    collecting = gc.isenabled()
    gc.disable()
    try:
        decoded = decode(
            source,
            folder,
            name=name,
            defaults=defaults,
            render=lambda root: _render_below(source, root, values),
        )
        launches = {} if decoded.unrendered else _look_up(decoded, lookup)
    except TooManyProblemsError:
        launches = {}  # the report says so, and is not empty
    finally:
        if collecting:
            gc.enable()
    problems = tuple(decoded.report.problems())
    notes = [str(note) for note in decoded.report.concealed(decoded.report.notes)]
    if variables and not problems and not (template or decoded.template):
        what = f"{one_line(shown)} is no template: {_listed(variables)} would mean nothing in it"
        if not decoded.report.forgiving:
            raise UsageError("--var", what, "a file in .j2, --config-j2, or `template: true` in it")
        notes.append(f"--var: {what}, passed over")
    return Examined(shown, problems, decoded, launches, lookup, tuple(notes))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _check_name(name: str | None) -> None:
    if name is None or is_name(name):
        return
    meant = fit_name(name)
    hint = f"{meant!r} would do" if meant else ""
    rule = "letters, digits, `.`, `_` and `-`, a letter or digit first"
    raise UsageError("--name", f"{name!r} cannot be a project's name", rule, hint)


def _rendered(source: Source, values: Values) -> Source | Problem:
    from procession.config.rendering import render_file

    return render_file(source, *values)


def _render_below(source: Source, root: YamlMapping, values: Values) -> list[Problem]:
    from procession.config.rendering import render_scalars

    return render_scalars(source, root, *values)


def _read(path: str | None, cwd: str) -> tuple[str, bytes, str]:
    """A file's name for people, its first `MAX_BYTES` (and one more), its folder."""
    if path == STDIN:
        if sys.stdin is None or sys.stdin.closed:
            raise UsageError("-f -", "standard input is closed", "a configuration on it")
        return "<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1), cwd
    full = find(cwd) if path is None else os.path.join(cwd, path)
    shown = os.path.basename(full) if path is None else path
    try:
        with open(full, "rb") as file:
            return shown, file.read(MAX_BYTES + 1), _plain(os.path.dirname(full))
    except FileNotFoundError:
        raise UsageError(one_line(shown), "there is no such file", "", _near(full)) from None
    except IsADirectoryError:
        inside = [n for n in DEFAULT_NAMES if os.path.isfile(os.path.join(full, n))]
        hint = f"It holds one: -f {os.path.join(shown, inside[0])}" if inside else ""
        raise UsageError(one_line(shown), "is a folder", "a file", hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(one_line(shown), f"cannot be read: {reason}", "a file") from None


def _plain(folder: str) -> str:
    """The folder without `.` and `..`. Symbolic links stay, unless a `..` follows one."""
    return (
        os.path.realpath(folder) if os.pardir in folder.split(os.sep) else os.path.abspath(folder)
    )


def _near(full: str) -> str:
    """What may have been meant by the path of a file that is not there."""
    folder, name = os.path.split(full)
    try:
        names = os.listdir(folder)
    except OSError:
        return f"The folder {one_line(folder)} is not there or may not be read"
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1)
    return f"Did you mean {one_line(os.path.join(folder, near[0]))}?" if near else ""


def _look_up(decoded: Decoded, lookup: Lookup) -> dict[str, Launch | None]:
    """The launch of every task that was read well enough; what is wrong goes to the report."""
    launches: dict[str, Launch | None] = {}
    for entry in decoded.entries:
        task = entry.looked_at
        if task is None:
            continue
        folder = decoded.project.folder
        if entry.task is None or entry.wrong:
            _tell(decoded.report, entry, task, lookup.troubles(task, folder, entry.wrong))
            continue
        try:
            launches[task.name] = lookup.resolve(task, folder)
        except LookupProblem as problem:
            launches[task.name] = None
            _tell(decoded.report, entry, task, problem.troubles)
    return launches


def _tell(report: Report, entry: Entry, task: spec.Task, troubles: Iterable[Trouble]) -> None:
    for trouble in troubles:
        if trouble.key == "program" and not task.program_must_exist:
            continue
        mark, path = entry.place(trouble.key, trouble.index)
        if not trouble.file:
            report.at(mark, trouble.what, trouble.expected, trouble.suggestion, path)
            continue
        # A line of an env-file: told once, though many tasks may use the file. The line itself
        # is not shown: it may be a password.
        report.add(
            mark,
            Problem(
                trouble.file, trouble.line, trouble.column, path, trouble.what, trouble.expected
            ),
        )
