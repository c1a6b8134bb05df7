"""Moves what tasks write from their pipes into log files, and copies to the terminal.

One thread, large blocks. A line is nothing here: only a copy for the terminal is cut into lines
(`feed`). What is read is written to the log file at once, byte for byte.
"""

from __future__ import annotations

import heapq
import os
import selectors
import sys
import threading
import time
from collections import deque

from procession.errors import HostError
from procession.logs import fds, holders
from procession.logs.feed import Feed
from procession.logs.pipes import BUDGET, GROWN, Pipe, PipeBudget, Run
from procession.logs.sink import Sink
from procession.logs.wake import Waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from procession.logs.feed import Destination
    from procession.logs.pipes import Tap

IDLE_GRACE = 0.25  # seconds of silence after which a pipe held by an outsider is given up
DRAIN_CAP = 5.0  # seconds after which it is given up though it is not silent


class Capture:
    """Reads the pipes of all runs in one thread.

    `on_drained(run)` is called from that thread, once for each `drain`; `on_trouble(sentence)`
    too. Neither may block or raise. Descriptors are neither inherited nor shared: all of ours
    are close-on-exec, and only the read ends, which are ours alone, are made non-blocking.
    A disk that takes long to write (not one that is full) makes all streams wait: a write to a
    regular file cannot be made non-blocking.
    """

    def __init__(
        self,
        on_drained: Callable[[Hashable], None],
        *,
        on_trouble: Callable[[str], None],
        block: int = GROWN,
        pipe_budget: int = BUDGET,
        idle_grace: float = IDLE_GRACE,
        drain_cap: float = DRAIN_CAP,
    ) -> None:
        self._on_drained = on_drained
        self._on_trouble = on_trouble
        self._block = block
        self._view = memoryview(b"")
        self._budget = PipeBudget(pipe_budget)
        self._idle_grace = idle_grace
        self._drain_cap = drain_cap
        self._runs: dict[Hashable, Run] = {}
        self._pipes: set[Pipe] = set()
        self._timers: list[tuple[float, int, Pipe]] = []
        self._timer_number = 0
        self._inbox: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self._ending_at: float | None = None
        self._thread: threading.Thread | None = None
        self._waker: Waker | None = None
        self._selector: selectors.BaseSelector | None = None

    # --- from any thread ---------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. What was added before is read from now on. Once.

        HostError when the host has no descriptors or no thread to give; it can be tried again.
        """
        with self._lock:
            if self._thread is not None or self._closed:
                raise RuntimeError("a Capture is started once, before it is closed")
            selector, waker = _make_ears()
            thread = threading.Thread(target=self._main, name="procession-capture", daemon=True)
            self._selector, self._waker = selector, waker
            self._view = memoryview(bytearray(self._block))
            if self._inbox:
                waker.wake()
            try:
                thread.start()
            except RuntimeError as e:
                self._selector = self._waker = None
                selector.close()
                waker.close()
                raise HostError("capture", f"cannot begin to read output: {e}") from e
            self._thread = thread

    def add(
        self,
        run: Hashable,
        fd: int,
        *,
        log: Sink | int | None,
        console: Destination | None,
        name: str | None = None,
        tap: Tap | None = None,
    ) -> None:
        """Read `fd` (a pipe's read end, ours from now on) until its end or the run's `drain`.

        `log`: where the bytes go: a `Sink`, which is opened here if need be, or a descriptor;
        both stay the caller's. `console`: a `ConsoleStream` that shows the lines. `tap` is
        given a copy of all of it, in the thread. `name` is what messages call it.
        RuntimeError, and `fd` closed, after `close`.
        """
        os.set_inheritable(fd, False)
        sink = Sink(name or "log file", fd=log) if isinstance(log, int) else log
        pipe = Pipe(fd, sink, name or (sink.name if sink is not None else str(run)), tap)
        if not self._send(lambda: self._adopt(run, pipe, console)):
            os.close(fd)
            raise RuntimeError(f"{pipe.name}: the capture is closed")

    def drain(self, run: Hashable) -> None:
        """The run's tree is gone: read to the end, then call `on_drained(run)`, exactly once.

        Somebody outside the tree may still hold a pipe: then it is read until it is silent for
        `idle_grace` seconds (each block begins them anew), `drain_cap` seconds at most, and
        closed; `on_trouble` is told. A run that nothing was added for is drained at once.
        RuntimeError after `close`.
        """
        if not self._send(lambda: self._drain(run)):
            raise RuntimeError(f"{run}: the capture is closed")

    def post(self, sink: Sink, block: bytes) -> None:
        """Let the thread write `block`; while it does not run, written here and now."""
        if self._thread is None or not self._send(lambda: self._store(sink, block)):
            self._store(sink, block)

    def call(self, action: Callable[[], None]) -> None:
        """Let the thread do what may take as long as the disk does, once all that came before is
        written. `action` must not raise. Nothing happens after `close`."""
        self._send(action)

    def close(self, timeout: float) -> bool:
        """Read what is there, end the thread, give everything back, in `timeout` seconds.

        Drains under way are over with it, told by `on_drained`. False if the thread hangs in a
        write to a dead disk: it is left behind with what it holds. A second call does nothing.
        """
        if self._thread is None and self._inbox:
            self.start()  # what was added, and perhaps drained, is owed its end
        with self._lock:
            if not self._closed:
                self._closed = True
                self._ending_at = time.monotonic() + timeout
            thread, waker = self._thread, self._waker
        if thread is None or waker is None:
            return True
        waker.wake()
        thread.join(timeout + 1.0)
        return not thread.is_alive()

    def _send(self, message: Callable[[], None]) -> bool:
        with self._lock:
            if self._closed:
                return False
            self._inbox.append(message)
        if self._waker is not None:
            self._waker.wake()
        return True

    # --- in the thread -----------------------------------------------------------------------

    def _main(self) -> None:
        assert self._selector is not None
        assert self._waker is not None
        try:
            while self._ending_at is None:
                self._turn(self._selector, self._waker)
            self._run_inbox()
            for pipe in list(self._pipes):
                self._read_rest(pipe, self._ending_at)
        finally:
            with self._lock:
                self._closed = True
            self._run_inbox()
            self._give_back()
            self._selector.close()
            self._waker.close()

    def _turn(self, selector: selectors.BaseSelector, waker: Waker) -> None:
        timeout = None
        if self._timers:
            timeout = max(0.0, self._timers[0][0] - time.monotonic())
        for key, _ in selector.select(timeout):
            if key.data is None:
                waker.clear()
            else:
                self._read(key.data)
        self._run_inbox()
        if self._timers:
            self._run_timers(time.monotonic())

    def _run_inbox(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _adopt(self, key: Hashable, pipe: Pipe, console: Destination | None) -> None:
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = Run(key)
        run.pipes.add(pipe)
        pipe.run = run
        self._pipes.add(pipe)
        if console is not None:
            pipe.feed = Feed(console, lambda: self._say_room(pipe))
        if pipe.sink is not None:
            self._tell(pipe.sink.open(time.monotonic()))
        try:
            fds.make_nonblocking(pipe.fd)
            pipe.full_at = self._budget.full_at(pipe.fd) if self._budget.left else 0
            self._listen(pipe)
        except OSError as e:
            self._tell(f"{pipe.name}: its output cannot be read: {e.strerror}")
            self._finish(pipe)
            return
        if run.draining:
            self._begin_drain(pipe, time.monotonic())

    def _read(self, pipe: Pipe) -> bool:
        """Move one block. False if there was none; at the end the pipe is finished, too."""
        try:
            size = fds.read_into(pipe.fd, self._view)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the other side of a terminal hung up
            size = 0
        if not size:
            self._finish(pipe)
            return False
        block = self._view[:size]
        now = time.monotonic()
        if pipe.sink is not None:
            self._tell(pipe.sink.write(block, now))
        if pipe.full_at and size >= pipe.full_at:
            pipe.full_at = 0
            pipe.grown = self._budget.grow(pipe.fd)
        if pipe.idle_at is not None:
            pipe.idle_at = now + self._idle_grace
        if pipe.tap is not None:
            pipe.tap.take(bytes(block), now)
            self._follow_tap(pipe, pipe.tap)
        if pipe.feed is not None:
            pipe.feed.take(bytes(block), now)
            self._follow(pipe, pipe.feed)
        return True

    def _follow(self, pipe: Pipe, feed: Feed) -> None:
        """Do what the feed says: listen to the pipe or not, wake for it or not."""
        if feed.closed:
            pipe.feed = None
            self._listen(pipe)
        elif feed.paused:
            self._ignore(pipe)
        else:
            self._listen(pipe)
        self._arm(pipe)

    def _follow_tap(self, pipe: Pipe, tap: Tap) -> None:
        if tap.closed:
            pipe.tap = None
        else:
            self._arm(pipe)

    def _listen(self, pipe: Pipe) -> None:
        if self._selector is not None and not pipe.listening:
            self._selector.register(pipe.fd, selectors.EVENT_READ, pipe)
            pipe.listening = True

    def _ignore(self, pipe: Pipe) -> None:
        if self._selector is not None and pipe.listening:
            self._selector.unregister(pipe.fd)
            pipe.listening = False

    def _say_room(self, pipe: Pipe) -> None:
        """From the console's thread."""
        self._send(lambda: self._room(pipe))

    def _room(self, pipe: Pipe) -> None:
        if pipe.feed is None:
            return
        now = time.monotonic()
        pipe.feed.room(now)
        if pipe.closed:
            return
        if pipe.idle_at is not None:
            pipe.idle_at = now + self._idle_grace
        self._follow(pipe, pipe.feed)

    def _store(self, sink: Sink, block: bytes) -> None:
        self._tell(sink.write(block, time.monotonic()))

    def _tell(self, trouble: str | None) -> None:
        if trouble is not None:
            self._on_trouble(trouble)

    # --- deadlines ---------------------------------------------------------------------------

    def _arm(self, pipe: Pipe) -> None:
        """See that we wake in time for the pipe. A deadline that moved away costs one wake-up."""
        at = pipe.deadline()
        if at is None or (pipe.wanted_at is not None and pipe.wanted_at <= at):
            return
        pipe.wanted_at = at
        self._timer_number += 1
        heapq.heappush(self._timers, (at, self._timer_number, pipe))

    def _run_timers(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            at, _, pipe = heapq.heappop(self._timers)
            if pipe.closed or pipe.wanted_at != at:
                continue
            pipe.wanted_at = None
            if pipe.tap is not None:
                pipe.tap.due(now)
                self._follow_tap(pipe, pipe.tap)
            if pipe.feed is not None:
                pipe.feed.due(now)
                self._follow(pipe, pipe.feed)
            if pipe.idle_at is not None:
                self._look_at_drain(pipe, now)
            if not pipe.closed:
                self._arm(pipe)

    # --- the end of a run --------------------------------------------------------------------

    def _drain(self, key: Hashable) -> None:
        run = self._runs.get(key)
        if run is None:
            self._on_drained(key)
            return
        now = time.monotonic()
        run.draining = True
        run.cap_at = now + self._drain_cap
        for pipe in run.pipes:
            self._begin_drain(pipe, now)

    def _begin_drain(self, pipe: Pipe, now: float) -> None:
        pipe.idle_at = now + self._idle_grace
        self._arm(pipe)

    def _look_at_drain(self, pipe: Pipe, now: float) -> None:
        """Give the pipe up if it was silent, or its time is over; look into it once more first."""
        assert pipe.idle_at is not None
        if now >= pipe.run.cap_at:
            self._read_rest(pipe, now + self._idle_grace)
        elif not pipe.listening or now < pipe.idle_at or self._read(pipe):
            return
        if pipe.closed:
            return
        if not pipe.run.told:
            pipe.run.told = True
            self._tell(holders.told(pipe.name, pipe.fd))
        self._finish(pipe)

    def _read_rest(self, pipe: Pipe, until: float) -> None:
        """What the pipe holds now, but not what a writer adds for ever."""
        if pipe.feed is not None:
            pipe.feed.give_up(time.monotonic())
        left = fds.PIPE_MAX
        while left > 0 and not pipe.closed and self._read(pipe) and time.monotonic() < until:
            left -= self._block
            if pipe.feed is not None:
                pipe.feed.give_up(time.monotonic())

    def _finish(self, pipe: Pipe) -> None:
        """Close the pipe, show and tell what is left; the last one ends a drain."""
        pipe.closed = True
        self._ignore(pipe)
        fds.close_pipe(pipe.fd)
        self._pipes.discard(pipe)
        self._budget.give_back(pipe.grown)
        if pipe.tap is not None:
            pipe.tap.end()
        if pipe.feed is not None:
            pipe.feed.end(time.monotonic())
        if pipe.sink is not None:
            self._tell(pipe.sink.settle())
        run = pipe.run
        run.pipes.discard(pipe)
        if not run.pipes:
            del self._runs[run.key]
            if run.draining:
                self._on_drained(run.key)

    def _give_back(self) -> None:
        for pipe in list(self._pipes):
            self._finish(pipe)


def _make_ears() -> tuple[selectors.BaseSelector, Waker]:
    if sys.platform == "win32":
        from procession.logs._ears_windows import Ears

        ears = Ears()
        return ears, Waker(ears.notify)
    try:
        selector = selectors.DefaultSelector()
        try:
            waker = Waker()
        except OSError:
            selector.close()
            raise
    except OSError as e:
        raise HostError("capture", f"cannot begin to read output: {e.strerror}") from e
    selector.register(waker.fd, selectors.EVENT_READ)
    return selector, waker
