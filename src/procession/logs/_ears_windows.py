"""Sleeping on many pipes where none can be read without blocking: a thread reads ahead on each.

On Windows `select` knows sockets alone, and the pipes that a child gets as its output cannot be
made non-blocking by Python. So each pipe has a thread that reads one block and hands it over only
when the one before was taken: what waits in memory is one block for each pipe, and a task whose
output is not taken is held back by its pipe, as elsewhere.

`Ears` has the face of a selector; `fds.read_into` and `fds.close_pipe` come here.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from queue import Empty, SimpleQueue
from selectors import EVENT_READ, BaseSelector, SelectorKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

BLOCK = 64 * 1024
_CALLING_OFF = 0.1  # seconds a read may take to hear that it is called off

_readers: dict[int, _Reader] = {}  # by descriptor, while that is open


class _Reader:
    """Reads one pipe. The descriptor is the thread's: only it can close it in the end, for a
    `close` waits in the C runtime for a read that is under way."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.block = b""
        self.ended = False
        self.ears: Ears | None = None  # a reader may be handed from one sleeper to the next
        self._given_up = False
        self._reads = False
        self._room = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"procession-pipe-{fd}", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        return bool(self.block) or self.ended

    def _run(self) -> None:
        while self._may_read():
            try:
                block = os.read(self.fd, BLOCK)
            except OSError:  # the other side is gone in a way that is no end, or it was called off
                block = b""
            self._reads = False
            with self._room:
                self.block, self.ended = block, not block
                ears = self.ears
            if ears is not None:
                ears.ring()
            if not block:
                break
        with self._room:
            self._room.wait_for(lambda: self._given_up)
        os.close(self.fd)

    def _may_read(self) -> bool:
        """Once the last block was taken. False: nobody wants more."""
        with self._room:
            self._room.wait_for(lambda: not self.block or self._given_up)
            self._reads = not self._given_up
            return self._reads

    def take(self, most: int) -> bytes:
        with self._room:
            if not self.ready:
                raise BlockingIOError
            taken, self.block = self.block[:most], self.block[most:]
            self._room.notify_all()
            return taken

    def give_up(self) -> None:
        with self._room:
            self._given_up = True
            self._room.notify_all()
        # It may be on its way into the read, where it cannot be called off yet.
        until = time.monotonic() + _CALLING_OFF
        while self._reads and not _call_off(self._thread) and time.monotonic() < until:
            time.sleep(0)


class Ears(BaseSelector):
    """A selector for the read ends of pipes. `notify`, from any thread and from signal handlers,
    wakes the sleeper: then `select` tells of a key that has `woken` as its data."""

    def __init__(self, woken: Any = None) -> None:
        self._keys: dict[int, SelectorKey] = {}
        self._notified = False
        self._woken = SelectorKey(-1, -1, EVENT_READ, woken)
        # not a condition: a signal handler may come while this very thread holds its lock
        self._bell: SimpleQueue[None] = SimpleQueue()

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        key = SelectorKey(fileobj, fileobj, events, data)
        self._keys[fileobj] = key
        if fileobj not in _readers:
            _readers[fileobj] = _Reader(fileobj)
        _readers[fileobj].ears = self
        self.ring()  # what it has read before is there for us
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, SelectorKey]:
        return self._keys

    def notify(self) -> None:
        self._notified = True
        self._bell.put(None)

    def ring(self) -> None:
        """For readers: look again."""
        self._bell.put(None)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """The key of the wake-up is the last."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._hush()
            found = [(key, EVENT_READ) for fd, key in self._keys.items() if _readers[fd].ready]
            if self._notified:
                self._notified = False
                found.append((self._woken, EVENT_READ))
            left = None if until is None else until - time.monotonic()
            if found or (left is not None and left <= 0):
                return found
            try:
                self._bell.get(timeout=left)
            except Empty:
                pass

    def _hush(self) -> None:
        """What rang until now is found by the look that follows."""
        try:
            while True:
                self._bell.get_nowait()
        except Empty:
            pass


def take(fd: int, most: int) -> bytes:
    """What the thread has read of it; empty at the end. Raises BlockingIOError."""
    reader = _readers.get(fd)
    if reader is None:
        raise BlockingIOError
    return reader.take(most)


def give_up(fd: int) -> None:
    """Close the descriptor, though somebody may hold the other end and say nothing."""
    reader = _readers.pop(fd, None)
    if reader is None:
        os.close(fd)
    else:
        reader.give_up()


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.OpenThread.restype = wintypes.HANDLE
    _kernel.OpenThread.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    _kernel.CancelSynchronousIo.argtypes = (wintypes.HANDLE,)
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    _THREAD_TERMINATE = 1  # the right that it takes, which it does not make use of

    def _call_off(thread: threading.Thread) -> bool:
        """Have what this thread reads now return. False: it reads nothing."""
        held = _kernel.OpenThread(_THREAD_TERMINATE, False, thread.native_id or 0)
        if not held:
            return True  # it has ended
        try:
            return bool(_kernel.CancelSynchronousIo(held))
        finally:
            _kernel.CloseHandle(held)

else:

    def _call_off(thread: threading.Thread) -> bool:
        """Nothing can be: the reader ends when whoever holds the other end does."""
        return True
