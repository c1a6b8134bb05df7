"""How an exit is noticed, by each mechanism, on real processes."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from procession.core.status import ExitStatus
from procession.process.command import Command
from procession.process.exits import ExitWatcher, PidfdExits, ThreadExits
from procession.process.handle import Handle
from tests.support.processes import BOUND, Started, await_exit


class Loop:
    """A loop as the engine has it: `key.data()` for what became readable."""

    def __init__(self, make: Callable[..., ExitWatcher[str]]) -> None:
        self.selector = selectors.DefaultSelector()
        self.told: list[str] = []
        self.watcher = make(self.selector, self.told.append)

    def turn(self, timeout: float) -> int:
        keys = self.selector.select(timeout)
        for key, _ in keys:
            key.data()
        return len(keys)

    def until(self, count: int) -> list[str]:
        deadline = time.monotonic() + BOUND
        while len(self.told) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"told only {self.told}"
            self.turn(left)
        return sorted(self.told)

    def close(self) -> None:
        self.watcher.close()
        self.selector.close()


@pytest.fixture
def started() -> Iterator[Started]:
    found = Started()
    yield found
    found.close()


@pytest.fixture(params=[PidfdExits, ThreadExits, ExitWatcher], ids=["pidfd", "thread", "choice"])
def loop(request: pytest.FixtureRequest, started: Started) -> Iterator[Loop]:
    found = Loop(request.param)
    yield found
    for handle in started.handles:  # a waiting thread ends with its process, and must
        if not handle.reaped:
            handle.send(signal.SIGKILL)
    found.close()


def quits(code: int = 0) -> Command:
    return Command(("sh", "-c", f"exit {code}"), "/bin/sh")


def stays() -> Command:
    return Command(("sleep", "1000"), "/bin/sleep")


@pytest.mark.quick
def test_each_exit_is_told_once_and_not_reaped(loop: Loop, started: Started) -> None:
    handles: dict[str, Handle] = {}
    for number in range(20):
        handles[f"{number:02}"] = started(quits(number))
        loop.watcher.watch(handles[f"{number:02}"], f"{number:02}")
    assert loop.until(20) == sorted(handles)
    assert [handles[token].poll_exit() for token in sorted(handles)] == [
        ExitStatus(code=number) for number in range(20)
    ]
    assert not any(handle.reaped for handle in handles.values())
    # No spinning: a zombie's pidfd would be readable for ever.
    assert loop.turn(0) == 0
    assert loop.told.count("00") == 1


def test_one_that_ended_before_it_was_watched_is_told(loop: Loop, started: Started) -> None:
    handle = started(quits(3))
    await_exit(handle)
    loop.watcher.watch(handle, "late")
    assert loop.until(1) == ["late"]


def test_a_forgotten_one_is_not_told(loop: Loop, started: Started) -> None:
    forgotten, other = started(stays()), started(quits())
    loop.watcher.watch(forgotten, "forgotten")
    loop.watcher.watch(other, "other")
    loop.watcher.forget(forgotten)
    loop.watcher.forget(forgotten)
    forgotten.send(signal.SIGKILL)
    await_exit(forgotten)
    assert loop.until(1) == ["other"]
    for thread in threading.enumerate():  # may still wake the loop, with no word
        if thread.name == f"exit-of-{forgotten.pid}":
            thread.join(BOUND)
    loop.turn(0)
    assert loop.turn(0) == 0
    assert loop.told == ["other"]


def test_one_forgotten_in_the_same_turn_is_not_told(loop: Loop, started: Started) -> None:
    """Both events are in hand already when the first makes us forget the other."""
    first, second = started(quits()), started(quits())
    await_exit(first)
    await_exit(second)
    told: list[str] = []

    def tell(token: str) -> None:
        told.append(token)
        watcher.forget(first)
        watcher.forget(second)

    watcher = type(loop.watcher)(loop.selector, tell)
    watcher.watch(first, "first")
    watcher.watch(second, "second")
    while not told:
        assert loop.turn(BOUND)
    loop.turn(0)
    watcher.close()
    assert len(told) == 1


def test_watching_again_replaces_the_token(loop: Loop, started: Started) -> None:
    handle = started(stays())
    loop.watcher.watch(handle, "first")
    loop.watcher.watch(handle, "second")
    handle.send(signal.SIGKILL)
    assert loop.until(1) == ["second"]
    assert loop.turn(0) == 0


def test_closing_leaves_the_selector_empty(loop: Loop, started: Started) -> None:
    handle = started(stays())
    loop.watcher.watch(handle, "never")
    loop.watcher.close()
    loop.watcher.close()
    handle.send(signal.SIGKILL)
    await_exit(handle)
    assert loop.told == []
    assert len(loop.selector.get_map()) == 0


def test_an_exit_somebody_else_took_is_told_all_the_same(loop: Loop, started: Started) -> None:
    handle = started(stays())
    loop.watcher.watch(handle, "stolen")
    handle.send(signal.SIGKILL)
    os.waitpid(handle.pid, 0)
    assert loop.until(1) == ["stolen"]
    status = handle.poll_exit()
    assert status is not None
    assert status.unknown


def test_without_a_pidfd_the_choice_is_a_thread(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("procession.process.host.has_pidfd", lambda: False)
        handle = started(quits(4))
    assert handle.pidfd is None
    loop = Loop(ExitWatcher)
    try:
        with pytest.raises(ValueError, match="no pidfd"):
            PidfdExits(loop.selector, loop.told.append).watch(handle, "x")
        loop.watcher.watch(handle, "by thread")
        assert loop.until(1) == ["by thread"]
        assert handle.poll_exit() == ExitStatus(code=4)
    finally:
        loop.close()
