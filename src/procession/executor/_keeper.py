"""Keeps the trace, and the loop that is told of what happens.

All of it happens in the one thread that turns the loop, except what says otherwise. A process whose
caller waits for it is not watched as well: that caller notes the end.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque

from procession.executor._ends import Ends
from procession.executor._events import Teller, guarded
from procession.executor._hosts import disown, parents_own
from procession.executor._loop import Loop
from procession.executor._values import STOPPED
from procession.process.containment import MARKS
from procession.process.crowd import application_trees
from procession.process.cursor import pid_cursor
from procession.process.exits import ExitWatcher
from procession.process.latch import Latch

if sys.platform != "win32":
    from procession.process import brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.core.stop import Ladder
    from procession.executor._births import Births
    from procession.executor._handle import ExecHandle
    from procession.process._tree import Trees
    from procession.process.cursor import PidCursor

_YOUNG = 0.02  # seconds a caller has to come and wait, before the loop watches a process itself
_WAITED = 0.1  # seconds more for one whose caller does wait
_WAVE = 0.1  # seconds ends are collected for one look at /proc, while nobody waits for it
_CROWD = 512  # unreaped leaders that make a wave at once


class Keeper(Ends):
    """The trace of one executor, and the loop that its thread turns."""

    def __init__(
        self,
        ensure_driver: Callable[[], None],
        births: Births,
        orphans: str,
        containment: str = MARKS,
    ) -> None:
        self._births = births
        self.orphans = orphans
        self.containment = containment
        self.loop = Loop()
        self.teller = Teller(self.call_soon)
        self.trees: Trees = application_trees(births, self.stirred, orphans == "leave")
        # unguessable, so that no other executor's processes are ever taken for ours
        self.token = os.urandom(8).hex()
        self.trace: dict[ExecHandle, None] = {}
        self.null: int | None = None  # while the loop is open, as the next
        self.cursor: PidCursor | None = None
        self.turner = 0  # ident of the thread that turns the loop; 0: nobody does
        self._ensure_driver = ensure_driver
        self._number = 0
        self._watcher: ExitWatcher[ExecHandle] | None = None
        self._young: deque[tuple[float, ExecHandle]] = deque()
        self._alert = False  # the loop looks for the newborn, every `_YOUNG` seconds
        self._greet_at = 0.0
        self._seen = 0  # launches that had begun at its last look
        self._fresh: deque[ExecHandle] = deque()
        self._batch = deque(), 0, 0, 0.0
        self._collecting = threading.Lock()
        self._choosing = threading.RLock()  # a signal handler may start something, too
        self.has_ended: deque[ExecHandle] = deque()
        self._wave_at: float | None = None
        self.urgent = False
        self._not_before = 0.0  # the next look
        self.ladder_at: float | None = None

    # --- from any thread -------------------------------------------------------------------------

    @property
    def turns_here(self) -> bool:
        """Is this the loop's own thread, which must not wait for itself?"""
        return threading.get_ident() == self.turner

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """In the loop's thread. What it raises is logged."""
        self.loop.post(lambda: guarded(callback, *args))
        self._ensure_driver()

    def born(self, handle: ExecHandle) -> None:
        """It was just launched, and is in the trace. A loop that looks soon anyway is not woken:
        that would cost as much as half of a short process."""
        request = handle._request
        heard = request.is_heard or self.teller.has_listeners
        if heard:
            self.teller.tell("started", handle.name, handle.pid)
        if threading.get_ident() == self.turner:
            self.took(handle)
        elif not self._alert or heard or request.is_hasty:
            self.loop.post(lambda: self.took(handle))

    def want(self, handle: ExecHandle) -> None:
        """Somebody waits for the end of its tree."""
        if not handle._wanted:
            handle._wanted = True
            self.loop.post(lambda: self.attend(handle))
            self._ensure_driver()

    def stop_one(self, handle: ExecHandle, ladder: Ladder, cap: float | None) -> None:
        """Have its tree stopped. Idempotent; one that is over is left alone."""
        if not handle.done:
            handle._wanted = True
            self.loop.post(lambda: self.begin_stop(handle, ladder, STOPPED, cap))
            self._ensure_driver()

    def await_latch(self, latch: Latch, timeout: float | None) -> bool:
        """Wait until it falls, in a callback by turning the loop meanwhile."""
        if threading.get_ident() != self.turner:
            return latch.wait(timeout)
        until = None if timeout is None else time.monotonic() + timeout
        while not latch.fell and (until is None or time.monotonic() < until):
            self.turn(None if until is None else max(0.0, until - time.monotonic()))
        return latch.fell

    def pause(self, seconds: float) -> None:
        """Wait; in a callback by turning the loop, which may free what is short."""
        if threading.get_ident() != self.turner:
            time.sleep(seconds)
            return
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.turn(left)

    def await_end(self, handle: ExecHandle, timeout: float | None) -> bool:
        """Of the leader, on hosts where the waiting caller cannot ask by itself."""
        latch = Latch()

        def look() -> None:
            if handle.poll() is not None:
                latch.fall()
            else:
                self.loop.at(time.monotonic() + _YOUNG, look)

        self.want(handle)
        self.loop.post(look)
        return latch.wait(timeout)

    # --- the loop's own thread -------------------------------------------------------------------

    def open(self) -> None:
        self.loop.open()
        assert self.loop.selector is not None, "just opened"
        if self.null is None:
            self.null = os.open(os.devnull, os.O_RDWR)
        if self.cursor is None:
            self.cursor = pid_cursor()
        if sys.platform != "win32":
            brief.keep_interpreter()
        self.trees.resume()
        self.resume_sentinel()
        if self._watcher is None:
            self._watcher = ExitWatcher(self.loop.selector, self._exited)
            for handle in list(self.trace):  # of an earlier thread
                self._resume(handle)

    def close(self) -> None:
        """No thread turns the loop for now. What lives stays in the trace."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        for handle in list(self.trace):
            self._suspend(handle)
        self._alert = False
        self._young.clear()
        self._fresh.clear()  # who takes over finds them in the trace
        self._batch = deque(), 0, 0, 0.0
        self.trees.pause()
        self.close_sentinel()
        null, self.null = self.null, None
        if null is not None:
            os.close(null)
        if not self.trace:  # else other threads may be about to ask it
            self._close_cursor()
        self.loop.close()

    def abandon(self) -> None:
        """In a forked child: close what is not ours, without any lock."""
        self.loop.abandon()
        self.abandon_sentinel()
        if self.null is not None:
            os.close(self.null)
            self.null = None
        self._close_cursor()
        for handle in list(self.trace):
            disown(handle)
        self._ensure_driver = parents_own

    def _resume(self, handle: ExecHandle) -> None:
        self._begin(handle)
        self.bound_output(handle)
        self.ladder_at = time.monotonic()
        if handle._status is not None:
            self.has_ended.append(handle)

    def _suspend(self, handle: ExecHandle) -> None:
        self.unwatch_member(handle)
        handle._handed = handle._begun = handle._greeted = False
        handle._timers = ()

    def _close_cursor(self) -> None:
        cursor, self.cursor = self.cursor, None
        if cursor is not None:
            cursor.close()

    def took(self, handle: ExecHandle) -> None:
        """It was just launched, and is in the trace."""
        if self.loop.selector is None:
            return
        self._watch_out()
        if handle in self.trace and not handle._begun:
            self._begin(handle)  # else it was over before we heard of it, or `open` has come to it

    def _watch_out(self) -> None:
        """Where one is born, others are."""
        if not self._alert:
            self._alert = True
            self._greet_at = time.monotonic() + _YOUNG

    def _begin(self, handle: ExecHandle) -> None:
        self._watch_out()
        handle._begun = True
        if self.sentinel is None:
            self.ensure_sentinel()
        for drain in handle._drains.values():
            self._register(handle, drain)
        self.arm(handle)
        if self.teller.is_heard:
            handle._wanted = True
        self._young.append((handle._started_at + (0 if handle._wanted else _YOUNG), handle))

    def turn(self, most: float | None = None) -> None:
        """Sleep until something happens, and do what is due."""
        due = self._due()
        if due is not None:
            left = max(0.0, due - time.monotonic())
            most = left if most is None else min(most, left)
        self.loop.turn(most)
        self._tend()

    def _due(self) -> float | None:
        """When there is something to do, whatever happens."""
        times = [at for at in (self._wave_at, self.ladder_at) if at is not None]
        if self._alert:
            times.append(self._greet_at)
        if self._young:
            times.append(self._young[0][0])
        if self.urgent:
            times.append(self._not_before)
        return min(times) if times else None

    def _tend(self) -> None:
        now = time.monotonic()
        if self._fresh:
            self._watch_out()
        if self._alert and now >= self._greet_at:
            self._greet(now)
        while self._young and (self._young[0][0] <= now or self._young[0][1]._status is not None):
            self._grow_up(self._young.popleft()[1], now)
        if self.has_ended and self._wave_at is None:
            self._wave_at = now + (_WAVE if len(self.has_ended) < _CROWD else 0.0)
        hurries = self.urgent and now >= self._not_before
        if hurries or (self._wave_at is not None and now >= self._wave_at):
            self._wave()
        if self.ladder_at is not None and now >= self.ladder_at:
            self.climb(time.monotonic())

    def _greet(self, now: float) -> None:
        """Take who was born since and lives. After a while without anybody the loop may sleep for
        longer."""
        self._greet_at = now + _YOUNG
        count = self._births.count
        self.collect(sys.maxsize)
        waits = self._young or self._fresh or self._batch[0]
        if count == self._seen and not waits:
            self._alert = False  # before the look: who comes to the trace after it sees that
        self._seen = count
        for handle in reversed(list(self.trace)):
            if handle._greeted:
                return  # and so were all before it
            handle._greeted = True
            if not handle._begun:
                self._begin(handle)

    def _grow_up(self, handle: ExecHandle, now: float) -> None:
        """It has lived for a while. One whose caller waits for it gets some more: that one sees
        the end, and neither selector nor sentinel need ever hear of it."""
        waited_for = handle._waiters and not handle._wanted and not handle._timers
        if waited_for and handle._status is None:
            self.keep_timer(handle, self.loop.at(now + _WAITED, lambda: self._watch(handle)))
        else:
            self._watch(handle)

    def _watch(self, handle: ExecHandle) -> None:
        with handle._lock:  # who sees it end in another thread leaves it to the loop from here on
            if handle._status is not None or handle._handed or handle not in self.trace:
                return
            handle._handed = True
        assert self._watcher is not None, "the loop is open"
        self._watcher.watch(handle._process, handle)
        self.post_to_sentinel(handle)
