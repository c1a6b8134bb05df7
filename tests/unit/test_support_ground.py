"""The files around the code agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import procession

pytestmark = pytest.mark.quick

_ROOT = Path(__file__).parents[2]
_TOOLS = tomllib.loads((_ROOT / "pyproject.toml").read_text())
_PROJECT = _TOOLS["project"]


def _lines(path: str) -> list[str]:
    text = (_ROOT / path).read_text()
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    assert sorted(_lines("requirements/lowest.txt")) == sorted(
        requirement.replace(">=", "==") for requirement in _PROJECT["dependencies"]
    )


def test_the_package_says_the_version_it_is_published_with() -> None:
    assert procession.__version__ == _PROJECT["version"]


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## {_PROJECT['version']}" in (_ROOT / "CHANGELOG.md").read_text()


def test_every_task_of_the_makefile_is_told_by_help() -> None:
    makefile = (_ROOT / "Makefile").read_text()
    named = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert named is not None
    for task in named.group(1).split():
        assert re.search(rf"^{task}: ## \w", makefile, re.MULTILINE), task


def test_the_architecture_page_draws_the_floors_that_are_kept() -> None:
    layers = next(c for c in _TOOLS["tool"]["importlinter"]["contracts"] if "layers" in c)["layers"]
    kept = [{room for room in layer.split(" | ") if not room.startswith("(")} for layer in layers]
    page = (_ROOT / "ARCHITECTURE.md").read_text().partition("## Floors")[2]
    drawn = [
        set(re.findall(r"[a-z_]+", line[2:].partition("  ")[0]))
        for line in page.split("```")[1].splitlines()
        if line.strip()
    ]
    assert drawn == [floor for floor in kept if floor]


def test_no_two_test_files_share_a_name() -> None:
    names = [path.name for path in (_ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
