"""`procession doctor`: what this host gives, what it cannot catch, and how to get better."""

from __future__ import annotations

import argparse

from procession._record import Record
from procession.app import FAILED, wants_color
from procession.cli.parser import Parser
from procession.cli.printing import print_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from procession.process.survey import Survey

EPILOG = """\
Nothing is changed and nothing is started. Exit status: 0, also where something
is limited; 1 where something is missing without which `up` and `run` refuse.
"""

COLORS = {"ok": "32", "limited": "33", "missing": "31"}
VERDICTS = {
    "ok": "Nothing that is needed is lacking here.",
    "limited": "All works here; what is limited is said above.",
    "missing": "Not everything works here: see what is missing.",
}
WIDTH = 78


class DoctorOptions(Record):
    """What the command line of `doctor` says."""

    json: bool = False
    color: bool | None = None  # None: as the terminal and the environment say


def main(words: Sequence[str]) -> int:
    """Look and print; the exit status. SystemExit(2) from argparse for a wrong option."""
    from procession.process.survey import MISSING, survey

    options = parse(words)
    seen = survey()
    if options.json:
        print_out(as_json(seen))
    else:
        print_out("".join(f"{line}\n" for line in lines(seen, wants_color(options.color, 1))))
    return FAILED if seen.state == MISSING else 0


def parse(words: Sequence[str]) -> DoctorOptions:
    parser = Parser(
        prog="procession doctor",
        description="Tell what this host gives, what will be used, and what it cannot catch.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts and reports")
    parser.add_argument("--no-color", action="store_true", help="no colour, also on a terminal")
    given = parser.parse_args(list(words))
    return DoctorOptions(json=given.json, color=False if given.no_color else None)


def as_json(seen: Survey) -> str:
    """One object; its keys are those of `Survey` and `Fact`."""
    import json

    found = {
        "state": seen.state,
        "system": seen.system,
        "python": seen.python,
        "facts": [{name: getattr(fact, name) for name in fact._fields} for fact in seen.facts],
        "layers": seen.layers,
        "blind": seen.blind,
        "better": seen.better,
    }
    return json.dumps(found, indent=2) + "\n"


def lines(seen: Survey, color: bool) -> Iterator[str]:
    """For people; no line is wider than WIDTH, but for a command to copy."""
    yield f"{seen.system}, {seen.python}"
    yield ""
    keys = max(len(fact.key) for fact in seen.facts)
    for fact in seen.facts:
        state = f"{fact.state:<8}"
        shown = f"\x1b[{COLORS[fact.state]}m{state}\x1b[39m" if color else state
        first, *more = _wrapped(fact.value, WIDTH - 10 - keys)
        if fact.means:
            more += _wrapped(fact.means, WIDTH - 10 - keys)
        yield f"{shown} {fact.key:<{keys}} {first}"
        yield from (f"{'':<{10 + keys}}{line}" for line in more)
    for title, items in (
        ("What holds a tree together here, first to last:", seen.layers),
        ("What it cannot catch:", seen.blind),
        ("How to get better:", seen.better),
    ):
        if items:
            yield ""
            yield title
        for item in items:
            first, *more = _wrapped(item, WIDTH - 4)
            yield f"  - {first}"
            yield from (f"    {line}" for line in more)
    yield ""
    yield VERDICTS[seen.state]


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
