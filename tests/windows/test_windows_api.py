"""A project in a Python program on Windows: in a thread, each tree in a job that ends with us."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from procession import LateError, Task, TaskFailedError, up
from tests.support.windows import PROGRAMS
from tests.support.windows_trees import ended

pytestmark = pytest.mark.windows


def python(name: str, *words: str, **keys: object) -> Task:
    return Task(name, sys.executable, ["-u", *words], **keys)  # type: ignore[arg-type]  # any key


@pytest.mark.quick
def test_a_project_runs_is_steered_and_ends(tmp_path: Path) -> None:
    hears = python(
        "one", str(PROGRAMS / "windows_hears.py"), "wait", ready={"log": "."}, stop={"timeout": 5}
    )
    with up(
        hears, python("two", "-c", "print('did'); raise SystemExit(3)"), log_dir=tmp_path
    ) as run:
        (row,) = run.ready("one", timeout=60)
        first = row.pid
        assert run.wait("two", timeout=60) == 1
        assert run.logs("two") == "did\n"
        (row,) = run.restart("one", timeout=60)
        assert row.run == 2
        assert first is not None
        assert ended(first)
        with pytest.raises(TaskFailedError, match="two failed: exited with 3"):
            run.ready(timeout=60)
        last = run.ps("one")[0].pid
    assert run.status == 0
    assert last is not None
    assert ended(last)


def test_who_is_late_is_named(tmp_path: Path) -> None:
    late = python(
        "late", "-c", "import time; time.sleep(600)", ready={"tcp": 1}, stop={"timeout": 1}
    )
    late_words = r"after 0.5 s not ready: late \(running"
    with up(late, log_dir=tmp_path) as run, pytest.raises(LateError, match=late_words):
        run.ready(timeout=0.5)
    assert run.status == 0
