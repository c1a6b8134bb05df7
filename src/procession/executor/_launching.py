"""A launch, from the question whether it may be to the process in the trace.

It has two halves: `_begin_here` starts the child, in a thread that may do so for many; the other,
`_finish_here`, is for the thread that asked, and takes place while the child is executed.
"""

from __future__ import annotations

import errno

from procession.executor._finish import SHORT
from procession.executor._launch import launch, take_back
from procession.executor._values import ExecutorStopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import RLock as Lock

    from procession.executor._births import Births
    from procession.executor._handle import ExecHandle
    from procession.executor._keeper import Keeper
    from procession.executor._launch import Newborn
    from procession.executor._request import Request

OPEN, STOPPING, STOPPED = "open", "stopping", "stopped"
TRIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # seconds to wait for what is short


def patience_of(request: Request) -> float | None:
    """Seconds until what was short is asked for again; None: no more."""
    return TRIES[request.tries] if request.tries < len(TRIES) else None


def told(e: OSError) -> OSError:
    what = "processes, memory or descriptors are short"
    if e.errno == errno.ETXTBSY:
        what = "somebody has it open for writing"
    e.add_note(f"tried for {sum(TRIES):g} s: {what}")
    return e


class Launching:
    """A part of the `Executor`."""

    _births: Births
    _closing: bool
    _ensure_driver: Callable[[], None]
    _grace: float
    _keeper: Keeper
    _lock: Lock
    _state: str

    def _launch_here(self, request: Request) -> ExecHandle:
        return self._finish_here(self._begin_here(request))

    def _launch_patiently(self, request: Request) -> ExecHandle:
        """In this thread, though something may be short for a moment."""
        while True:
            try:
                handle = self._launch_here(request)
                try:
                    self._ensure_driver()
                except OSError:  # no thread to look after it
                    take_back(self._keeper, handle)
                    raise
                return handle
            except OSError as e:
                if e.errno not in SHORT:
                    raise
                wait = patience_of(request)
                if wait is None:
                    raise told(e) from e.__cause__
            self._keeper.pause(wait)
            request.tries += 1

    def _begin_here(self, request: Request) -> Newborn:
        """Start it. Until `_finish_here` its launch is under way, and `stop` waits for it."""
        keeper = self._keeper
        # before the look at the state: `stop` sets that, then looks for births; so does a thread
        # that is about to close what is used here
        self._births.begin(request)
        try:
            if self._closing:
                with self._lock:
                    pass  # it has closed it, or has seen this
            if self._state != OPEN:
                raise ExecutorStopped
            keeper.prepare()
            return launch(keeper, request, keeper.next_number())
        except BaseException:
            self._end_birth(request)
            raise

    def _finish_here(self, newborn: Newborn) -> ExecHandle:
        keeper = self._keeper
        try:
            handle = newborn.finish(keeper)
            keeper.trace[handle] = None
            keeper.born(handle)
            if self._state == STOPPING:  # in a signal handler, in the midst of this
                keeper.stop_one(handle, handle._request.stop, self._grace)
        finally:
            self._end_birth(newborn.request)
        keeper.tidy(handle)
        return handle

    def _end_birth(self, request: Request) -> None:
        self._births.end(request)
        if self._state != OPEN:
            self._keeper.loop.post(int)  # it may have waited for this alone
