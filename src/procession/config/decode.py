"""The trees of files and the tables of `keys` to a `Project`, or to all that is wrong with it.

Every key is looked up in its table, every value read by the function for its kind
(`config.values`); what several files say of a task is laid over each other (`config.making`).
Nothing stops at a problem: each value is read by itself.
"""

from __future__ import annotations

from procession import spec
from procession.config.entry import Entry
from procession.config.making import make, merged
from procession.config.names import fit_name
from procession.config.nodes import find
from procession.config.part import Part
from procession.config.report import TooManyProblemsError
from procession.config.suggest import closest
from procession.config.tasks import Reading
from procession.config.yaml import Mapping, mark_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.config.entry import Layer
    from procession.config.report import Report
    from procession.config.source import Problem, Source
    from procession.config.yaml import Node

# The field of `spec.Project` that a key of `logs` fills.
LOG_ATTRIBUTES = {"max-file": "log_file_limit", "max-total": "log_total", "keep-runs": "log_runs"}


class Decoded:
    """What the files say. `project` holds the tasks that could be read; complete without problems.

    `parts` are the files, those that win last; `origins` says which of them has a key of the top
    level, and where.
    """

    __slots__ = ("entries", "origins", "parts", "project")

    def __init__(
        self,
        parts: list[Part],
        project: spec.Project,
        entries: list[Entry],
        origins: dict[str, tuple[Part, Node]],
    ) -> None:
        self.parts = parts
        self.project = project
        self.entries = entries
        self.origins = origins

    @property
    def report(self) -> Report:
        """That of the file that wins: the only one, or the one that was named last."""
        return self.parts[-1].report

    def all_of(self, key: str) -> list[tuple[Part, Node]]:
        """Every place where the top level of a file has this key, what wins first."""
        found = [(part, find(part.root, key)) for part in reversed(self.parts)]
        return [(part, node) for part, node in found if node is not None]

    @property
    def unrendered(self) -> bool:
        """Some text of a template could not be rendered, so that none is good to be looked up."""
        return any(part.unrendered for part in self.parts)

    def problems(self) -> list[Problem]:
        """All problems, file by file, each in the order of their places."""
        return [problem for part in self.parts for problem in part.report.problems()]


def decode(
    source: Source, folder: str, *, name: str | None = None, defaults: spec.Defaults | None = None
) -> Decoded:
    """Read one file that is no template: see `decode_parts`."""
    forgiving = defaults is not None and defaults.forgiving
    part = Part(source, folder, forgiving=forgiving)
    return decode_parts([part], folder, name=name, defaults=defaults)


def decode_parts(
    parts: list[Part],
    folder: str,
    *,
    name: str | None = None,
    defaults: spec.Defaults | None = None,
    whole: bool = True,
) -> Decoded:
    """Read the files of a project, each laid over those before it.

    `folder` (absolute) is the project's. `name` overrides what the files say; without either the
    project is called after `folder`. Not `whole`: some file could not be read, so that nothing is
    said of what is missing. Raises nothing for any text: what is wrong is in `problems()`.
    """
    together = _Together(folder, defaults)
    for part in parts:
        reading = Reading(part)
        try:
            reading.read()
        except TooManyProblemsError:
            pass  # the report says so
        together.add(reading)
    if whole:
        try:
            together.finish(parts[-1])
        except TooManyProblemsError:
            pass  # the report says so
    values = together.values
    logs = values.get("logs", {})
    project = spec.Project(
        name
        or values.get("name")
        or (defaults and defaults.name)
        or fit_name(_last_part(folder))
        or "project",
        folder,
        tuple(e.task for e in together.entries if e.task is not None),
        values.get("exit-code-from"),
        values.get("abort-on-failure", False),
        values.get("stop-timeout"),
        **{LOG_ATTRIBUTES[key]: value for key, value in logs.items()},
    )
    return Decoded(parts, project, together.entries, together.origins)


def _last_part(folder: str) -> str:
    return folder.rstrip("/\\").replace("\\", "/").rpartition("/")[2]


class _Together:
    """What all files say, laid over each other."""

    def __init__(self, folder: str, defaults: spec.Defaults | None) -> None:
        self._defaults = defaults
        self._folder = folder
        self.entries: list[Entry] = []
        self.values: dict[str, Any] = {}  # of the top level
        self.origins: dict[str, tuple[Part, Node]] = {}
        self._known: dict[str, Entry] = {}  # by name in lower case
        self._for_all: list[Layer] = []  # `defaults` of all files, what wins first
        self._meant: set[str] = set()

    def add(self, reading: Reading) -> None:
        """Lay a file over those before it."""
        values = reading.values
        if "logs" in values:
            values["logs"] = {**self.values.get("logs", {}), **values["logs"]}
        self.values |= values
        self.origins |= {key: (reading.part, node) for key, (_, node) in reading.nodes.items()}
        self._meant |= reading.meant
        if reading.for_all is not None:
            self._for_all.insert(0, reading.for_all)
        for layer, name in reading.tasks:
            self._add(layer, name)

    def _add(self, layer: Layer, name: str | None) -> None:
        """Lay this file's layer over what is known of the task."""
        known = None if name is None else self._known.get(name.lower())
        if known is not None and known.name != name:
            first = known.first
            mark = mark_of(first.named or first.node)
            where = f"{first.part.name}:{mark.line}"
            what = f"{quoted(name or '')} is {quoted(known.name or '')} in {where}"
            report = layer.part.report
            report.at(
                mark_of(layer.named or layer.node),
                f"{what}, which differs by case only",
                "one spelling",
                known.name or "",
                layer.path,
            )
            known = None
            name = None
        if known is None:
            entry = Entry(layer)
            entry.name = name
            self.entries.append(entry)
            if name is not None:
                self._known[name.lower()] = entry
        else:
            known.layers.insert(0, layer)
            known.own += 1

    def finish(self, main: Part) -> None:
        """Make the tasks, and tell what shows only when all is known. `main` is the file that a
        project without any task is told of."""
        root = main.root
        if isinstance(root, Mapping) and "tasks" not in {*self.origins, *self._meant}:
            main.report.prefix = main.report.key = ""
            main.report.bad(root, "`tasks` is missing")
        self._clashes()
        waiting = []
        for entry in self.entries:
            entry.layers += self._for_all
            self._has_program(entry)
            if any(layer.held for layer in entry.layers):
                waiting.append(entry)
            else:
                layers = entry.layers
                values = layers[0].values if len(layers) == 1 else merged(x.values for x in layers)
                make(entry, values, self._folder, self._defaults)
        if waiting:
            from procession.config.variants import make_each

            make_each(waiting, self._folder, self._defaults)
        self._between()

    def _has_program(self, entry: Entry) -> None:
        own = entry.own_layers
        if entry.said("program") or any("program" in layer.meant for layer in entry.layers):
            return
        first = entry.first
        if not isinstance(first.node, Mapping):
            return  # which was told
        others = [e.name for e in self.entries if e.name and e.said("program")]
        several = len({layer.part for e in self.entries for layer in e.layers}) > 1
        meant = closest(entry.name, others) if several and entry.name and len(own) == 1 else ""
        report = first.part.report
        mark = mark_of(first.node)
        report.at(mark, "`program` is missing", "", meant, first.path)

    def _clashes(self) -> None:
        """Two tasks that would write one file: stderr goes to `<name>.stderr.log`."""
        for lower, entry in self._known.items():
            base, _, end = lower.rpartition(".")
            if end == "stderr" and base in self._known:
                other = self._known[base].name or ""
                name = entry.name or ""
                what = f"the log of {quoted(name)} is the file of {quoted(other)}'s error output"
                first = entry.first
                mark = mark_of(first.named or first.node)
                first.part.report.at(mark, what, "another name", "", f"tasks.{name}")

    def _between(self) -> None:
        """What is wrong between tasks."""
        exit_from = self.origins.get("exit-code-from")
        if exit_from is not None and "exit-code-from" not in self.values:
            exit_from = None
        for entry in self.entries:
            task = entry.task or entry.looked_at
            if task is not None and (task.depends_on or task.replicas > 1):
                break
        else:
            if exit_from is None:
                return
        from procession.config.crosscheck import check_between

        check_between(self.entries, exit_from)
