"""How much of the output is kept: the mapping `logs`, in parts by the names of `spec.Project`."""

from __future__ import annotations

from procession import keys
from procession.config.mappings import Table, below
from procession.config.texts import is_null

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.config.report import Report
    from procession.config.yaml import Node

_LOGS = Table(keys.LOG_FIELDS, "LOGS")


def logs(report: Report, node: Node, field: keys.Field, folder: str) -> dict[str, Any] | None:
    """The bounds that are said, by key."""
    return {} if is_null(node) else below(report, node, _LOGS, folder)
