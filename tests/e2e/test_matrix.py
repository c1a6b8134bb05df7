"""The adversary matrix: nothing survives, whoever it is and however the end comes.

Each cell once; `make bench-matrix` does each of them 20 times. What the rows and the columns are,
and which cells are impossible, is in `tests/support/matrix.py`.
"""

from __future__ import annotations

import re

import pytest

from tests.support.matrix import APP, COLUMNS, IMPOSSIBLE, MODES, MORE, ROWS, Cell, takes_root
from tests.support.up import Project


def _cells(*, possible: bool) -> list[object]:
    return [
        pytest.param(row, column, mode, marks=[pytest.mark.root] if takes_root(row, mode) else [])
        for mode in MODES
        for row in ROWS
        for column in COLUMNS
        if ((row, column, mode) not in IMPOSSIBLE) is possible
    ]


@pytest.mark.parametrize(("row", "column", "mode"), _cells(possible=True))
def test_nothing_survives(project: Project, row: str, column: str, mode: str) -> None:
    with Cell(project, row, column, mode) as cell:
        left, took = cell.end()
        assert left == [], f"after {took:.2f} s\n{cell.said()}"
        assert cell.up.status() == 0, "of the witness: nobody it did not know of is there either"
        assert took <= cell.grace + MORE


@pytest.mark.parametrize(("row", "column", "mode"), _cells(possible=False))
def test_what_is_impossible_is_so(project: Project, row: str, column: str, mode: str) -> None:
    """If this fails something has become better: strike it from the table, and from the pages."""
    with Cell(project, row, column, mode) as cell:
        left, _ = cell.end()
        (one,) = left
        member = re.fullmatch(rf"{cell.kind}\.member (\d+)", one)
        assert member, "nobody else survives"
        if row == "setuid root" and column != APP:  # else there is nobody left to tell
            cell.until_said(f"becomes-root (pid {member[1]})")
    cell.project.stage.gone()


def test_the_table_speaks_of_cells() -> None:
    assert IMPOSSIBLE.keys() <= {(r, c, m) for r in ROWS for c in COLUMNS for m in MODES}
    assert all(IMPOSSIBLE.values())
