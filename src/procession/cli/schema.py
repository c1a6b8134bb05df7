"""`procession schema`: the JSON Schema of the project file, for editors."""

from __future__ import annotations

import argparse

from procession.cli.parser import Parser
from procession.cli.printing import print_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
An editor that knows YAML completes and checks a project file that begins with

    # yaml-language-server: $schema=procession.schema.json

once `procession schema > procession.schema.json` wrote that file beside it.
"""


def main(words: Sequence[str]) -> int:
    """Print the schema; 0. SystemExit(2) from argparse for a wrong option."""
    Parser(
        prog="procession schema",
        description="Print the JSON Schema (draft 7) of the project file.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    ).parse_args(words)
    print_out(schema_text())
    return 0


def schema_text() -> str:
    """The schema as it is printed, and as `docs/schema.json` holds it."""
    import json

    from procession.config.schema import schema

    return json.dumps(schema(), indent=2) + "\n"
