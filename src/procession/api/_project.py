"""A project as a program says it: tasks, files, or tasks laid over files.

What is said here is checked where the files are, by the same reader: an unknown keyword or a value
that means nothing is told with the same words, at the place of the call.
"""

from __future__ import annotations

import os
import sys

from procession.config.code import Place, Said, Written, said
from procession.errors import worded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Unpack

    from procession.api._keys import ProjectKeys, TaskKeys, Value
    from procession.config.load import Loaded
    from procession.config.source import Problem

    Path = str | os.PathLike[str]

__tracebackhide__ = worded
_ELSEWHERE = {
    "include": "name the files in `files`",
    "template": "a program can make its own texts; files that are templates go into `files`",
    "tasks": "they come first, as Task(...)",
}


class Task:
    """One task. The keywords are the keys of a task in a file, with underscores; their values are
    text, numbers, booleans, paths, lists and mappings, as a file has them: `restart="always"`,
    `ready={"tcp": 8000}`, `depends_on=["db"]`, `stop={"signal": "SIGINT", "timeout": "5s"}`. None
    is as good as not said.

    Nothing is checked before the project is; but a value of a type that no file can hold (a set, an
    object) is a TypeError at once. Laid over a file, a task of the same name changes only what it
    says.
    """

    __slots__ = ("_said", "name")

    def __init__(
        self,
        name: str,
        program: Path | None = None,
        args: Value = None,
        **keys: Unpack[TaskKeys],
    ) -> None:
        self.name = name
        values = {"name": name, "program": program, "args": args, **keys}
        self._said = said(_place(sys._getframe(1)), values)

    def __repr__(self) -> str:
        return f"Task({self.name!r})"  # the rest may hold what nobody is to see


class Project:
    """Tasks, in the order of their start, and what holds for all of them: the keywords are the keys
    at the top of a file (`defaults`, `exit_code_from`, `abort_on_failure`, `stop_timeout`, `logs`).

    `files`: a path or several, each laid over those before it, and the tasks over all of them.
    `name`: of the project; without it what the files say, or the folder's. `folder`: what relative
    paths are meant from; without it the file's own folder for what files say, and the current one
    for what is said in code. `variables`: for files that are templates (`vars.NAME`).
    """

    def __init__(
        self,
        *tasks: Task,
        files: Path | Iterable[Path] = (),
        name: str | None = None,
        folder: Path | None = None,
        variables: Mapping[str, str] | None = None,
        **keys: Unpack[ProjectKeys],
    ) -> None:
        for task in tasks:
            if not isinstance(task, Task):
                raise TypeError(f"{task!r} is no Task; files go into `files`")
        for key in keys:
            if key in _ELSEWHERE:
                raise TypeError(f"{key}: not in a program; {_ELSEWHERE[key]}")
        found = (files,) if isinstance(files, str | os.PathLike) else tuple(files)
        self.files = tuple(os.fspath(file) for file in found)
        self.tasks = tasks
        self.name = name
        self.folder = None if folder is None else os.path.abspath(folder)
        self.variables = dict(variables or {})
        self._said = said(_place(sys._getframe(1)), {"name": name, **keys})

    def __repr__(self) -> str:
        words = [*map(repr, self.tasks)]
        if self.files:
            words.append(f"files={list(self.files)!r}")
        return f"Project({', '.join(words)})"

    def problems(self) -> list[Problem]:
        """All that is wrong with it, as `procession check` tells it: each is one line as text, and
        has `file`, `line`, `column`, `path`, `what`, `expected` and `suggestion`. Raises UsageError
        for a file that is not there."""
        from procession.config.load import examine

        return list(examine(*self._paths(), **self._options(dict(os.environ))).problems)

    def check(self) -> None:
        """Raises ConfigError with all `problems`, where there are any; UsageError as they do."""
        self.load()

    def load(self, environ: Mapping[str, str] | None = None) -> Loaded:
        """The typed model, looked up on this host. Raises as `check`."""
        from procession.config.load import load

        environ = dict(os.environ if environ is None else environ)
        return load(*self._paths(), **self._options(environ))

    def _paths(self) -> tuple[tuple[str, ...]]:
        return (self.files,)

    def _options(self, environ: Mapping[str, str]) -> dict[str, Any]:
        written: Written | None = None
        if self.tasks or self._said.values or not self.files:
            said_of_tasks = (task._said for task in self.tasks)
            written = Written(self._said, said_of_tasks, alone=not self.files)
        return {
            "cwd": os.getcwd(),
            "base": self.folder,
            "environ": environ,
            "variables": self.variables,
            "written": written,
        }


def as_project(what: tuple[Project | Task | Path, ...], frame: Any) -> Project:
    """Of what `up` was given: one project, or files, tasks, or both."""
    if len(what) == 1 and isinstance(what[0], Project):
        return what[0]
    tasks: list[Task] = []
    files: list[str] = []
    for one in what:
        if isinstance(one, Task):
            tasks.append(one)
        elif isinstance(one, Project):
            raise TypeError("a project stands alone: say the rest in it")
        else:
            files.append(os.fspath(one))
    if not what:
        raise TypeError("what is to run? A file, a Project, or Tasks")
    project = Project(*tasks, files=files)
    project._said = Said(_place(frame), ())
    return project


def _place(frame: Any) -> Place:
    """Of the call under way in this frame."""
    line, column = frame.f_lineno, 1
    for number, at in enumerate(frame.f_code.co_positions()):
        if number == frame.f_lasti // 2:
            line, column = at[0] or line, (at[2] or 0) + 1
            break
    return Place(_shown(frame.f_code.co_filename), line, column)


def _shown(path: str) -> str:
    """From here if it is below, as people see it."""
    try:
        near = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return path if near.startswith(os.pardir) else near
