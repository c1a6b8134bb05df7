"""The adversary matrix: whoever is hard to end, in each way that an end may come, many times.

Each cell is one tree, as an ordinary user, without control groups and in one that was given to
them (by root, who alone can); `tests/support/matrix.py` has the rows, the columns and the
impossible cells. The bar: nobody is alive within the grace (0.3 s; 1 s where the application is
killed, or where nothing ties them to a task) and 1 s more. Status 1 if somebody was, or if what is
called impossible was held. `make bench-matrix` does each cell 20 times, which takes an hour.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import _up  # makes the tests' harness importable
from _support import Samples, arguments, interleaved, table

from tests.support.matrix import COLUMNS, IMPOSSIBLE, MODES, ROWS, Cell, takes_root
from tests.support.up import Project

assert _up.ROOT.is_dir()

Key = tuple[str, str, str]  # row, column, mode


def once(row: str, column: str, mode: str, survivors: Counter[Key]) -> float:
    """One cell, in a new folder; seconds until nothing lived, or until the bar."""
    above = tempfile.mkdtemp()
    os.chmod(above, 0o755)
    folder = Path(above, "demo")
    folder.mkdir()
    os.chmod(folder, 0o777)
    project = Project(folder)
    try:
        with Cell(project, row, column, mode) as cell:
            left, took = cell.end()
            survivors[row, column, mode] += len(left)
            if not left and cell.up.status() != 0:
                raise SystemExit(f"{row}, {column}: the witness did not end well")
        return took
    finally:
        project.close()
        shutil.rmtree(above)


def tell(
    cells: list[Key], figures: dict[Key, Samples], survivors: Counter[Key], rounds: int
) -> bool:
    """Print the table; is all in it as it should be?"""
    wrong = [
        (*cell, f"{survivors[cell]} survivors")
        for cell in cells
        if survivors[cell] != (rounds if cell in IMPOSSIBLE else 0)
    ]
    modes = dict.fromkeys(mode for _, _, mode in cells)
    for mode in modes:
        shown = []
        for row in dict.fromkeys(row for row, _, of in cells if of == mode):
            line = [row]
            for column in COLUMNS:
                found = figures.get((row, column, mode))
                number = survivors[row, column, mode]
                worst = "" if found is None else f"{max(found.values) * 1000:.0f}"
                line.append(f"{number} of {rounds} survive" if number else worst)
            shown.append(line)
        title = f"{mode}, {rounds} times: ms until nothing is alive, the slowest of all"
        table(title, ["", *COLUMNS], shown)
    reasons: dict[str, list[str]] = {}
    for (row, column, mode), why in IMPOSSIBLE.items():
        if mode not in modes:
            continue
        reasons.setdefault(f"{row}, {mode}: {why}", []).append(column)
    if reasons:
        print("\nImpossible:")
    for why, of in reasons.items():
        print(f"- {why} ({', '.join(of)})")
    for words in wrong:
        print("MISSED:", ", ".join(words))
    return not wrong


def main() -> int:
    parser = arguments(__doc__ or "", rounds=1)
    parser.add_argument("--row", default="", help="only rows whose name has this in it")
    parser.add_argument("--column", default="", help="only columns whose name has this in it")
    parser.add_argument("--mode", default="", help="only modes whose name has this in it")
    options = parser.parse_args()
    cells = [
        (row, column, mode)
        for mode in MODES
        for row in ROWS
        for column in COLUMNS
        if options.row in row and options.column in column
        if options.mode in mode
        if os.geteuid() == 0 or not takes_root(row, mode)
    ]
    survivors: Counter[Key] = Counter()
    named = {", ".join(cell): cell for cell in cells}
    found = interleaved(
        {name: lambda cell=cell: once(*cell, survivors) for name, cell in named.items()},
        options.rounds,
        warm_up=0,
    )
    figures = {cell: found[name] for name, cell in named.items()}
    return 0 if tell(cells, figures, survivors, options.rounds) else 1


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/matrix.py: the witness is a subreaper, which takes Linux")
    sys.exit(main())
