"""`communicate()` as Popen's: write and read at the same time, resumable after a timeout.

How, depends on the platform: `_communicate_posix`, `_communicate_windows`.
"""

from __future__ import annotations

import io
import subprocess
import time

from procession.executor._loop import LONGEST
from procession.executor._streams import Kept, Whole

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
        self._limit = handle._request.limit
        limit = self._limit
        self._read = {n: Whole() if limit is None else Kept(limit) for n in ("stdout", "stderr")}
        self._told: set[str] = set()  # of whose output some was dropped

    def run(self, given: Any, timeout: float | None) -> tuple[Any, Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._begun:
            few = [self._stream(name) for name in STREAMS].count(None) >= 2
            if timeout is None and self._limit is None and few:
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
        return None if deadline is None else min(LONGEST, max(0.0, deadline - time.monotonic()))

    def _check(self, deadline: float | None, timeout: float | None) -> None:
        if deadline is not None and timeout is not None and time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(
                self._handle.args,
                timeout,
                output=bytes(self._read["stdout"].so_far()) or None,
                stderr=bytes(self._read["stderr"].so_far()) or None,
            )

    def _answer(self, name: str) -> Any:
        stream = self._stream(name)
        if stream is None:
            return None
        kept = self._read[name].so_far()
        if kept.dropped and name not in self._told:
            self._told.add(name)
            handle = self._handle
            handle._keeper.teller.tell_dropped(handle.name, handle.pid, name, kept.dropped)
        if not isinstance(stream, io.TextIOWrapper):
            return bytes(kept)
        # where some is missing, a character may have been cut in two
        errors = "replace" if kept.dropped else stream.errors or "strict"
        text = kept.text(stream.encoding, errors)
        return text.replace("\r\n", "\n").replace("\r", "\n")
