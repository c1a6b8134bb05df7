"""What is wrong between tasks: needs that cannot be met, names that meet. Imported where a file has
anything of the kind."""

from __future__ import annotations

from procession import spec
from procession.config.nodes import places
from procession.config.suggest import closest
from procession.config.yaml import mark_of
from procession.core.graph import cycles
from procession.errors import quoted

_CYCLES = 10  # told at most
_SUGGESTIONS = 20  # searches of all names for a similar one: a file may have thousands of both

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.entry import Entry
    from procession.config.part import Part
    from procession.config.yaml import Node


def check_between(entries: list[Entry], exit_code_from: tuple[Part, Node] | None) -> None:
    """Tell all that is wrong between the tasks. `exit_code_from`: who says that key, and where."""
    known = _Known({e.name: e for e in entries if e.name is not None})
    for entry in entries:
        for need in _needs(entry):
            _check_need(entry, need, known)
    _check_cycle(known.entries)
    _check_replicas(known.entries)
    if exit_code_from is not None:
        part, node = exit_code_from
        name = str(getattr(node, "value", ""))
        if name not in known.entries:
            what = f"no task has the name {quoted(name)}"
            part.report.at(mark_of(node), what, "a task", known.meant(name), "exit-code-from")


class _Known:
    """The tasks by name."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries
        self._folded = {name.lower(): name for name in entries}
        self._searches = 0

    def meant(self, name: str) -> str:
        """The task that was probably meant by a name that none has."""
        same = self._folded.get(name.lower(), "")
        self._searches += 1
        return same or (closest(name, self.entries) if self._searches <= _SUGGESTIONS else "")


def _needs(entry: Entry) -> tuple[spec.Dependency, ...]:
    task = entry.task or entry.looked_at
    return () if task is None else task.depends_on


def _bad(entry: Entry, name: str, what: str, expected: str, suggestion: str = "") -> None:
    """A problem at the name of a task in `depends-on`."""
    layer = entry.said("depends-on")
    assert layer is not None
    node = layer.nodes["depends-on"][1]
    mark = mark_of(places(node, keys=True).get(name, node))
    layer.part.report.at(mark, what, expected, suggestion, f"{layer.path}.depends-on.{name}")


def _check_need(entry: Entry, need: spec.Dependency, known: _Known) -> None:
    name = need.task
    if name == entry.name:
        _bad(entry, name, f"{quoted(name)} would wait for itself", "other tasks")
        return
    if name not in known.entries:
        task = known.entries.get(name.rpartition("-")[0])
        if task is not None and name in _replica_names(task):
            what = f"{quoted(name)} is a replica"
            meant = task.name or ""
            _bad(entry, name, what, "the task: all its replicas are waited for", meant)
            return
        _bad(entry, name, f"no task has the name {quoted(name)}", "a task", known.meant(name))
        return
    other = known.entries[name].task
    if other is None:
        return
    if need.condition == "healthy" and other.health is None and other.watchdog is None:
        what = f"{quoted(name)} has no `health` that could tell"
        _bad(entry, name, what, "`ready`, or `health` in that task")
    ends = need.condition in ("completed", "completed-successfully")
    if ends and other.restart.policy == "always":
        what = f"{quoted(name)} is always restarted, and never {need.condition}"
        _bad(entry, name, what, "`restart: on-failure` or `no` in that task")


def _check_cycle(known: dict[str, Entry]) -> None:
    """Tell of cycles, each once, at the first task of it."""
    edges = {
        name: [need.task for need in _needs(entry) if need.task in known and need.task != name]
        for name, entry in known.items()
    }
    order = {name: i for i, name in enumerate(known)}
    for *found, _ in cycles(edges)[:_CYCLES]:
        first = min(range(len(found)), key=[order[name] for name in found].__getitem__)
        path = [*found[first:], *found[:first]]
        shown = " → ".join([*path, path[0]])
        _bad(known[path[0]], path[1], f"tasks that wait for each other: {shown}", "no such circle")


def _replica_names(entry: Entry) -> list[str]:
    task = entry.task or entry.looked_at
    if task is None or entry.name is None:
        return []
    return [replica.name for replica in spec.replicas_of(task.replace(name=entry.name))]


def _check_replicas(known: dict[str, Entry]) -> None:
    """Names are those of files too, which some systems tell apart by more than case."""
    taken: dict[str, Entry] = {}
    for entry in known.values():
        if len(_replica_names(entry)) > 1:
            for name in _replica_names(entry):
                taken[name.lower()] = entry
                taken[f"{name.lower()}.stderr"] = entry
    for name, entry in known.items():
        for own in _replica_names(entry):
            other = taken.get(own.lower())
            if other is None or other is entry:
                continue
            what = f"the name {quoted(own)} is that of a replica of {quoted(other.name or '')}"
            mark = mark_of(entry.first.named or entry.first.node)
            path = f"tasks.{name}"
            entry.first.part.report.at(mark, what, "another name", "", path)
            break
