"""`python -m drekar_launch`: the old launcher's command line and habits over `procession up`.

What a file written for it leaves unsaid is meant as it was there: a task runs in the current
folder, hears SIGINT (on Windows a close message, or else Ctrl-Break), has 15 s to end, and is
started again 5 s after its end if `restart` says so; one with `quit-on-terminate` ends the whole
with its first end. What it passed over (unknown keys), or read otherwise (YAML 1.1), is noted and
no mistake.
docs/migration-drekar.md has every option and key, and what differs.
"""

from __future__ import annotations

import argparse
import os
import sys

from procession.app import USAGE, UpOptions, up
from procession.cli.main import prepare
from procession.cli.parser import Parser
from procession.cli.reading import files_of
from procession.cli.templates import add_options, with_plain_vars
from procession.errors import ProcessionError, UsageError, one_line
from procession.spec import Defaults, Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROG = "drekar_launch"
NAME = "drekar-launch"  # of a project whose file has none, and of the log place
FILE = "drekar-launch.yaml"
NO_WINDOW = (
    "--gui: there is no window; this terminal shows every state, Ctrl-C in it (or SIGTERM) "
    "stops all tasks"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the old command line `argv` (None: sys.argv). Exit status as that of `procession up`."""
    prepare(own_process=argv is None)
    try:
        return up(parse(sys.argv[1:] if argv is None else argv))
    except UsageError as e:
        _say(str(e))
        return USAGE
    except ProcessionError as e:
        _say(str(e))
        return 1


def parse(words: Sequence[str]) -> UpOptions:
    """What the command line means. SystemExit(2) from argparse, or UsageError, for a mistake."""
    parser = _parser()
    given, unknown = parser.parse_known_args(with_plain_vars(words))
    if unknown:
        # that launcher passed over them in silence, and scripts may lean on it
        _say(f"not known and ignored: {one_line(' '.join(unknown))}")
    if given.gui:
        _say(NO_WINDOW)
    return UpOptions(
        files=files_of(parser, [given.config] if given.config else [], given.config_j2) or (FILE,),
        template=given.config_j2 is not None,
        variables=tuple(given.var),
        cwd=".",
        name=given.name,
        quiet=given.quiet,
        log_dir=log_place(os.environ),
        defaults=Defaults(
            name=NAME,
            cwd=_folder(given.cwd),
            # of those of Windows SIGINT would be Ctrl-C alone, which no window hears
            stop=Stop("SIGTERM" if sys.platform == "win32" else "SIGINT", "group", 15.0),
            restart_delay=5.0,
            quits_at_first_end=True,
            forgiving=True,
        ),
    )


def log_place(environ: Mapping[str, str]) -> str:
    """Where that launcher kept its logs: the log folder that `appdirs` 1.4 knew for its name.

    That is below the user's cache on Linux (XDG base directories), where newer libraries say
    state; the two others are told alike by all.
    """
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(local, NAME, NAME, "Logs")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Logs", NAME)
    return os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), NAME, "log")


def _folder(cwd: str) -> str:
    folder = os.path.abspath(cwd)
    if not os.path.isdir(folder):
        raise UsageError("--cwd", f"{one_line(folder)} is not a folder", "one that exists")
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=PROG,
        description="The command line of drekar-launch over `procession up`, which can do more.",
    )
    add = parser.add_argument
    add("--config", metavar="FILE", help=f"the file (default: {FILE} in this folder)")
    add("--cwd", metavar="DIR", default=".", help="where tasks run that do not say it themselves")
    add("--name", metavar="NAME", help="call the group NAME, whatever the file says")
    add("--quiet", action="store_true", help="no task output here; logs and failures only")
    add("--gui", action="store_true", help="accepted; there is no window")
    add_options(parser)
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{PROG}: {text}\n")
