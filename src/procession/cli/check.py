"""`procession check`: every problem of a project file at once, or what the file means."""

from __future__ import annotations

import argparse
import os
import sys

from procession._record import Record
from procession.app import USAGE, current_folder, wants_color
from procession.cli.parser import Parser
from procession.cli.printing import counted, print_out
from procession.cli.reading import add_file_options, files_of
from procession.cli.templates import with_plain_vars
from procession.errors import UsageError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from procession.config.explained import Explained
    from procession.config.load import Examined

EPILOG = """\
Nothing is started. Problems go to standard output, as FILE:LINE:COLUMN: PATH:
what is wrong; what was expected; did you mean. What `up` would refuse, this
tells, and nothing else. Exit status: 0 where the file is good, 2 where it has a
problem, or is not there (which is said on standard error).
"""


class CheckOptions(Record):
    """What the command line of `check` says."""

    files: tuple[str, ...] = ()  # empty: as `up` finds it; `-`: standard input
    cwd: str | None = None
    name: str | None = None
    json: bool = False
    show: bool = False
    rendered: bool = False
    template: bool = False
    variables: tuple[tuple[str, str], ...] = ()
    color: bool | None = None  # None: as the terminal and the environment say


def main(words: Sequence[str]) -> int:
    """Parse, check, print; the exit status. SystemExit(2) from argparse for a wrong option."""
    options = parse(words)
    try:
        return check(options)
    except UsageError as e:
        sys.stderr.write(f"procession: {e}\n")
        return USAGE


def check(options: CheckOptions) -> int:
    """Read the file as `up` does and print what is to be said of it.

    0: it is good; 2: it has problems. Raises UsageError where there is no file to read.
    """
    from procession.config.load import examine

    environ = dict(os.environ)
    seen = examine(
        options.files or None,
        cwd=current_folder(),
        name=options.name,
        base=options.cwd,
        environ=environ,
        template=options.template,
        variables=dict(options.variables),
    )
    if options.rendered:
        return _rendered(seen, options)
    project: Explained | None = None
    if options.show and not seen.problems:
        from procession.config.explained import explain

        project = explain(seen, environ=environ, named=options.name is not None)
    if options.json:
        from procession.cli.render import problems_json

        print_out(problems_json(seen.file, seen.problems, project))
    elif seen.problems:
        print_out(_problems(seen, wants_color(options.color, 1)))
    elif project is not None:
        from procession.cli.render import project_text

        print_out(project_text(project))
    else:
        print_out(_good(seen))
    return USAGE if seen.problems else 0


def _rendered(seen: Examined, options: CheckOptions) -> int:
    """The text itself to standard output, so that it can be kept; problems to standard error."""
    if seen.decoded is not None:
        text = seen.decoded.report.source.text
        print_out(text if text.endswith("\n") else f"{text}\n")  # Jinja2 takes the last one away
    if not seen.problems:
        return 0
    sys.stderr.write(_problems(seen, wants_color(options.color, 2)))
    return USAGE


def _problems(seen: Examined, color: bool) -> str:
    from procession.config.telling import told

    count = counted(len(seen.problems), "problem")
    own = {seen.file, *seen.files}
    own |= {part.name for part in seen.decoded.parts} if seen.decoded is not None else set()
    elsewhere = any(p.file not in own for p in seen.problems)
    where = _listed(seen) + (" and what it names" if elsewhere else "")
    return f"{told(seen.problems, color=color)}{count} in {where}\n"


def _good(seen: Examined) -> str:
    count = 0 if seen.decoded is None else len(seen.decoded.project.tasks)
    return f"{_listed(seen)}: {counted(count, 'task')}, no problem\n"


def _listed(seen: Examined) -> str:
    """The files, each laid over those before it."""
    return ", ".join(map(one_line, seen.files or (seen.file,)))


def parse(words: Sequence[str]) -> CheckOptions:
    """The options; SystemExit(2) from argparse, after a line on standard error."""
    parser = _parser()
    given = parser.parse_args(with_plain_vars(words))
    if given.file is not None and given.option:
        parser.error("the file is given twice, as FILE and by -f")
    if given.rendered and (given.json or given.show):
        parser.error("--rendered prints the text as it is: not with --json or --show")
    named = given.option if given.file is None else [given.file]
    files = files_of(parser, named, given.config_j2)
    if given.rendered and len(files) > 1:
        parser.error("--rendered prints the text of one file")
    return CheckOptions(
        files=files,
        cwd=given.cwd,
        name=given.name,
        json=given.json,
        show=given.show,
        rendered=given.rendered,
        template=given.config_j2 is not None,
        variables=tuple(given.var),
        color=False if given.no_color else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="procession check",
        description="Tell every problem of a project file, or what the file means.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "file",
        nargs="?",
        metavar="FILE",
        help="the project's file, `-` for standard input (default: the one that `up` would run)",
    )
    add_file_options(parser, dest="option")
    add(
        "--show",
        action="store_true",
        help="print the project as understood: defaults filled in, secrets masked, and where "
        "each value came from",
    )
    add(
        "--rendered",
        action="store_true",
        help="print the text that was read: of a template (.j2), what it gave. Nothing is masked",
    )
    add("--json", action="store_true", help="print JSON, for editors and scripts")
    add("--no-color", action="store_true", help="no colour, also on a terminal")
    return parser
