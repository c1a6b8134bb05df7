"""A green run means that everything ran: no skip, expected failure or warning goes unnoticed.

A plugin: `tests/conftest.py` loads it. A skip, an xfail, an xpass or a warning fails the session
unless `tests/allowed.toml` lists it with a reason. Tests marked `root` are left out for ordinary
users. `--whole` is what CI adds: the run claims to be the whole suite, so it also fails if root's
tests did not run although root runs it, and if an entry of the list no longer occurs.
`--tally=FILE` (with the `=`: pytest takes a word of its own for a test file, before it has read
this) appends a line "PASSED FAILED" for a script that adds up several runs. Where several
processes share the tests (pytest-xdist), the one that has none of them hears of all and judges.
"""

from __future__ import annotations

import os
import sys
import tomllib
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

_LIST = Path(__file__).parent.parent / "allowed.toml"
_KEYS = {
    "skip": {"test", "message", "reason"},
    "xfail": {"test", "message", "reason"},
    "warning": {"category", "message", "reason"},
}


class Allowed:
    """The list of what may happen, each entry with its reason, and which of it did."""

    def __init__(self, file: Path) -> None:
        self.entries: list[tuple[str, dict[str, str]]] = []
        self._used: set[int] = set()
        if not file.exists():
            return
        for kind, listed in tomllib.loads(file.read_text()).items():
            for entry in listed:
                if set(entry) != _KEYS.get(kind, set()) or not all(
                    isinstance(value, str) and value.strip() for value in entry.values()
                ):
                    known = "; ".join(f"[[{k}]] {', '.join(sorted(v))}" for k, v in _KEYS.items())
                    raise pytest.UsageError(f"{file.name}: [[{kind}]] {entry}: expected {known}")
                self.entries.append((kind, entry))

    def allows(self, kind: str, **facts: str) -> bool:
        """Whether an entry of that kind matches; each fact is matched as a shell pattern."""
        for number, (listed, entry) in enumerate(self.entries):
            if listed == kind and all(fnmatchcase(v, entry[k]) for k, v in facts.items()):
                self._used.add(number)
                return True
        return False

    def unused(self) -> list[str]:
        return [
            f"no longer occurs, strike it from {_LIST.name}: [[{kind}]] {entry}"
            for number, (kind, entry) in enumerate(self.entries)
            if number not in self._used
        ]

    def filters(self) -> list[str]:
        """pytest's warning filters that let the listed warnings through to be recorded."""
        return [
            f"default::{entry['category']}" for kind, entry in self.entries if kind == "warning"
        ]


class Strict:
    """Watches one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shares = hasattr(config, "workerinput")
        self._whole: bool = config.getoption("--whole")
        self._allowed = Allowed(config.rootpath / "tests" / "allowed.toml")
        self._told: list[str] = []
        self._root_tests = 0
        self._root_passed = 0
        for line in self._allowed.filters():
            config.addinivalue_line("filterwarnings", line)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        for_root = [item for item in items if item.get_closest_marker("root")]
        if not _is_root() and for_root:
            items[:] = [item for item in items if item not in for_root]
            config.hook.pytest_deselected(items=for_root)
        self._root_tests = len(for_root)
        if self._shares:
            config.workeroutput["root_tests"] = self._root_tests  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Of pytest-xdist: a process that had a share has ended; each knew of all tests."""
        told = getattr(node, "workeroutput", {})  # none of one that crashed
        self._root_tests = max(self._root_tests, told.get("root_tests", 0))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._tell("skip", report.nodeid, _why(report.longrepr))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        expected = getattr(report, "wasxfail", None)
        if expected is not None:
            self._tell("xfail", report.nodeid, expected)
        elif report.skipped:
            self._tell("skip", report.nodeid, _why(report.longrepr))
        elif report.when == "call" and report.passed and "root" in report.keywords:
            self._root_passed += 1

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        category = warning_message.category.__name__
        message = str(warning_message.message)
        if not self._allowed.allows("warning", category=category, message=message):
            self._told.append(f"warning in {nodeid or 'the session'}: {category}: {message}")

    def _tell(self, kind: str, test: str, message: str) -> None:
        if not self._allowed.allows(kind, test=test, message=message):
            self._told.append(f"{kind} {test}: {message}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._shares:
            return
        if self._whole:
            self._told += self._allowed.unused()
            if _is_root() and (not self._root_tests or self._root_passed < self._root_tests):
                self._told.append(
                    f"root's tests: {self._root_passed} of {self._root_tests} ran and passed"
                )
        if self._told and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._shares:
            return
        if self._told:
            terminalreporter.section("not a green run", red=True)
            for line in self._told:
                terminalreporter.write_line(line)
        if self._whole and _is_root():
            terminalreporter.write_line(
                f"root's tests: {self._root_passed} of {self._root_tests} ran and passed"
            )
        tally = self._config.getoption("--tally")
        if tally:
            stats = terminalreporter.stats
            failed = len(stats.get("failed", [])) + len(stats.get("error", [])) + len(self._told)
            with open(tally, "a") as file:
                file.write(f"{len(stats.get('passed', []))} {failed}\n")


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _why(longrepr: Any) -> str:
    return str(longrepr[2]) if isinstance(longrepr, Sequence) else str(longrepr)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("procession")
    group.addoption("--whole", action="store_true", help="fail unless the whole suite ran")
    group.addoption("--tally", metavar="FILE", help='append a line "PASSED FAILED" to FILE')


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Strict(config), "procession-strict")
