"""Who needs whom, drawn: as text, for Graphviz, for Mermaid. No input or output here."""

from __future__ import annotations

from procession.core.graph import edges_of, waves
from procession.core.parts import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import Dependency, Project, Task


def text(project: Project) -> str:
    """The tasks in waves: each can begin when what it needs of those above is so."""
    by_name = {task.name: task for task in project.tasks}
    found = waves(edges_of(project.tasks))
    tasks, many = _counted(len(by_name), "task"), _counted(len(found), "wave")
    lines = [f"{project.name}: {tasks} in {many}; they stop in reverse"]
    for number, wave in enumerate(found, 1):
        lines.append(f"{number}")
        for name in wave:
            task = by_name[name]
            lines.append(f"  {_label(task)}")
            for i, need in enumerate(task.depends_on):
                corner = "└" if i == len(task.depends_on) - 1 else "├"
                lines.append(f"    {corner}─ {need.task}: {_condition(need)}")
    return "\n".join(lines) + "\n"


def dot(project: Project) -> str:
    """A graph for `dot`: an arrow from each task to what it needs. What starts first is left."""
    lines = [f'digraph "{project.name}" {{', "  rankdir=RL;", "  node [shape=box];"]
    lines += [f'  "{task.name}" [label="{_label(task)}"];' for task in project.tasks]
    for task in project.tasks:
        for need in task.depends_on:
            lines.append(f'  "{task.name}" -> "{need.task}" [label="{_condition(need)}"];')
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(project: Project) -> str:
    """A flowchart, with the arrows of `dot`."""
    numbers = {task.name: f"t{i}" for i, task in enumerate(project.tasks)}
    lines = ["flowchart RL"]
    lines += [f'  {numbers[task.name]}["{_label(task)}"]' for task in project.tasks]
    for task in project.tasks:
        for need in task.depends_on:
            arrow = f'-->|"{_condition(need)}"|'
            lines.append(f"  {numbers[task.name]} {arrow} {numbers[need.task]}")
    return "\n".join(lines) + "\n"


FORMATS = {"text": text, "dot": dot, "mermaid": mermaid}


def _label(task: Task) -> str:
    more = []
    if task.replicas > 1:
        some = f"{len(task.chosen)} of " if task.chosen else ""
        more.append(f"{some}{task.replicas} replicas")
    if task.completes:
        more.append("completes")
    if not task.autostart:
        more.append("when asked for")
    return f"{task.name} ({', '.join(more)})" if more else task.name


def _condition(need: Dependency) -> str:
    words = need.condition
    if need.timeout is not None:
        words += f" within {seconds(need.timeout)}"
    return f"{words}, restarts with it" if need.restart else words


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
