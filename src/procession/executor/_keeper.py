"""Keeps the trace: learns of ends, climbs the ladders, and lets go of what is over.

All of it happens in the one thread that turns the loop, except what says otherwise. A process whose
caller waits for it is not watched as well: that caller notes the end. Whether anything of a tree
lives on is asked once for a whole wave of ends, at once where somebody waits for the answer, else
a moment later; until then the leader stays unreaped, so that its pid and group are its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from procession.executor._events import Teller, guarded
from procession.executor._hosts import disown, parents_own
from procession.executor._loop import Loop
from procession.executor._stops import Stops
from procession.executor._values import STOPPED
from procession.process.containment import MARKS
from procession.process.crowd import application_trees
from procession.process.exits import ExitWatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from procession.core.stop import Ladder, Move
    from procession.executor._handle import ExecHandle
    from procession.executor._latch import Latch
    from procession.executor._streams import Drain
    from procession.process._tree import Trees

_YOUNG = 0.02  # seconds a caller has to come and wait, before the loop watches a process itself
_WAITED = 0.1  # seconds more for one whose caller does wait
_WAVE = 0.1  # seconds ends are collected for one look at /proc, while nobody waits for it
_CROWD = 512  # unreaped leaders that make a wave at once
_SHARE = 4  # urgent looks take at most one part in so many of the time


class Keeper(Stops):
    """The trace of one executor, and the loop that its thread turns."""

    def __init__(
        self, ensure_driver: Callable[[], None], orphans: str, containment: str = MARKS
    ) -> None:
        self.orphans = orphans
        self.containment = containment
        self.loop = Loop()
        self.teller = Teller(self.call_soon)
        self.trees: Trees = application_trees(self.stirred, orphans == "leave")
        # unguessable, so that no other executor's processes are ever taken for ours
        self.token = os.urandom(8).hex()
        self.trace: dict[ExecHandle, None] = {}
        self.null: int | None = None  # while the loop is open
        self.turner = 0  # ident of the thread that turns the loop; 0: nobody does
        self._ensure_driver = ensure_driver
        self._number = 0
        self._watcher: ExitWatcher[ExecHandle] | None = None
        self._young: deque[tuple[float, ExecHandle]] = deque()
        self._newborn: deque[ExecHandle] = deque()
        self._alert = False  # the loop looks for the newborn, every `_YOUNG` seconds
        self.has_ended: deque[ExecHandle] = deque()
        self._wave_at: float | None = None
        self.urgent = False
        self._not_before = 0.0  # the next look
        self.ladder_at: float | None = None

    # --- from any thread -------------------------------------------------------------------------

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
        if threading.get_ident() == self.turner:
            self.took(handle)
        elif self._alert and not handle.needs_care and not self.teller.is_heard:
            self._newborn.append(handle)
            if not self._alert:  # it gave up looking in between
                self.loop.post(self._greet)
        else:
            self.loop.post(lambda: self.took(handle))

    def ended(self, handle: ExecHandle) -> None:
        """Its leader was seen to end. Nobody is woken: the loop wakes for a process that it does
        not watch soon enough by itself."""
        self.has_ended.append(handle)
        if handle._wanted and threading.get_ident() != self.turner:
            self.loop.post(self.hurry)

    def stirred(self, run: Any) -> None:
        """A process of that tree has ended, as trees tell that need not be asked."""
        self.loop.post(lambda: self._stirred(run))

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
        fallen = threading.Event()

        def look() -> None:
            if handle.poll() is not None:
                fallen.set()
            else:
                self.loop.at(time.monotonic() + _YOUNG, look)

        self.want(handle)
        self.loop.post(look)
        return fallen.wait(timeout)

    def settle(self) -> None:
        """Have everybody who has ended found out, and let go of. Returns when that is done."""
        self.trees.catch_up()
        seen = [handle._saw_end() for handle in list(self.trace)]  # of all, not up to the first
        if not any(seen) and not self.has_ended:
            return
        if threading.get_ident() == self.turner or not self.turner:
            return
        done = threading.Event()

        def ask() -> None:
            self._wave()
            done.set()

        self.loop.post(ask)
        done.wait(1.0)

    # --- the loop's own thread -------------------------------------------------------------------

    def open(self) -> None:
        self.loop.open()
        assert self.loop.selector is not None, "just opened"
        if self.null is None:
            self.null = os.open(os.devnull, os.O_RDWR)
        self.trees.resume()
        self.resume_sentinel()
        if self._watcher is None:
            self._watcher = ExitWatcher(self.loop.selector, self._exited)
            for handle in list(self.trace):  # of an earlier thread
                self._resume(handle)

    def close(self) -> None:
        """No thread turns the loop for now. What lives stays in the trace."""
        for handle in list(self.trace):
            self._suspend(handle)
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._alert = False
        self._newborn.clear()
        self._young.clear()
        self.trees.pause()
        self.close_sentinel()
        null, self.null = self.null, None
        if null is not None:
            os.close(null)
        self.loop.close()

    def abandon(self) -> None:
        """In a forked child: close what is not ours, without any lock."""
        self.loop.abandon()
        self.abandon_sentinel()
        if self.null is not None:
            os.close(self.null)
            self.null = None
        for handle in list(self.trace):
            disown(handle)
        self._ensure_driver = parents_own

    def _resume(self, handle: ExecHandle) -> None:
        self._begin(handle)
        self.ladder_at = time.monotonic()
        if handle._status is not None:
            self.has_ended.append(handle)

    def _suspend(self, handle: ExecHandle) -> None:
        self.unwatch_member(handle)
        handle._handed = handle._begun = False
        handle._timers.clear()

    def took(self, handle: ExecHandle) -> None:
        """It was just launched, and is in the trace."""
        if handle in self.trace and self.loop.selector is not None and not handle._begun:
            self._begin(handle)  # else it was over before we heard of it, or `open` has come to it

    def _begin(self, handle: ExecHandle) -> None:
        handle._begun = self._alert = True
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
            times.append(time.monotonic() + _YOUNG)
        if self._young:
            times.append(self._young[0][0])
        if self.urgent:
            times.append(self._not_before)
        return min(times) if times else None

    def _tend(self) -> None:
        self._greet()
        now = time.monotonic()
        while self._young and (self._young[0][0] <= now or self._young[0][1]._status is not None):
            self._grow_up(self._young.popleft()[1], now)
        if self.has_ended and self._wave_at is None:
            self._wave_at = now + (_WAVE if len(self.has_ended) < _CROWD else 0.0)
        hurries = self.urgent and now >= self._not_before
        if hurries or (self._wave_at is not None and now >= self._wave_at):
            self._wave()
        if self.ladder_at is not None and now >= self.ladder_at:
            self.climb(time.monotonic())

    def _greet(self) -> None:
        """Take who was born since. After a while without anybody the loop may sleep for longer."""
        if self._alert and not self._young and not self._newborn:
            self._alert = False
        while self._newborn:
            self.took(self._newborn.popleft())

    # --- ends ------------------------------------------------------------------------------------

    def _grow_up(self, handle: ExecHandle, now: float) -> None:
        """It has lived for a while. One whose caller waits for it gets some more: that one sees
        the end, and neither selector nor sentinel need ever hear of it."""
        waited_for = handle._waiters and not handle._wanted and not handle._timers
        if waited_for and handle._status is None:
            # among its timers, so that none is kept for longer than the process
            handle._timers.append(self.loop.at(now + _WAITED, lambda: self._watch(handle)))
        else:
            self._watch(handle)

    def _watch(self, handle: ExecHandle) -> None:
        if handle._status is None and not handle._handed and handle in self.trace:
            assert self._watcher is not None, "the loop is open"
            handle._handed = True
            self._watcher.watch(handle._process, handle)
            self.post_to_sentinel(handle)

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
        try:
            grown = set(self.trees.scan(handle._tree for handle in batch if not handle._over))
        except OSError as e:
            self.put_off(e, lambda: self.has_ended.extend(batch))
            return
        now = time.monotonic()
        self._not_before = now + _SHARE * (now - began)
        moves: list[tuple[ExecHandle, Move]] = []
        for handle in batch:
            if handle in self.trace and not handle._over:
                self._judge(handle, now, moves)
        for handle in list(self.trace) if grown else ():
            if handle in grown:  # they were planted under their handles
                move = handle._stopping.grown(leader_lives=handle._status is None)
                if move is not None:
                    moves.append((handle, move))
        self.perform(moves)

    def _judge(self, handle: ExecHandle, now: float, moves: list[tuple[ExecHandle, Move]]) -> None:
        """Its leader has ended: is anything left?"""
        if not handle._exit_told:
            handle._exit_told = True
            self.teller.tell("exited", handle.name, handle.pid, str(handle._status))
        if handle._tree.is_empty():
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
