"""Whoever gets a dead process's pid is never told anything: not by a handle, not by a stop, not by
a sweep. In a pid namespace in which the pids of the dead are given to strangers at once.

Few tries here; `python bench/reuse.py` makes a thousand in each way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.reuse import WAYS, attempt

TRIES = 40
WITHIN = 40.0  # seconds; it takes one or two
STATUS = {
    "executor": 0,
    "executor, killed": -9,
    "run, stopped": 128 + 9,
    "run, crashed": 125,
    "up, stopped": 0,
    "up, crashed": 1,
}


@pytest.mark.root
@pytest.mark.parametrize("way", WAYS)
def test_a_stranger_is_never_signalled(open_folder: str, way: str) -> None:
    found = attempt(Path(open_folder), way, TRIES, WITHIN)
    assert found["told"] == {}, found["said"]
    assert found["missed"] == []
    assert found["taken"] >= TRIES
    assert found["status"] == STATUS[way], found["said"]
