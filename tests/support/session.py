"""The folder and the environment in which the tests of one session run.

A plugin: `tests/conftest.py` loads it. Temporary files, `HOME` and pytest's own folders lie in
one folder that goes when all is green and stays, by name, when not; of those that stay, the
newest few. Where several processes share the tests, each has a folder of its own in it. So no test
writes into the home of who runs it, and none sees their settings.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.strays import MARK

# Settings of a service manager above us, of a terminal, or of our own: tests set them themselves.
_SCRUBBED = (
    "COLUMNS",
    "FORCE_COLOR",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LINES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NO_COLOR",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)
_SCRUBBED_PREFIXES = ("PROCESSION_", "XDG_")


_PREFIX = "procession-"  # short: sockets lie below it
_KEPT_FOLDERS = 3


def _forget_old_sessions() -> None:
    """Sessions that ended, or were killed, leave their folders; the oldest of ours go."""
    parent = tempfile.gettempdir()
    found = []
    for entry in os.scandir(parent):
        pid = entry.name.removeprefix(_PREFIX).partition("-")[0]
        if not entry.name.startswith(_PREFIX) or not pid.isdecimal():
            continue
        with contextlib.suppress(FileNotFoundError):  # another session is doing the same
            about = entry.stat(follow_symlinks=False)
            if about.st_uid == os.geteuid() and not os.path.exists(f"/proc/{pid}"):
                found.append((about.st_mtime, entry.path))
    for _, path in sorted(found)[:-_KEPT_FOLDERS]:
        shutil.rmtree(path, ignore_errors=True)


class _Session:
    """Makes the folder, and takes it away again."""

    def __init__(self, config: pytest.Config) -> None:
        self._environment = dict(os.environ)
        worker = getattr(config, "workerinput", {}).get("workerid")  # of pytest-xdist
        if worker is not None:
            self.folder = os.path.join(os.path.dirname(os.environ["TMPDIR"]), worker)
            os.mkdir(self.folder)
            mark = f"{os.environ[MARK]}-{worker}"
            config.option.basetemp = None
        else:
            if sys.platform == "linux":
                _forget_old_sessions()
            self.folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
            mark = os.path.basename(self.folder)
        os.chmod(self.folder, 0o711)  # ordinary users get through to what is opened for them
        temporary = os.path.join(self.folder, "tmp")
        home = os.path.join(self.folder, "home")
        os.mkdir(home)
        os.mkdir(temporary)
        os.chmod(temporary, 0o1777)
        if config.option.basetemp is None:
            config.option.basetemp = os.path.join(self.folder, "t")
        for name in list(os.environ):
            if name in _SCRUBBED or name.startswith(_SCRUBBED_PREFIXES):
                del os.environ[name]
        runtime = os.path.join(self.folder, "r")  # short: a socket's path ends at 107 bytes
        os.mkdir(runtime, 0o700)
        os.environ.update({"TMPDIR": temporary, "HOME": home, "XDG_RUNTIME_DIR": runtime})
        os.environ[MARK] = mark
        tempfile.tempdir = None  # computed once: now from TMPDIR

    def close(self, keep: bool) -> None:
        os.environ.clear()
        os.environ.update(self._environment)
        tempfile.tempdir = None
        if not keep:
            shutil.rmtree(self.folder)


_KEY = pytest.StashKey[_Session]()
_KEPT = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[_KEY] = _Session(config)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        terminalreporter.write_line(f"files of this session: {config.stash[_KEY].folder}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[_KEPT] = session.testsfailed > 0


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if _KEY in config.stash:
        config.stash[_KEY].close(keep=config.stash.get(_KEPT, False))


@pytest.fixture
def open_folder() -> Iterator[str]:
    """A folder that every user of the machine reaches and may write to, with a short path."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o777)
    yield folder
    shutil.rmtree(folder)
