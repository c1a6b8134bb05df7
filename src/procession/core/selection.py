"""Which tasks of a project run: those that were named, with what they need. Pure."""

from __future__ import annotations

from procession.core.graph import closure, edges_of
from procession.errors import UsageError, quoted, worded
from procession.spec import Project, Task, replicas_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__tracebackhide__ = worded


def select(
    project: Project,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    *,
    needed: bool = True,
) -> Project:
    """The project with the tasks that `only` names (empty: all), without those that `without` does.

    A word names a task or one of its replicas, without regard to case, or is a tag of tasks. What
    the chosen depend on is chosen too, whole, unless it is excluded or `needed` is false; a need of
    what is not chosen is no need: it is looked after elsewhere. What is chosen by a word starts,
    even with `autostart: false`, and so does what it needs.

    Raises UsageError for a word that names nothing, and where nothing is left.
    """
    if not only and not without:
        return project
    named = _chosen(project.tasks, only, "--only")
    excluded = _chosen(project.tasks, without, "--except")
    picked: dict[str, set[int]] = {}
    for task in project.tasks:
        wanted = named.get(task.name, set()) if only else _all(task)
        left = wanted - excluded.get(task.name, set())
        if left:
            picked[task.name] = left
    if only and needed:
        _add_needs(project.tasks, picked, excluded)
    if not picked:
        raise UsageError("--except", "no task is left to run", "at least one")
    begins = bool(only)
    tasks = [_task(t, picked, begins=begins) for t in project.tasks if t.name in picked]
    status_of = project.exit_code_from if project.exit_code_from in picked else None
    return project.replace(tasks=tuple(tasks), exit_code_from=status_of)


def left_out(whole: Project, chosen: Project) -> tuple[str, ...]:
    """The names of tasks and replicas of the `whole` that are not among the `chosen`."""
    there = {t.name for t in chosen.tasks} | {r.name for r in chosen.replicas()}
    names = dict.fromkeys([t.name for t in whole.tasks] + [r.name for r in whole.replicas()])
    return tuple(name for name in names if name not in there)


def task_called(project: Project, name: str, option: str) -> str:
    """The name of the task that an option names. Raises UsageError if there is none."""
    for task in project.tasks:
        if task.name.lower() == name.lower():
            return task.name
    known = ", ".join(task.name for task in project.tasks)
    raise UsageError(option, f"no task that runs has the name {quoted(name)}", known)


def _all(task: Task) -> set[int]:
    return {replica.index for replica in replicas_of(task)}


def _chosen(tasks: Iterable[Task], words: Sequence[str], option: str) -> dict[str, set[int]]:
    """The replicas that words name, by task and number."""
    found: dict[str, set[int]] = {}
    unknown = dict.fromkeys(words)
    for task in tasks:
        for word in words:
            numbers = _answering(task, word)
            if numbers:
                unknown.pop(word, None)
                found.setdefault(task.name, set()).update(numbers)
    for word in unknown:
        known = sorted({*(t.name for t in tasks), *(tag for t in tasks for tag in t.tags)})
        what = f"no task, replica or tag is called {quoted(word)}"
        raise UsageError(option, what, ", ".join(known))
    return found


def _answering(task: Task, word: str) -> set[int]:
    if task.name.lower() == word.lower() or word in task.tags:
        return _all(task)
    if task.replicas == 1:
        return set()
    return {r.index for r in replicas_of(task) if r.name.lower() == word.lower()}


def _add_needs(
    tasks: Sequence[Task], picked: dict[str, set[int]], excluded: dict[str, set[int]]
) -> None:
    """Let `picked` have what it needs, and what that needs; what is excluded needs nothing."""
    left = {task.name: _all(task) - excluded.get(task.name, set()) for task in tasks}
    edges = edges_of(task for task in tasks if left[task.name])
    for name in closure(edges, list(picked)):
        if left.get(name):
            picked.setdefault(name, left[name])


def _task(task: Task, picked: dict[str, set[int]], *, begins: bool) -> Task:
    needs = tuple(need for need in task.depends_on if need.task in picked)
    numbers = picked[task.name]
    chosen = () if len(numbers) == task.replicas else tuple(sorted(numbers))
    changes = {"depends_on": needs, "chosen": chosen, "autostart": begins or task.autostart}
    variants = tuple(variant.replace(**{**changes, "chosen": ()}) for variant in task.variants)
    return task.replace(variants=variants, **changes)
