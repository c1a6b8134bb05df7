# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""The completion port that the jobs of all runs report to, and the thread that listens there."""

from __future__ import annotations

import sys
import time
from _thread import allocate_lock

assert sys.platform == "win32"

from procession.process import _win32 as win

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread

_ENDS = (win.MSG_ACTIVE_PROCESS_ZERO, win.MSG_EXIT_PROCESS, win.MSG_ABNORMAL_EXIT)
_STOP = 0  # no job's key: the thread ends
_LOOK = 0  # no message of a job: only for the thread to see that it is to tell of one later
_LATER = 0.05  # seconds


class Reports:
    """Calls `ended(key, pid)`, in a thread of its own, for each process that has ended in the job
    that reports as `key`; pid is 0 for the last. True as the answer: it is to be asked again.

    Port and thread are there between `listen` and `pause`. Only `tell_later` is thread-safe.
    """

    def __init__(self, ended: Callable[[int, int], bool]) -> None:
        self._ended = ended
        self._port = 0
        self._thread: Thread | None = None
        self._turn = 0  # number of the thread
        self._before: Thread | None = None  # the last that was told to end
        self._later: set[int] = set()
        self._lock = allocate_lock()

    def listen(self) -> None:
        """Idempotent."""
        if not self._port:
            self._port = win.create_port()
        if self._thread is None:
            import threading

            self._turn += 1
            self._thread = threading.Thread(
                target=self._hear,
                args=(self._port, self._turn),
                name="procession-jobs",
                daemon=True,
            )
            self._thread.start()

    def follow(self, job: int, key: int) -> None:
        """Have it report from now on. Once for a job; never with 0."""
        win.report_to(job, self._port, key)

    def tell_later(self, key: int) -> None:
        """`ended(key, 0)` in a moment, though nothing may end until then. From any thread."""
        with self._lock:
            known = key in self._later
            self._later.add(key)
            if not known and self._port:
                win.post(self._port, _LOOK, key)

    def pause(self, *, close: bool) -> Callable[[], None]:
        """End the thread; the port keeps what is reported meanwhile, unless it is closed. What is
        returned does it, and waits for that: to be called without the locks that `ended` takes."""
        thread, self._thread = self._thread, None
        turn, port = self._turn, self._port
        self._before = thread or self._before
        if close:
            with self._lock:
                self._port = 0
                self._later.clear()

        def end() -> None:
            if thread is not None:
                win.post(port, turn, _STOP)
                thread.join()
            if close and port:
                win.close(port)

        return end

    def _hear(self, port: int, turn: int) -> None:
        look_at: float | None = None
        if self._later:  # the one before was told, and ended
            look_at = time.monotonic() + _LATER
        while True:
            left = None if look_at is None else max(0.0, look_at - time.monotonic())
            report = win.next_report(port, win.INFINITE if left is None else int(left * 1000) + 1)
            if report is not None:
                message, key, pid = report
                if key == _STOP and message == turn:
                    return
                if key == _STOP:
                    before = self._before
                    if before is not None and before.is_alive():
                        win.post(port, message, key)  # for that one, which is about to end
                elif message in _ENDS and self._ended(key, pid):
                    win.post(port, message, key, pid)  # nobody else would tell of it again
            elif left is None:
                return  # it was closed
            now = time.monotonic()
            if look_at is not None and now >= look_at:
                look_at = None
                with self._lock:
                    due, self._later = self._later, set()
                for key in due:
                    self._ended(key, 0)
            if look_at is None and self._later:
                look_at = now + _LATER
