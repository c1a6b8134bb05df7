"""What imports cost: milliseconds over a bare interpreter, for what the start path takes or avoids.

Decisions that rest on it: docs/decisions/0001, 0002, 0003, 0004, 0024.
"""

from __future__ import annotations

import subprocess
import sys

from _support import arguments, interleaved, seconds, table

BARE = "nothing"

# What is imported, as Python reads it; each in an interpreter of its own.
CASES = {
    BARE: "",
    "argparse": "import argparse",
    "dataclasses": "import dataclasses",
    "procession._record": "import procession._record",
    "procession.spec": "import procession.spec",
    "platformdirs": "import platformdirs",
    "yaml": "import yaml",
    "dotenv": "import dotenv",
    "logging": "import logging",
    "subprocess": "import subprocess",
    "pathlib": "import pathlib",
    "typing": "import typing",
    "selectors": "import selectors",
    "asyncio": "import asyncio",
}


def main() -> None:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--only", metavar="NAME", nargs="+", choices=CASES, help="just these")
    options = parser.parse_args()
    wanted = {BARE, *(options.only or CASES)}

    def interpreter(statement: str) -> float:
        command = [sys.executable, "-c", statement]
        return seconds(lambda: subprocess.run(command, check=True))

    figures = interleaved(
        {
            name: lambda statement=statement: interpreter(statement)
            for name, statement in CASES.items()
            if name in wanted
        },
        options.rounds,
    )
    bare = figures[BARE]
    rows = [(BARE, bare.show(1, 1000))]
    for name, samples in figures.items():
        if name != BARE:
            rows.append((name, samples.minus(bare).show(1, 1000)))
    table("Imports: ms over a bare interpreter (its own time in the first row)", ["", "ms"], rows)


if __name__ == "__main__":
    main()
