"""`procession up`: run a project until it ends."""

from __future__ import annotations

import argparse
import os
import sys

from procession.app import UpOptions, up
from procession.cli.parser import Parser, span
from procession.cli.reading import (
    add_choice_options,
    add_file_options,
    files_of,
    names_of,
    needed_of,
)
from procession.cli.templates import with_plain_vars

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CRASH_GRACE = 1.0  # seconds
LONGEST_GRACE = 3600.0  # seconds
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
    if given.crash_grace is not None and sys.platform == "win32":
        parser.error(
            "--crash-grace: on Windows the system itself ends all tasks when procession has "
            "crashed, at once; leave it out"
        )
    return UpOptions(
        files=files_of(parser, given.file, given.config_j2),
        cwd=given.cwd,
        name=given.name,
        quiet=given.quiet,
        only=names_of(parser, "--only", given.only),
        without=names_of(parser, "--except", given.without),
        needed=needed_of(parser, given.only, no_deps=given.no_deps),
        exit_code_from=given.exit_code_from,
        abort_on_failure=given.abort_on_failure,
        stop_timeout=given.stop_timeout,
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
    add_file_options(parser)
    add_choice_options(parser)
    add(
        "--exit-code-from",
        metavar="TASK",
        help="when this task ends, all stop, and its status is ours",
    )
    add(
        "--abort-on-failure",
        action="store_true",
        help="when a task has failed for good, all stop, and its status is ours",
    )
    add(
        "--stop-timeout",
        metavar="TIME",
        type=span,
        help="the stop of everything takes so long at most (10s, 1m30s); what is left is killed",
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
        metavar="TIME",
        type=_grace,
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


def _grace(text: str) -> float:
    value = span(text)
    if value > LONGEST_GRACE:
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 0 to 1h")
    return value
