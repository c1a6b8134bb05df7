"""docs/windows.md names the tests that show what it says, and what does not run on Windows."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
ON_BOTH = {"tests/os/test_executor_popen_face.py"}  # as the Makefile has it


def test_each_test_that_is_named_is_there() -> None:
    files = [*(ROOT / "tests" / "windows").glob("test_*.py"), *map(ROOT.joinpath, ON_BOTH)]
    found = {file.name for file in files} | {f"tests/os/{file.name}" for file in files}
    for file in files:
        found.update(re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M))
    shown, _, _ = PAGE.partition("### What stays with POSIX")
    named = set(re.findall(r"`((?:tests/os/)?test_\w+(?:\.py)?)`", shown))
    assert named - found == set()
    assert len(named) > 50
    there = {f"tests/os/{file.name}" if file.parent.name == "os" else file.name for file in files}
    assert there - named == set(), "a file of tests that the page does not tell of"


def test_each_file_that_does_not_run_on_windows_is_named_with_a_reason() -> None:
    _, _, rest = PAGE.partition("### What stays with POSIX")
    patterns = re.findall(r"`(tests/\w+/test_[\w*.]+)`", rest)
    files = [
        file.relative_to(ROOT).as_posix()
        for folder in ("os", "e2e")
        for file in (ROOT / "tests" / folder).glob("test_*.py")
    ]
    left = [
        file
        for file in files
        if file not in ON_BOTH and not any(fnmatchcase(file, pattern) for pattern in patterns)
    ]
    assert left == [], "name them in docs/windows.md, with the reason, or let them run there"
    unused = [p for p in patterns if not any(fnmatchcase(file, p) for file in files)]
    assert unused == []


def test_the_makefile_runs_what_the_page_says() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^test-windows:.*\n((?:\t.*\n)+)", text, re.M)
    assert all(f"{name} " in recipe for name in (*ON_BOTH, "tests/windows", "tests/unit"))
