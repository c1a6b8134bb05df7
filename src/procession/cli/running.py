"""Which running project a verb is about, and the options by which it is named."""

from __future__ import annotations

import os
import sys

from procession.cli.parser import Parser
from procession.errors import HostError, ProcessionError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from procession.control.client import Client

NOT_RUNNING = 3  # exit status, as init scripts say "program is not running" (LSB)
EXIT = (
    "Exit status: 0; 1 where it did not come true; 2 for a mistake; 3 where no such project runs."
)


def parser_for(
    verb: str, description: str, epilog: str = EXIT, *, short: bool = True
) -> argparse.ArgumentParser:
    """With the options that name a project; `short`: -f is one of them."""
    parser = Parser(
        prog=f"procession {verb}", description=description, epilog=epilog, allow_abbrev=False
    )
    parser.add_argument(
        *(("-f", "--file") if short else ("--file",)),
        metavar="FILE",
        help="the project's file (default: the one in this folder)",
    )
    parser.add_argument(
        "-p", "--project", metavar="NAME", help="the project's name, wherever its file is"
    )
    return parser


def seconds(text: str) -> float:
    """An argument that is a time."""
    import argparse
    import math

    try:
        value = float(text.removesuffix("s"))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return value


def not_here() -> HostError:
    """For systems where a running project has no door."""
    return HostError(
        "a running project",
        "it cannot be seen or steered from outside on Windows yet",
        "",
        "Its log folder says what happens there; Ctrl-C, or WM_CLOSE to its window, stops it",
    )


class NotRunningHereError(ProcessionError):
    """No running project is meant by what was said."""


if sys.platform == "win32":

    def connect(file: str | None, project: str | None) -> Client:
        raise not_here()

else:

    def connect(file: str | None, project: str | None) -> Client:
        """To the running project that is meant.

        Raises NotRunningHereError where none is, UsageError where it cannot be told which.
        """
        from procession.control.address import running, runtime_folder
        from procession.control.client import Client

        try:
            found = running(runtime_folder(os.environ, make=False))
        except HostError:
            found = []  # nothing ever ran
        wanted, words = found, ""
        if project is not None:
            wanted = [one for one in found if one[1].project == project]
            words = f"no project called {project} runs"
        if file is not None or project is None:
            path = os.path.realpath(file if file is not None else _here())
            if file is not None and not os.path.exists(path):
                raise UsageError(file, "there is no such file")
            wanted = [one for one in wanted if one[1].file == path]
            words = words or f"{path}: it does not run"
        if not wanted:
            others = ", ".join(sorted({one[1].project for one in found}))
            raise NotRunningHereError(words + (f"; what runs is {others}" if others else ""))
        if len(wanted) > 1:
            names = ", ".join(
                f"{about.project} (supervisor {about.pid}, {about.file})" for _, about in wanted
            )
            raise UsageError(
                "which project?", f"several are meant: {names}", "", "Name one by -p and -f"
            )
        return Client(*wanted[0])

    def _here() -> str:
        from procession.app import current_folder
        from procession.config.files import find

        return find(current_folder())


def told_failure(e: ProcessionError) -> int:
    """Say it; the exit status."""
    sys.stderr.write(f"procession: {e}\n")
    if isinstance(e, UsageError):
        return 2
    if isinstance(e, NotRunningHereError):
        return NOT_RUNNING
    from procession.control.client import NotRunningError

    return NOT_RUNNING if isinstance(e, NotRunningError) else 1


def none_of(name: str, rows: Sequence[object]) -> UsageError:
    """Nothing of this project has that name."""
    names = sorted({str(row["task"]) for row in rows if isinstance(row, dict)})
    return UsageError(name, "no task or replica of this project is called so", ", ".join(names))
