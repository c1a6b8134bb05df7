"""Which thread turns the executor's loop, and how requests reach it.

A *serving* thread (`run`, `start`) launches for others. Where there is none, and the main thread
has launched something by itself, a housekeeping thread looks after that, launches nothing, and goes
away when there is nothing left to look after, or when a serving thread takes over.

While a thread of ours serves (`start`), a thread that asks launches by itself, and hands over what
it started: one thread that launches for 32 is the slowest of them. `run` launches in the main
thread, for the others too; so does the thread of `start` for one that has blocked signals.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque

from procession.errors import ProcessionError
from procession.executor._births import Births
from procession.executor._events import log
from procession.executor._finish import ASK_AGAIN
from procession.executor._keeper import Keeper
from procession.executor._launching import OPEN, STOPPED, STOPPING
from procession.executor._queue import SERVING, Queue
from procession.process.latch import Latch

_LINGER = 0.2  # seconds the housekeeping thread stays when there is nothing to do
_FORCED = 3  # times that a loop which fails is tried again, to see the end of what was killed


class WrongThreadError(ProcessionError, RuntimeError):
    """The call is not for this thread."""


class WrongMomentError(ProcessionError, RuntimeError):
    """`executor.containment` was set while processes live."""

    def __init__(self) -> None:
        super().__init__(
            "executor.containment: it was set while processes of this executor live; "
            "expected before the first one is started, or after `stop()`"
        )


class Driver(Queue):
    """A part of the `Executor`."""

    orphans: str
    _containment: str

    def _init(self) -> None:
        self._births = Births()
        self._grace = 3.0  # seconds, of the last `stop`
        # Of the state below. Reentrant: a signal handler in a thread that holds it may call `stop`.
        self._lock = threading.RLock()
        self._state = OPEN
        self._mode: str | None = None  # how the loop is turned: one of SERVING, or `house`
        self._thread: threading.Thread | None = None
        self._turning: Latch | None = None  # falls when that is over
        self._takeover = False
        self._closing = False  # what launches use is about to be closed, or to be another
        self._queue = deque()
        self._waiting = deque()
        self._keeper = Keeper(self._ensure_driver, self._births, self.orphans, self._containment)

    def _after_fork(self) -> None:
        """In the child: nothing of this is its own. Locks may be held by threads that are not."""
        old = self._keeper
        old.abandon()
        self._init()

    def _check_main_thread(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise WrongThreadError(
                "executor.run(): called in a thread that is not the main one. "
                "Call `executor.start()`, which serves in a thread of its own"
            )

    def _check_not_turner(self) -> None:
        if threading.get_ident() == self._keeper.turner:
            raise WrongThreadError(
                "executor.join(): called in the executor's own thread, by a callback, which would "
                "wait for its own end. Call it in another thread"
            )

    # --- turning ---------------------------------------------------------------------------------

    def _serve(self, mode: str, ready: Latch | None = None) -> None:
        """Turn the loop in this thread until `stop()` was asked for and nothing lives."""
        self._take_over(mode)
        keeper = self._keeper
        try:
            for _ in range(len(self._queue)):
                keeper.loop.post(self._serve_one)
            if ready is not None:
                ready.fall()
            while not self._is_over():
                keeper.turn()
        except BaseException:
            self._bring_down()
            raise
        finally:
            self._end_serving()

    def _take_over(self, mode: str) -> None:
        self._end_house()
        try:
            with self._lock:
                self._keeper.turner = threading.get_ident()
                self._keeper.open()
                self._mode = mode
                self._thread = threading.current_thread() if mode == "start" else None
                self._turning = Latch()
                if self._state == STOPPED:
                    self._state = OPEN
        except BaseException:  # nothing has changed, then
            with self._lock:
                if self._mode is None:
                    self._close()
            raise
        finally:
            self._house_may_begin()

    def _end_house(self) -> None:
        """There is no housekeeping thread, and none begins until `_house_may_begin`."""
        with self._lock:
            if self._mode in SERVING or self._takeover:
                raise WrongThreadError("executor: it is being served already, by another thread")
            self._takeover = True
            house = self._thread
        try:
            if house is not None:
                self._keeper.loop.post(int)  # to wake it
                house.join()
        except BaseException:
            self._house_may_begin()
            raise

    def _house_may_begin(self) -> None:
        with self._lock:
            self._takeover = False
            lost = self._mode is None and bool(self._keeper.trace)
        if lost:
            self._ensure_driver()

    def _set_containment(self, kind: str) -> None:
        """Of what is started from here on."""
        self._end_house()
        try:
            with self._lock:
                self._closing = True  # who begins a launch after this waits for the lock
                try:
                    if self._births or self._keeper.trace:
                        raise WrongMomentError
                    self._containment = self._keeper.containment = kind
                finally:
                    self._closing = False
        finally:
            self._house_may_begin()

    def _is_over(self) -> bool:
        keeper = self._keeper
        if self._state != STOPPING or self._births:  # first: who is born goes to the trace
            return False
        return not keeper.trace and not keeper.loop.has_calls

    def _bring_down(self) -> None:
        """Whatever ended the loop: nothing outlives it. What comes in between (a second Ctrl-C, a
        callback that calls `sys.exit()`) kills at once, and is not what ends it."""
        for grace in (3.0, *(0.0,) * _FORCED):
            try:
                self._state = STOPPING
                self._births.await_others()
                self._refuse_all()
                self._keeper.stop_all(grace, force=grace == 0)
                while not self._is_over():
                    self._keeper.turn()
                return
            except BaseException as e:  # noqa: BLE001 - the first is raised when this is over
                log.debug("the executor is being brought down, and was interrupted: %r", e)

    def _end_serving(self) -> None:
        with self._lock:
            self._state = STOPPED
            self._close()
        self._refuse_all()
        self._keeper.teller.end()
        if self._keeper.trace:
            self._ensure_driver()  # killed, and not seen to end: somebody may wait for that

    def _start_thread(self) -> None:
        ready = Latch()
        failed: list[BaseException] = []

        def serve() -> None:
            try:
                self._serve("start", ready)
            except BaseException as e:  # noqa: BLE001 - told to who waits, or else logged
                failed.append(e)
                if ready.fell:
                    log.critical("the executor's thread failed", exc_info=e)
            finally:
                ready.fall()

        threading.Thread(target=serve, name="procession-executor", daemon=True).start()
        ready.wait()
        if failed:
            raise failed[0]

    def _ensure_driver(self) -> None:
        """Somebody turns the loop; if need be a thread that does nothing else."""
        if self._mode is not None:
            with self._lock:  # one that is about to end has ended after this
                if self._mode is not None:
                    return
        with self._lock:
            if self._mode is None and not self._takeover:
                self._mode = "house"
                self._turning = Latch()
                self._thread = threading.Thread(
                    target=self._keep_house, name="procession-housekeeping", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError as e:  # all that Python says of EAGAIN
                    self._mode = self._thread = self._turning = None
                    raise BlockingIOError(errno.EAGAIN, str(e)) from e

    def _keep_house(self) -> None:
        keeper = self._keeper
        keeper.turner = threading.get_ident()
        try:
            self._open_house()
            idle_since: float | None = None
            while True:
                busy = bool(keeper.trace or keeper.loop.has_calls)
                now = time.monotonic()
                idle_since = None if busy else idle_since or now
                if self._takeover or (idle_since is not None and now >= idle_since + _LINGER):
                    self._births.await_others()
                    if self._close_house():
                        return
                    continue
                keeper.turn(None if busy else _LINGER)
        except BaseException:
            while not self._close_house(anyway=True):
                self._births.await_others()
            raise

    def _close_house(self, anyway: bool = False) -> bool:
        """False: something is launched, and would use descriptors that are closed here, or there
        is something to look after."""
        keeper = self._keeper
        with self._lock:
            self._closing = True  # who begins a launch after this waits for the lock
            try:
                busy = bool(keeper.trace or keeper.loop.has_calls)
                if self._births or (busy and not self._takeover and not anyway):
                    return False
                self._close()
                return True
            finally:
                self._closing = False

    def _open_house(self) -> None:
        """Nobody waits here for what is short, and nobody else would look after what lives."""
        while not self._takeover:
            try:
                self._keeper.open()
                return
            except OSError as e:
                self._keeper.tell_short(e)
            time.sleep(ASK_AGAIN)

    def _close(self) -> None:
        """Nothing is launched meanwhile: it would use descriptors that are closed here."""
        self._keeper.close()
        self._keeper.turner = 0
        self._mode = None
        self._thread = None
        turning, self._turning = self._turning, None
        if turning is not None:
            turning.fall()
