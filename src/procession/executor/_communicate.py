# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""`communicate()` as Popen's: write and read at the same time, resumable after a timeout."""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

import io
import os
import select
import selectors
import subprocess
import time

from procession.executor._loop import LONGEST
from procession.executor._streams import Kept, Whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    from procession.executor._handle import ExecHandle

_BLOCK = 1 << 15
_NAMES = ("stdin", "stdout", "stderr")


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
            few = [self._stream(name) for name in _NAMES].count(None) >= 2
            if timeout is None and self._limit is None and few:
                return self._alone(given)
            self._begin(given)
        with selectors.PollSelector() as selector:  # which takes no descriptor
            self._register(selector)
            while selector.get_map():
                ready = selector.select(self._left(deadline))
                for key, _ in ready:
                    if key.data == "stdin":
                        self._write(selector)
                    else:
                        self._take(selector, key.data)
                if not ready or deadline is not None:
                    self._check(deadline, timeout)
        try:
            self._handle.wait(self._left(deadline))
        except subprocess.TimeoutExpired:
            self._check(0.0, timeout)
        return self._answer("stdout"), self._answer("stderr")

    def _alone(self, given: Any) -> tuple[Any, Any]:
        """One pipe at the most: nothing can block but it, and what its file has buffered counts."""
        stdin, stdout, stderr = (self._stream(name) for name in _NAMES)
        out = err = None
        if stdin is not None:
            try:
                if given:
                    stdin.write(given)
            except BrokenPipeError:
                pass  # the process does not want more
            finally:
                self._close_stdin()
        if stdout is not None:
            out = stdout.read()
            stdout.close()
        if stderr is not None:
            err = stderr.read()
            stderr.close()
        self._handle.wait()
        return out, err

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
        except (BrokenPipeError, ValueError):
            pass  # ValueError: closed by the caller
        if not given:
            self._close_stdin()
            return
        if isinstance(stdin, io.TextIOWrapper):
            given = given.encode(stdin.encoding, stdin.errors)
        self._input = memoryview(given).cast("B")

    def _register(self, selector: selectors.BaseSelector) -> None:
        for name in ("stdin", "stdout", "stderr"):
            stream = self._stream(name)
            if stream is None or stream.closed or (name == "stdin" and not self._input):
                continue
            events = selectors.EVENT_WRITE if name == "stdin" else selectors.EVENT_READ
            selector.register(stream.fileno(), events, name)

    def _write(self, selector: selectors.BaseSelector) -> None:
        stream = self._stream("stdin")
        assert stream is not None, "it is registered"
        # below PIPE_BUF a write to a pipe with room never blocks (POSIX, write)
        chunk = self._input[: select.PIPE_BUF]
        try:
            self._input = self._input[os.write(stream.fileno(), chunk) :]
            if self._input:
                return
        except BrokenPipeError:
            self._input = memoryview(b"")  # the process does not want more
        selector.unregister(stream.fileno())
        self._close_stdin()

    def _close_stdin(self) -> None:
        stream = self._stream("stdin")
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                pass

    def _take(self, selector: selectors.BaseSelector, name: str) -> None:
        stream = self._stream(name)
        assert stream is not None, "it is registered"
        block = os.read(stream.fileno(), _BLOCK)
        if block:
            self._read[name].feed(block)
        else:
            selector.unregister(stream.fileno())
            stream.close()

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
