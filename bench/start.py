"""`procession up` of 100 and 400 tiny C programs: from the command line to the last one's pid file.

Against a bare loop of `Popen` in the same interpreter that imports nothing but `subprocess`, does
no more than start them, and needs no file to say what. The bars: 2.0 times that at 100 tasks, 1.6
at 400. Status 1 if one is missed. Needs a C compiler.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _support import Samples, arguments, interleaved, table
from _up import COMMAND, Start, Tasks

BARS = {100: 2.0, 400: 1.6}

LOOP = """
import sys, subprocess
program, folder, fifo, count = sys.argv[1:]
started = [subprocess.Popen([program, f"{folder}/{n}.pid", fifo]) for n in range(int(count))]
for process in started:
    process.wait()
"""


def measured(tasks: Tasks, rounds: int, module: bool) -> dict[str, Samples]:
    bare = [sys.executable, "-c", LOOP, tasks.program, str(tasks.folder), str(tasks.fifo)]
    cases = {
        "a bare loop of Popen": [*bare, str(tasks.count)],
        "procession up": tasks.up(),
        "procession up --quiet": tasks.up("--quiet"),
    }
    if module:
        words = tasks.up()[len(COMMAND) :]
        cases["python -m procession up"] = [sys.executable, "-m", "procession", "up", *words]

    def once(command: list[str]) -> float:
        with Start(tasks, command) as start:
            return start.took

    return interleaved(
        {name: lambda command=command: once(command) for name, command in cases.items()}, rounds
    )


def main() -> int:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 400], metavar="N")
    parser.add_argument("--module", action="store_true", help="`python -m procession` besides")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for count in options.tasks:
            tasks = Tasks(Path(folder), count)
            rounds = options.rounds if count <= 100 else (options.rounds + 1) // 2
            figures = measured(tasks, rounds, options.module)
            bare = figures["a bare loop of Popen"]
            rows = [(name, f.show(1, 1000), f.over(bare).show()) for name, f in figures.items()]
            title = f"{count} tasks, {rounds} rounds: command line to the last pid file"
            table(title, ["", "ms", "times the bare loop"], rows)
            bar = BARS.get(count)
            if bar is not None:
                ratio = figures["procession up"].over(bare).median
                print(f"bar {bar}: {'met' if ratio <= bar else 'MISSED'} with {ratio:.2f}")
                missed |= ratio > bar
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
