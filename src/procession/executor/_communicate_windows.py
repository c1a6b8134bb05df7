"""`communicate()` where pipes cannot be selected: a thread for each, as Popen has there.

The caller waits for the threads, and may go and come again; they go on meanwhile.
"""

from __future__ import annotations

import errno
import io
import threading

from procession.executor import _communicate
from procession.process.latch import Latch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

_BLOCK = 1 << 15


class Exchange(_communicate.Exchange):
    """See `_communicate.Exchange`."""

    _workers: dict[str, Latch] | None = None
    _failure: Exception | None = None

    def _alone(self, given: Any) -> tuple[Any, Any]:
        """Not here, though it would do: in the main thread no read or write hears Ctrl-C."""
        self._begin(given)
        self._move(None, None)
        self._handle.wait()
        return self._answer("stdout"), self._answer("stderr")

    def _move(self, deadline: float | None, timeout: float | None) -> None:
        if self._workers is None:
            self._workers = {}
            if self._input:
                self._start("stdin", self._write_all)
            for name in ("stdout", "stderr"):
                stream = self._stream(name)
                if stream is not None and not stream.closed:
                    self._start(name, lambda name=name, stream=stream: self._read_all(name, stream))
        for ended in self._workers.values():
            if not ended.wait(self._left(deadline)):
                self._check(0.0, timeout)
        if self._failure is not None:
            raise self._failure

    def _start(self, name: str, work: Any) -> None:
        assert self._workers is not None, "it was just made"
        ended = self._workers[name] = Latch()

        def call() -> None:
            try:
                work()
            except Exception as e:  # noqa: BLE001 - raised where it is waited for
                self._failure = e
            finally:
                ended.fall()

        threading.Thread(target=call, name=f"procession-{name}", daemon=True).start()

    def _read_all(self, name: str, stream: IO[Any]) -> None:
        raw: Any = stream.buffer if isinstance(stream, io.TextIOWrapper) else stream
        with stream:
            while block := raw.read1(_BLOCK):
                self._read[name].feed(block)

    def _write_all(self) -> None:
        stream = self._stream("stdin")
        assert stream is not None, "there is input"
        raw: Any = stream.buffer if isinstance(stream, io.TextIOWrapper) else stream
        for part in (lambda: raw.write(self._input), stream.close):
            try:
                part()
            except OSError as e:
                if not self._is_gone(e):
                    raise
            except ValueError:
                if not raw.closed:  # by a stop, which ended its input
                    raise
        self._input = memoryview(b"")

    def _is_gone(self, error: OSError) -> bool:
        """EINVAL: what the C runtime makes of a pipe that nobody reads any more."""
        return isinstance(error, BrokenPipeError) or error.errno == errno.EINVAL

    def _line_ends(self, text: str) -> str:
        return text.replace("\n", "\r\n")
