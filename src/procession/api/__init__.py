"""A project inside a Python program: built in code or read from files, run in a thread, steered.

    from procession import Task, up

    with up(Task("web", "python3", "-m http.server 8000", ready={"tcp": 8000})) as running:
        running.ready(timeout=10)
        ...

These names are to be had from `procession` itself, which loads this room when it is asked for one
of them.
"""

from __future__ import annotations

from procession.api._project import Project, Task
from procession.api._running import Running
from procession.api._start import up, up_async
from procession.core.view import Row
from procession.errors import ConfigError, LateError, TaskFailedError

__all__ = [
    "ConfigError",
    "LateError",
    "Project",
    "Row",
    "Running",
    "Task",
    "TaskFailedError",
    "up",
    "up_async",
]
