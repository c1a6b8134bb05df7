"""Hearing SIGINT and SIGTERM: a handler that only puts into a queue, and a wakeup descriptor.

Roads not taken, each measured:
- `sigwait`: takes a signal only where every thread of the process blocks it; any thread that
  does not lets the default action kill.
- a lock, an Event, print or logging inside the handler: it runs between any two bytecodes of the
  main thread, also those that hold that very lock; 20 of 60 programs hang in a burst.
- the queue alone: CPython runs handlers only between bytecodes of the main thread, so in a C
  call that releases the GIL they are as late as the call is long. The descriptor of
  `signal.set_wakeup_fd` is written by the C level handler, at once, in whatever thread.
- the descriptor alone: there is one per process, and event loops take it without asking.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import allocate_lock, get_ident
from queue import Empty, SimpleQueue

from ._core import in_main_thread

assert sys.platform != "win32"  # tells mypy to pass over this module there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Thread
    from types import FrameType
    from typing import Any

    from ._core import Session

SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Seconds between two looks of the main thread in a wait, where the wakeup descriptor is not
# ours. A signal that falls between CPython's last look at its flags and the system call that
# blocks interrupts nothing; without the descriptor only the next look finds it.
_STEP = 0.1

_STOP = b"\0"  # on the pipe: no signal has this number


class PosixEar:
    """One installation on POSIX. See `_core.Ear` for the contract."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue: SimpleQueue[int | None] = SimpleQueue()
        self._previous: dict[signal.Signals, Any] = {}
        self._unblocked: set[int] = set()
        self._opened_by = 0
        self._handler = self._on_signal  # one bound method, so that it can be recognised
        self._lock = allocate_lock()
        self._shared = False
        self._pipe: _Pipe | None = None
        self._beneath = -1  # the wakeup descriptor that was there when we took it
        self._forward = -1  # a duplicate of it: the number may be closed and used anew
        self._armed = False
        self._reader: Thread | None = None
        self._dispatcher: Thread | None = None
        self._orphaned = False
        self._aside = False
        self._late = False
        self.arrived = False

    # ---- in the handler -------------------------------------------------------------------

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        """Runs between two bytecodes of the main thread: no lock, no output, no allocation of
        anything that may call back."""
        if self._orphaned:
            self._step_aside(signum)
            return
        self._queue.put(signum)  # reentrant, written in C
        self.arrived = True
        if self._late:
            self._ignore()

    def _step_aside(self, signum: int) -> None:
        """The last user went off the main thread: now it is the main thread, so put back the
        dispositions, and let the signal do what it would have done."""
        self._put_back_signals()
        self._aside = True
        signal.raise_signal(signum)

    # ---- the contract ---------------------------------------------------------------------

    def open(self) -> None:
        for sig in SIGNALS:
            found = signal.getsignal(sig)
            if sig not in self._previous:
                signal.signal(sig, self._handler)
                self._previous[sig] = found
            elif found in (signal.SIG_DFL, signal.default_int_handler):
                # asyncio's remove_signal_handler, for one, leaves the default behind
                signal.signal(sig, self._handler)
        # Inherited from a parent that blocked them: they would stay pending for ever.
        before = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self._unblocked |= before.intersection(SIGNALS)
        self._opened_by = get_ident()
        self._arm()

    def listen(self) -> None:
        with self._lock:
            if self._dispatcher is None:
                self._dispatcher = _start(self._dispatch, "procession-shutdown")
            if self._reader is None and self._pipe is not None and self._pipe.is_ours():
                self._start_reader(self._pipe)
        if in_main_thread():
            self._arm()

    def pump(self) -> None:
        told = b""
        with self._lock:
            if self._reader is None and self._pipe is not None and self._pipe.is_ours():
                try:
                    told = os.read(self._pipe.reading, 4096)
                except BlockingIOError:
                    pass
        self._report_bytes(told)
        if self._dispatcher is None:
            self._report_queue()

    def step(self) -> float | None:
        self._arm()
        return None if self._armed else _STEP

    def share(self) -> None:
        self._shared = True
        if in_main_thread():
            self._disarm()

    def close(self) -> None:
        # What arrives from here to the end is pending, and then meets what was there before.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._disarm()
        self._end_threads()
        self.pump()
        self._close_descriptors()
        self._put_back_signals()
        late = []
        while not self._queue.empty():
            late.append(self._queue.get())
        signal.pthread_sigmask(signal.SIG_SETMASK, mask | self._unblocked)
        for signum in late:
            if signum is not None and not self._session.requested:
                signal.raise_signal(signum)  # too late to be told of here; not swallowed

    def orphan(self, orphaned: bool) -> bool:
        self._orphaned = orphaned
        return not self._aside

    def abandon(self) -> None:
        # No lock: a thread of the parent may have held it. The threads exist no more.
        self._disarm_now()
        self._put_back_signals()
        self._close_descriptors()
        if get_ident() == self._opened_by and (mask := _masks.get(self._opened_by)) is not None:
            mask |= self._unblocked  # the hook after this one sets it

    def retire(self, requested: bool) -> None:
        if requested:
            self._ignore()
        else:
            self._late = True

    # ---- signals --------------------------------------------------------------------------

    def _put_back_signals(self) -> None:
        for sig, found in self._previous.items():
            if signal.getsignal(sig) == self._handler:
                # None: it was set from C, which Python can neither name nor put back. The
                # default then; anything else would swallow the signal.
                signal.signal(sig, signal.SIG_DFL if found is None else found)

    def _ignore(self) -> None:
        """At finalization CPython resets Python handlers to the default action, which kills; what
        is ignored stays so. The mask closes the gap between its look at pending signals and the
        change, where it would write "ignored due to race condition" to stderr."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for sig in SIGNALS:
            if signal.getsignal(sig) == self._handler:
                signal.signal(sig, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _report(self, signum: int, lane: str) -> None:
        sig = signal.Signals(signum)
        self._session.heard("signal", sig.name, lane, sig)

    def _report_bytes(self, told: bytes) -> None:
        for signum in told:
            if signum in SIGNALS:
                self._report(signum, "wakeup")

    def _report_queue(self) -> None:
        while True:
            try:
                signum = self._queue.get_nowait()
            except Empty:
                return
            if signum is not None:
                self._report(signum, "handler")

    def _dispatch(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # let the main thread be interrupted
        while (signum := self._queue.get()) is not None:
            self._report(signum, "handler")

    # ---- the wakeup descriptor ------------------------------------------------------------

    def _arm(self) -> None:
        """Take the wakeup descriptor, or take it back. Main thread."""
        if self._shared:
            self._disarm()
            return
        with self._lock:
            if self._pipe is not None and not self._pipe.is_ours():
                self._lose_pipe(self._pipe)
            if self._pipe is None:
                self._pipe = _Pipe()
                if self._dispatcher is not None:  # `listen` was called
                    self._start_reader(self._pipe)
            ours = self._pipe.writing
            found = signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
            if found != ours:
                if found != -1 and self._reader is None:
                    # Its owner needs these bytes, and nobody would pass them on.
                    _set_wakeup(found)
                    self._armed = False
                    return
                self._drop_forward()
                if found != -1:
                    self._beneath, self._forward = found, os.dup(found)
            self._armed = True

    def _start_reader(self, pipe: _Pipe) -> None:
        os.set_blocking(pipe.reading, True)
        self._reader = _start(lambda: self._read(pipe), "procession-shutdown-wakeup")

    def _lose_pipe(self, pipe: _Pipe) -> None:
        """Somebody closed it, as programs do that make themselves daemons; the queue alone has
        heard since. The numbers may be of other files by now: not closed, and not written to."""
        found = signal.set_wakeup_fd(-1)
        if found != pipe.writing:
            _set_wakeup(found)
        self._pipe, self._reader, self._armed = None, None, False

    def _disarm(self) -> None:
        with self._lock:
            self._disarm_now()

    def _disarm_now(self) -> None:
        if self._pipe is None or not self._armed:
            return
        found = signal.set_wakeup_fd(-1)
        if found != self._pipe.writing:
            _set_wakeup(found)  # somebody took it after us
        elif self._forward != -1 and _identity(self._beneath) == _identity(self._forward):
            _set_wakeup(self._beneath)
        self._armed = False

    def _read(self, pipe: _Pipe) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while pipe.is_ours():
            try:
                told = os.read(pipe.reading, 4096)
            except OSError:
                return  # closed meanwhile, see `_lose_pipe`
            with self._lock:
                self._pass_on(told)
            self._report_bytes(told)
            if not told or _STOP in told:
                return

    def _pass_on(self, told: bytes) -> None:
        """To the descriptor that was there before us: its owner waits for it."""
        if self._forward == -1 or not (told := told.replace(_STOP, b"")):
            return
        try:
            os.write(self._forward, told)
        except OSError:
            pass  # full: a wake-up waits there already; broken: its reader is gone

    def _end_threads(self) -> None:
        if self._dispatcher is not None:
            self._queue.put(None)
            self._dispatcher.join()
            self._dispatcher = None
        if self._reader is not None and self._pipe is not None and self._pipe.is_ours():
            os.set_blocking(self._pipe.writing, True)
            os.write(self._pipe.writing, _STOP)
            self._reader.join()
            # It stays set: what is left in the pipe, if anything, came after our time.

    def _drop_forward(self) -> None:
        forward, self._beneath, self._forward = self._forward, -1, -1
        if forward != -1:
            os.close(forward)

    def _close_descriptors(self) -> None:
        pipe, self._pipe = self._pipe, None
        if pipe is not None and pipe.is_ours():
            pipe.close()
        self._drop_forward()


class _Pipe:
    """Two descriptors that still know whether their numbers are theirs."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(self.writing, False)  # the C level handler must never wait
        self._file = _identity(self.reading)

    def is_ours(self) -> bool:
        return self._file == _identity(self.reading) == _identity(self.writing)

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


def _start(target: Any, name: str) -> Thread:
    import threading

    # A daemon: a program that ends by itself shall not wait for a request that never comes.
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def _set_wakeup(fd: int) -> None:
    try:
        signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    except (OSError, ValueError):
        signal.set_wakeup_fd(-1)  # closed meanwhile, or -1 itself: nothing to wake


def _identity(fd: int) -> tuple[int, int] | None:
    """Of the open file, the same for both ends of a pipe; None where the number is free."""
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


# ---- around fork --------------------------------------------------------------------------
# Until the hook in the child has run, the child's C level handler writes into the parent's pipe:
# a signal to the child would be heard by the parent. So it is held back for that long.

_masks: dict[int, set[int]] = {}


def hold_signals() -> None:
    _masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def let_signals() -> None:
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
