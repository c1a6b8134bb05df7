"""What is known of the request to stop, and who wants to hear of it.

Nothing here touches a signal, a window or a descriptor: that is the ear's part (`_posix.py`,
`_windows.py`), which reports by `Session.heard`. Locks are allowed here, because no line of this
module ever runs inside a Python signal handler.
"""

from __future__ import annotations

import os
import time
from _thread import TIMEOUT_MAX, allocate_lock, get_ident

from ._registration import Callback, Listener, Registration
from ._request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Protocol

    from ._request import Source

    class Ear(Protocol):
        """Where requests come from on one platform. One instance serves one session."""

        @property
        def arrived(self) -> bool:
            """Has something come in that `heard` may not have been told yet?"""

        def open(self) -> None:
            """Take what is needed to hear; again: take back what was reset to the default since.

            Main thread only. Raises NotInstalledError elsewhere, and leaves nothing behind then.
            """

        def listen(self) -> None:
            """From now on report by threads, at once. Any thread; again is free."""

        def pump(self) -> None:
            """Report what came in so far, where no thread does. Any thread."""

        def step(self) -> float | None:
            """How many seconds the main thread may block at a time; None: as long as it likes."""

        def share(self) -> None:
            """Touch no wakeup descriptor from now on, and put back what was there."""

        def close(self) -> None:
            """Put everything back. Main thread only."""

        def orphan(self, orphaned: bool) -> bool:
            """Nobody listens any more, or again. False: it already put everything back."""

        def abandon(self) -> None:
            """Put everything back in a child after fork, where no other thread lives."""

        def retire(self, requested: bool) -> None:
            """The process ends: late requests shall neither be served nor kill. Main thread."""


LOOK = 0.1  # seconds between two looks of a thread that waits without any other thread's help


def ending() -> bool:
    """Does the interpreter end: has the main thread returned, and every non-daemon thread?

    What begins from here on may be cut off at any line, and can start no thread (3.12+).
    """
    import threading

    main = threading.main_thread()
    if main.is_alive():
        return False
    return not any(t.is_alive() and not t.daemon for t in threading.enumerate() if t is not main)


class Session:
    """One installation, from its first user to its last. All methods: any thread, no handler."""

    def __init__(self, end: Callable[[int], object] = os._exit) -> None:
        self.ear: Ear
        self.pid = os.getpid()
        self.users: set[object] = set()
        self.force = False
        self._end = end
        self._lock = allocate_lock()
        self._taken = False  # a request is there; those who wait in a thread are claimed
        self._request: Request | None = None  # the same, published: anybody may act on it
        self._count = 0
        self._heard: dict[tuple[Source, str], dict[str, int]] = {}
        self._listeners: list[Listener] = []
        self._callbacks: list[Callback] = []  # not yet claimed
        self._running: list[Callback] = []
        self._closing = False

    def heard(
        self,
        source: Source,
        reason: str,
        lane: str,
        signal: _signal.Signals | None = None,
        grace: float | None = None,
    ) -> None:
        """The ear heard a request, by this lane.

        One request may be heard by several lanes (a signal by its handler and by the wakeup
        descriptor, a WM_CLOSE by two windows), so lanes are not added up: what counts is the
        longest. A request is never counted twice, at the price that some repeats are merged.
        """
        with self._lock:
            lanes = self._heard.setdefault((source, reason), {})
            known = max(lanes.values(), default=0)
            lanes[lane] = lanes.get(lane, 0) + 1
            if lanes[lane] <= known:
                return
        now = time.monotonic()
        deadline = None if grace is None else now + grace
        first = self.take(Request(source, signal, reason, now, deadline))
        if not first and self.force:
            # The handlers are still ours, and only the main thread could change that, which may
            # be stuck: so no death by the signal itself, but the status a shell would show.
            self._end(128 + signal if signal is not None else 1)

    def take(self, request: Request) -> bool:
        """A request arrived. True if it is the first, the one everybody is told of.

        The callbacks go first, and are kept alive before anybody else can see the request: the
        main thread may return as soon as it does.
        """
        none_run = ending()
        with self._lock:
            self._count += 1
            if self._taken:
                return False
            self._taken = True
            callbacks: list[Callback] = []
            if not none_run and not self._closing:
                callbacks, self._callbacks = self._callbacks, []
                self._running += callbacks
            for callback in callbacks:
                callback.claimed = True
        for callback in callbacks:
            callback.open_gate()
        if callbacks:
            self._keep_alive(callbacks)
        with self._lock:
            self._request = request
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                listener.claimed = True
        for listener in listeners:
            listener.tell()
        return True

    @staticmethod
    def _keep_alive(callbacks: list[Callback]) -> None:
        """Keep the process until they are through, also where atexit does not run (multiprocessing
        children end by os._exit after joining threads)."""
        import threading

        def join() -> None:
            for callback in callbacks:
                callback.thread.join()

        keeper = threading.Thread(target=join, name="procession-shutdown-keeper", daemon=False)
        try:
            keeper.start()
        except RuntimeError:
            pass  # 3.12+, the main thread has returned: `at_exit` waits for them instead

    def add_callback(self, callback: Callable[[], object]) -> Callback:
        """RuntimeError once the interpreter ends: no thread starts then."""
        wish = Callback(self, callback)
        with self._lock:
            late = self._taken
        if late:
            # Nothing to wait for. Not a daemon: so the interpreter itself waits for its end.
            wish.claimed = True
            wish.open_gate()
            wish.start(daemon=False)
            return wish
        wish.start(daemon=True)
        with self._lock:
            if not self._taken:
                self._callbacks.append(wish)
                return wish
            wish.claimed = True
            self._running.append(wish)
        wish.open_gate()
        self._keep_alive([wish])
        return wish

    def add_listener(self, tell: Callable[[], object]) -> Listener:
        wish = Listener(self, tell)
        with self._lock:
            if self._request is None:
                self._listeners.append(wish)
                return wish
            wish.claimed = True
        wish.tell()
        return wish

    def withdraw(self, wish: Registration) -> bool:
        """Take a wish out. True if that made the difference: nobody had acted on it."""
        if self.pid != os.getpid():
            return False  # the wish of a parent; its lock may be held for ever in this child
        with self._lock:
            if wish.claimed or wish.cancelled:
                return False
            wish.cancelled = True
            self._callbacks = [w for w in self._callbacks if w is not wish]
            self._listeners = [w for w in self._listeners if w is not wish]
            return True

    def finished(self, callback: Callback) -> None:
        with self._lock:
            if callback in self._running:
                self._running.remove(callback)

    def look(self) -> Request | None:
        """The request, with the count as it is now, or None."""
        self.ear.pump()
        if self._request is None and (self._taken or self.ear.arrived):
            # A thread of ours holds it and will tell in microseconds. Without this a program
            # that signals itself would not see it in its next line.
            self._block(1.0, None)
        return self.known()

    def known(self) -> Request | None:
        """The same, without asking the ear."""
        request = self._request
        if request is None or request.count == self._count:
            return request
        source, sig, reason, when, deadline, _ = request._values()
        return Request(source, sig, reason, when, deadline, self._count)

    @property
    def requested(self) -> bool:
        """What is known here, without asking the ear."""
        return self._request is not None

    def wait(self, timeout: float | None) -> Request | None:
        """Block until a request is there; None when `timeout` seconds went by without one."""
        if self._request is None and (timeout is None or timeout > 0):
            try:
                self.ear.listen()
            except RuntimeError:
                # No thread can be started: the limit of the process, or (3.12+) the main thread
                # has returned, which still runs the handlers while it waits for this one.
                self._block(timeout, LOOK)
            else:
                self._block(timeout, self.ear.step() if in_main_thread() else None)
        return self.look()

    def _block(self, timeout: float | None, step: float | None) -> None:
        gate = allocate_lock()
        gate.acquire()
        wish = self.add_listener(gate.release)
        end = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                left = TIMEOUT_MAX if end is None else min(end - time.monotonic(), TIMEOUT_MAX)
                if left <= 0 or gate.acquire(timeout=left if step is None else min(left, step)):
                    return
                self.ear.pump()  # free where a thread of ours does it
        finally:
            self.withdraw(wish)

    def at_exit(self) -> None:
        """The atexit hook: what is under way ends, nothing new begins, nothing late kills."""
        if self.pid != os.getpid():
            return
        with self._lock:
            self._closing = True
            running = list(self._running)
        for callback in running:
            callback.thread.join()
        if not self.force:
            # Where a repeat forces, a late one may as well find the default action.
            self.ear.retire(self._taken)


def in_main_thread() -> bool:
    import threading

    return get_ident() == threading.main_thread().ident
