"""What one file says: the values of its top level, its tasks and its `defaults`, each value read by
itself. What several files say is put together by `config.decode`."""

from __future__ import annotations

from procession import keys, spec
from procession.config import strings
from procession.config.entry import Layer, path_of
from procession.config.making import one_restart
from procession.config.mappings import Table, read
from procession.config.names import is_name
from procession.config.nodes import pairs_of
from procession.config.report import described
from procession.config.texts import is_null
from procession.config.yaml import Mapping, Scalar, Sequence, mark_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.config.mappings import Nodes
    from procession.config.part import Part
    from procession.config.yaml import Node

_PROJECT = Table(keys.PROJECT_FIELDS, "PROJECT", own=True)
TASK = Table(keys.TASK_FIELDS, "TASK")
_LISTED_TASK = Table(keys.TASK_FIELDS, "TASK", required=("name",))
_DEFAULTS = Table(
    keys.DEFAULT_FIELDS,
    "TASK",
    barred={
        "depends-on": "it in the tasks themselves: no task can depend on itself",
        "name": "the names of tasks in the tasks",
    },
)
_NAME = keys.TASK_FIELDS[0]
_ALIKE = "a value that all replicas of the task share"
_IN_A_TASK = "them in a task or in `defaults`"


class Reading:
    """What a file says. After `read`, which may end by TooManyProblemsError: `values` of the top
    level with their `nodes`, `tasks` (a name is None where it cannot be one) and `for_all`.

    `meant`: what unknown keys of the top level were meant to be.
    """

    __slots__ = ("_names", "for_all", "meant", "nodes", "part", "tasks", "values")

    def __init__(self, part: Part) -> None:
        self.part = part
        self.values: dict[str, Any] = {}
        self.nodes: Nodes = {}
        self.meant: set[str] = set()
        self.tasks: list[tuple[Layer, str | None]] = []
        self.for_all: Layer | None = None
        self._names: dict[str, tuple[str, Node]] = {}  # lower case: as written, where

    def read(self) -> None:
        part = self.part
        root, report = part.root, part.report
        if not isinstance(root, Mapping):
            if root is not None:
                report.bad(root, described(root), "a mapping with `tasks`")
            return
        if part.late:
            for key, value in pairs_of(root):
                word = key.value if isinstance(key, Scalar) else ""
                if word not in ("tasks", "defaults") and not word.startswith("x-"):
                    part.refuse_late(value, _IN_A_TASK)
        self.values = read(
            report,
            root,
            _PROJECT,
            part.folder,
            self.nodes,
            special=self._special,
            meant=self.meant,
        )

    def _special(self, field: keys.Field, node: Node) -> object:
        if field.kind == "tasks":
            self._tasks(node)
        else:
            self._for_all_tasks(node)
        return True

    def _for_all_tasks(self, node: Node) -> None:
        report = self.part.report
        if is_null(node):
            return
        if not isinstance(node, Mapping):
            report.bad(node, described(node), "a mapping with keys of a task")
            return
        layer = Layer(self.part, "defaults", node)
        report.prefix, report.key, report.key_node = layer.path, "", None
        self._layer(layer, node, _DEFAULTS)
        self.for_all = layer
        report.prefix = ""

    # --- tasks -------------------------------------------------------------------------------

    def _tasks(self, node: Node) -> None:
        report = self.part.report
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
        report.prefix, report.key = "", ""

    def _named_tasks(self, node: Mapping) -> None:
        own = len(node.items)
        pairs = node.items + node.merged
        report = self.part.report
        above = ""  # the task that nothing is said of, and whose keys may follow
        for i in range(0, len(pairs), 2):
            key, value = pairs[i], pairs[i + 1]
            report.prefix, report.key = "tasks", ""
            if not isinstance(key, Scalar):
                report.bad(key, f"{described(key)} as a task's name", "text")
            elif i < own or key.value.lower() not in self._names:
                self._task(value, key, f"tasks.{key.value}", above)
                above = key.value if is_null(value) else above

    def _task(self, node: Node, key: Scalar | None, path: str, above: str = "") -> None:
        """Read what this file says of a task: `key` is its name where tasks are a mapping, and
        `above` is that of a task before it without a value."""
        report = self.part.report
        path = path if key or not isinstance(node, Mapping) else path_of(node, path)
        layer = Layer(self.part, path, node, key)
        report.prefix, report.key, report.key_node = path, "", key
        name = None if key is None else self._name(key, key.value)
        if not isinstance(node, Mapping):
            needs = "a mapping with `program`" if key else "a mapping with `name` and `program`"
            if above and key is not None and key.value.replace("_", "-") in TASK.names:
                needs = f"it further in than {quoted(above)}, as a key of that task"
            report.bad(node, described(node), needs)
        else:
            self._layer(layer, node, _LISTED_TASK if key is None else TASK)
            if "name" in layer.nodes:
                name = self._own_name(layer, key, name)
        self.tasks.append((layer, name))

    def _own_name(self, layer: Layer, key: Scalar | None, name: str | None) -> str | None:
        """The name of a task that has the key `name`."""
        report = self.part.report
        given = layer.values.pop("name", None)
        report.key_node, value = layer.nodes["name"]
        report.key = "name"
        if key is None:
            layer.named = value
            name = given and self._name(value, given)
        elif given is not None and given != key.value:
            what = f"{quoted(given)}, but the task's key says {quoted(key.value)}"
            report.bad(value, what, "the same name, or no `name`", key.value)
        report.key, report.key_node = "", None
        return name

    def _layer(self, layer: Layer, node: Mapping, table: Table) -> None:
        """Read the values of a task, or of `defaults`."""
        part = layer.part
        held = None
        if part.late:
            held = lambda value: next(part.late_below(value), None) is not None  # noqa: E731
            for key, value in pairs_of(node):
                word = key.value.replace("_", "-") if isinstance(key, Scalar) else ""
                if word in keys.SHARED_KEYS:
                    part.refuse_late(value, _ALIKE)
        layer.values = read(
            part.report, node, table, part.folder, layer.nodes, held=held, meant=layer.meant
        )
        if held is not None:
            shared = keys.SHARED_KEYS
            found = layer.nodes.items()
            layer.held = [k for k, (_, value) in found if k not in shared and held(value)]
        if "restart-backoff" in layer.values:
            one_restart(layer, layer.values)

    def _name(self, node: Node, name: str) -> str | None:
        """`name` if a task may have it and no other of the file has; told otherwise."""
        report = self.part.report
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
            fit = strings.name(report, node, _NAME, "")  # tells of it, or forgives
            return None if fit is None else self._name(node, fit)
        return None
