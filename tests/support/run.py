"""`procession run` under test, with the actors of `tests/programs/up_*.py` as its command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from tests.support.programs import PROGRAMS
from tests.support.up import Project, Terminal, Up


def acting(kind: str, *words: object) -> list[str]:
    """The words of a command that runs `tests/programs/up_KIND.py`."""
    return [sys.executable, "-S", str(PROGRAMS / f"up_{kind}.py"), *map(str, words)]


def run(
    project: Project,
    *words: str,
    wrap: Sequence[str] = (),
    terminal: Terminal | None = None,
    **more: Any,
) -> Up:
    """`procession run WORDS`, on this terminal; without one also where the tests have one."""
    before = ["setsid"] if terminal is None else terminal.wrap
    return project.start("run", *words, log_dir=None, wrap=[*before, *wrap], **more)


def told(project: Project, name: str = "result.json") -> dict[str, Any]:
    """What `--json-result` wrote."""
    found: dict[str, Any] = json.loads((project.folder / name).read_text())
    return found
