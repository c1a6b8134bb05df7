"""For tests of the process layer: start a program of tests/programs, read its lines, bounded."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from procession.process.command import Command
from procession.process.handle import Handle
from procession.process.spawn import spawn

PROGRAMS = Path(__file__).parent.parent / "programs"
BOUND = 10.0


def command(
    program: str, *args: str, env: Mapping[str, str] | None = None, **more: object
) -> Command:
    """Runs tests/programs/PROGRAM.py, or an absolute path; `env` is laid over ours."""
    if os.path.isabs(program):
        argv, executable = (program, *args), program
    else:
        script = str(PROGRAMS / f"{program}.py")
        # -I -S: nothing but the interpreter; starts in two thirds of the time
        argv, executable = (sys.executable, "-I", "-S", script, *args), sys.executable
    environ = None if env is None else {**os.environ, **env}
    return Command(argv, executable, env=environ, **more)  # type: ignore[arg-type]


class Lines:
    """The lines that started programs write to one shared pipe; waits are bounded."""

    def __init__(self) -> None:
        self._reads, self.fd = os.pipe()
        self._rest = b""
        self._waiting: list[str] = []
        self.seen: list[str] = []
        self.ended = False

    def end_own(self) -> None:
        """Close our write end, so that the pipe ends with the last of them."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def next(self, bound: float = BOUND) -> str:
        """The next line. AssertionError when none comes, or all writers are gone."""
        deadline = time.monotonic() + bound
        while not self._waiting:
            left = deadline - time.monotonic()
            assert left > 0, f"no line within {bound} s; seen: {self.seen}"
            assert not self.ended, f"the writers are gone; seen: {self.seen}"
            if select.select([self._reads], [], [], left)[0]:
                block = os.read(self._reads, 65536)
                self.ended = not block
                *whole, self._rest = (self._rest + block).split(b"\n")
                self._waiting += [line.decode() for line in whole]
        line = self._waiting.pop(0)
        self.seen.append(line)
        return line

    def expect(self, *words: str, bound: float = BOUND) -> dict[str, int]:
        """Wait for one line `WORD PID` for each word, in any order; {word: pid}. Words that come
        more often than asked are kept for later."""
        found: dict[str, int] = {}
        wanted = set(words)
        kept = []
        while wanted:
            word, _, number = self.next(bound).rpartition(" ")
            if word in wanted:
                wanted.discard(word)
                found[word] = int(number)
            else:
                kept.append(f"{word} {number}")
        self._waiting = kept + self._waiting
        return found

    def rest(self, bound: float = BOUND) -> list[str]:
        """All lines until the last writer is gone."""
        self.end_own()
        lines = []
        deadline = time.monotonic() + bound
        while True:
            lines += self._waiting
            self._waiting = []
            if self.ended:
                return lines
            left = deadline - time.monotonic()
            assert left > 0, f"somebody still holds the pipe; seen: {self.seen + lines}"
            if select.select([self._reads], [], [], left)[0]:
                block = os.read(self._reads, 65536)
                self.ended = not block
                *whole, self._rest = (self._rest + block).split(b"\n")
                self._waiting += [line.decode() for line in whole]

    def close(self) -> None:
        self.end_own()
        os.close(self._reads)


def await_exit(handle: Handle, bound: float = BOUND) -> None:
    """Until its exit can be observed; it is not reaped."""
    assert handle.pidfd is not None
    assert select.select([handle.pidfd], [], [], bound)[0], f"{handle} did not end"


class Started:
    """Spawns for a test, and leaves nothing: kills, reaps and closes at its end."""

    def __init__(self) -> None:
        self.handles: list[Handle] = []

    def __call__(self, wanted: Command, by: Callable[[Command], Handle] = spawn) -> Handle:
        handle = by(wanted)
        self.handles.append(handle)
        return handle

    def close(self) -> None:
        import signal

        for handle in self.handles:
            if not handle.reaped:
                if handle.own_group:
                    handle.kill_group(signal.SIGKILL)
                handle.send(signal.SIGKILL)
                if handle.poll_exit() is None:
                    os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
                handle.reap()
            handle.close()
