"""Hearing SIGINT and SIGTERM on POSIX: the handlers, and the wakeup descriptor beside them.

Why not one of the two:
- the queue of the handlers alone: CPython runs handlers only between bytecodes of the main thread,
  so in a C call that releases the GIL they are as late as the call is long. The descriptor of
  `signal.set_wakeup_fd` is written by the C level handler, at once, in whatever thread.
- the descriptor alone: there is one per process, and event loops take it without asking.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import allocate_lock, get_ident

from ._core import in_main_thread
from ._signals import Signals, block, set_mask, start_thread

assert sys.platform != "win32"  # tells mypy to pass over this module there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Thread

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
        self._signals = Signals(session, SIGNALS)
        self._lock = allocate_lock()
        self._shared = False
        self._pipe: _Pipe | None = None
        self._reader: Thread | None = None
        self._armed = False
        self._beneath = -1  # the wakeup descriptor that was there when we took it
        self._forward = -1  # a duplicate of it: the number may be closed and used anew

    @property
    def arrived(self) -> bool:
        return self._signals.arrived

    def open(self) -> None:
        self._signals.open()
        self._arm()

    def listen(self) -> None:
        self._signals.listen()
        with self._lock:
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
        self._report(told)
        self._signals.pump()

    def step(self) -> float | None:
        self._arm()
        return None if self._armed else _STEP

    def share(self) -> None:
        self._shared = True
        if in_main_thread():
            self._disarm()

    def close(self) -> None:
        # What arrives from here to the end is pending, and then meets what was there before.
        mask = block(SIGNALS)
        self._disarm()
        self._signals.stop()
        self._stop_reader()
        self.pump()
        self._close_descriptors()
        self._signals.put_back()
        late = self._signals.take_rest()
        set_mask(mask | self._signals.unblocked)
        for signum in late:
            if not self._session.requested:
                signal.raise_signal(signum)  # too late to be told of here; not swallowed

    def orphan(self, orphaned: bool) -> bool:
        self._signals.orphaned = orphaned
        return not self._signals.aside

    def abandon(self) -> None:
        # No lock: a thread of the parent may have held it. The threads exist no more.
        self._disarm_now()
        self._signals.put_back()
        self._close_descriptors()
        if self._signals.opened_here() and (mask := _masks.get(get_ident())) is not None:
            mask |= self._signals.unblocked  # the hook after this one sets it

    def retire(self, requested: bool) -> None:
        if requested:
            self._signals.ignore()
        else:
            self._signals.late = True

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
                try:
                    self._pipe = _Pipe()
                except OSError:
                    # No descriptor left: the handlers' queue alone, asked in steps, until the next
                    # try. What heard nothing at all would be worse.
                    self._armed = False
                    return
                if self._signals.listening:
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
                if _identity(found) is not None:  # else free, or closed under its owner
                    try:
                        self._beneath, self._forward = found, os.dup(found)
                    except OSError:
                        _set_wakeup(found)  # no descriptor left to pass its bytes on
                        self._armed = False
                        return
            self._armed = True

    def _start_reader(self, pipe: _Pipe) -> None:
        self._reader = start_thread(lambda: self._read(pipe), "procession-shutdown-wakeup")

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
        block(SIGNALS)
        if pipe.is_ours():
            os.set_blocking(pipe.reading, True)  # only here: without this thread `pump` reads it
        while pipe.is_ours():
            try:
                told = os.read(pipe.reading, 4096)
            except OSError:
                return  # closed meanwhile, see `_lose_pipe`
            with self._lock:
                self._pass_on(told)
            self._report(told)
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

    def _report(self, told: bytes) -> None:
        for signum in told:
            if signum in SIGNALS:
                self._signals.report(signum, "wakeup")

    def _stop_reader(self) -> None:
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
    _masks[get_ident()] = block(SIGNALS)


def let_signals() -> None:
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        set_mask(mask)


def forget_masks() -> None:
    """In a child: those of the parent's other threads."""
    _masks.clear()
