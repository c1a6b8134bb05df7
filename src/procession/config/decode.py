"""The tree of a file and the tables of `spec` to a `Project`, or to all that is wrong with it.

Every key is looked up in the table, every value read by the function for its kind
(`config.values`). Nothing stops at a problem: each value is read by itself.
"""

from __future__ import annotations

import sys

from procession import spec
from procession.config.entry import Entry, path_of
from procession.config.names import fit_name, is_name
from procession.config.report import Report, TooManyProblemsError, described
from procession.config.scalars import TRUE
from procession.config.suggest import closest
from procession.config.texts import is_null
from procession.config.values import READERS
from procession.config.yaml import Mapping, Scalar, Sequence, compose, mark_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from procession.config.source import Problem, Source
    from procession.config.values import Reader
    from procession.config.yaml import Node

# What other tools call our keys. A value with a dot is a key of a mapping of ours.
_PROJECT_WORDS = {
    **dict.fromkeys(("services", "processes", "programs", "apps", "jobs", "task"), "tasks"),
    "project": "name",
    "version": "",
}
_TASK_WORDS = {
    **dict.fromkeys(("command", "cmd", "exec", "executable", "entrypoint", "run"), "program"),
    **dict.fromkeys(("arguments", "argv", "parameters"), "args"),
    **dict.fromkeys(("working-dir", "working-directory", "workdir", "directory", "dir"), "cwd"),
    **dict.fromkeys(("env", "envs", "variables"), "environment"),
    **dict.fromkeys(("envfile", "env-files", "dotenv", "environment-file"), "env-file"),
    **dict.fromkeys(("delay", "startup-delay"), "start-delay"),
    **dict.fromkeys(("backoff", "restart-delay", "restart-sec"), "restart-backoff"),
    **dict.fromkeys(("restart-policy", "autorestart", "auto-restart"), "restart"),
    **dict.fromkeys(("stop-timeout", "stop-grace-period", "kill-timeout"), "stop.timeout"),
    **dict.fromkeys(("stop-signal", "kill-signal"), "stop.signal"),
    **dict.fromkeys(("exit-codes", "exitcodes"), "success-exit-codes"),
    **dict.fromkeys(("groups", "labels", "tag"), "tags"),
}
_STOP_WORDS = {"target": "to", "grace": "timeout", "wait": "timeout", "stop-signal": "signal"}


class Table:
    """The keys of one mapping, ready to look up."""

    def __init__(
        self, fields: tuple[spec.Field, ...], others: dict[str, str], *, named: bool = False
    ) -> None:
        """`others`: words of other tools. `named`: the mapping's own key stands for `name`."""
        self.others = others
        self.names = tuple(f.key for f in fields)
        self.required = tuple(f for f in fields if f.required and not (named and f.key == "name"))
        self.known: dict[str, tuple[spec.Field, Reader | None]] = {}
        for field in fields:
            # None: `tasks` and `stop`, which hold mappings that this module reads itself
            entry = (field, READERS.get(field.kind))
            self.known[field.key] = self.known[field.key.replace("-", "_")] = entry

    def get(self, key: str) -> tuple[spec.Field, Reader | None] | None:
        """What is known about a key, with `_` for any of its `-`; None for an unknown one."""
        known = self.known.get(key)
        if known is None and "_" in key:
            known = self.known.get(key.replace("_", "-"))
        return known


_PROJECT = Table(spec.PROJECT_FIELDS, _PROJECT_WORDS)
_TASK = Table(spec.TASK_FIELDS, _TASK_WORDS)
_NAMED_TASK = Table(spec.TASK_FIELDS, _TASK_WORDS, named=True)
_STOP = Table(spec.STOP_FIELDS, _STOP_WORDS)

_NAME = spec.TASK_FIELDS[0]
# The field of `spec.Task` that a key fills; `restart` and `restart-backoff` make one together.
TASK_ATTRIBUTES = {f.key: f.key.replace("-", "_") for f in spec.TASK_FIELDS}
TASK_ATTRIBUTES["env-file"] = "env_files"
_NEEDED_TO_LOOK_UP = frozenset({"program", "cwd", "environment", "env-file"})


class Decoded:
    """What a file says. `project` holds the tasks that could be read; complete without problems.

    `template`: the file says that it is one. `unrendered`: some of its texts could not be
    rendered, so that none is good to be looked up.
    """

    __slots__ = ("entries", "project", "report", "root", "template", "unrendered")

    def __init__(
        self,
        report: Report,
        project: spec.Project,
        entries: list[Entry],
        root: Node | None,
        template: bool = False,
        unrendered: bool = False,
    ) -> None:
        self.template = template
        self.unrendered = unrendered
        self.root = root
        self.report = report
        self.project = project
        self.entries = entries


def decode(
    source: Source,
    folder: str,
    *,
    name: str | None = None,
    defaults: spec.Defaults | None = None,
    render: Callable[[Mapping], list[Problem]] | None = None,
) -> Decoded:
    """Read `source`. Relative paths in it are meant from `folder`, which is absolute.

    `name` overrides the file's own; without either the project is called after `folder`.
    `render` is called where the file says `template: true`, with the root: it renders the scalars
    below, in their places. Raises nothing for any text: what is wrong is in `report.problems()`.
    """
    root, told = compose(source)
    unrendered: list[Problem] = []
    template = isinstance(root, Mapping) and _is_template(root)
    if render is not None and isinstance(root, Mapping) and template:
        told += (unrendered := render(root))
    report = Report(source, told, root)
    report.forgiving = defaults is not None and defaults.forgiving
    decoder = _Decoder(report, folder, defaults)
    values: dict[str, Any] = {}
    try:
        if isinstance(root, Mapping):
            values = decoder.mapping(root, _PROJECT)
        elif root is not None:
            report.bad(root, described(root), "a mapping with `tasks`")
    except TooManyProblemsError:
        pass  # the report says so
    project = spec.Project(
        name
        or values.get("name")
        or (defaults and defaults.name)
        or fit_name(_last_part(folder))
        or "project",
        folder,
        tuple(e.task for e in decoder.entries if e.task is not None),
    )
    return Decoded(report, project, decoder.entries, root, template, bool(unrendered))


def _is_template(root: Mapping) -> bool:
    for key, value in zip(root.items[::2], root.items[1::2], strict=True):
        if isinstance(key, Scalar) and key.value == "template":
            return isinstance(value, Scalar) and value.implicit[0] and value.value in TRUE
    return False


def _last_part(folder: str) -> str:
    return folder.rstrip("/\\").replace("\\", "/").rpartition("/")[2]


class _Decoder:
    def __init__(self, report: Report, folder: str, defaults: spec.Defaults | None) -> None:
        self._defaults = defaults
        self.entries: list[Entry] = []
        self._report = report
        self._folder = folder
        self._names: dict[str, tuple[str, Node]] = {}  # lower case: as written, where

    def mapping(
        self, node: Mapping, table: Table, nodes: dict[str, tuple[Node, Node]] | None = None
    ) -> dict[str, Any]:
        """The values of a mapping by key, without those that are problems or not there.

        `nodes` receives every known key that is there, with its value.
        """
        report = self._report
        found = {} if nodes is None else nodes
        self._find(node, table, found)
        values: dict[str, Any] = {}
        for key, (key_node, value_node) in found.items():
            field, read = table.known[key]
            report.key, report.key_node = key, key_node
            value = (
                self._special(field, value_node)
                if read is None
                else read(report, value_node, field, self._folder)
            )
            if value is not None:
                values[key] = value
        report.key, report.key_node = "", None
        return values

    def _find(self, node: Mapping, table: Table, found: dict[str, tuple[Node, Node]]) -> None:
        """Sort the keys of a mapping into known and unknown, given twice, missing."""
        own = len(node.items)
        pairs = node.items + node.merged if node.merged else node.items
        meant: set[str] = set()
        for i in range(0, len(pairs), 2):
            key = pairs[i]
            known = table.get(key.value) if isinstance(key, Scalar) else None
            if known is None:
                meant.add(self._unknown(key, table))
            elif (first := found.get(known[0].key)) is None:
                found[known[0].key] = (key, pairs[i + 1])
            elif i < own:
                self._twice(key, known[0].key, first[0])
        for field in table.required:
            # not told twice: once as a key misspelled, once as missing
            if field.key not in found and field.key not in meant:
                self._report.bad(node, f"`{field.key}` is missing")

    def _unknown(self, key: Node, table: Table) -> str:
        """Tell of a key that the table does not have. What it was meant to be, if that is clear."""
        report = self._report
        if not isinstance(key, Scalar):
            report.bad(key, f"{described(key)} as a key", "text")
            return ""
        if table is _PROJECT and key.value.startswith(spec.EXTENSION_PREFIX):
            return ""
        report.key = key.value
        meant = closest(key.value, table.names, table.others)
        if report.forgives(key, f"unknown key {quoted(key.value)}, passed over", meant):
            report.key = ""
            return ""
        expected = "" if meant else "one of " + ", ".join(table.names)
        report.bad(key, f"unknown key {quoted(key.value)}", expected, meant)
        report.key = ""
        return meant

    def _twice(self, node: Node, key: str, first: Node) -> None:
        self._report.key = key
        line = mark_of(first).line
        self._report.bad(node, f"`{key}` is given twice, first in line {line}", "each key once")
        self._report.key = ""

    def _special(self, field: spec.Field, node: Node) -> object:
        if field.kind == "tasks":
            self._tasks(node)
            return True
        return self._stop(node)

    def _stop(self, node: Node) -> spec.Stop | None:
        report = self._report
        if is_null(node):
            return spec.Stop()
        if not isinstance(node, Mapping):
            keys = ", ".join(f"`{name}`" for name in _STOP.names)
            report.bad(node, described(node), f"a mapping with any of {keys}")
            return None
        outer, key, key_node = report.prefix, report.key, report.key_node
        report.prefix, report.key = f"{outer}.{key}", ""
        nodes: dict[str, tuple[Node, Node]] = {}
        values = self.mapping(node, _STOP, nodes)
        if sys.platform == "win32" and values.get("to") == "leader":
            self._to_leader(nodes["to"], values.get("signal", "SIGTERM"))
        report.prefix, report.key, report.key_node = outer, key, key_node
        return spec.Stop(**values)

    def _to_leader(self, place: tuple[Node, Node], signal: str) -> None:
        """On Windows a console event cannot be kept from the others of the leader's console."""
        report = self._report
        if signal not in spec.WINDOWS_SIGNALS_TO_LEADERS:
            report.key, (report.key_node, node) = "to", place
            expected = " or ".join(f"`signal: {name}`" for name in spec.WINDOWS_SIGNALS_TO_LEADERS)
            what = f"on Windows {signal} reaches the whole tree, not the leader alone"
            report.bad(node, what, f"`group` or `tree`, or {expected}")

    # --- tasks -------------------------------------------------------------------------------

    def _tasks(self, node: Node) -> None:
        report = self._report
        report.key = ""
        if isinstance(node, Mapping):
            self._named_tasks(node)
        elif isinstance(node, Sequence):
            for i, item in enumerate(node.items):
                self._task(item, None, f"tasks[{i}]")
        else:
            report.key = "tasks"
            expected = "a list of tasks with `name`s, or a mapping from name to task"
            report.bad(node, described(node), expected)
            return
        report.prefix, report.key = "", "tasks"
        if not node.items and not getattr(node, "merged", None):
            report.bad(node, "no task at all", "at least one")
        self._clashes()
        report.prefix, report.key = "", ""

    def _named_tasks(self, node: Mapping) -> None:
        own = len(node.items)
        pairs = node.items + node.merged
        for i in range(0, len(pairs), 2):
            key, value = pairs[i], pairs[i + 1]
            self._report.prefix, self._report.key = "tasks", ""
            if not isinstance(key, Scalar):
                self._report.bad(key, f"{described(key)} as a task's name", "text")
            elif i < own or key.value.lower() not in self._names:
                self._task(value, key, f"tasks.{key.value}")

    def _task(self, node: Node, key: Scalar | None, path: str) -> None:
        """Read one task: `key` is its name where tasks are a mapping."""
        report = self._report
        entry = Entry(path if key or not isinstance(node, Mapping) else path_of(node, path), node)
        report.prefix, report.key, report.key_node = entry.path, "", key
        self.entries.append(entry)
        name: str | None = None
        if key is not None:
            name = self._name(key, key.value)
        if not isinstance(node, Mapping):
            needs = "a mapping with `program`" if key else "a mapping with `name` and `program`"
            report.bad(node, described(node), needs)
            return
        values = self.mapping(node, _TASK if key is None else _NAMED_TASK, entry.nodes)
        if "name" in entry.nodes:
            given, (report.key_node, value) = values.pop("name", None), entry.nodes["name"]
            report.key = "name"
            if key is None:
                name = given and self._name(value, given)
            elif given is not None and given != key.value:
                what = f"{quoted(given)}, but the task's key says {quoted(key.value)}"
                report.bad(value, what, "the same name, or no `name`", key.value)
            report.key, report.key_node = "", None
        lacking = {"program", *entry.nodes} - values.keys()
        entry.wrong = _NEEDED_TO_LOOK_UP & lacking
        if name and "program" in values:
            entry.task = _made(name, values, self._defaults)
        # without a name it may have a program, and the other way round
        entry.looked_at = entry.task or _made("?", {"program": "", **values}, self._defaults)

    def _name(self, node: Node, name: str) -> str | None:
        """`name` if a task may have it and no other has; told otherwise."""
        report = self._report
        lower = name.lower()
        first = self._names.setdefault(lower, (name, node))
        if first[1] is not node:
            line = mark_of(first[1]).line
            same = "" if first[0] == name else f" as {quoted(first[0])}, which differs by case only"
            what = f"the name {quoted(name)} is taken in line {line}{same}"
            report.bad(node, what, "a name of its own for each task")
        elif lower in spec.RESERVED_NAMES:
            report.bad(node, f"the name {quoted(name)} is our own, for log and terminal", "another")
        elif is_name(name):
            return name
        else:
            fit = READERS["name"](report, node, _NAME, self._folder)  # tells of it, or forgives
            return self._name(node, fit) if isinstance(fit, str) else None
        return None

    def _clashes(self) -> None:
        """Two tasks that would write one file: stderr goes to `<name>.stderr.log`."""
        for lower, (name, node) in self._names.items():
            base, _, end = lower.rpartition(".")
            if end == "stderr" and base in self._names:
                other = self._names[base][0]
                what = f"the log of {quoted(name)} is the file of {quoted(other)}'s error output"
                path = f"tasks.{name}"
                self._report.at(mark_of(node), what, "another name", "", path)


def _made(name: str, values: dict[str, Any], defaults: spec.Defaults | None) -> spec.Task:
    """The task, from values by key. What is not there has the model's default, or `defaults`'."""
    fit = {TASK_ATTRIBUTES[key]: value for key, value in values.items()}
    policy, delay = fit.pop("restart", None), fit.pop("restart_backoff", None)
    if defaults is not None:
        fit.setdefault("stop", defaults.stop)
        fit.setdefault("cwd", defaults.cwd)
        delay = defaults.restart_delay if delay is None else delay
        if defaults.quits_at_first_end and fit.get("quit_on_terminate"):
            policy = "no"
    if policy is not None or delay is not None:
        fit["restart"] = spec.Restart(policy or "no", delay)
    return spec.Task(name, **fit)
