# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""`communicate()` by a selector."""

from __future__ import annotations

import os
import select
import selectors
import sys

assert sys.platform != "win32", "for POSIX only"

from procession.executor import _communicate
from procession.executor._communicate import STREAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLOCK = 1 << 15


class Exchange(_communicate.Exchange):
    """See `_communicate.Exchange`."""

    def _move(self, deadline: float | None, timeout: float | None) -> None:
        """Write and read, until all pipes have ended."""
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

    def _alone(self, given: Any) -> tuple[Any, Any]:
        """One pipe at the most: nothing can block but it, and what its file has buffered counts."""
        stdin, stdout, stderr = (self._stream(name) for name in STREAMS)
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

    def _register(self, selector: selectors.BaseSelector) -> None:
        for name in STREAMS:
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

    def _take(self, selector: selectors.BaseSelector, name: str) -> None:
        stream = self._stream(name)
        assert stream is not None, "it is registered"
        block = os.read(stream.fileno(), _BLOCK)
        if block:
            self._read[name].feed(block)
        else:
            selector.unregister(stream.fileno())
            stream.close()
