"""`communicate()` as Popen's: write and read at the same time, resumable after a timeout.

How, depends on the platform: `_communicate_posix`, `_communicate_windows`.
"""

from __future__ import annotations

import io
import subprocess
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    from procession.executor._handle import ExecHandle

STREAMS = ("stdin", "stdout", "stderr")


class Exchange:
    """One conversation. What was read before a timeout is kept for the next call."""

    def __init__(self, handle: ExecHandle) -> None:
        self._handle = handle
        self._input = memoryview(b"")
        self._begun = False
        self._read: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._open: dict[int, str] = {}

    def run(self, given: Any, timeout: float | None) -> tuple[Any, Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._begun:
            if timeout is None and [self._stream(n) for n in STREAMS].count(None) >= 2:
                return self._alone(given)
            self._begin(given)
        self._move(deadline, timeout)
        try:
            self._handle.wait(self._left(deadline))
        except subprocess.TimeoutExpired:
            self._check(0.0, timeout)
        return self._answer("stdout"), self._answer("stderr")

    def _stream(self, name: str) -> IO[Any] | None:
        stream: IO[Any] | None = getattr(self._handle, name)
        return stream

    def _begin(self, given: Any) -> None:
        self._begun = True
        stdin = self._stream("stdin")
        if stdin is None:
            return
        try:
            stdin.flush()  # what the caller wrote before
        except ValueError:
            pass  # closed by the caller
        except OSError as e:
            if not self._is_gone(e):
                raise
        if not given:
            self._close_stdin()
            return
        if isinstance(stdin, io.TextIOWrapper):
            given = self._line_ends(given).encode(stdin.encoding, stdin.errors or "strict")
        self._input = memoryview(given).cast("B")

    def _move(self, deadline: float | None, timeout: float | None) -> None:
        """Write and read, until all pipes have ended. See `_check` for a deadline that passed."""
        raise NotImplementedError

    def _alone(self, given: Any) -> tuple[Any, Any]:
        """The whole of it, where there is one pipe at the most, and no deadline."""
        raise NotImplementedError

    def _is_gone(self, error: OSError) -> bool:
        """Does it say that the process does not want more?"""
        return isinstance(error, BrokenPipeError)

    def _line_ends(self, text: str) -> str:
        return text

    def _close_stdin(self) -> None:
        stream = self._stream("stdin")
        if stream is not None:
            try:
                stream.close()
            except OSError as e:
                if not self._is_gone(e):
                    raise

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    def _check(self, deadline: float | None, timeout: float | None) -> None:
        if deadline is not None and timeout is not None and time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(
                self._handle.args,
                timeout,
                output=b"".join(self._read["stdout"]) or None,
                stderr=b"".join(self._read["stderr"]) or None,
            )

    def _answer(self, name: str) -> Any:
        stream = self._stream(name)
        if stream is None:
            return None
        data = b"".join(self._read[name])
        if isinstance(stream, io.TextIOWrapper):
            text = data.decode(stream.encoding, stream.errors or "strict")
            return text.replace("\r\n", "\n").replace("\r", "\n")
        return data
