"""Stops: whose ladder begins, who takes the next step, and what that does to the trees."""

from __future__ import annotations

import sys
import time

from procession.core.stop import Ask, GiveUp, Kill
from procession.executor._values import IDLE, STOPPED, TIMED_OUT
from procession.process.handle import signal_number

if sys.platform == "win32":
    from procession.executor._outlive_windows import Outlive
    from procession.executor._signals_windows import SIGKILL
else:
    from signal import SIGKILL

    from procession.executor._outlive import Outlive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque

    from procession.core.stop import Ladder, Move
    from procession.executor._handle import ExecHandle
    from procession.executor._loop import Timer
    from procession.process._tree import Sent


class Stops(Outlive):
    """A part of the `Keeper`."""

    has_ended: deque[ExecHandle]
    urgent: bool
    ladder_at: float | None

    def attend(self, handle: ExecHandle) -> None:
        raise NotImplementedError

    # --- stops -----------------------------------------------------------------------------------

    def stop_all(self, cap: float, force: bool) -> None:
        """Everything at the same time, each by its own ladder, none longer than `cap` seconds."""
        now = time.monotonic()
        moves: list[tuple[ExecHandle, Move]] = []
        for handle in list(self.trace):
            if handle._over:
                continue
            handle._wanted = True
            stopping = handle._stopping
            move = stopping.begin(handle._request.stop, now, STOPPED, cap)
            if force:
                move = stopping.force(now) or move
            if move is not None:
                moves.append((handle, move))
            self.attend(handle)
        self.ladder_at = now
        self.perform(moves)

    def begin_stop(self, handle: ExecHandle, ladder: Ladder, cause: str, cap: float | None) -> None:
        if handle not in self.trace or handle._over:
            return
        now = time.monotonic()
        handle._wanted = True
        if handle.poll() is not None:
            # what asks for the end of the dead alone is no stop
            try:
                self.trees.scan((handle._tree,))
            except OSError as e:
                self.put_off(e, lambda: self.begin_stop(handle, ladder, cause, cap))
                return
            if handle._over or handle._tree.is_empty():
                self.attend(handle)
                return
            cause = ""
        move = handle._stopping.begin(ladder, now, cause, cap)
        self.attend(handle)
        self.ladder_at = now
        if move is not None:
            self.perform([(handle, move)])

    def climb(self, now: float) -> None:
        """Whose time is over takes the next step; then, when to look again."""
        self.ladder_at = None
        moves: list[tuple[ExecHandle, Move]] = []
        for handle in list(self.trace):
            if handle._over or handle._stop is None:
                continue
            move = handle._stop.expired(now)
            if move is not None:
                moves.append((handle, move))
        self.perform(moves)
        stops = [h._stop for h in list(self.trace) if not h._over]
        deadlines = [stop.deadline for stop in stops if stop is not None]
        self.ladder_at = min((at for at in deadlines if at is not None), default=None)

    def perform(self, moves: list[tuple[ExecHandle, Move]]) -> None:
        moves = [(handle, move) for handle, move in moves if not handle._over]
        if not moves:
            return
        asks = [(handle, move) for handle, move in moves if isinstance(move, Ask)]
        doomed = [handle for handle, move in moves if isinstance(move, Kill)]
        self._ask(asks)
        for handle, move in moves:
            if handle._stopping.steps and not (isinstance(move, Ask) and move.unheard):
                self.teller.tell(
                    "stop step", handle.name, handle.pid, handle._stopping.steps[-1][1]
                )
        self._kill(doomed)
        for handle, move in moves:
            if isinstance(move, GiveUp):
                self.over(handle, gave_up=True)

    def _ask(self, asks: list[tuple[ExecHandle, Ask]]) -> None:
        asks = [(handle, move) for handle, move in asks if not handle._over]
        if asks:
            wanted = [(h._tree, signal_number(m.signal), m.to, m.unheard) for h, m in asks]
            try:
                told = self.trees.tell_many(wanted)
            except OSError as e:
                self.put_off(e, lambda: self._ask(asks))
                return
            self._pass_over(asks, told)

    def _pass_over(self, asks: list[tuple[ExecHandle, Ask]], told: list[Sent]) -> None:
        """Of those that live and that nothing can reach, the next step is due at once."""
        now = time.monotonic()
        for (handle, move), sent in zip(asks, told, strict=True):
            reached = sent.pids or sent.refused or move.unheard
            if not reached and handle._tree.members():
                handle._stopping.unheard(now)
                self.ladder_at = now

    def _kill(self, doomed: list[ExecHandle]) -> None:
        doomed = [handle for handle in doomed if not handle._over]
        if not doomed:
            return
        try:
            sent = self.trees.kill_many([handle._tree for handle in doomed])
        except OSError as e:
            for handle in doomed:  # needs nothing
                handle._process.kill_group(SIGKILL)
            self.put_off(e, lambda: self._kill(doomed))
            return
        for handle, what in zip(doomed, sent, strict=True):
            refused = {member.pid for member in what.refused}
            if refused and {member.pid for member in handle._tree.members()} <= refused:
                self.over(handle, gave_up=True)  # only those that we may not signal
            elif handle._saw_end():
                self.has_ended.append(handle)
                self.urgent = True

    # --- time ------------------------------------------------------------------------------------

    def arm(self, handle: ExecHandle) -> None:
        request = handle._request
        if request.timeout is not None:
            at = handle._started_at + request.timeout
            late = self.loop.at(at, lambda: self.begin_stop(handle, request.stop, TIMED_OUT, None))
            self.keep_timer(handle, late)
        if request.idle_timeout is not None:
            self._arm_idle(handle, request.idle_timeout)

    def _arm_idle(self, handle: ExecHandle, seconds: float) -> None:
        def look() -> None:
            if handle not in self.trace:
                return
            if time.monotonic() < handle._idle_since + seconds:
                self._arm_idle(handle, seconds)
            else:
                self.begin_stop(handle, handle._request.stop, IDLE, None)

        self.keep_timer(handle, self.loop.at(handle._idle_since + seconds, look))
        handle._timers = handle._timers[-2:]

    def keep_timer(self, handle: ExecHandle, timer: Timer) -> None:
        """None is kept for longer than the process."""
        with handle._lock:
            handle._timers = (*handle._timers, timer)
            late = handle._over  # in another thread, just now
        if late:
            self.loop.call_off(timer)
