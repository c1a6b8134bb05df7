"""`procession graph`: who needs whom, in which order tasks start and stop."""

from __future__ import annotations

import argparse
import os
import sys

from procession.app import USAGE, UpOptions, current_folder, wanted, wants_color
from procession.cli.drawing import FORMATS
from procession.cli.parser import Parser
from procession.cli.printing import print_out
from procession.cli.reading import (
    add_choice_options,
    add_file_options,
    files_of,
    names_of,
    needed_of,
)
from procession.cli.templates import with_plain_vars
from procession.errors import ConfigError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
Nothing is started. What a task needs is drawn below it, with the condition that
has to be met; all of a wave may start at once. To see a picture:

    procession graph --format dot | dot -Tsvg > graph.svg
"""


def main(words: Sequence[str]) -> int:
    """Parse and draw; 0, or 2 where there is nothing to read or it has problems. SystemExit(2)
    from argparse for a wrong option."""
    parser = _parser()
    given = parser.parse_args(with_plain_vars(words))
    options = UpOptions(
        files=files_of(parser, given.file, given.config_j2),
        cwd=given.cwd,
        name=given.name,
        only=names_of(parser, "--only", given.only),
        without=names_of(parser, "--except", given.without),
        needed=needed_of(parser, given.only, no_deps=given.no_deps),
        template=given.config_j2 is not None,
        variables=tuple(given.var),
    )
    try:
        print_out(_drawn(options, given.format))
    except ConfigError as e:
        from procession.config.telling import told

        color = False if given.no_color else wants_color(None, 2)
        sys.stderr.write(told(e.problems, color=color))
        return USAGE
    except UsageError as e:
        sys.stderr.write(f"procession: {e}\n")
        return USAGE
    return 0


def _drawn(options: UpOptions, form: str) -> str:
    from procession.config.load import load

    loaded = load(
        options.files or None,
        cwd=current_folder(),
        base=options.cwd,
        name=options.name,
        environ=dict(os.environ),
        template=options.template,
        variables=dict(options.variables),
    )
    return FORMATS[form](wanted(loaded.project, options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="procession graph",
        description="Draw who needs whom, and in which waves the tasks start.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_file_options(parser)
    add_choice_options(parser)
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="text",
        help="text (default), dot for Graphviz, or mermaid",
    )
    parser.add_argument("--no-color", action="store_true", help="no colour in what is wrong")
    return parser
