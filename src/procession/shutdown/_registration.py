"""Who wants to be told of the request to stop."""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread

    from ._core import Session


class Registration:
    """A wish to be told of the request to stop. `cancel()` takes it back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.leave: Callable[[], object] = bool  # what ends its use of the installation
        self.claimed = False  # the request took it: it is acted on, or was
        self.cancelled = False

    def cancel(self) -> bool:
        """Take the wish back. True if it will never be acted on; False if it was already.

        Never waits for a callback under way. When the last user of the process-wide
        installation goes with it, the handlers, the signal mask and the wakeup descriptor that
        were found are put back. Only the main thread can do that: called elsewhere, what is
        installed stays until the next signal, which then does what it would have done without
        it. Any thread; not in a signal handler. Again: does nothing and answers the same.
        """
        if self._session.withdraw(self):
            self._withdrawn()
        self.leave()
        return self.cancelled

    def _withdrawn(self) -> None:
        """It was taken out just now, before anything came of it."""


class Callback(Registration):
    """A callback, with the thread that waits to run it.

    The thread exists before the request: once the main thread has returned, CPython from 3.12 on
    starts no new one, and that is when a program that lives in other threads is asked to stop.
    """

    def __init__(self, session: Session, callback: Callable[[], object]) -> None:
        super().__init__(session)
        self._callback = callback
        self._gate = allocate_lock()
        self._gate.acquire()
        self.thread: Thread

    def start(self, daemon: bool) -> None:
        import threading

        self.thread = threading.Thread(
            target=self._run, name="procession-shutdown-callback", daemon=daemon
        )
        self.thread.start()

    def open_gate(self) -> None:
        self._gate.release()

    def _withdrawn(self) -> None:
        self.open_gate()
        self.thread.join()

    def _run(self) -> None:
        self._gate.acquire()
        if self.cancelled:
            return
        try:
            self._callback()
        except SystemExit:
            pass  # as in any thread: it ends this callback and nothing else
        except BaseException:  # noqa: BLE001 (logged, with the traceback)
            log(f"the shutdown callback {self._callback!r} failed; the others go on")
        finally:
            self._session.finished(self)


class Listener(Registration):
    """Something short that runs in the thread that heard the request. It must not block."""

    def __init__(self, session: Session, tell: Callable[[], object]) -> None:
        super().__init__(session)
        self._tell = tell

    def tell(self) -> None:
        try:
            self._tell()
        except BaseException:  # noqa: BLE001 (logged, with the traceback)
            log(f"{self._tell!r} failed when told of the request to stop")


def warn(message: str) -> None:
    import logging

    logging.getLogger("procession.shutdown").warning(message)


def log(message: str) -> None:
    """With the traceback of the exception that is being handled."""
    import logging  # 19 ms: paid by the program whose callback fails

    logging.getLogger("procession.shutdown").exception(message)
