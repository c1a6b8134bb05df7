"""Requests that wait for the thread that serves, and how it answers them."""

from __future__ import annotations

import threading
import time

from procession.executor._events import log
from procession.executor._finish import SHORT
from procession.executor._launching import OPEN, Launching, patience_of, told
from procession.executor._values import ExecutorStopped, NotServedError
from procession.process.latch import Latch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from procession.executor._handle import ExecHandle
    from procession.executor._launch import Newborn
    from procession.executor._request import Request

SERVING = ("run", "start")
_WARN_AFTER = 5.0  # seconds that nobody serves


class Ticket:
    """A request in the queue, and its answer."""

    __slots__ = ("error", "latch", "newborn", "request", "thread")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.thread = threading.get_ident()  # that waits for it
        self.latch = Latch()
        self.newborn: Newborn | None = None
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.latch.fall()


class Queue(Launching):
    """A part of the `Executor`."""

    _mode: str | None
    _queue: deque[Ticket]
    _waiting: deque[Ticket]  # for what was short

    def _ask_for(self, request: Request, patience: float | None) -> ExecHandle:
        """Have it started by the thread that serves."""
        ticket = Ticket(request)
        with self._lock:
            if self._state != OPEN:
                raise ExecutorStopped
            self._queue.append(ticket)
        self._keeper.loop.post(self._serve_one)
        while True:
            newborn = self._await_ticket(ticket, patience)
            try:
                return self._finish_here(newborn)
            except OSError as e:
                if e.errno not in SHORT:
                    raise
                if patience_of(request) is None:
                    raise told(e) from e.__cause__
            ticket = Ticket(request)
            self._keeper.loop.post(self._put_off(ticket))

    def _await_ticket(self, ticket: Ticket, patience: float | None) -> Newborn:
        began = time.monotonic()
        warned = False
        try:
            while not ticket.latch.wait(self._next_wait(began, patience, warned)):
                waited = time.monotonic() - began
                if patience is not None and waited >= patience and self._withdraw(ticket):
                    ticket.fail(NotServedError(ticket.request.name, patience))
                elif not warned and waited >= _WARN_AFTER and self._mode not in SERVING:
                    warned = True
                    log.warning(
                        "%s: waits for %d s to be started, and no thread serves. Call "
                        "`executor.run()` in the main thread, or `executor.start()`",
                        ticket.request.name,
                        _WARN_AFTER,
                    )
        except BaseException:
            if not self._withdraw(ticket):
                ticket.latch.wait()
                if ticket.newborn is not None:
                    self._finish_here(ticket.newborn)  # it was started, and is kept in the trace
            raise
        if ticket.error is not None:
            try:
                raise ticket.error
            finally:
                del ticket  # else the traceback would keep itself alive
        assert ticket.newborn is not None, "it was served"
        return ticket.newborn

    def _next_wait(self, began: float, patience: float | None, warned: bool) -> float | None:
        waited = time.monotonic() - began
        times = [] if warned else [max(0.05, _WARN_AFTER - waited)]
        if patience is not None:
            times.append(max(0.001, patience - waited))
        return min(times) if times else None

    def _withdraw(self, ticket: Ticket) -> bool:
        """False: it is being served already."""
        for tickets in (self._queue, self._waiting):
            try:
                tickets.remove(ticket)
            except ValueError:
                continue
            return True
        return False

    def _refuse_all(self) -> None:
        for tickets in (self._queue, self._waiting):
            while tickets:
                try:
                    ticket = tickets.popleft()
                except IndexError:
                    break  # by another thread, or served
                ticket.fail(ExecutorStopped())

    def _serve_one(self) -> None:
        if self._mode not in SERVING:
            return
        try:
            ticket = self._queue.popleft()
        except IndexError:
            return  # withdrawn, or refused
        self._serve_ticket(ticket)

    def _serve_ticket(self, ticket: Ticket) -> None:
        try:
            ticket.newborn = self._begin_here(ticket.request)
        except OSError as e:
            if e.errno not in SHORT:
                ticket.fail(e)
            elif patience_of(ticket.request) is None:
                ticket.fail(told(e))
            else:
                self._put_off(ticket)()
        except Exception as e:  # noqa: BLE001 - raised where it was asked for
            ticket.fail(e)
        except BaseException:
            ticket.fail(ExecutorStopped())  # Ctrl-C, in the midst of it: all is brought down
            raise
        finally:
            if ticket.newborn is not None:
                self._births.hand_over(ticket.request, ticket.thread)
                ticket.latch.fall()

    def _put_off(self, ticket: Ticket) -> Callable[[], object]:
        """Until what is short may be there again: what the loop's thread has to do for that."""
        wait = patience_of(ticket.request) or 0.0
        ticket.request.tries += 1
        self._waiting.append(ticket)
        if self._state != OPEN:
            self._refuse_all()  # `stop` came between: it looked before we were there

        def again() -> None:
            if ticket in self._waiting:  # else it was refused, or withdrawn
                self._waiting.remove(ticket)
                self._serve_ticket(ticket)

        return lambda: self._keeper.loop.at(time.monotonic() + wait, again)
