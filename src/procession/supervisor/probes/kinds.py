"""What every kind of probe has in common: how it is called in words, and how a try is told."""

from __future__ import annotations

from procession import spec
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # How a try ended: what is wrong, in words, none if nothing is; and whether what kept it from
    # being tried is ours alone, so that it says nothing of the run.
    Done = Callable[[str, bool], object]


def named(probe: spec.Probe) -> str:
    """`tcp 127.0.0.1:8000`: as messages call it."""
    if isinstance(probe, spec.TcpProbe):
        host = f"[{probe.host}]" if ":" in probe.host else probe.host
        return f"tcp {host}:{probe.port}"
    if isinstance(probe, spec.HttpProbe):
        return f"http {probe.method} {quoted(probe.url)}"
    if isinstance(probe, spec.ExecProbe):
        return f"exec {quoted(' '.join(probe.command))}"
    if isinstance(probe, spec.LogProbe):
        return f"log {quoted(probe.pattern)}"
    if isinstance(probe, spec.FileProbe):
        return f"file {quoted(probe.path)}"
    if isinstance(probe, spec.UnixProbe):
        return f"unix {quoted(probe.path)}"
    if isinstance(probe, spec.FdProbe):
        return f"fd {probe.fd}"
    return "notify"
