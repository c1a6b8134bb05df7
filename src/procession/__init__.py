"""Procession launches, supervises and gracefully stops processes, and never loses one.

Importing the package loads nothing else. A project in code is here: `from procession import
Project, Task, up`. Else import the room you need: `procession.executor`, `procession.shutdown` in a
hosted program, `procession.notify` to say "ready".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.api import (
        Project as Project,
    )
    from procession.api import (
        Row as Row,
    )
    from procession.api import (
        Running as Running,
    )
    from procession.api import (
        Task as Task,
    )
    from procession.api import (
        up as up,
    )
    from procession.api import (
        up_async as up_async,
    )
    from procession.errors import (
        AlreadyRunningError as AlreadyRunningError,
    )
    from procession.errors import (
        ConfigError as ConfigError,
    )
    from procession.errors import (
        HostError as HostError,
    )
    from procession.errors import (
        LateError as LateError,
    )
    from procession.errors import (
        ProcessionError as ProcessionError,
    )
    from procession.errors import (
        TaskFailedError as TaskFailedError,
    )
    from procession.errors import (
        UsageError as UsageError,
    )

__version__ = "0.1.0"

_ROOMS = {
    "procession.api": ("Project", "Row", "Running", "Task", "up", "up_async"),
    "procession.errors": (
        *("AlreadyRunningError", "ConfigError", "HostError", "LateError"),
        *("ProcessionError", "TaskFailedError", "UsageError"),
    ),
}
__all__ = [
    "AlreadyRunningError",
    "ConfigError",
    "HostError",
    "LateError",
    "ProcessionError",
    "Project",
    "Row",
    "Running",
    "Task",
    "TaskFailedError",
    "UsageError",
    "up",
    "up_async",
]


def __getattr__(name: str) -> object:
    """What the first program to ask for it loads; from then on a name like any other."""
    for room, names in _ROOMS.items():
        if name in names:
            import importlib

            loaded = importlib.import_module(room)
            globals().update({lazy: getattr(loaded, lazy) for lazy in names})
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
