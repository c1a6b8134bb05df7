"""The tests of trees and guardian once more, as an ordinary user: root is asked by nobody whether
it may, so what holds for root says little about everybody else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import as_ordinary_user

HERE = Path(__file__).parent


@pytest.mark.root
@pytest.mark.timeout(300)  # each of its tests has a limit of its own
@pytest.mark.parametrize(
    ("file", "at_least"),
    [
        ("test_process_tree.py", 25),
        ("test_process_tree_signals.py", 18),
        ("test_process_guardian.py", 30),
        ("test_process_handle.py", 25),
    ],
)
def test_all_of_it_holds_for_an_ordinary_user(file: str, at_least: int) -> None:
    done = subprocess.run(
        as_ordinary_user(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / file)]
        ),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=HERE.parent.parent,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= at_least
    assert "skipped" not in done.stdout
