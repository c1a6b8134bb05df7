"""Procession launches, supervises and gracefully stops processes, and never loses one.

Importing the package loads nothing else. A project in code is here: `from procession import
Project, Task, up`. Else import the room you need: `procession.executor`, `procession.shutdown` in a
hosted program, `procession.notify` to say "ready".
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.api import (
        ConfigError as ConfigError,
    )
    from procession.api import (
        LateError as LateError,
    )
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
        TaskFailedError as TaskFailedError,
    )
    from procession.api import (
        up as up,
    )
    from procession.api import (
        up_async as up_async,
    )

__version__ = "0.1.0"

_LAZY = (
    *("ConfigError", "LateError", "Project", "Row", "Running"),
    *("Task", "TaskFailedError", "up", "up_async"),
)


def __getattr__(name: str) -> object:
    """What the first program to ask for it loads; from then on a name like any other."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    api = importlib.import_module("procession.api")
    globals().update({lazy: getattr(api, lazy) for lazy in _LAZY})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
