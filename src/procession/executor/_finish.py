"""The last things: its output is read to the end, its pid let go of, its result told."""

from __future__ import annotations

import errno
import os
import sys
import time
from functools import partial

from procession.executor._events import guarded, log

if sys.platform != "win32":
    import resource  # noqa: F401 - wait4 imports it at its first call, which a chroot may have come before

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from procession.executor._events import Teller
    from procession.executor._handle import ExecHandle
    from procession.executor._loop import Loop
    from procession.executor._streams import Drain
    from procession.process._tree import Trees
    from procession.process.exits import ExitWatcher

# What may come back in a moment. ETXTBSY: a program was just written, and another thread's newborn
# has the writer's descriptor until its exec.
SHORT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY)
# Seconds without a byte after which a pipe that somebody else holds is given up. Where threads
# read, silence may be their lack of a turn.
_IDLE = 0.5 if sys.platform == "win32" else 0.1
ASK_AGAIN = 0.2  # seconds, about members whose end nothing tells, and for what is short
_TELL_AGAIN = 10.0  # seconds until a shortage is worth another line in the log
_CAP = 1.0  # seconds after which it is given up though bytes still come


class Finisher:
    """A part of the `Keeper`."""

    loop: Loop
    teller: Teller
    trees: Trees
    trace: dict[ExecHandle, None]
    _watcher: ExitWatcher[ExecHandle] | None
    _ensure_driver: Callable[[], None]
    has_ended: deque[ExecHandle]
    urgent: bool
    _told_short = float("-inf")

    def close_drain(self, handle: ExecHandle, drain: Drain, *, incomplete: bool) -> None:
        raise NotImplementedError

    def put_off(self, error: OSError, call: Callable[[], object]) -> None:
        """`call` could not look at processes, since something is short: have it called again soon.
        What lives, lives on meanwhile. Raises what is no shortage."""
        self.tell_short(error)
        self.loop.at(time.monotonic() + ASK_AGAIN, call)

    def tell_short(self, error: OSError) -> None:
        """To the log, and not all the time. Raises what is no shortage."""
        if error.errno not in SHORT:
            raise error
        now = time.monotonic()
        if now >= self._told_short + _TELL_AGAIN:
            self._told_short = now
            log.warning("the executor cannot look after processes, and will try again: %s", error)

    def over(self, handle: ExecHandle, *, left: bool = False, gave_up: bool = False) -> None:
        """Nothing of the tree lives, or what does is not ours any more."""
        with handle._lock:
            if handle._over:  # by another thread, just now
                return
            handle._over = True
        self.forget_at_sentinel(handle, left)
        survivors: tuple[str, ...] = ()
        if gave_up:
            survivors = tuple(str(member) for member in handle._tree.members())
            for name in survivors:
                self.teller.tell("survivor", handle.name, handle.pid, name)
        else:
            self.teller.tell("tree empty", handle.name, handle.pid)
        if self._watcher is not None and handle._handed:
            self._watcher.forget(handle._process)
        handle._handed = True
        self.unwatch_member(handle)
        self._call_off_timers(handle)
        if left or gave_up:
            self.trees.forget(handle)
        else:
            handle._tree.finish()
        if handle._process.poll_exit() is not None and not handle._process.reaped:
            handle._process.reap()
        if handle._process.reaped:
            self._release(handle)
        self._read_out(handle, lambda: self.tell_end(handle, survivors))

    def _release(self, handle: ExecHandle) -> None:
        """The descriptor may go once nobody waits on it: its number will be somebody else's."""
        with handle._lock:
            if handle._waiters:
                handle._close_due = True
            else:
                handle._process.close()

    def forget_at_sentinel(self, handle: ExecHandle, left: bool) -> None:
        raise NotImplementedError

    # --- who outlived the leader -----------------------------------------------------------------

    def watch_member(self, handle: ExecHandle) -> None:
        """Who outlived the leader is nobody's child here, but a pidfd tells of its end."""
        if sys.platform == "win32":
            return  # its job does
        if handle._member_fd >= 0 or self.loop.selector is None:
            return
        fd = -1
        for member in handle._tree.members():
            try:
                fd = _pidfd(member.pid)
                break
            except ProcessLookupError:
                continue
            except OSError:
                break  # no pidfds here, or no descriptor left
        if fd < 0:
            self.loop.at(time.monotonic() + ASK_AGAIN, lambda: self._member_ended(handle))
            return
        handle._member_fd = fd
        self.loop.selector.register(fd, 1, lambda: self._member_ended(handle))

    def unwatch_member(self, handle: ExecHandle) -> None:
        fd, handle._member_fd = handle._member_fd, -1
        if fd >= 0:
            if self.loop.selector is not None:
                self.loop.selector.unregister(fd)
            os.close(fd)

    def _member_ended(self, handle: ExecHandle) -> None:
        self.unwatch_member(handle)
        if handle in self.trace:
            self.has_ended.append(handle)
            self.urgent = True

    # --- output ----------------------------------------------------------------------------------

    def _read_out(self, handle: ExecHandle, then: Callable[[], None]) -> None:
        if not handle._drains:
            then()
            return
        handle._read_out = then
        for drain in list(handle._drains.values()):
            if drain.fd >= 0:
                self._readable(handle, drain)
        self.drained(handle)
        self.bound_output(handle)

    def bound_output(self, handle: ExecHandle) -> None:
        """Its tree is over: what is still open of its output is not waited for for ever. To be
        said again to a loop that was closed meanwhile, which forgot."""
        if handle._read_out is not None:
            handle._idle_since = began = time.monotonic()
            self._give_up(handle, began)

    def _give_up(self, handle: ExecHandle, began: float) -> None:
        """Somebody else holds its pipes: for how long is that to keep it?"""
        until = min(handle._idle_since + _IDLE, began + _CAP)
        if time.monotonic() < until:
            # the only one: the others are called off once the tree is over
            handle._timers = (self.loop.at(until, lambda: self._give_up(handle, began)),)
            return
        for drain in handle._drains.values():
            self.close_drain(handle, drain, incomplete=True)
        self.drained(handle)

    def _readable(self, handle: ExecHandle, drain: Drain) -> None:
        raise NotImplementedError

    def drained(self, handle: ExecHandle) -> None:
        """One of its pipes has ended. Once all have, and the tree is over, it is told."""
        then = handle._read_out
        if then is not None and all(drain.fd < 0 for drain in handle._drains.values()):
            handle._read_out = None
            self._call_off_timers(handle)
            then()

    def _call_off_timers(self, handle: ExecHandle) -> None:
        timers, handle._timers = handle._timers, ()
        for timer in timers:
            self.loop.call_off(timer)

    # --- the end ---------------------------------------------------------------------------------

    def tell_end(self, handle: ExecHandle, survivors: tuple[str, ...]) -> None:
        """In any thread."""
        with handle._lock:
            handle._survivors = survivors
            callbacks, handle._callbacks = handle._callbacks, ()
            latch = handle._latch
            for callback in callbacks:  # before any that is added by who hears of the end
                self.loop.post(partial(guarded, callback, handle))
        self.trace.pop(handle, None)  # after that: when `run` returns, all are done
        if latch is not None:
            latch.fall()
        if callbacks:
            self._ensure_driver()


def _pidfd(pid: int) -> int:
    """Raises OSError where there is none to have."""
    if sys.platform == "linux":
        return os.pidfd_open(pid)
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
