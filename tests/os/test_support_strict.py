"""What a green run may hold: tried on sessions of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SETTINGS = {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "COLUMNS": "500",
}
_INI = "[pytest]\nfilterwarnings = error\nxfail_strict = true\nmarkers =\n  root: for root\n"
_GREEN = "def test_green():\n    pass\n"
_SKIP = "import pytest\n@pytest.mark.skip(reason='no such host')\ndef test_it():\n    pass\n"
_SKIP_ALL = "import pytest\npytest.skip('not here', allow_module_level=True)\n"
_XFAIL = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it():\n    assert False\n"
_XPASS = "import pytest\n@pytest.mark.xfail(strict=False)\ndef test_it():\n    pass\n"
_WARNS = "import warnings\ndef test_it():\n    warnings.warn('old thing: gone', UserWarning)\n"
_WARNS_EARLY = "class TestIt:\n    def __init__(self): pass\n"
_ROOTS = "import pytest\n@pytest.mark.root\ndef test_it():\n    pass\n"

_SHARED = ("-p", "xdist", "-n", "2")
_ALLOW_SKIP = '[[skip]]\ntest = "*::test_it"\nmessage = "*no such*"\nreason = "the host is far"\n'
_ALLOW_WARNING = (
    '[[warning]]\ncategory = "UserWarning"\nmessage = "old thing: *"\nreason = "theirs to mend"\n'
)


def _run(folder: Path, test: str, *options: str, allowed: str = "") -> tuple[int, str]:
    """A session of the test and a green one beside it: its exit status and what it printed."""
    (folder / "tests").mkdir()
    (folder / "pytest.ini").write_text(_INI)
    (folder / "tests" / "test_inner.py").write_text(test)
    (folder / "tests" / "test_green.py").write_text(_GREEN)
    (folder / "tests" / "allowed.toml").write_text(allowed)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.strict", *options]
    ended = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--basetemp", f"{folder}/t", "."],
        cwd=folder,
        env={**os.environ, **_SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.quick
def test_a_green_run_is_green(tmp_path: Path) -> None:
    status, output = _run(tmp_path, _GREEN, "--tally", str(tmp_path / "tally"))
    assert (status, "not a green run" in output) == (0, False)
    assert (tmp_path / "tally").read_text() == "2 0\n"


@pytest.mark.parametrize(
    ("test", "told"),
    [
        pytest.param(_SKIP, "skip tests/test_inner.py::test_it: Skipped: no such host", id="skip"),
        pytest.param(_SKIP_ALL, "skip tests/test_inner.py: Skipped: not here", id="skip-file"),
        pytest.param(_XFAIL, "xfail tests/test_inner.py::test_it: known", id="xfail"),
        pytest.param(_XPASS, "xfail tests/test_inner.py::test_it: ", id="xpass"),
        pytest.param(_WARNS_EARLY, "PytestCollectionWarning", id="warning"),
    ],
)
def test_what_is_not_listed_fails_the_run(tmp_path: Path, test: str, told: str) -> None:
    status, output = _run(tmp_path, test, "--tally", str(tmp_path / "tally"))
    assert status != 0
    assert told in output
    assert not (tmp_path / "tally").read_text().endswith(" 0\n")


def test_a_warning_in_a_test_is_an_error(tmp_path: Path) -> None:
    status, output = _run(tmp_path, _WARNS)
    assert (status, "UserWarning: old thing: gone" in output) == (1, True)


@pytest.mark.parametrize(("test", "allowed"), [(_SKIP, _ALLOW_SKIP), (_WARNS, _ALLOW_WARNING)])
def test_what_is_listed_with_a_reason_may_happen(tmp_path: Path, test: str, allowed: str) -> None:
    status, output = _run(tmp_path, test, allowed=allowed)
    assert (status, "not a green run" in output) == (0, False), output


def test_an_entry_allows_nothing_else(tmp_path: Path) -> None:
    status, output = _run(tmp_path, _SKIP.replace("no such host", "no time"), allowed=_ALLOW_SKIP)
    assert (status, "skip tests/test_inner.py::test_it: Skipped: no time" in output) == (1, True)


def test_an_entry_that_no_longer_occurs_fails_the_whole_run(tmp_path: Path) -> None:
    status, output = _run(tmp_path, _ROOTS, "--whole", allowed=_ALLOW_SKIP)
    assert status == 1
    assert "no longer occurs" in output


@pytest.mark.parametrize(
    "allowed", ['[[skip]]\ntest = "*"\nmessage = "*"\n', '[[skip]]\ntest = "*"\nreason = " "\n']
)
def test_an_entry_without_a_reason_is_refused(tmp_path: Path, allowed: str) -> None:
    status, output = _run(tmp_path, _GREEN, allowed=allowed)
    assert (status, "expected [[skip]] message, reason, test" in output) == (4, True)


@pytest.mark.root
def test_the_whole_run_of_root_needs_roots_tests(tmp_path: Path) -> None:
    with_them, without = tmp_path / "with", tmp_path / "without"
    with_them.mkdir()
    without.mkdir()
    status, output = _run(with_them, _ROOTS, "--whole")
    assert (status, "root's tests: 1 of 1 ran and passed" in output) == (0, True)
    status, output = _run(without, _GREEN, "--whole")
    assert (status, "root's tests: 0 of 0 ran and passed" in output) == (1, True)


def test_of_processes_that_share_the_tests_one_hears_of_all(tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    status, output = _run(tmp_path, _SKIP, *_SHARED, "--whole", "--tally", str(tally))
    assert status == 1
    assert output.count("skip tests/test_inner.py::test_it: Skipped: no such host") == 1
    assert tally.read_text().startswith("1 ")


@pytest.mark.root
def test_roots_tests_are_counted_where_several_share_them(tmp_path: Path) -> None:
    with_them, without = tmp_path / "with", tmp_path / "without"
    with_them.mkdir()
    without.mkdir()
    status, output = _run(with_them, _ROOTS, *_SHARED, "--whole")
    assert (status, "root's tests: 1 of 1 ran and passed" in output) == (0, True), output
    status, output = _run(without, _GREEN, *_SHARED, "--whole")
    assert (status, "root's tests: 0 of 0 ran and passed" in output) == (1, True)
