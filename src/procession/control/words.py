"""How a replica is, in words: its row as `ps` has it, and what came before from the event log."""

from __future__ import annotations

import os
import re

from procession.core.parts import duration
from procession.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

EVENTS = 12  # of what came before, the newest
READ = 4 << 20  # bytes of the event log that are looked at


def readiness(row: Mapping[str, Any]) -> str:
    """`yes`, `no`; `unhealthy` where that is what matters."""
    if row["healthy"] is False:
        return "unhealthy"
    return "yes" if row["ready"] else "no"


def told(row: Mapping[str, Any], logs: str | None) -> Iterator[str]:
    """Lines for one replica."""
    since = "" if row["since"] is None else f" for {duration(row['since'])}"
    pid = f", pid {row['pid']}" if row["pid"] else ""
    yield f"{row['name']}: {row['state']}{since}{pid}"
    yield f"  why:      {one_line(str(row['reason']))}"
    wanted = "up" if row["wanted"] else "down"
    health = {None: "", True: ", healthy", False: ", unhealthy"}[row["healthy"]]
    ready = "ready" if readiness(row) != "no" and row["ready"] else "not ready"
    yield f"  is:       {ready}{health}; wanted {wanted}"
    yield f"  runs:     {_runs(row)}"
    if row["status_text"]:
        yield f"  says:     {one_line(row['status_text'])}"
    if logs is None:
        return
    lines = list(events(logs, str(row["name"])))
    if lines:
        yield "  before:"
        yield from (f"    {one_line(line)}" for line in lines[-EVENTS:])
    if row["run"]:  # else there is no such file
        yield f"  output:   {one_line(os.path.join(logs, row['name']))}.log"


def _runs(row: Mapping[str, Any]) -> str:
    """How many there were: `none yet`, `1`, `3, 2 of them restarts; the last exited with 1`."""
    if not row["run"]:
        return "none yet"
    again = row["restarts"]
    restarts = f", {again} of them {'a restart' if again == 1 else 'restarts'}" if again else ""
    last = f"; the last {row['exit']}" if row["exit"] else ""
    return f"{row['run']}{restarts}{last}"


def events(logs: str, replica: str) -> Iterator[str]:
    """What the event log has of a replica, the oldest first."""
    told = r"(?:(?: run \d+)?: | (?:not )?(?:ready|healthy)\b)"  # of its state, of its checks
    wanted = re.compile(rf"\S+ {re.escape(replica)}{told}")
    try:
        with open(os.path.join(logs, "procession.log"), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - READ))
            data = file.read(READ)
    except OSError:
        return
    for line in data.decode("utf-8", "backslashreplace").splitlines():
        if wanted.match(line):
            yield line
