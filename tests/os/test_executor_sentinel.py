"""What becomes of an executor's processes when their application is gone: by a sentinel, and by a
starter, whose part it is where each process has a control group (as an ordinary user)."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import pytest

from procession.process import _linux
from procession.process.crowd import OWNER
from tests.support.groups import Group, group
from tests.support.processes import PROGRAMS, Lines
from tests.support.programs import all_gone, gone

__all__ = ["group"]

WITHIN = 8.0  # seconds: the grace of a crash (1), the sweep, and a busy machine
DEAF = ("leader=deaf", "child=deaf", "daemon=deaf")


class App:
    """The application of `executor_app.py`."""

    def __init__(self, *args: str, wrap: Sequence[str] = ()) -> None:
        self.lines = Lines()
        self.process = subprocess.Popen(
            [*wrap, sys.executable, str(PROGRAMS / "executor_app.py"), *args],
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


class Apps:
    """Begins applications of one kind of containment."""

    def __init__(self, group: Group | None) -> None:
        self.group = group
        self._made: list[App] = []

    def begin(self, orphans: str, *args: str) -> App:
        if self.group is not None:
            one = App(f"{orphans}+group", *args, wrap=self.group.wrap)
        else:
            one = App(orphans, *args)
        self._made.append(one)
        return one

    def has_left_nothing(self) -> bool:
        return self.group is None or self.group.places == []

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture(params=["marks", pytest.param("group", marks=pytest.mark.root)])
def apps(request: pytest.FixtureRequest) -> Iterator[Apps]:
    found = Apps(request.getfixturevalue("group") if request.param == "group" else None)
    yield found
    found.close()


@pytest.mark.quick
@pytest.mark.parametrize("way", ["die", "exit"])
def test_nothing_outlives_the_application(apps: Apps, way: str) -> None:
    """A deaf child in the group and a deaf daemon in a session of its own among them."""
    app = apps.begin("sweep", "wait", *DEAF)
    pids = app.expect("leader", "child", "daemon", "app", "sentinel")
    app.tell(way)
    assert all_gone(list(pids.values()), WITHIN) == []
    assert apps.has_left_nothing()


def test_who_obeys_ends_before_the_grace_is_over(apps: Apps) -> None:
    app = apps.begin("sweep", "wait", "child=obeys", "daemon=obeys")
    pids = app.expect("leader", "child", "daemon", "app", "sentinel")
    app.tell("die")
    assert all_gone(list(pids.values()), WITHIN) == []
    heard = app.lines.expect("heard leader", "heard child", "heard daemon")
    assert heard["heard daemon"] == pids["daemon"]


def test_an_application_killed_in_its_first_moments(apps: Apps) -> None:
    """Before the sentinel has even looked around."""
    app = apps.begin("sweep", "wait", *DEAF)
    app.expect("sentinel")
    app.process.kill()
    app.process.wait()
    assert gone(app.pids["sentinel"], WITHIN)
    # the lines end, so nobody holds the pipe any more
    named = [int(line.split()[-1]) for line in app.lines.rest()]
    assert all_gone(named, WITHIN) == []


def test_orphans_are_left_where_that_is_wanted(apps: Apps) -> None:
    app = apps.begin("leave", "wait", *DEAF)
    pids = app.expect("leader", "child", "daemon", "app")
    app.tell("die")
    assert gone(pids["app"])
    if apps.group is not None:
        assert gone(pids.get("sentinel") or app.expect("sentinel")["sentinel"], WITHIN)
        assert apps.has_left_nothing()
    assert [name for name in ("leader", "child", "daemon") if not _lives(pids[name])] == []
    for name in ("leader", "child", "daemon"):
        os.kill(pids[name], signal.SIGKILL)
        assert gone(pids[name])


def test_what_was_left_on_purpose_is_spared(apps: Apps) -> None:
    app = apps.begin("sweep", "leave", "leader=leaves", "daemon=obeys")
    pids = app.expect("leader", "daemon", "app", "sentinel")
    app.tell("settle")
    app.expect("settled")
    app.tell("die")
    assert all_gone([pids["app"], pids["sentinel"]], WITHIN) == []
    assert _lives(pids["daemon"])
    os.kill(pids["daemon"], signal.SIGKILL)
    assert gone(pids["daemon"])


@pytest.mark.quick
def test_the_sentinel_is_gone_when_the_executor_ended(apps: Apps) -> None:
    app = apps.begin("sweep", "wait")
    pids = app.expect("leader", "app", "sentinel")
    app.tell("stop")
    app.expect("stopped")
    assert _linux.children(pids["app"]) == []


@pytest.mark.quick
def test_the_sentinel_has_nothing_of_the_application(apps: Apps) -> None:
    pid = apps.begin("sweep", "wait").expect("leader", "app", "sentinel")["sentinel"]
    starts = apps.group is not None
    assert os.getsid(pid) == pid
    until = time.monotonic() + 5
    while len(_linux.blocked_signals(pid)) or (
        (signal.SIGTERM in _linux.ignored_signals(pid)) is starts
    ):
        assert time.monotonic() < until
        os.sched_yield()
    held = {os.readlink(f"/proc/{pid}/fd/{fd}").partition(":")[0] for fd in (0, 1, 2)}
    assert held == {"/dev/null"}
    others = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    # what is posted and heard; a starter wakes itself by one, and tells the end of its process
    assert sum(one.startswith("pipe:") for one in others) == (5 if starts else 2)
    assert sum(one.startswith("socket:") for one in others) == (1 if starts else 0)
    assert os.readlink(f"/proc/{pid}/cwd") == (os.getcwd() if starts else "/")
    assert _linux.environ_cookie(pid, OWNER) is None


def test_a_sentinel_that_was_killed_is_replaced(apps: Apps) -> None:
    app = apps.begin("sweep", "wait", *DEAF)
    pids = dict(app.expect("leader", "child", "daemon", "app", "sentinel"))
    with_pid = os.pidfd_open(pids["sentinel"])
    until = time.monotonic() + 1.2  # two are not started within one second
    while time.monotonic() < until:
        select.select([with_pid], [], [], until - time.monotonic())
    os.close(with_pid)
    os.kill(pids["sentinel"], signal.SIGKILL)
    app.tell("again")
    second = app.expect("sentinel")["sentinel"]
    assert second != pids["sentinel"]
    app.tell("die")
    assert all_gone([*pids.values(), second], WITHIN) == []


def test_a_forked_child_that_lives_on_does_not_keep_the_sentinel_waiting(apps: Apps) -> None:
    app = apps.begin("sweep", "wait", *DEAF)
    pids = dict(app.expect("leader", "child", "daemon", "app", "sentinel"))
    app.tell("fork")
    forked = app.expect("forked")["forked"]
    app.tell("die")
    assert all_gone(list(pids.values()), WITHIN) == []
    assert _lives(forked)  # it is not the executor's
    os.kill(forked, signal.SIGKILL)
    assert gone(forked)


def _lives(pid: int) -> bool:
    try:
        return not _linux.stat(pid).dead
    except ProcessLookupError:
        return False


@pytest.mark.parametrize("way", ["started", "in place"])
def test_who_is_killed_right_after_the_first_start_leaves_nobody(way: str) -> None:
    """The sentinel was there before that."""
    code = (
        "import os, sys\n"
        "from procession.executor import executor as ex\n"
        "if sys.argv[1] == 'started': ex.start()\n"
        "ex.create_process(['sleep', '60'], stdout=int(sys.argv[2]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(5):
        reads, writes = os.pipe()
        try:
            words = [sys.executable, "-c", code, way, str(writes)]
            done = subprocess.run(words, pass_fds=[writes], timeout=4 * WITHIN, check=False)
            assert done.returncode == -signal.SIGKILL
            os.close(writes)
            writes = -1
            assert select.select([reads], [], [], 2 * WITHIN)[0], "somebody lives"
            assert os.read(reads, 1) == b""
        finally:
            os.close(reads)
            if writes >= 0:
                os.close(writes)
