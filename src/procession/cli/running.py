"""Which running project a verb is about, and the options by which it is named."""

from __future__ import annotations

import os
import sys
import time

from procession.cli.parser import First, Parser
from procession.errors import HostError, ProcessionError, UsageError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from procession.control.address import About
    from procession.control.client import Client

BEGINS_WITHIN = 10.0  # seconds from when a project is claimed until it can be asked
PAUSE = 0.05  # seconds between two looks for that
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
        action=First,
        help="the project's file, of several the first (default: the one in this folder)",
    )
    parser.add_argument(
        "-p", "--project", metavar="NAME", help="the project's name, wherever its file is"
    )
    return parser


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


class NotYetError(HostError):
    """Somebody has claimed the project that is meant, and cannot be asked."""


class NobodyToAskError(HostError):
    """The folder that tells who runs may be somebody else's, so nothing there is believed."""


if sys.platform == "win32":

    def connect(file: str | None, project: str | None, patience: float = BEGINS_WITHIN) -> Client:
        raise not_here()

else:

    def connect(file: str | None, project: str | None, patience: float = BEGINS_WITHIN) -> Client:
        """To the running project that is meant; waits so many seconds for one that begins.

        Raises NotRunningHereError where none is, UsageError where it cannot be told which,
        NotYetError for one that still cannot be asked, NobodyToAskError where nobody can be.
        """
        from procession.control.address import NoFolderError, claimed, running, runtime_folder
        from procession.control.client import Client

        path = None
        if file is not None or project is None:
            path = os.path.realpath(file if file is not None else _here())
            if file is not None and not os.path.exists(path):
                raise UsageError(one_line(file), "there is no such file")

        def meant(found: list[tuple[str, About]]) -> list[tuple[str, About]]:
            return [
                one
                for one in found
                if project in (None, one[1].project) and path in (None, one[1].file)
            ]

        try:
            runtime = runtime_folder(os.environ, make=False)
        except NoFolderError:
            raise _not_running(path, project, []) from None  # nothing ever ran
        except HostError as e:
            raise NobodyToAskError("what runs here", f"nobody can be asked: {e}") from e
        until = time.monotonic() + patience
        while True:
            # in this order: what begins between the two looks is found by the next ones
            coming = meant(claimed(runtime))
            found = running(runtime)
            if (wanted := meant(found)) or not coming:
                break
            if time.monotonic() >= until:
                raise _not_yet(coming[0][1])
            time.sleep(PAUSE)
        if not wanted:
            raise _not_running(path, project, [about.project for _, about in found])
        if len(wanted) > 1:
            names = ", ".join(
                one_line(f"{about.project} (supervisor {about.pid}, {about.file})")
                for _, about in wanted
            )
            several = len({about.project for _, about in wanted}) < len(wanted)
            by = "`-p NAME`, and `-f FILE` where two have one name" if several else "`-p NAME`"
            raise UsageError("this project", f"several are meant: {names}", "", f"Name one by {by}")
        return Client(*wanted[0])

    def _not_running(
        path: str | None, project: str | None, others: Sequence[str]
    ) -> NotRunningHereError:
        if project is not None:
            words = f"no project called {project} runs"
        else:
            words = f"{path}: it does not run"
        names = ", ".join(sorted(set(others)))
        return NotRunningHereError(one_line(words + (f"; what runs is {names}" if names else "")))

    def _not_yet(about: About) -> NotYetError:
        return NotYetError(
            one_line(about.project),
            f"process {about.pid} has claimed it, and cannot be asked yet",
            "",
            "It still begins or ends, or could not open its socket: its log says so",
        )

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


def tell_changes(about: About) -> None:
    """Its files are read once: who has changed one since would wait for what does not come."""
    for path, at in about.read:
        try:
            changed = os.stat(path).st_mtime_ns != at
        except OSError:
            changed = True  # it was taken away, or put elsewhere
        if changed:
            name = one_line(os.path.basename(path))
            sys.stderr.write(
                f"procession: {name} has changed since `up`; `down` and `up` take the change\n"
            )


def none_of(name: str, rows: Sequence[object], about: About | None) -> UsageError:
    """Nothing of this project has that name; no `about`: it does not run."""
    from procession.control.protocol import nobody

    names = sorted({str(row["task"]) for row in rows if isinstance(row, dict)})
    return UsageError(
        one_line(name), nobody(about.left_out if about else (), name), ", ".join(names)
    )
