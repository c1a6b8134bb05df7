"""What `import procession` costs those who want another room of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.quick
SRC = Path(__file__).parents[2] / "src"


def loaded(statement: str) -> str:
    asked = f"import sys; sys.path.insert(0, {str(SRC)!r}); {statement}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", asked],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout


def test_importing_the_package_loads_nothing_else() -> None:
    ours = "[name for name in sys.modules if name.startswith('procession')]"
    assert loaded(f"import procession; print({ours}, 'typing' in sys.modules)") == (
        "['procession'] False\n"
    )


def test_an_unknown_name_is_told_as_of_any_module() -> None:
    told = loaded(
        "import procession\n"
        "try: procession.nothing\n"
        "except AttributeError as e: print(e)\n"
        "print('up' in dir(procession), 'procession.api' in sys.modules)"
    )
    assert told == "module 'procession' has no attribute 'nothing'\nTrue False\n"


def test_a_project_in_a_program_needs_no_asyncio_and_no_subprocess() -> None:
    names = "('asyncio', 'dataclasses', 'subprocess', 'logging', 'typing', 'pathlib')"
    told = loaded(f"from procession import up; print([n for n in {names} if n in sys.modules])")
    assert told == "[]\n"


def test_all_that_is_named_can_be_had_at_once() -> None:
    told = loaded(
        "import procession\n"
        "from procession import *\n"
        "print([n for n in procession.__all__ if n not in globals() or n not in dir(procession)])\n"
        "print(issubclass(UsageError, ProcessionError), issubclass(HostError, ProcessionError))"
    )
    assert told == "[]\nTrue True\n"


def test_errors_are_had_without_the_room_that_runs_projects() -> None:
    told = loaded(
        "from procession import ProcessionError, UsageError\n"
        "print([n for n in sys.modules if n.startswith('procession.')])"
    )
    assert told == "['procession.errors']\n"
