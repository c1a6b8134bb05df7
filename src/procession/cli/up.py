"""`procession up`: run a project until it ends."""

from __future__ import annotations

import argparse
import math
import os
import sys

from procession.app import UpOptions, up
from procession.cli.parser import Parser
from procession.cli.templates import add_options, file_of, with_plain_vars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CRASH_GRACE = 1.0  # seconds
EPILOG = """\
Ctrl-C (or SIGTERM) stops all tasks gracefully; a second Ctrl-C typed at the
terminal kills what is left. The logs of each run of procession are in a folder
of their own, one file per task and stream; `latest` beside it is the newest.
"""


def main(words: Sequence[str]) -> int:
    """Parse and run; SystemExit(2) from argparse for a wrong option."""
    return up(parse(words))


def parse(words: Sequence[str]) -> UpOptions:
    parser = _parser()
    given = parser.parse_args(with_plain_vars(words))
    only = tuple(w for part in given.only for w in part.split(",") if w)
    if given.only and not only:  # an unset variable in a script must not start everything
        parser.error("--only names nothing: give names or tags of tasks, with commas between")
    if given.crash_grace is not None and sys.platform == "win32":
        parser.error(
            "--crash-grace: on Windows the system itself ends all tasks when procession has "
            "crashed, at once; leave it out"
        )
    return UpOptions(
        file=file_of(parser, given.file, given.config_j2),
        cwd=given.cwd,
        name=given.name,
        quiet=given.quiet,
        only=only,
        log_dir=given.log_dir,
        color=False if given.no_color else None,
        timestamps=given.timestamps,
        raw=given.raw,
        crash_grace=CRASH_GRACE if given.crash_grace is None else given.crash_grace,
        template=given.config_j2 is not None,
        variables=tuple(given.var),
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="procession up",
        description="Start the tasks of a project in order, keep them, stop them gracefully.",
        epilog=EPILOG,
        formatter_class=_formatter,
        allow_abbrev=False,  # an abbreviation breaks the day another option gets its letters
    )
    add = parser.add_argument
    add(
        "-f",
        "--file",
        "--config",
        metavar="FILE",
        help="the project's file (default: procession.yaml, procession.yml or "
        "drekar-launch.yaml in this folder)",
    )
    add_options(parser)
    add(
        "--cwd",
        metavar="DIR",
        help="relative paths are meant from here, not the file's folder, and a project without a "
        "name of its own is called after it",
    )
    add("--name", metavar="NAME", help="call the project NAME, whatever the file says")
    add(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="just these tasks, by name or tag (again, or comma-separated, for more)",
    )
    add("-q", "--quiet", action="store_true", help="no task output here; logs and failures only")
    add(
        "--log-dir",
        metavar="DIR",
        help="where log folders are made (default: the user's log place)",
    )
    add("--no-color", action="store_true", help="no colour, also on a terminal")
    add(
        "--raw",
        action="store_true",
        help="let tasks move the cursor and set the title here; colours pass in any case",
    )
    add("--timestamps", action="store_true", help="each line here begins with its time")
    add(
        "--crash-grace",
        metavar="SECONDS",
        type=_seconds,
        help="how long tasks may take to end when procession itself crashed (default: 1)",
    )
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    """With a width: without one argparse imports shutil for it (2 ms), for each option added."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        try:
            columns = os.get_terminal_size().columns
        except (OSError, ValueError):
            columns = 80
    return argparse.RawDescriptionHelpFormatter(prog, width=max(columns, 40) - 2)


def _seconds(text: str) -> float:
    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 0 to 3600 seconds")
    return value
