"""What the executor tells while it works: each kind of event, by each of the three ways."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from procession.executor import (
    PIPE,
    Capture,
    CommandFailed,
    Event,
    Executor,
    Lines,
    NotServedError,
    TimeoutExpired,
)
from procession.executor._values import ExecutorStopped
from tests.support.executors import PY, in_thread, program
from tests.support.processes import BOUND, PROGRAMS
from tests.support.processes import Lines as SharedLines

FLOOD = [*PY, "-c", "import os\nfor _ in range(40): os.write(1, b'x' * 65536)"]


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


class Heard:
    """All that was told from the beginning to `end`, by one of the three ways, as `(what, name,
    pid, detail)`."""

    def __init__(self, ex: Executor, way: str, caplog: pytest.LogCaptureFixture) -> None:
        self._ex = ex
        self._way = way
        self._caplog = caplog
        self._told: list[Event] = []
        if way == "callback":
            self._remove = ex.on_event(self._told.append)
        elif way == "iterator":
            self._events = ex.events()
            self._rest = in_thread(lambda: self._told.extend(self._events))
        else:
            caplog.set_level(logging.DEBUG, "procession.executor")

    def end(self) -> list[str]:
        """As texts."""
        self._ex.stop()
        assert self._ex.join(BOUND)
        if self._way == "logging":
            return self._caplog.messages
        if self._way == "callback":
            self._remove()
        else:
            self._rest()  # the iterator ends with the loop
        return [str(event) for event in self._told]


each_way = pytest.mark.parametrize("way", ["callback", "iterator", "logging"])


@pytest.mark.quick
@each_way
def test_the_life_of_one_that_is_stopped(way: str, caplog: pytest.LogCaptureFixture) -> None:
    ex = Executor()
    heard = Heard(ex, way, caplog)
    ex.start()
    handle = ex.create_process(["sleep", "60"], name="nap")
    handle.kill()
    who = f"nap (pid {handle.pid})"
    assert heard.end() == [
        "nap: requested",
        f"{who}: started",
        f"{who}: stop step, SIGTERM to the tree",
        f"{who}: exited, killed by SIGTERM",
        f"{who}: tree empty",
    ]


@each_way
def test_output_that_there_was_no_room_for(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """Told at the first, and all of it at the end: a flood of output is none of events."""
    ex = Executor()
    heard = Heard(ex, way, caplog)
    ex.start()
    handle = ex.create_process(FLOOD, stdout=Capture(1000), name="flood")
    assert handle.result(BOUND).ok
    who = f"flood (pid {handle.pid}): output dropped,"
    dropped = [text for text in heard.end() if "dropped" in text]
    assert len(dropped) == 2
    assert dropped[0].startswith(who)
    assert dropped[1] == f"{who} {40 * 65536 - 1000} bytes of stdout"


@pytest.mark.parametrize("target", ["Lines", "a pipe that communicate() reads"])
def test_whose_output_was_dropped(
    ex: Executor, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    speak = ["sh", "-c", "for n in 1 2 3 4 5 6; do echo abcdefgh$n >&2; done"]
    if target == "Lines":
        lines = Lines(2)
        handle = ex.create_process(speak, stderr=lines)
        handle.result(BOUND)
        assert list(lines) == ["abcdefgh5", "abcdefgh6"]
        count = 4 * 9
    else:
        handle = ex.create_process(speak, stderr=PIPE, limit=10)
        assert handle.communicate() == (None, b"abcde" + b"fgh6\n")
        count = 50
    assert handle.result(BOUND).ok
    last = caplog.messages[-1]
    assert last == f"sh (pid {handle.pid}): output dropped, {count} bytes of stderr"


@pytest.mark.root
def test_a_survivor_is_named_by_all_three() -> None:
    """Of an application that was root when it started what it may not signal any more."""
    done = subprocess.run(
        [sys.executable, "-W", "error", PROGRAMS / "executor_refused.py"],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    (survivor,) = told["survivors"]
    assert survivor.endswith(f" (pid {told['pid']})")
    assert (told["reason"], told["ok"], told["joined"]) == ("forced", False, True)
    assert told["heard"][-1] == told["seen"][-1] == ["survivor", survivor]
    assert told["logged"] == [
        ["WARNING", f"deaf (pid {told['pid']}): survivor, {survivor}"],
    ]


def test_who_does_not_read_loses_the_oldest(ex: Executor) -> None:
    with ex.events(limit=2) as events:
        for _ in range(3):
            assert ex.run_command(["true"]) == 0
    assert events.dropped == 3 * 4 - 2
    assert [event.what for event in events] == ["exited", "tree empty"]


def test_what_a_listener_raises_is_logged_and_stops_nobody(
    ex: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fails(event: Event) -> None:
        raise RuntimeError(f"not {event.what}")

    remove = ex.on_event(fails)
    ex.on_event(lambda event: heard.append(event.what))
    assert ex.run_command(["true"]) == 0
    remove()
    remove()
    assert ex.run_command(["true"]) == 0
    ex.stop()
    assert ex.join(BOUND)
    assert heard == ["requested", "started", "exited", "tree empty"] * 2
    assert caplog.text.count("RuntimeError: not ") == 4


@pytest.mark.quick
def test_an_environment_is_never_shown(ex: Executor, caplog: pytest.LogCaptureFixture) -> None:
    """In no event, log line, repr or error, whatever becomes of the process."""
    caplog.set_level(logging.DEBUG)
    heard: list[Event] = []
    ex.on_event(heard.append)
    env = {"PATH": os.environ["PATH"], "TOKEN": "hush-hush"}
    shown: list[object] = []
    for command, options in (
        (["sh", "-c", "exit 3"], {}),
        (["sleep", "60"], {"timeout": 0.05}),
        (FLOOD, {"stdout": Capture(10)}),
    ):
        handle = ex.create_process(command, env=env, **options)
        try:
            handle.wait(0)
        except TimeoutExpired as e:
            shown += [e]
        shown += [handle, handle._request, handle.result(BOUND), handle._process, handle._tree]
    with pytest.raises(CommandFailed) as failed:
        ex.run_command_or_fail(["sh", "-c", "exit 3"], env=env)
    with pytest.raises(OSError, match="No such file") as missing:
        ex.create_process(["/no/such"], env=env)
    with pytest.raises(ValueError, match="TOKEN") as wrong:
        ex.create_process(["true"], env={"TOKEN": "hush-hush\0"})
    with pytest.raises(UnicodeEncodeError) as odd:
        ex.create_process(["true"], env={"TOKEN": "hush-hush\ud800"})
    with pytest.raises(NotServedError) as late:
        in_thread(lambda: Executor().create_process(["true"], env=env, start_timeout=0.01))()
    ex.stop()
    with pytest.raises(ExecutorStopped) as stopped:
        ex.create_process(["true"], env=env)
    assert ex.join(BOUND)
    errors = [one.value for one in (failed, missing, wrong, late, stopped)]
    text = f"{shown!r} {list(map(str, shown))} {errors!r} {list(map(str, errors))} {odd.value}"
    assert "hush" not in text
    assert "hush" not in caplog.text + repr(heard) + "".join(map(str, heard))
    assert len(heard) > 10


def test_a_loop_that_waits_is_asleep(ex: Executor) -> None:
    """Ends are told to it; it never looks for them by the clock."""
    handle = ex.create_process(["sleep", "60"])
    ended = threading.Event()
    handle.add_done_callback(lambda _: ended.set())
    assert ex._thread is not None
    status = f"/proc/self/task/{ex._thread.native_id}/status"

    def switches() -> int:
        with open(status) as file:
            return sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)

    until = time.monotonic() + BOUND
    while True:  # it looks after a newborn for some ms
        before = switches()
        assert not ended.wait(0.5)
        if switches() == before:
            break
        assert time.monotonic() < until, "it wakes again and again"
    handle.send_signal(signal.SIGKILL)
    assert ended.wait(BOUND)


# --- whose they are


def test_children_of_a_thread_that_has_ended(ex: Executor) -> None:
    """By the thread itself; its ident is somebody else's by then, perhaps."""
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(ex.create_process(["sleep", "60"])))
    thread.start()
    ident = thread.ident
    thread.join()
    assert ident is not None
    assert ex.children_of(thread) == tuple(made)
    heir = threading.Thread(target=lambda: made.append(ex.children_of(threading.get_ident())))
    heir.start()
    heir.join()
    if heir.ident == ident:
        assert made[1] == (), "the number alone does not make it a parent"
    with pytest.raises(TypeError, match="thread"):
        ex.children_of("main")  # type: ignore[arg-type]


def test_the_snapshot_is_exact_and_in_order(ex: Executor, lines: SharedLines) -> None:
    handles = [ex.create_process(["sleep", "60"]) for _ in range(4)]
    seen = ex.processes
    assert seen == tuple(handles)
    handles[1].kill_now()
    handles[1].wait(BOUND)
    assert ex.processes == (handles[0], handles[2], handles[3])
    assert seen == tuple(handles), "what was handed out does not change"
    family = ex.create_process(
        program("tree_family", "leader=leaves", "daemon=obeys"), stdout=lines.fd
    )
    lines.expect("leader", "daemon")
    assert family.wait(BOUND) == 0
    assert family in ex.processes


@pytest.fixture
def lines() -> Iterator[SharedLines]:
    found = SharedLines()
    yield found
    found.close()
