# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""An executor on Windows in tests: its programs, its threads, and lines from many processes."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

assert sys.platform == "win32"

from tests.support.windows import BOUND, COMPILED, PROGRAMS


def program(name: str, *arguments: str) -> list[str]:
    """tests/programs/NAME.py, or a compiled NAME.exe."""
    if name.endswith(".exe"):
        return [str(COMPILED / name), *arguments]
    return [sys.executable, str(PROGRAMS / f"{name}.py"), *arguments]


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


class Said:
    """The lines that started programs write to one shared pipe, read by a thread."""

    def __init__(self) -> None:
        self._reads, self.fd = os.pipe()
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with open(self._reads, "rb") as stream:
            for line in stream:
                self._lines.put(line.decode("utf-8", "replace").rstrip())

    def next(self, bound: float = BOUND) -> str:
        try:
            line = self._lines.get(timeout=bound)
        except queue.Empty:
            raise AssertionError(f"no line within {bound} s; seen: {self.seen}") from None
        self.seen.append(line)
        return line

    def pids(self, count: int) -> list[int]:
        """Of the next lines `level PID`."""
        return [int(self.next().removeprefix("level ")) for _ in range(count)]

    def close(self) -> None:
        """Those who write have ended."""
        os.close(self.fd)
        self._reader.join(BOUND)
        assert not self._reader.is_alive(), "somebody still holds the pipe"
