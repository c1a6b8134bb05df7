"""When a run is ready, or healthy: `ready` and `health`, with their probes in `config.probes`."""

from __future__ import annotations

from procession import keys, spec
from procession.config.mappings import Table, below
from procession.config.report import Report, described
from procession.config.texts import NOTHING, is_null
from procession.config.yaml import Mapping, Scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from procession.config.mappings import Nodes
    from procession.config.texts import Nothing
    from procession.config.yaml import Node

_READY = Table(keys.READY_FIELDS, "CHECK")
_HEALTH = Table(keys.HEALTH_FIELDS, "HEALTH")
_ONE_OF = ", ".join(f"`{probe}`" for probe in keys.PROBES[:-1]) + f" or `{keys.PROBES[-1]}`"


def check(
    report: Report, node: Node, field: keys.Field, folder: str
) -> spec.Check | Nothing | None:
    """The check that a mapping says; nothing at all is none, whatever other files say."""
    if is_null(node):
        return NOTHING
    if not isinstance(node, Mapping):
        hint = ""
        if isinstance(node, Scalar) and node.value in ("notify", "sd_notify", "sd-notify"):
            hint = f"{field.key}: {{notify: true}}"
        report.bad(node, described(node), f"a mapping with a probe: {_ONE_OF}", hint)
        return None
    nodes: Nodes = {}
    table = _READY if field.kind == "ready" else _HEALTH
    meant: set[str] = set()
    values = below(report, node, table, folder, nodes, meant=meant)
    if values is None or len(values) < len(nodes) or not meant.isdisjoint(keys.PROBES):
        return None
    probes = tuple(_probe(key, values.pop(key)) for key in nodes if key in keys.PROBES)
    if not probes:
        report.bad(node, "no probe", _ONE_OF)
        return None
    defaults = {f.key: f.default for f in field.fields if f.key not in keys.PROBES}
    said = {key: values.get(key, default) for key, default in defaults.items()}
    restarts = said.pop("then", "restart") == "restart"
    fit = {key.replace("-", "_"): value for key, value in said.items()}
    return spec.Check(probes, restarts=restarts, **fit)


def _probe(key: str, value: object) -> spec.Probe:
    """The probe of what was read below its key."""
    if isinstance(value, spec.Probe):
        return value
    if key == "notify":
        return spec.NotifyProbe()
    made: dict[str, Callable[[Any], spec.Probe]] = {
        "exec": spec.ExecProbe,
        "log": spec.LogProbe,
        "file": spec.FileProbe,
        "unix": spec.UnixProbe,
        "fd": spec.FdProbe,
    }
    return made[key](value)
