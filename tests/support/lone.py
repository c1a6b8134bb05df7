"""Tests that take a process of one thread: a signal that is meant for a process, and that the test
has blocked, is taken by any other thread that has not. Whoever shares tests (pytest-xdist) has one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_BOUND = 30  # seconds


def in_one_thread(body: Callable[[], object]) -> None:
    """Call a function of a module in an interpreter of its own; what it raised is told."""
    folder = str(Path(str(sys.modules[body.__module__].__file__)).resolve().parent)
    call = f"import sys; sys.path.append({folder!r})\n"
    call += f"import {body.__module__} as module; module.{body.__name__}()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", call],
        cwd=_ROOT,
        timeout=_BOUND,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
