"""The reader of each kind of value that a key may hold: a node in, what it means out.

Each takes the report, the node and the key's line of the table in `keys`, and the folder that
relative paths are meant from; each returns None after it has told what is wrong, and goes on past
the first mistake of a list. Where text is expected a plain number or boolean is taken as written
(`1.10` stays `1.10`, `true` is the program of that name); nothing at all is not.

What few files have is read by modules that are imported when such a key is met.
"""

from __future__ import annotations

from procession.config import choices, numbers, strings
from procession.config.variables import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.config.report import Report
    from procession.config.yaml import Node
    from procession.keys import Field

    Reader = Callable[[Report, Node, Field, str], object]


def _check(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config.checks import check

    return check(report, node, field, folder)


def _depends_on(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config.dependencies import depends_on

    return depends_on(report, node, field, folder)


def _granted(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config import granted

    reader: Reader = getattr(granted, field.kind)
    return reader(report, node, field, folder)


def _logs(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config.bounds import logs

    return logs(report, node, field, folder)


def _probe(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config import probes

    reader: Reader = getattr(probes, field.kind)
    return reader(report, node, field, folder)


def _restart(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config import restarts

    reader: Reader = getattr(restarts, field.kind)
    return reader(report, node, field, folder)


def _stop(report: Report, node: Node, field: Field, folder: str) -> object:
    from procession.config import stops

    reader: Reader = getattr(stops, field.kind)
    return reader(report, node, field, folder)


READERS: dict[str, Reader] = {
    "args": strings.args,
    "boolean": numbers.boolean,
    "choice": choices.choice,
    "codes": numbers.codes,
    "command": strings.command,
    "condition": choices.condition,
    "depends-on": _depends_on,
    "duration": numbers.duration,
    "environment": environment,
    "include": strings.paths,
    "integer": numbers.integer,
    "mapping": _logs,
    "name": strings.name,
    "number": numbers.number,
    "path": strings.path,
    "paths": strings.paths,
    "policy": choices.policy,
    "program": strings.program,
    "restart": choices.restart,
    "signal": choices.signal_name,
    "size": numbers.size,
    "task-name": strings.task_name,
    "words": strings.words,
    **dict.fromkeys(("ready", "health"), _check),
    **dict.fromkeys(("account", "accounts", "cpus", "limits", "umask"), _granted),
    **dict.fromkeys(
        ("headers", "http", "method", "regex", "socket", "statuses", "tcp", "true", "url"), _probe
    ),
    **dict.fromkeys(("backoff", "rules"), _restart),
    **dict.fromkeys(("stop", "steps"), _stop),
}
