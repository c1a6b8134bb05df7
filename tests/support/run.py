"""`procession run` under test, with the actors of `tests/programs/up_*.py` as its command."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.programs import PROGRAMS
from tests.support.up import Project, Terminal, Up


def acting(kind: str, *words: object) -> list[str]:
    """The words of a command that runs `tests/programs/up_KIND.py`."""
    return [sys.executable, "-S", str(PROGRAMS / f"up_{kind}.py"), *map(str, words)]


def becoming_root(project: Project) -> list[str]:
    """The words of a command that becomes root altogether, below an ordinary user: a setuid copy of
    this interpreter. It needs PYTHONHOME. It says so as `root`."""
    program = project.folder / "becomes-root"
    shutil.copyfile(Path(sys.executable).resolve(), program)
    program.chmod(0o4755)
    code = (
        "import os, time\n"
        "os.setresuid(0, 0, 0)\n"
        "open(os.environ['STAGE'], 'w').write(f'root ready {os.getpid()} 0 0 0 0\\n')\n"
        "time.sleep(1000)\n"
    )
    return [str(program), "-S", "-c", code]


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
