# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""Trees on Windows in tests: runs with their output, and waits for what the job's port tells."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

assert sys.platform == "win32"

from procession.process import _win32 as win
from procession.process._handle_windows import WindowsHandle
from procession.process._spawn_windows import spawn
from procession.process._tree_windows import WindowsTree, WindowsTrees
from procession.process.command import Command
from tests.support.windows import BOUND, COMPILED, PROGRAMS


def command(
    name: str, *arguments: str, env: Mapping[str, str] | None = None, **more: object
) -> Command:
    """tests/programs/NAME.py, a compiled NAME.exe, or an absolute path."""
    if os.path.isabs(name):
        executable, argv = name, (name, *arguments)
    elif name.endswith(".exe"):
        executable = str(COMPILED / name)
        argv = (executable, *arguments)
    else:
        executable = sys.executable
        argv = (executable, str(PROGRAMS / f"{name}.py"), *arguments)
    environ = None if env is None else {**os.environ, **env}
    return Command(argv, executable, env=environ, **more)  # type: ignore[arg-type]


class Run:
    """One run: its tree, its handle, its lines, and the write end of its standard input."""

    def __init__(self, forest: Forest, wanted: Command) -> None:
        reads, writes = os.pipe()
        stdin, self.stdin = os.pipe()
        try:
            self.handle: WindowsHandle = spawn(
                wanted.replace(stdin=stdin, stdout=writes, stderr=writes)
            )
        except BaseException:
            for fd in (reads, self.stdin):
                os.close(fd)
            raise
        finally:
            os.close(writes)
            os.close(stdin)
        self.tree: WindowsTree = forest.trees.plant(self, f"c{self.handle.pid}", self.handle)
        self.pid = self.handle.pid
        self.seen: list[str] = []
        self._forest = forest
        self._reads = reads
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with open(self._reads, "rb") as stream:
            for line in stream:
                self._lines.put(line.decode("utf-8", "replace").rstrip())
        self._lines.put(None)

    def line(self, bound: float = BOUND) -> str | None:
        try:
            found = self._lines.get(timeout=bound)
        except queue.Empty:
            raise AssertionError(f"no line within {bound} s; seen: {self.seen}") from None
        if found is not None:
            self.seen.append(found)
        return found

    def expect(self, *lines: str) -> None:
        for wanted in lines:
            assert self.line() == wanted, self.seen

    def pids(self, count: int) -> list[int]:
        """Of the next lines `level PID`."""
        return [int(str(self.line()).removeprefix("level ")) for _ in range(count)]

    def give(self, data: bytes) -> None:
        os.write(self.stdin, data)

    def end_input(self) -> None:
        fd, self.stdin = self.stdin, -1
        if fd >= 0:
            os.close(fd)

    def empty(self, bound: float = BOUND) -> None:
        """Until its tree is empty, woken by the port."""
        deadline = time.monotonic() + bound
        while not self.tree.is_empty():
            left = deadline - time.monotonic()
            assert left > 0, f"not empty within {bound} s: {self.tree.members()}"
            self._forest.trees.scan()
            self._forest.wait(min(left, 0.2))

    def end(self) -> None:
        if not self.tree.finished and self.handle.job:
            self.tree.kill()
            win.wait(self.handle.process, int(BOUND * 1000))
            self.empty()
            self.tree.finish()
        self.end_input()
        self._reader.join(BOUND)


class Forest:
    """All trees of a test; leaves nothing."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.on_change: Callable[[Run], object] = id  # in the port's thread
        self._change = threading.Event()
        self.trees = WindowsTrees(self._changed)
        self._runs: list[Run] = []

    def _changed(self, run: Any) -> None:
        self.on_change(run)
        self.told.append(run)
        self._change.set()

    def wait(self, seconds: float) -> None:
        self._change.wait(seconds)
        self._change.clear()

    def start(self, name: str, *arguments: str, **more: object) -> Run:
        run = Run(self, command(name, *arguments, **more))  # type: ignore[arg-type]
        self._runs.append(run)
        return run

    def let_go(self, run: Run) -> None:
        """Close our handle to its job, as at our end, when it was left on purpose."""
        run.handle.close()

    def close(self) -> None:
        for run in self._runs:
            run.end()
        self.trees.close()


def ended(pid: int, bound: float = BOUND) -> bool:
    """Wait until that process has ended; False where it outlives the bound."""
    try:
        process = win.open_process(pid)
    except OSError:
        return True
    try:
        return win.wait(process, int(bound * 1000))
    finally:
        win.close(process)


def in_a_job(pid: int) -> bool:
    """Is that process a member of any job object?"""
    process = win.open_process(pid)
    try:
        return win.in_job(process)
    finally:
        win.close(process)


def outliving(pids: list[int], seconds: float = 1.0) -> list[int]:
    """Those of them that have not ended so many seconds from now."""
    until = time.monotonic() + seconds
    return [pid for pid in pids if not ended(pid, max(0.0, until - time.monotonic()))]
