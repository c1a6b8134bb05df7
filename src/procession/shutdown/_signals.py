"""Signal handlers that only put into a queue, and the thread that reads it. On every platform.

Roads not taken, each measured:
- `sigwait`: takes a signal only where every thread of the process blocks it; any thread that
  does not lets the default action kill.
- a lock, an Event, print or logging inside the handler: it runs between any two bytecodes of the
  main thread, also those that hold that very lock; 20 of 60 programs hang in a burst.
"""

from __future__ import annotations

import signal
import sys
from _thread import allocate_lock, get_ident
from queue import Empty, SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Thread
    from types import FrameType
    from typing import Any

    from ._core import Session


class Signals:
    """The handlers of one installation. Whatever changes one: main thread only."""

    def __init__(self, session: Session, numbers: Iterable[signal.Signals]) -> None:
        self.numbers = tuple(numbers)
        self.arrived = False
        self.orphaned = False
        self.aside = False
        self.late = False
        self.unblocked: set[int] = set()
        self._session = session
        self._queue: SimpleQueue[int | None] = SimpleQueue()
        self._previous: dict[signal.Signals, Any] = {}
        self._handler = self._on_signal  # one bound method, so that it can be recognised
        self._lock = allocate_lock()
        self._dispatcher: Thread | None = None
        self._opened_by = 0

    # ---- in the handler

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        """Runs between two bytecodes of the main thread: no lock, no output."""
        if self.orphaned:
            self._step_aside(signum)
            return
        self._queue.put(signum)  # made to be interrupted by itself
        self.arrived = True
        if self.late:
            self.ignore()

    def _step_aside(self, signum: int) -> None:
        """The last user went off the main thread: now it is the main thread, so put back the
        dispositions, and let the signal do what it would have done."""
        self.aside = True
        self.put_back()
        signal.raise_signal(signum)

    # ---- dispositions

    def open(self) -> None:
        """Install. Again: take back what was set to its default meanwhile; what somebody set on
        purpose stays. ValueError off the main thread, before anything is changed."""
        for sig in self.numbers:
            found = signal.getsignal(sig)
            if sig not in self._previous:
                signal.signal(sig, self._handler)
                self._previous[sig] = found
            elif found in (signal.SIG_DFL, signal.default_int_handler):
                # asyncio's remove_signal_handler, for one, leaves the default behind
                signal.signal(sig, self._handler)
        # Inherited from a parent that blocked them: they would stay pending for ever.
        self.unblocked |= unblock(self.numbers)
        self._opened_by = get_ident()

    def put_back(self) -> None:
        for sig, found in self._previous.items():
            if signal.getsignal(sig) == self._handler:
                # None: it was set from C, which Python can neither name nor put back. The
                # default then; anything else would swallow the signal.
                signal.signal(sig, signal.SIG_DFL if found is None else found)

    def ignore(self) -> None:
        """At finalization CPython resets Python handlers to the default action, which kills; what
        is ignored stays so. The mask closes the gap between its look at pending signals and the
        change, where it would write "ignored due to race condition" to stderr."""
        mask = block(self.numbers)
        for sig in self.numbers:
            if signal.getsignal(sig) == self._handler:
                signal.signal(sig, signal.SIG_IGN)
        set_mask(mask)

    def opened_here(self) -> bool:
        """By this thread: whose mask was changed."""
        return get_ident() == self._opened_by

    # ---- the queue

    def listen(self) -> None:
        """From now on report by a thread. Any thread; again is free."""
        with self._lock:
            if self._dispatcher is None:
                self._dispatcher = start_thread(self._dispatch, "procession-shutdown")

    @property
    def listening(self) -> bool:
        return self._dispatcher is not None

    def pump(self) -> None:
        """Report what is there, where no thread does."""
        if self._dispatcher is not None:
            return
        while True:
            try:
                signum = self._queue.get_nowait()
            except Empty:
                return
            if signum is not None:
                self.report(signum, "handler")

    def stop(self) -> None:
        """End the thread, when it has reported what came before."""
        if self._dispatcher is not None:
            self._queue.put(None)
            self._dispatcher.join()
            self._dispatcher = None

    def take_rest(self) -> list[int]:
        rest = []
        while not self._queue.empty():
            signum = self._queue.get()
            if signum is not None:
                rest.append(signum)
        return rest

    def report(self, signum: int, lane: str) -> None:
        sig = signal.Signals(signum)
        self._session.heard("signal", sig.name, lane, sig)

    def _dispatch(self) -> None:
        block(self.numbers)  # let the main thread be the one that is interrupted
        while (signum := self._queue.get()) is not None:
            self.report(signum, "handler")


def start_thread(target: Callable[[], object], name: str) -> Thread:
    import threading

    # A daemon: a program that ends by itself shall not wait for a request that never comes.
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


# ---- the calling thread's mask of blocked signals; Windows has none ---------------------------


def block(numbers: Iterable[int]) -> set[int]:
    """The mask as it was."""
    if sys.platform == "win32":
        return set()
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, numbers))


def unblock(numbers: Iterable[int]) -> set[int]:
    """Those of them that were blocked."""
    if sys.platform == "win32":
        return set()
    return set(signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)).intersection(numbers)


def set_mask(mask: Iterable[int]) -> None:
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
