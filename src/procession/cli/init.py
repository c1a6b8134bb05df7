"""`procession init`: writes a project file to begin with, or one from a Procfile."""

from __future__ import annotations

import argparse
import os
import sys
from shlex import quote

from procession.app import USAGE, wants_color
from procession.cli.parser import Parser
from procession.cli.printing import print_out
from procession.errors import ConfigError, UsageError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "procession.yaml"

STARTER = """\
# What belongs together, started in this order by `procession`, stopped by Ctrl-C.
# Lines that begin with `#` are examples: take the `# ` away to use one.
# Every key, and what it means: `procession schema`, or docs/reference.md. What this file comes to,
# with all that it leaves unsaid: `procession check --show`.

# name: shop                   # else the folder's name

tasks:
  hello:                       # a name of your choice; output is shown as `hello | ...`
    program: sh                # looked up on PATH; with a slash: from `cwd`
    args: [-c, "echo it works; exec sleep 1000"]   # a list, or one text: -m http.server 8000

    # cwd: .                     # where it runs: from this file's folder
    # environment:               # over what `procession` itself has
    #   PORT: 8000
    # env-file: .env             # a file of NAME=VALUE lines; must be there
    # start-delay: 500ms         # seconds, or 250ms, 1m30s, 2h

    # restart: on-failure        # no (default), on-failure, always
    # restart-backoff: 2s        # else 1 s, doubled with each quick end, up to 30 s
    # quit-on-terminate: true    # when it ends, all of it ends, with its status
    # success-exit-codes: [0]

    # stop:
    #   signal: SIGTERM          # how it is asked to end
    #   timeout: 10s             # after that, what is left of it is killed

    # ready: {log: it works}     # when it does its job: tcp, http, exec, log, file, notify, ...
    # health: {exec: "true", interval: 10s}   # and whether it still does
    # replicas: 2                # copies: hello-1, hello-2
    # autostart: false           # starts when somebody asks for it
    # tags: [web]                # `procession up --only web` starts just these, and their needs

  # worker:
  #   depends-on: [hello]        # starts once that is ready, stops before it
  #   program: sh
  #   args: [-c, "exec sleep 1000"]
"""

EPILOG = """\
A Procfile has one task a line, `web: bundle exec puma -p $PORT`. A line of
plain words becomes program and args; anything a shell would read otherwise is
given to one (sh -c). As a Procfile's runner does, each task gets a PORT of its
own (5000, 5100, ...) and PYTHONUNBUFFERED, and when one ends, all end.
"""


def main(words: Sequence[str]) -> int:
    """Parse and write; the exit status. SystemExit(2) from argparse for a wrong option."""
    given = _parser().parse_args(words)
    try:
        text = STARTER if given.source is None else _converted(given.source, given.file)
        _write(given.file, text, force=given.force)
    except ConfigError as e:
        from procession.config.telling import told

        sys.stderr.write(told(e.problems, color=wants_color(None, 2)))
        return USAGE
    except UsageError as e:
        sys.stderr.write(f"procession: {e}\n")
        return USAGE
    where = "" if given.file == FILE else f" -f {one_line(quote(given.file))}"
    hint = ""
    if given.source is None and os.path.isfile("Procfile"):
        again = f"procession init --from Procfile{where} --force"
        hint = f"; to make it of the Procfile here: `{again}`"
    print_out(f"{one_line(given.file)} written; `procession up{where}` starts it{hint}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="procession init",
        description="Write a project file to begin with, commented, or one made of a Procfile.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-f", "--file", metavar="FILE", default=FILE, help=f"what to write (default: {FILE})")
    add("--from", dest="source", metavar="PROCFILE", help="make it of this Procfile")
    add("--force", action="store_true", help="write over a file that is there")
    return parser


def _converted(path: str, target: str) -> str:
    from procession.config.procfile import convert
    from procession.config.source import MAX_BYTES, Problem, decode_bytes

    try:
        with open(path, "rb") as file:
            source = decode_bytes(path, file.read(MAX_BYTES + 1))
    except (OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        raise UsageError(one_line(path), f"cannot be read: {reason}", "a Procfile") from None
    if isinstance(source, Problem):
        raise ConfigError(path, [source])
    here = os.path.dirname(os.path.abspath(target))
    folder = os.path.relpath(os.path.dirname(os.path.abspath(path)), here)
    env_file = os.path.normpath(os.path.join(folder, ".env"))
    there = os.path.isfile(os.path.join(here, env_file))
    return convert(source, folder=folder, env_file=env_file if there else None)


def _write(path: str, text: str, *, force: bool) -> None:
    """Write the file; without `force` only where there is none, also none made meanwhile."""
    try:
        with open(path, "w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        what = "is there already"
        raise UsageError(one_line(path), what, "", "--force writes over it") from None
    except (OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or str(e)
        raise UsageError(one_line(path), f"cannot be written: {reason}", "a file") from None
