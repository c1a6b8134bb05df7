"""Ends: who learns of one, and who finds out whether anything of the tree lives on.

Whether it does is asked once for a whole wave of ends, at once where somebody waits for the answer,
else a moment later; until then the leader stays unreaped, so that its pid and group are its own.
Where the kernel says that nobody was born in between (`process.cursor`), there is nothing to look
for, and the next thread that launches something brings those to their ends who ended before.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from procession.executor._stops import Stops
from procession.process.latch import Latch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Hashable
    from typing import Any

    from procession.core.stop import Move
    from procession.executor._births import Births
    from procession.executor._handle import ExecHandle
    from procession.executor._streams import Drain
    from procession.process.cursor import PidCursor

    # who ended before somebody was born with this number; how many launches had begun then; and
    # when they are not waited for any more
    Batch = tuple[deque[ExecHandle], int, int, float]

_PATIENCE = 0.1  # seconds, with launches under way: an exec may take its time
_TIDY = 3  # ends that a launch may look after
_SHARE = 4  # urgent looks take at most one part in so many of the time


class Ends(Stops):
    """A part of the `Keeper`."""

    cursor: PidCursor | None
    turner: int
    _births: Births
    _wave_at: float | None
    _not_before: float  # the next look
    _fresh: deque[ExecHandle]  # have ended just now, in other threads
    _batch: Batch
    _collecting: LockType

    def _watch(self, handle: ExecHandle) -> None:
        raise NotImplementedError

    # --- from any thread -------------------------------------------------------------------------

    def ended(self, handle: ExecHandle) -> None:
        """Its leader was seen to end. Nobody is woken: the loop wakes for a process that it does
        not watch soon enough by itself."""
        if threading.get_ident() == self.turner:
            self.has_ended.append(handle)
        elif not handle._wanted and self.numbers is not None:
            self._fresh.append(handle)
        elif not handle._wanted:
            self.has_ended.append(handle)
        elif not self.bury(handle):
            self.has_ended.append(handle)
            self.loop.post(self.hurry)

    def bury(self, handle: ExecHandle) -> bool:
        """Its leader has ended. True: so has its tree, and that is told, without the loop."""
        cursor = self.numbers
        return not handle._handed and cursor is not None and self._bury(handle, cursor.last())

    @property
    def numbers(self) -> PidCursor | None:
        """Where those tell who was born. A group knows its members by itself."""
        return self.cursor if self.contained is None else None

    def stirred(self, run: Any) -> None:
        """A process of that tree has ended, as trees tell that need not be asked."""
        self.loop.post(lambda: self._stirred(run))

    def tidy(self, newborn: ExecHandle) -> None:
        """After a launch, while the child is still executed: bring those to their ends who ended
        before it. That takes as long as half of a short process, for which their callers would
        have waited; and a descriptor that is left open makes the next launch dearer."""
        if self._births or self._batch[0]:
            self.collect(_TIDY, newborn)
            return
        try:
            for _ in range(_TIDY):
                if not self._fresh or self._fresh[0]._ended_at > newborn._started_at:
                    return
                handle = self._fresh.popleft()
                if not self._bury(handle, newborn.pid) and not handle._over:
                    self.has_ended.append(handle)
        except IndexError:
            return  # another thread was quicker

    def collect(self, most: int, newborn: ExecHandle | None = None) -> None:
        """The same for those who ended while launches were under way: who was born until then is
        known once these are over."""
        batch = self._batch
        handles, last, count, until = batch
        if handles and (self._births.are_over(count) or time.monotonic() > until):
            try:
                for _ in range(most):
                    handle = handles.popleft()
                    if not self._bury(handle, last) and not handle._over:
                        self.has_ended.append(handle)
            except IndexError:
                pass  # no more of them; or another thread was quicker
        if not handles and self._fresh and self._collecting.acquire(blocking=False):
            try:
                if self._batch is batch:
                    self._batch = self._next_batch(newborn)
            finally:
                self._collecting.release()

    def _next_batch(self, newborn: ExecHandle | None) -> Batch:
        """Those who ended before `newborn` was started, whose number need not be asked for; None:
        all until now."""
        fresh, cursor = self._fresh, self.numbers
        now = time.monotonic()
        before = now if newborn is None else newborn._started_at
        handles: deque[ExecHandle] = deque()
        try:
            while fresh and fresh[0]._ended_at < before:
                handles.append(fresh.popleft())
        except IndexError:
            pass  # another thread took it
        if cursor is None:
            self.has_ended.extend(handles)
            handles.clear()
        if not handles or cursor is None:
            return handles, 0, 0, 0.0
        # in this order: what is under way when it is asked, has begun before it is counted
        last = cursor.last() if newborn is None else newborn.pid
        return handles, last, self._births.count, now + _PATIENCE

    def _bury(self, handle: ExecHandle, last: int) -> bool:
        """If nobody was born from the leader to `last`, who was born after its end, its tree is
        over, and neither a look at /proc nor the loop is needed. False: that is not known, or the
        loop holds something of it that has to be given back there."""
        cursor = self.numbers
        if cursor is None or self.teller.has_listeners or handle._request.is_heard:
            return False
        if not cursor.had_none(handle.pid, last):
            return False
        process = handle._process
        with handle._lock:
            held = handle._handed or handle._timers or handle._drains or handle._stop is not None
            if held or handle._over or handle._status is None:
                return False
            if not process.claim():
                return False  # so its number may be somebody else's
            handle._over = True
            handle._close_due = in_use = handle._waiters > 0
        if not in_use:
            process.close()
        self.trees.drop(handle._tree)
        self.tell_end(handle, ())
        return True

    def settle(self) -> None:
        """Have everybody who has ended found out, and let go of. Returns when that is done."""
        self.trees.catch_up()
        ended = [one for one in list(self.trace) if one._saw_end()]  # of all, not up to the first
        if not self.has_ended and all(handle._over for handle in ended):
            return
        if threading.get_ident() == self.turner or not self.turner:
            return
        done = Latch()

        def ask() -> None:
            self.has_ended.extend(ended)
            self._wave()
            done.fall()

        self.loop.post(ask)
        done.wait(1.0)

    # --- the loop's own thread -------------------------------------------------------------------

    def _stirred(self, handle: ExecHandle) -> None:
        if handle not in self.trace or handle._over:
            return  # one that was just started is looked at when it is known here
        if handle.poll() is None:
            self.trees.scan()
        else:
            self.has_ended.append(handle)
            self.urgent = self.urgent or handle._wanted

    def _exited(self, handle: ExecHandle) -> None:
        if not handle._saw_end():
            self.watch_anew(handle)
        if handle._wanted:
            self.urgent = True

    def watch_anew(self, handle: ExecHandle) -> None:
        """It lives, but who was to tell of its end does not."""
        if not handle._saw_end() and handle._process.lost and handle._handed:
            handle._handed = False
            self._watch(handle)

    def attend(self, handle: ExecHandle) -> None:
        """As `want`: its end, and that of its tree, is to be told at once."""
        if handle not in self.trace:
            return
        if not handle._saw_end():
            self._watch(handle)
        else:
            self.has_ended.append(handle)
            self.urgent = True

    def hurry(self) -> None:
        self.urgent = True

    def _wave(self) -> None:
        """One look for all who have ended since the last."""
        self.urgent = False
        self._wave_at = None
        batch: dict[ExecHandle, None] = {}
        while self.has_ended:
            batch[self.has_ended.popleft()] = None
        began = time.monotonic()
        bare = self._childless(batch)
        grown: set[Hashable] = set()
        try:
            if self.ladder_at is not None or any(not one._over for one in batch if one not in bare):
                grown = set(self.trees.scan(one._tree for one in batch if not one._over))
        except OSError as e:
            self.put_off(e, lambda: self.has_ended.extend(batch))
            return
        now = time.monotonic()
        self._not_before = now + _SHARE * (now - began)
        moves: list[tuple[ExecHandle, Move]] = []
        for handle in batch:
            if handle in self.trace and not handle._over:
                self._judge(handle, now, moves, handle in bare)
        for handle in list(self.trace) if grown else ():
            if handle in grown:  # they were planted under their handles
                move = handle._stopping.grown(leader_lives=handle._status is None)
                if move is not None:
                    moves.append((handle, move))
        self.perform(moves)

    def _childless(self, batch: dict[ExecHandle, None]) -> set[ExecHandle]:
        """Those that are known to have left nothing: nobody was born since."""
        cursor = self.numbers
        if cursor is None or not batch:
            return set()
        now = cursor.last()
        childless = [handle for handle in batch if cursor.had_none(handle.pid, now)]
        # afterwards: the number of one that was reaped before may have been somebody else's
        return {handle for handle in childless if handle._process.is_ours()}

    def _judge(
        self, handle: ExecHandle, now: float, moves: list[tuple[ExecHandle, Move]], bare: bool
    ) -> None:
        """Its leader has ended: is anything left?"""
        if not handle._exit_told:
            handle._exit_told = True
            self.teller.tell("exited", handle.name, handle.pid, str(handle._status))
        if bare or handle._tree.is_empty():
            self.over(handle)
            return
        leftover = handle._request.leftover
        if not handle._stopping.under_way and leftover == "leave":
            self.over(handle, left=True)
            return
        if not handle._stopping.under_way and leftover == "stop":
            move = handle._stopping.begin(handle._request.stop, now, "")
            self.ladder_at = now
            if move is not None:
                moves.append((handle, move))
        self.watch_member(handle)

    # --- output ----------------------------------------------------------------------------------

    def _register(self, handle: ExecHandle, drain: Drain) -> None:
        if drain.fd >= 0 and self.loop.selector is not None:
            self.loop.selector.register(drain.fd, 1, lambda: self._readable(handle, drain))

    def _readable(self, handle: ExecHandle, drain: Drain) -> None:
        if drain.fd < 0:
            return  # closed by what was called in the same turn
        if drain.read():
            handle._idle_since = time.monotonic()
        if drain.dropped and not drain.told:
            self._tell_dropped(handle, drain)
        if drain.ended:
            self.close_drain(handle, drain, incomplete=False)
            self.drained(handle)

    def close_drain(self, handle: ExecHandle, drain: Drain, *, incomplete: bool) -> None:
        if drain.fd >= 0:
            if self.loop.selector is not None:
                self.loop.selector.unregister(drain.fd)
            drain.close(incomplete)
            if drain.dropped > drain.told:
                self._tell_dropped(handle, drain)

    def _tell_dropped(self, handle: ExecHandle, drain: Drain) -> None:
        """At the first, and all of it at the end: a flood must not become one of events."""
        drain.told = drain.dropped
        self.teller.tell_dropped(handle.name, handle.pid, drain.name, drain.dropped)
