"""What becomes of an executor's processes when their application is gone."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from procession.process import _linux
from procession.process.crowd import OWNER
from tests.support.processes import PROGRAMS, Lines
from tests.support.programs import all_gone, gone

WITHIN = 8.0  # seconds: the grace of a crash (1), the sweep, and a busy machine
DEAF = ("leader=deaf", "child=deaf", "daemon=deaf")


class App:
    """The application of `executor_app.py`."""

    def __init__(self, *args: str) -> None:
        self.lines = Lines()
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "executor_app.py"), *args],
            stdin=subprocess.PIPE,
            stdout=self.lines.fd,
            start_new_session=True,
        )
        self.pids: dict[str, int] = {}

    def expect(self, *words: str) -> dict[str, int]:
        self.pids |= self.lines.expect(*words)
        return self.pids

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.lines.close()


@pytest.fixture
def app() -> Iterator[list[App]]:
    made: list[App] = []
    yield made
    for one in made:
        one.close()


@pytest.mark.quick
@pytest.mark.parametrize("way", ["die", "exit"])
def test_nothing_outlives_the_application(app: list[App], way: str) -> None:
    """A deaf child in the group and a deaf daemon in a session of its own among them."""
    app.append(App("sweep", "wait", *DEAF))
    pids = app[0].expect("leader", "child", "daemon", "app", "sentinel")
    app[0].tell(way)
    assert all_gone(list(pids.values()), WITHIN) == []


def test_who_obeys_ends_before_the_grace_is_over(app: list[App]) -> None:
    app.append(App("sweep", "wait", "child=obeys", "daemon=obeys"))
    pids = app[0].expect("leader", "child", "daemon", "app", "sentinel")
    app[0].tell("die")
    assert all_gone(list(pids.values()), WITHIN) == []
    heard = app[0].lines.expect("heard leader", "heard child", "heard daemon")
    assert heard["heard daemon"] == pids["daemon"]


def test_an_application_killed_in_its_first_moments(app: list[App]) -> None:
    """Before the sentinel has even looked around."""
    app.append(App("sweep", "wait", *DEAF))
    app[0].expect("sentinel")
    app[0].process.kill()
    app[0].process.wait()
    assert gone(app[0].pids["sentinel"], WITHIN)
    # the lines end, so nobody holds the pipe any more
    named = [int(line.split()[-1]) for line in app[0].lines.rest()]
    assert all_gone(named, WITHIN) == []


def test_orphans_are_left_where_that_is_wanted(app: list[App]) -> None:
    app.append(App("leave", "wait", *DEAF))
    pids = app[0].expect("leader", "child", "daemon", "app")
    app[0].tell("die")
    assert gone(pids["app"])
    assert [name for name in ("leader", "child", "daemon") if not _lives(pids[name])] == []
    for name in ("leader", "child", "daemon"):
        os.kill(pids[name], signal.SIGKILL)
        assert gone(pids[name])


def test_what_was_left_on_purpose_is_spared(app: list[App]) -> None:
    app.append(App("sweep", "leave", "leader=leaves", "daemon=obeys"))
    pids = app[0].expect("leader", "daemon", "app", "sentinel")
    app[0].tell("settle")
    app[0].expect("settled")
    app[0].tell("die")
    assert all_gone([pids["app"], pids["sentinel"]], WITHIN) == []
    assert _lives(pids["daemon"])
    os.kill(pids["daemon"], signal.SIGKILL)
    assert gone(pids["daemon"])


@pytest.mark.quick
def test_the_sentinel_is_gone_when_the_executor_ended(app: list[App]) -> None:
    app.append(App("sweep", "wait"))
    pids = app[0].expect("leader", "app", "sentinel")
    app[0].tell("stop")
    app[0].expect("stopped")
    assert _linux.children(pids["app"]) == []


@pytest.mark.quick
def test_the_sentinel_has_nothing_of_the_application(app: list[App]) -> None:
    app.append(App("sweep", "wait"))
    pid = app[0].expect("leader", "app", "sentinel")["sentinel"]
    assert os.getsid(pid) == pid
    until = time.monotonic() + 5
    while len(_linux.blocked_signals(pid)) or signal.SIGTERM not in _linux.ignored_signals(pid):
        assert time.monotonic() < until
        os.sched_yield()
    held = {os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0] for fd in (0, 1, 2)}
    assert held == {"/dev/null"}
    others = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    assert sum(one.startswith("pipe:") for one in others) == 2
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert _linux.environ_cookie(pid, OWNER) is None


def test_a_sentinel_that_was_killed_is_replaced(app: list[App]) -> None:
    app.append(App("sweep", "wait", *DEAF))
    pids = dict(app[0].expect("leader", "child", "daemon", "app", "sentinel"))
    with_pid = os.pidfd_open(pids["sentinel"])
    until = time.monotonic() + 1.2  # two are not started within one second
    while time.monotonic() < until:
        select.select([with_pid], [], [], until - time.monotonic())
    os.close(with_pid)
    os.kill(pids["sentinel"], signal.SIGKILL)
    app[0].tell("again")
    second = app[0].expect("sentinel")["sentinel"]
    assert second != pids["sentinel"]
    app[0].tell("die")
    assert all_gone([*pids.values(), second], WITHIN) == []


def test_a_forked_child_that_lives_on_does_not_keep_the_sentinel_waiting(app: list[App]) -> None:
    app.append(App("sweep", "wait", *DEAF))
    pids = dict(app[0].expect("leader", "child", "daemon", "app", "sentinel"))
    app[0].tell("fork")
    forked = app[0].expect("forked")["forked"]
    app[0].tell("die")
    assert all_gone(list(pids.values()), WITHIN) == []
    assert _lives(forked)  # it is not the executor's
    os.kill(forked, signal.SIGKILL)
    assert gone(forked)


def _lives(pid: int) -> bool:
    try:
        return not _linux.stat(pid).dead
    except ProcessLookupError:
        return False
