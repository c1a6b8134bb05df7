"""Files on disk to a project ready to launch, or to the full list of their problems."""

from __future__ import annotations

import gc
import os

from procession import spec
from procession._record import Record
from procession.config.decode import decode_parts
from procession.config.files import Files, plain
from procession.config.names import fit_name, is_name
from procession.config.report import TooManyProblemsError
from procession.config.source import Problem
from procession.errors import ConfigError, UsageError, one_line, quoted, worded
from procession.lookup import Launch, Lookup, LookupProblem, Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from procession.config.code import Written
    from procession.config.decode import Decoded
    from procession.config.entry import Entry

    Paths = str | Sequence[str] | None

__tracebackhide__ = worded


class Loaded(Record):
    """Files that have no problem."""

    project: spec.Project
    launches: dict[str, Launch | None]  # by replica; None: to be looked up again at its start
    file: str  # the first, as the user knows it: as given, or as found in the folder
    notes: tuple[str, ...] = ()  # what was forgiven (`spec.Defaults.forgiving`), in words
    files: tuple[str, ...] = ()  # all that were read, included ones too


class Examined(Record):
    """Files with all that is known of them, whether they have problems or not."""

    file: str  # as in `Loaded`
    problems: tuple[Problem, ...]  # file by file, in the order of each
    decoded: Decoded | None  # None: no file was text
    launches: dict[str, Launch | None]  # as in `Loaded`; None also for what cannot be launched
    lookup: Lookup  # with what it read of this host
    notes: tuple[str, ...] = ()  # as in `Loaded`
    files: tuple[str, ...] = ()  # all that were text, each laid over those before it


def load(
    path: Paths,
    *,
    cwd: str,
    name: str | None = None,
    base: str | None = None,
    environ: Mapping[str, str],
    template: bool = False,
    variables: Mapping[str, str] | None = None,
    defaults: spec.Defaults | None = None,
    written: Written | None = None,
) -> Loaded:
    """Read a file, or several laid over each other, and look up all that the tasks need.

    `path` is meant from `cwd` (absolute); None: `find(cwd)`; `-`: standard input. Relative paths
    in a file are meant from `base`, else from the file's folder (`cwd` for standard input).
    The project's name is `name`, else what the files say, else made of the first file's folder.
    A file whose name ends in `.j2`, and any with `template`, is rendered first; `variables` are
    what it knows as `vars`. `defaults`: what holds where the files say nothing. `written`: what a
    program says, laid over all files, of which there may be none; its paths are meant from `base`,
    else from `cwd`.
    Raises UsageError if there is no such file or it cannot be read, if `base` is no folder or
    `name` no name, or if `variables` are given to what is no template; ConfigError, with every
    problem in the order of the files, if they are broken.
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
        written=written,
    )
    if seen.problems or seen.decoded is None:
        raise ConfigError(seen.file, seen.problems)
    return Loaded(seen.decoded.project, seen.launches, seen.file, seen.notes, seen.files)


def examine(
    path: Paths,
    *,
    cwd: str,
    name: str | None = None,
    base: str | None = None,
    environ: Mapping[str, str],
    template: bool = False,
    variables: Mapping[str, str] | None = None,
    defaults: spec.Defaults | None = None,
    written: Written | None = None,
) -> Examined:
    """What `load` does, for who wants to explain the files: problems are returned, not raised.

    Raises UsageError as `load` does. `decoded.report.source.text` is the text of the file named
    last as it was read: of a template what it gave.
    """
    _check_name(name)
    if base is not None:
        base = plain(os.path.join(cwd, base))
        if not os.path.isdir(base):
            raise UsageError("--cwd", f"{one_line(base)} is not a folder", "one that exists")
    forgiving = defaults is not None and defaults.forgiving
    files = Files(cwd, dict(environ), dict(variables or {}), base=base, forgiving=forgiving)
    lookup = Lookup(environ)
    launches: dict[str, Launch | None] = {}
    # What is built here lives on or is freed by its counts; the collector, which counts what is
    # built, would go through all of it again and again: half of the time at 1,000 tasks.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for one in [path] if path is None or isinstance(path, str) else path:
            files.read(one, template=template)
        if written is not None:
            files.say(written)
        if not files.parts:
            return Examined(files.shown, tuple(files.unread), None, {}, lookup)
        decoded = decode_parts(
            files.parts, files.folder, name=name, defaults=defaults, whole=files.whole
        )
        if files.whole and not decoded.unrendered:
            _look_up(decoded, lookup, launches)
        problems = (*files.unread, *decoded.problems())
        if written is not None:
            problems = tuple(map(written.told, problems))
        notes = [str(n) for p in files.parts for n in p.report.concealed(p.report.notes)]
    finally:
        if collecting:
            gc.enable()
    if variables and not problems and not files.rendered:
        names = ", ".join(map(quoted, variables))
        what = f"{one_line(files.shown)} is no template: {names} would mean nothing in it"
        if not forgiving:
            raise UsageError("--var", what, "a file in .j2, --config-j2, or `template: true` in it")
        notes.append(f"--var: {what}, passed over")
    read = tuple(files.names)
    return Examined(files.shown, problems, decoded, launches, lookup, tuple(notes), read)


def _check_name(name: str | None) -> None:
    if name is None or is_name(name):
        return
    meant = fit_name(name)
    hint = f"{meant!r} would do" if meant else ""
    rule = "letters, digits, `.`, `_` and `-`, a letter or digit first"
    raise UsageError("--name", f"{name!r} cannot be a project's name", rule, hint)


def _look_up(decoded: Decoded, lookup: Lookup, launches: dict[str, Launch | None]) -> None:
    """The launch of every replica that was read well enough; what is wrong goes to the reports."""
    folder = decoded.project.folder
    for entry in decoded.entries:
        task = entry.looked_at
        if task is None or entry.first.part.report.full:
            continue
        try:
            if entry.task is None or entry.wrong:
                _tell(entry, task, lookup.troubles(task, folder, entry.wrong))
            else:
                _replicas(entry, entry.task, folder, lookup, launches)
        except TooManyProblemsError:
            pass  # the report says so


def _replicas(
    entry: Entry, task: spec.Task, folder: str, lookup: Lookup, launches: dict[str, Launch | None]
) -> None:
    """The launches of all replicas: each its own, since each gets variables of its own."""
    if task.replicas == 1:
        launches[task.name] = None
        try:
            launches[task.name] = lookup.resolve(task, folder)
        except LookupProblem as problem:
            _tell(entry, task, problem.troubles)
        return
    known: Launch | None = None
    for replica in spec.replicas_of(task):
        launches[replica.name] = None
        try:
            if known is None or task.variants:
                known = lookup.resolve(replica.task, folder)
            else:
                known = known.replace(env=dict(known.env))
        except LookupProblem as problem:
            _tell(entry, replica.task, problem.troubles)
            if not task.variants:
                launches |= {one.name: None for one in spec.replicas_of(task)}
                return
        else:
            launches[replica.name] = known


def _tell(entry: Entry, task: spec.Task, troubles: Iterable[Trouble]) -> None:
    for trouble in troubles:
        if trouble.program and not task.program_must_exist:
            continue
        mark, path = entry.place(trouble.key, trouble.index)
        report = entry.report(trouble.key)
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
