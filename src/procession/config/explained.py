"""A project as it was understood: every value, filled in, with where it came from. Secrets masked.

Made from what was read for a launch, by the same tables, so that it cannot tell another story.
Values only; `cli.render` words them.
"""

from __future__ import annotations

from procession import spec
from procession._record import Record
from procession.config.decode import TASK_ATTRIBUTES
from procession.config.yaml import Mapping, Scalar, Sequence, mark_of
from procession.secrets import MASK, masked, masked_arguments, masked_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procession.config.entry import Entry
    from procession.config.load import Examined
    from procession.config.yaml import Node

FILE, ENV_FILE, DEFAULT, INHERITED, OPTION = "file", "env-file", "default", "inherited", "option"


class Origin(Record):
    """Where a value came from: one of the kinds above, and the place if it is a file."""

    kind: str
    file: str = ""
    line: int = 0  # from 1; 0: the file as a whole
    column: int = 0

    def __str__(self) -> str:
        if self.kind == FILE:
            return f"{self.file}:{self.line}:{self.column}"
        return f"{self.kind} {self.file}" if self.file else self.kind


class Item(Record):
    """One key with its value: text, a number, a boolean, a tuple of these, or of `Item`s."""

    key: str
    kind: str  # of value, as in the tables of `spec`; `variable` in an environment
    value: object
    origin: Origin
    note: str = ""  # what the value came to on this host


class ExplainedTask(Record):
    """A task: its name with its place, and every key of the table."""

    name: str
    origin: Origin
    items: tuple[Item, ...]


class Explained(Record):
    """A whole project."""

    file: str
    folder: str  # what relative paths were meant from
    name: Item
    tasks: tuple[ExplainedTask, ...]
    inherited: tuple[Item, ...]  # variables that every task has, unless it lays others over them


def explain(seen: Examined, *, environ: dict[str, str], named: bool = False) -> Explained:
    """What `seen`, a file without problems, means. `named`: the project's name is an option's.

    Raises ValueError for a file that has problems, or was no text at all.
    """
    decoded = seen.decoded
    if decoded is None or seen.problems:
        raise ValueError(f"{seen.file} has problems: there is no one meaning to explain")
    explainer = _Explainer(seen)
    name_node = _find(decoded.root, "name")
    if named:
        origin = Origin(OPTION, "--name")
    else:
        origin = Origin(DEFAULT) if name_node is None else explainer.at(name_node)
    return Explained(
        seen.file,
        decoded.project.folder,
        Item("name", "name", decoded.project.name, origin),
        tuple(explainer.task(e, e.task) for e in decoded.entries if e.task is not None),
        tuple(
            Item(name, "variable", masked(name, value), Origin(INHERITED))
            for name, value in sorted(environ.items())
        ),
    )


class _Explainer:
    def __init__(self, seen: Examined) -> None:
        self._seen = seen
        decoded = seen.decoded
        self._folder = "" if decoded is None else decoded.project.folder
        # where tasks are a mapping, a task is where its name is
        self._names = {} if decoded is None else _places(_find(decoded.root, "tasks"), keys=True)

    def at(self, node: Node) -> Origin:
        mark = mark_of(node)
        return Origin(FILE, self._seen.file, mark.line, mark.column)

    def task(self, entry: Entry, task: spec.Task) -> ExplainedTask:
        items = tuple(
            self._item(entry, task, field) for field in spec.TASK_FIELDS if field.key != "name"
        )
        place = self._names.get(task.name)
        if place is None:
            place = entry.nodes["name"][1]  # of a list, where a name is required
        return ExplainedTask(task.name, self.at(place), items)

    def _item(self, entry: Entry, task: spec.Task, field: spec.Field) -> Item:
        key = field.key
        node = entry.nodes[key][1] if key in entry.nodes else None
        origin = Origin(DEFAULT) if node is None else self.at(node)
        if key == "environment":
            variables = tuple(self._variables(task, node))
            return Item(key, field.kind, variables, origin)
        if key in ("restart", "restart-backoff"):
            value: object = task.restart.policy if key == "restart" else task.restart.delay
        else:
            value = getattr(task, TASK_ATTRIBUTES[key])
        if field.fields:
            return Item(key, field.kind, tuple(self._parts(field, value, node)), origin)
        note = ""
        if key == "cwd":
            value = value or self._folder
        elif key == "program":
            launch = self._seen.launches.get(task.name)
            note = "looked up at each start" if launch is None else launch.executable
            note = "" if note == value else note
            value = masked_text(str(value))
        elif key == "args":
            value = masked_arguments(task.args)
        return Item(key, field.kind, value, origin, note)

    def _parts(self, field: spec.Field, value: object, node: Node | None) -> Iterator[Item]:
        """The keys of a mapping inside a task, such as `stop`."""
        for part in field.fields:
            found = _find(node, part.key)
            origin = Origin(DEFAULT) if found is None else self.at(found)
            yield Item(part.key, part.kind, getattr(value, part.key.replace("-", "_")), origin)

    def _variables(self, task: spec.Task, node: Node | None) -> Iterator[Item]:
        """What env-files and `environment` lay over the inherited variables, as it came out."""
        from_files: dict[str, str] = {}
        for path in task.env_files:
            for name in self._seen.lookup.env_file(path)[0]:
                from_files[name] = path  # the last file wins, as in a launch
        own = dict(task.environment)
        for name, path in from_files.items():
            if name not in own:
                yield Item(name, "variable", MASK, Origin(ENV_FILE, path))
        places = _places(node)
        for name, value in own.items():
            yield Item(name, "variable", masked(name, value), self.at(places[name]))


def _find(node: Node | None, key: str) -> Node | None:
    """The value of a key, in either spelling, in a mapping; what is merged comes last."""
    if not isinstance(node, Mapping):
        return None
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        name = pairs[i]
        if isinstance(name, Scalar) and name.value.replace("_", "-") == key:
            return pairs[i + 1]
    return None


def _places(node: Node | None, *, keys: bool = False) -> dict[str, Node]:
    """Where each value of a mapping is, or its key; in a list of `NAME=VALUE`, where the item is.

    Empty for a list of anything else.
    """
    places: dict[str, Node] = {}
    if isinstance(node, Mapping):
        pairs = node.items + node.merged
        for i in range(0, len(pairs), 2):
            name = pairs[i]
            if isinstance(name, Scalar):
                places.setdefault(name.value, name if keys else pairs[i + 1])
    elif isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar):
                places.setdefault(item.value.partition("=")[0], item)
    return places
