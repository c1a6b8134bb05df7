"""Real programs in tests: started, heard, signalled, bounded, and always ended and reaped.

Nothing here sleeps. Waiting is for a descriptor: a pipe that fills or ends, a pidfd that reports
an exit; each wait has a bound, and one that is passed says what was seen until then. Linux only,
as the tests that use it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

PROGRAMS = Path(__file__).parent.parent / "programs"
BOUND = 10.0  # seconds; a test that waits longer has failed
_BLOCK = 1 << 16


class LateError(AssertionError):
    """What was waited for did not come within its bound."""


def alive(pid: int) -> bool:
    """Whether the process runs: a zombie has ended, though its number is still taken."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int, timeout: float = BOUND) -> bool:
    """Wait until the process has ended, reaped or not; False where it outlives the bound."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], timeout)[0])
    finally:
        os.close(pidfd)


def all_gone(pids: Sequence[int], timeout: float = BOUND) -> list[int]:
    """Wait for all of them under one bound; those that outlive it."""
    deadline = time.monotonic() + timeout
    return [pid for pid in pids if not gone(pid, max(0.0, deadline - time.monotonic()))]


def as_ordinary_user(argv: Sequence[str]) -> list[str]:
    """The command that runs this one as `nobody` where root calls it, else as who calls it."""
    return [sys.executable, str(PROGRAMS / "up_as_nobody.py"), *argv]


class Program:
    """One process with its pipes. On leaving the `with`, it and its session are killed and reaped.

    `output` and `errors` are what was read so far. It leads a session of its own unless
    `session=False`; its standard input is a pipe, closed by `end_input()`.
    """

    def __init__(
        self,
        *argv: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        session: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._session = session
        self.popen = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else {**os.environ, **env},
            cwd=cwd,
            bufsize=0,
            start_new_session=session,
            pass_fds=pass_fds,
        )
        self.pid = self.popen.pid
        self._pidfd = os.pidfd_open(self.pid)
        pipes = (self.popen.stdout, self.popen.stderr)
        self._out, self._err = (pipe.fileno() for pipe in pipes if pipe is not None)
        self._read = {self._out: bytearray(), self._err: bytearray()}
        self._open = set(self._read)
        for fd in self._open:
            os.set_blocking(fd, False)

    @classmethod
    def python(cls, *argv: str | Path, **options: object) -> Program:
        """This interpreter on a file, or with its options."""
        return cls(sys.executable, *argv, **options)  # type: ignore[arg-type]  # handed through

    @property
    def output(self) -> bytes:
        return bytes(self._read[self._out])

    @property
    def errors(self) -> bytes:
        return bytes(self._read[self._err])

    def expect(self, text: bytes, timeout: float = BOUND, *, errors: bool = False) -> bytes:
        """Wait until this text was written; all that was written so far. `LateError` if it comes
        not: at the bound, or as soon as the pipe has ended without it."""
        fd = self._err if errors else self._out
        deadline = time.monotonic() + timeout
        while text not in self._read[fd]:
            if fd not in self._open:
                raise LateError(f"the pipe ended before {text!r}: {self._seen()}")
            self._take(deadline, f"no {text!r}")
        return bytes(self._read[fd])

    def signal(self, number: int) -> None:
        """To the leader alone; nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def write(self, data: bytes) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(data)

    def end_input(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def wait(self, timeout: float = BOUND) -> int:
        """Wait for its end and read what it wrote until then; its status, negative for a signal.
        A descendant that still holds the pipes is not waited for. It is reaped on leaving."""
        deadline = time.monotonic() + timeout
        while not select.select([self._pidfd], [], [], 0)[0]:
            self._take(deadline, "it has not ended", self._pidfd)
        while self._open and select.select(list(self._open), [], [], 0)[0]:
            self._take(deadline, "its output does not end")
        ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def _take(self, deadline: float, late: str, *also: int) -> None:
        """Wait for one of the pipes, or what is named beside them, and read what is there."""
        left = max(0.0, deadline - time.monotonic())
        readable = select.select([*self._open, *also], [], [], left)[0]
        if not readable:
            raise LateError(f"{late} within the bound: {self._seen()}")
        for fd in self._open.intersection(readable):
            block = os.read(fd, _BLOCK)
            self._read[fd] += block
            if not block:
                self._open.discard(fd)

    def _seen(self) -> str:
        state = "runs" if alive(self.pid) else "has ended"
        return (
            f"{self.popen.args!r} {state}, wrote {self.output[-2000:]!r}, {self.errors[-2000:]!r}"
        )

    def close(self) -> None:
        """Kill what is left of it and of its session, reap it, close the pipes."""
        # Its leader is not reaped yet, so neither number can be another's by now.
        if self._session:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        os.close(self._pidfd)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
