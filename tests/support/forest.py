"""For tests of trees: this process as a supervisor, and nothing of it left behind."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable

from procession.process import _linux
from procession.process._lineage_linux import LinuxTrees
from procession.process._tree import COOKIE, Tree, Trees
from procession.process.handle import Handle
from procession.process.spawn import spawn
from tests.support.processes import BOUND, Lines, command


class Forest:
    """Trees of test programs. The wake-up is SIGCHLD, as in the supervisor."""

    def __init__(self, trees: Trees | None = None) -> None:
        self.trees = LinuxTrees() if trees is None else trees
        self.trees.prepare()
        self.lines = Lines()
        self.handles: dict[str, Handle] = {}
        self.grown: list[object] = []
        self._wake, self._wakes = os.pipe()
        for fd in (self._wake, self._wakes):
            os.set_blocking(fd, False)
        self._previous = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._previous_fd = signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)

    def plant(
        self,
        run: str,
        program: str,
        *args: str,
        cookie: str | None = None,
        pipe: int | None = None,
        pipes: tuple[int, ...] = (),
    ) -> Tree:
        """Start a program of tests/programs as the leader of `run`. `pipe`: its stdout, else it
        writes our lines; `pipes`: ends of ours whose inodes to plant it with."""
        cookie = f"test.{os.getpid()}.{run}" if cookie is None else cookie
        stdout = self.lines.fd if pipe is None else pipe
        handle = spawn(
            command(program, *args, env={COOKIE: cookie} if cookie else {}, stdout=stdout)
        )
        self.handles[run] = handle
        return self.trees.plant(run, cookie, handle, [os.fstat(fd).st_ino for fd in pipes])

    def scan(self) -> list[object]:
        """Scan until there is nothing to add, and remember what grew."""
        grown: list[object] = []
        while True:
            grown += self.trees.scan()
            if not self.trees.again:
                break
        self.grown += grown
        return grown

    def until(self, holds: Callable[[], object], bound: float = BOUND) -> None:
        """Scan at each SIGCHLD until something holds. AssertionError past the bound."""
        deadline = time.monotonic() + bound
        while True:
            self.scan()
            if holds():
                return
            left = deadline - time.monotonic()
            assert left > 0, f"not within {bound} s; children: {self.children()}"
            if select.select([self._wake], [], [], left)[0]:
                os.read(self._wake, 4096)

    def until_ended(self, run: str) -> None:
        """Until the leader has, and we have looked for those who came to us with its end: it may
        have come after the look that `until` began with."""
        self.until(lambda: self.handles[run].poll_exit() is not None)
        self.scan()

    def until_adopted(self, pid: int) -> None:
        """Until the process is our child. Nothing tells of an adoption: asked again and again."""
        deadline = time.monotonic() + BOUND
        while _linux.stat(pid).ppid != os.getpid():
            assert time.monotonic() < deadline, f"{pid} was not adopted"
            os.sched_yield()

    def children(self) -> list[str]:
        told = []
        for pid in _linux.children():
            stat = _linux.stat(pid)
            told.append(f"{stat.name}({pid},{stat.state})")
        return told

    def close(self) -> None:
        """Kill and reap every descendant, and be an ordinary process again."""
        try:
            self._kill_all()
        finally:
            signal.set_wakeup_fd(self._previous_fd)
            signal.signal(signal.SIGCHLD, self._previous)
            os.close(self._wake)
            os.close(self._wakes)
            _linux.set_child_subreaper(False)
            for handle in self.handles.values():
                handle.close()
            self.trees.close()
            self.lines.close()

    def _kill_all(self) -> None:
        deadline = time.monotonic() + BOUND
        while pids := _linux.children():
            assert time.monotonic() < deadline, f"left: {self.children()}"
            for pid in pids:
                for victim in (*_linux.children(pid), pid):
                    try:
                        os.kill(victim, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
            for pid in pids:
                os.waitpid(pid, os.WNOHANG)
