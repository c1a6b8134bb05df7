"""Is a stranger with a dead process's pid ever signalled? By default a thousand tries in each way.

In a pid namespace of its own, where each pid that gets free is taken by somebody unrelated at once,
who leads a session and a group by that number. In Linux, as root. Status 1 if anybody was told
anything, or if a try could not be made.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import _up  # makes the tests' harness importable
from _support import arguments, table

from tests.support.reuse import WAYS, attempt

assert _up.ROOT.is_dir()

WITHIN = 600.0  # seconds for one namespace


def tried(way: str, tries: int) -> tuple[int, int, int]:
    """How many pids were taken, how many could not be, and how many strangers were told."""
    taken = missed = told = 0
    while taken + missed < tries:
        with tempfile.TemporaryDirectory() as folder:
            found = attempt(Path(folder), way, min(tries - taken - missed, WAYS[way]), WITHIN)
        taken += found["taken"]
        missed += len(found["missed"])
        told += len(found["told"])
        if not found["taken"]:
            raise SystemExit(f"{way}: no pid could be taken\n{found['said']}")
    return taken, missed, told


def main() -> int:
    options = arguments(__doc__ or "", rounds=1000).parse_args()
    rows = []
    well = True
    for way in WAYS:
        began = time.monotonic()
        taken, missed, told = tried(way, options.rounds)
        well &= not told and not missed
        rows.append((way, taken, missed, told, f"{time.monotonic() - began:.0f}"))
    table(
        "Pids of the dead, given to strangers",
        ["", "taken", "could not be taken", "strangers signalled", "s"],
        rows,
    )
    return 0 if well else 1


if __name__ == "__main__":
    if sys.platform != "linux" or os.geteuid() != 0:
        sys.exit("bench/reuse.py: a pid namespace, and the choice of its pids, take Linux and root")
    sys.exit(main())
