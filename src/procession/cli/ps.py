"""`procession ps`: what runs, and how it is."""

from __future__ import annotations

import os
import sys

from procession.app import wants_color
from procession.cli.printing import print_out, terminal_width
from procession.cli.running import connect, none_of, not_here, parser_for, told_failure
from procession.control.protocol import chosen
from procession.control.words import readiness
from procession.core.parts import duration
from procession.errors import ProcessionError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

COLUMNS = ("NAME", "STATE", "READY", "PID", "RUN", "SINCE", "REASON")
GOOD, BAD, DOUBTFUL = "32", "31", "33"
COLORS = {"running": GOOD, "failed": BAD, "backoff": DOUBTFUL, "skipped": DOUBTFUL}
LEAST = 20  # columns for the reason, also on a narrow terminal


def main(words: Sequence[str]) -> int:
    parser = parser_for("ps", "Show the replicas of a running project, and how they are.")
    parser.add_argument("names", nargs="*", metavar="TASK", help="just these tasks or replicas")
    parser.add_argument("-a", "--all", action="store_true", help="the projects that run, instead")
    parser.add_argument("--json", action="store_true", help="for scripts: a list of objects")
    parser.add_argument("--no-color", action="store_true", help="no colour, also on a terminal")
    given = parser.parse_args(list(words))
    try:
        if given.all:
            return _projects(given.json)
        client = connect(given.file, given.project)
        try:
            rows = client.replicas()["replicas"]
        finally:
            client.close()
        try:
            rows = chosen(rows, given.names)
        except KeyError as e:
            raise none_of(e.args[0], rows, client.about) from None
    except ProcessionError as e:
        return told_failure(e)
    if given.json:
        import json

        print_out(json.dumps(rows, indent=2) + "\n")
    else:
        color = wants_color(False if given.no_color else None, 1)
        print_out(table(rows, color=color, width=terminal_width(1)))
    return 0


def table(rows: Iterable[Mapping[str, Any]], *, color: bool, width: int | None = None) -> str:
    """Columns as wide as what stands in them; the reason last, as long as it is, or as `width`
    columns have room for: `why` has all of it."""
    rows = list(rows)
    cells = [[*_cells(row)] for row in rows]
    widths = [
        max(map(len, column)) for column in zip(COLUMNS[:-1], *(c[:-1] for c in cells), strict=True)
    ]
    lines = [_line(COLUMNS, widths)]
    room = None if width is None else max(LEAST, width - sum(widths) - 2 * len(widths))
    for row, one in zip(rows, cells, strict=True):
        if room is not None and len(one[-1]) > room:
            one[-1] = one[-1][: room - 1] + "…"
        line = _line(one, widths)
        paint = _color(row) if color else None
        lines.append(f"\x1b[{paint}m{line}\x1b[0m" if paint else line)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _color(row: Mapping[str, Any]) -> str | None:
    color = COLORS.get(str(row["state"]))
    return DOUBTFUL if color == GOOD and readiness(row) != "yes" else color


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = (text.ljust(width) for text, width in zip(cells, widths, strict=False))
    return "  ".join((*columns, cells[-1]))


def _cells(row: Mapping[str, Any]) -> Iterable[str]:
    yield str(row["name"])
    yield str(row["state"])
    yield readiness(row)
    yield str(row["pid"] or "-")
    yield str(row["run"])
    yield "-" if row["since"] is None else duration(row["since"])
    said = f" [{one_line(row['status_text'])}]" if row["status_text"] else ""
    yield one_line(str(row["reason"])) + said


if sys.platform == "win32":

    def _projects(as_json: bool) -> int:
        raise not_here()

else:

    def _projects(as_json: bool) -> int:
        from procession.control.address import SOCKET, NoFolderError, running, runtime_folder

        try:
            found = running(runtime_folder(os.environ, make=False))
        except NoFolderError:
            found = []
        if as_json:
            import json

            told = [
                {**about.__dict__, "socket": os.path.join(folder, SOCKET)}
                for folder, about in found
            ]
            print_out(json.dumps(told, indent=2) + "\n")
            return 0
        import time

        cells = [
            (
                about.project,
                str(about.pid),
                duration(max(0.0, time.time() - about.since)),
                one_line(about.file),
            )
            for _, about in found
        ]
        head = ("PROJECT", "PID", "SINCE", "FILE")
        widths = [
            max(map(len, column))
            for column in zip(head[:-1], *(c[:-1] for c in cells), strict=True)
        ]
        print_out("".join(f"{_line(line, widths)}\n" for line in (head, *cells)))
        return 0
