"""The set-up behind `make`: what it takes for done, for half done, and for none of its business."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_SCRIPT = Path(__file__).parents[2] / ".ci" / "venv.py"


@pytest.fixture
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_of_make", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, setup: ModuleType) -> str:
    """What looks like an environment that was set up for the tests."""
    folder = str(tmp_path / "environment")
    python = Path(setup.python_of(folder))
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    setup.mark(folder, setup.DONE, "\n".join([setup.describe(folder, None), "run", "test"]))
    return folder


def test_what_was_set_up_is_left_alone(setup: ModuleType, folder: str) -> None:
    assert setup.finished(folder, setup.describe(folder, None)) == ["run", "test"]


def test_a_changed_project_another_python_or_place_are_set_up_anew(
    setup: ModuleType, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("PyYAML==6.0.1\n")
    assert setup.finished(folder, setup.describe(folder, str(constraints))) == []
    assert setup.finished(folder, setup.describe(folder + "-moved", None)) == []
    project = tmp_path / "pyproject.toml"
    project.write_bytes(Path(setup.PROJECT).read_bytes() + b"\n")
    with monkeypatch.context() as changed:
        changed.setattr(setup, "PROJECT", str(project))
        assert setup.finished(folder, setup.describe(folder, None)) == []
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert setup.finished(folder, setup.describe(folder, None)) == []


def test_what_was_interrupted_is_set_up_anew(setup: ModuleType, folder: str) -> None:
    setup.mark(folder, setup.BUSY, "")
    assert setup.finished(folder, setup.describe(folder, None)) == []
    assert not setup.usable(folder)


def test_an_environment_whose_python_went_is_set_up_anew(setup: ModuleType, folder: str) -> None:
    Path(setup.python_of(folder)).unlink()
    assert setup.finished(folder, setup.describe(folder, None)) == []
    assert not setup.usable(folder)


def test_another_pythons_environment_is_not_used(setup: ModuleType, folder: str) -> None:
    assert not setup.usable(folder)  # there is no pip in it, and its prefix is not the folder


def test_the_environment_of_these_tests_would_be_used(setup: ModuleType) -> None:
    assert setup.usable(sys.prefix)


@pytest.mark.quick
def test_a_folder_that_is_no_environment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear")
    ended = subprocess.run(
        [sys.executable, str(_SCRIPT), str(tmp_path / "letters"), "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "is there and is no virtual environment: name another, VENV=" in ended.stderr
    assert os.listdir(tmp_path / "letters") == ["dear.txt"]


def test_an_old_python_can_read_that_it_is_too_old() -> None:
    ast.parse(_SCRIPT.read_text(), feature_version=(3, 6))
