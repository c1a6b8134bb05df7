"""A project as it was understood: every value, filled in, with where it came from. Secrets masked.

Made from what was read for a launch, by the same tables, so that it cannot tell another story.
Values only; `cli.render` words them.
"""

from __future__ import annotations

from procession import keys, spec
from procession._record import Record
from procession.config.making import TASK_ATTRIBUTES
from procession.config.nodes import places
from procession.config.origins import ENV_FILE, INHERITED, OPTION, Item, Origin, Places
from procession.config.values_shown import NESTED, delay_by_backoff, plain
from procession.secrets import MASK, masked, masked_arguments, masked_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from procession.config.decode import Decoded
    from procession.config.entry import Entry
    from procession.config.load import Examined


class ExplainedTask(Record):
    """A task: its name with its place, and every key of the table as it is for the first replica.

    `others` has each further replica that differs, with the keys in which it does.
    """

    name: str
    origin: Origin
    items: tuple[Item, ...]
    others: tuple[tuple[str, tuple[Item, ...]], ...] = ()


class Explained(Record):
    """A whole project."""

    files: tuple[str, ...]  # each laid over those before it
    folder: str  # what a task without `cwd` runs in, and relative paths of the first file are from
    name: Item
    items: tuple[Item, ...]  # the other keys of the top level
    tasks: tuple[ExplainedTask, ...]
    inherited: tuple[Item, ...]  # variables that every task has, unless it lays others over them


def explain(seen: Examined, *, environ: dict[str, str], named: bool = False) -> Explained:
    """What `seen`, files without problems, means. `named`: the project's name is an option's.

    Raises ValueError for files that have problems, or were no text at all.
    """
    decoded = seen.decoded
    if decoded is None or seen.problems:
        raise ValueError(f"{seen.file} has problems: there is no one meaning to explain")
    explainer = _Explainer(seen, decoded)
    origin = Origin(OPTION, "--name") if named else explainer.top("name").origin
    return Explained(
        seen.files or (seen.file,),
        decoded.project.folder,
        Item("name", "name", decoded.project.name, origin),
        tuple(explainer.project()),
        tuple(explainer.task(e, e.task) for e in decoded.entries if e.task is not None),
        tuple(
            Item(name, "variable", masked(name, value), Origin(INHERITED))
            for name, value in sorted(environ.items())
        ),
    )


class _Explainer:
    def __init__(self, seen: Examined, decoded: Decoded) -> None:
        self._seen = seen
        self._decoded = decoded

    def top(self, key: str) -> Places:
        """Where a key of the top level is said."""
        found = self._decoded.origins.get(key)
        return Places([] if found is None else [found])

    def project(self) -> Iterator[Item]:
        project = self._decoded.project
        values = {
            "exit-code-from": project.exit_code_from,
            "abort-on-failure": project.abort_on_failure,
            "stop-timeout": project.stop_timeout,
        }
        for field in keys.PROJECT_FIELDS:
            if field.key in values:
                yield plain(field, values[field.key], self.top(field.key))
            elif field.key == "logs":
                # of several files each may say a part of it
                said = Places(self._decoded.all_of("logs"))
                bounds = (project.log_file_limit, project.log_total, project.log_runs)
                parts = zip(keys.LOG_FIELDS, bounds, strict=True)
                value = tuple(plain(f, v, said.below(f.key)) for f, v in parts)
                yield Item(field.key, field.kind, value, said.origin)

    def task(self, entry: Entry, task: spec.Task) -> ExplainedTask:
        replicas = spec.replicas_of(task)
        items = tuple(self._items(entry, replicas[0]))
        others = []
        for replica in replicas[1:] if task.variants else ():
            found = self._items(entry, replica)
            differ = tuple(i for i, first in zip(found, items, strict=True) if i != first)
            others.append((replica.name, differ))
        first = entry.first
        place = Places([(first.part, first.named or first.node)])
        return ExplainedTask(task.name, place.origin, items, tuple(others))

    def _items(self, entry: Entry, replica: spec.Replica) -> Iterator[Item]:
        for field in keys.TASK_FIELDS:
            if field.key != "name":
                yield self._item(entry, replica, field)

    def _item(self, entry: Entry, replica: spec.Replica, field: keys.Field) -> Item:
        key, task = field.key, replica.task
        said = Places([(x.part, x.nodes[key][1]) for x in entry.layers if key in x.nodes])
        if key == "environment":
            return Item(key, field.kind, tuple(self._variables(task, said)), said.origin)
        if key in NESTED:
            return NESTED[key](entry, task, field, said)
        if key == "restart-backoff":
            if not delay_by_backoff(entry):
                return plain(field, None, Places([]))
            return plain(field, task.restart.delay, said)
        value = getattr(task, TASK_ATTRIBUTES[key])
        note = ""
        if key == "cwd":
            value = value or self._decoded.project.folder
        elif key == "program":
            launch = self._seen.launches.get(replica.name)
            note = "looked up at each start" if launch is None else launch.executable
            note = "" if note == value else note
            value = masked_text(str(value))
        elif key in ("args", "launch-prefix"):
            value = masked_arguments(value)
        return plain(field, value, said, note)

    def _variables(self, task: spec.Task, said: Places) -> Iterator[Item]:
        """What env-files and `environment` lay over the inherited variables, as it came out."""
        from_files: dict[str, str] = {}
        for path in task.env_files:
            for name in self._seen.lookup.env_file(path)[0]:
                from_files[name] = path  # the last file wins, as in a launch
        own = dict(task.environment)
        for name, path in from_files.items():
            if name not in own:
                yield Item(name, "variable", MASK, Origin(ENV_FILE, path))
        known = [(part, places(node)) for part, node in said.found]
        for name, value in own.items():
            at = [(part, nodes[name]) for part, nodes in known if name in nodes]
            yield Item(name, "variable", masked(name, value), Places(at).origin)
