"""`procession why TASK`: how it is, why, and what came before."""

from __future__ import annotations

import os
import re

from procession.cli.printing import print_out
from procession.cli.ps import readiness
from procession.cli.running import connect, none_of, parser_for, told_failure
from procession.control.protocol import chosen
from procession.core.parts import duration
from procession.errors import ProcessionError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

EVENTS = 12  # of what came before, the newest
READ = 4 << 20  # bytes of the event log that are looked at


def main(words: Sequence[str]) -> int:
    parser = parser_for("why", "Say how tasks are, why, and what came before.")
    parser.add_argument("names", nargs="+", metavar="TASK", help="tasks, or replicas of them")
    given = parser.parse_args(list(words))
    try:
        client = connect(given.file, given.project)
        try:
            rows = client.replicas()["replicas"]
        finally:
            client.close()
        try:
            rows = chosen(rows, given.names)
        except KeyError as e:
            raise none_of(e.args[0], rows) from None
    except ProcessionError as e:
        return told_failure(e)
    print_out(
        "\n".join("".join(f"{line}\n" for line in told(row, client.about.logs)) for row in rows)
    )
    return 0


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
    yield f"  runs:     {row['run']}, {row['restarts']} of them restarts" + (
        f"; the last {row['exit']}" if row["exit"] else ""
    )
    if row["status_text"]:
        yield f"  says:     {one_line(row['status_text'])}"
    if logs is None:
        return
    lines = list(events(logs, str(row["name"])))
    if lines:
        yield "  before:"
        yield from (f"    {one_line(line)}" for line in lines[-EVENTS:])
    yield f"  output:   {os.path.join(logs, row['name'])}.log"


def events(logs: str, replica: str) -> Iterator[str]:
    """What the event log has of a replica, the oldest first."""
    wanted = re.compile(rf"\S+ {re.escape(replica)}(?: run \d+)?: ")
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
