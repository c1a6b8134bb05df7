"""A plugin of pytest: projects for tests, stopped after them, with their output where they fail.

    def test_web(procession):
        port = procession.free_port()
        procession.up(Task("web", "python3", f"-m http.server {port}", ready={"tcp": port}))
        ...

Loaded by every pytest where the package is installed, so it loads nothing of it before a test asks
for one of its fixtures.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from pathlib import Path
    from typing import Any

    from procession.api import Project, Running, Task

READY_TIMEOUT = 60.0  # seconds
LINES = 100  # of each stream, in the report of a failed test
_ALL = pytest.StashKey["list[Projects]"]()
_ports: set[int] = set()


class Projects:
    """What a fixture gives: starts projects, and stops them when its scope ends, the last one
    first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Running] = []

    def up(
        self,
        *what: Project | Task | str | PathLike[str],
        ready: bool = True,
        timeout: float | None = READY_TIMEOUT,
        **options: Any,
    ) -> Running:
        """`procession.up(*what, **options)`, with logs in the test's own folder; waits until all of
        it is ready, `timeout` seconds at most (`ready=False`: does not wait). Raises as `up` and
        `Running.ready` do; what was started then is stopped with the rest."""
        import sys

        from procession.api._project import as_project
        from procession.api._start import up_project
        from procession.errors import UsageError, worded

        __tracebackhide__ = worded
        known = [name for name in up_project.__annotations__ if name not in ("project", "return")]
        for name in options:
            if name not in known:
                raise UsageError(f"procession.up: {name}", "no such option", ", ".join(known))
        options.setdefault("log_dir", self._folder)
        running = up_project(as_project(what, sys._getframe(1)), **options)
        self._running.append(running)
        if ready:
            running.ready(timeout=timeout)
        return running

    def free_port(self) -> int:
        """The number of a TCP port of 127.0.0.1 that nobody uses now; each time another one. Until
        somebody listens there it is not kept: a program that can tell its own port is safer."""
        import socket

        for _ in range(1000):
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                port = int(one.getsockname()[1])
            if port not in _ports:
                _ports.add(port)
                return port
        raise RuntimeError("there is no free port that was not given away in this session")

    @property
    def running(self) -> tuple[Running, ...]:
        """All that were started, also those that have ended, the first one first."""
        return tuple(self._running)

    def sections(self) -> list[tuple[str, str]]:
        """For the report of a failed test: title and text for each project."""
        return [(f"procession: {one.name}", _told(one)) for one in self._running]

    def close(self) -> None:
        """Stop all, gracefully, the last one first. Raises what the first of them failed with."""
        failed: Exception | None = None
        try:
            while self._running:
                try:
                    self._running[-1].down()
                except Exception as e:  # noqa: BLE001 - it is raised, when all are down
                    failed = failed or e
                self._running.pop()
        except BaseException:
            for one in self._running:  # Ctrl-C: nobody waits any longer
                one.force()
            raise
        if failed is not None:
            raise failed


def _told(running: Running) -> str:
    """How its tasks are, what they wrote last, and where the rest is."""
    from procession.errors import ProcessionError

    try:
        rows = running.ps()
    except ProcessionError as e:
        return str(e)
    width = max(len(row.name) for row in rows)
    lines = [f"{row.name.ljust(width)}  {row.state}: {row.reason}" for row in rows]
    lines += ["", running.logs(lines=LINES, prefix=True).rstrip("\n")]
    if running.log_dir is not None:
        lines += ["", f"all of it: {running.log_dir}"]
    return "\n".join(lines)


def _projects(request: pytest.FixtureRequest, folder: Path) -> Iterator[Projects]:
    made = Projects(folder)
    known = request.config.stash.setdefault(_ALL, [])
    known.append(made)
    try:
        yield made
    finally:
        known.remove(made)
        made.close()


@pytest.fixture
def procession(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Projects]:
    """Starts projects for one test, and stops them after it. Where the test fails, how they were
    and what they wrote is in its report."""
    yield from _projects(request, tmp_path / "procession")


@pytest.fixture(scope="module")
def procession_module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Projects]:
    """`procession` for all tests of a module."""
    yield from _projects(request, tmp_path_factory.mktemp("procession"))


@pytest.fixture(scope="session")
def procession_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Projects]:
    """`procession` for the whole session."""
    yield from _projects(request, tmp_path_factory.mktemp("procession"))


@pytest.hookimpl(hookwrapper=True)  # the older form: who has an old pytest has us loaded, too
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add what runs to the report of what failed, as long as it is there."""
    report = (yield).get_result()
    if report.failed and call.when != "teardown":
        for made in item.config.stash.get(_ALL, ()):
            report.sections.extend(made.sections())
