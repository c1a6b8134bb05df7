"""What tests of the executor share. Each makes an executor of its own, and leaves none."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from procession.executor import Executor
from procession.executor._loop import Timer
from procession.process import _linux
from tests.support.processes import BOUND, PROGRAMS

PY = (sys.executable, "-I", "-S")


def program(name: str, *args: str) -> list[str]:
    return [*PY, str(PROGRAMS / f"{name}.py"), *args]


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start it in a thread; what is returned waits for it, and raises what it raised."""
    box: list[Any] = []

    def call() -> None:
        try:
            box.append((work(), None))
        except BaseException as e:  # noqa: BLE001 - raised where it is waited for
            box.append((None, e))

    thread = threading.Thread(target=call)
    thread.start()

    def wait() -> Any:
        thread.join(BOUND)
        assert box, "the thread did not end"
        value, error = box[0]
        if error is not None:
            raise error
        return value

    return wait


def lives(pid: int) -> bool:
    try:
        return not _linux.stat(pid).dead
    except ProcessLookupError:
        return False


def armed(ex: Executor) -> list[Timer]:
    """What its loop is to do at some time to come."""
    return [timer for timer in list(ex._keeper.loop._timers) if timer.call is not None]


@contextlib.contextmanager
def parked(ex: Executor) -> Iterator[None]:
    """Its loop does nothing meanwhile."""
    there, away = threading.Event(), threading.Event()

    def park() -> None:
        there.set()
        away.wait(BOUND)

    ex._keeper.call_soon(park)
    assert there.wait(BOUND)
    try:
        yield
    finally:
        away.set()


def called(ex: Executor) -> None:
    """Until all is called that its loop was to call by now."""
    with parked(ex):
        pass
