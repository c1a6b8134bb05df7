"""Hear the request to stop, reliably, in a program that any process manager may host.

    from procession import shutdown

    shutdown.wait_exit()                        # block until asked to stop
    shutdown.wait_exit_callback(server.stop)    # or be called
    shutdown.wait_exit_stop_loop(loop)          # or have an asyncio loop stopped
    await shutdown.wait_exit_async()            # or await it: asyncio, uvloop, trio, anyio
    while not stop.requested: ...               # or ask: stop = shutdown.Shutdown()

On POSIX a request is SIGINT (what Ctrl-C sends) or SIGTERM, also where the program was started
with these ignored or blocked. On Windows it is WM_CLOSE, the end of the session, or a console
event (Ctrl-C, Ctrl-Break, the console closed). SIGKILL and TerminateProcess cannot be heard.

Importing this installs nothing. The first call of any of these in the main thread does, and
from then on Ctrl-C raises no KeyboardInterrupt: it is a request. Other threads can wait once that
is done. A request that came between the installation and the wait is not lost: whoever asks
later gets it at once. One request is one for the whole process: everybody is told of it, later
ones are counted.

What is installed stays until the process ends. `Registration.cancel()` and leaving
`with Shutdown():` give it back, with all that was found, when nobody else uses it.

A child made by fork begins as if nothing were installed, since its parent's waits are not its
own; it installs for itself by the same calls.

Standard library only. No function here may be called from a signal handler.
"""

from __future__ import annotations

from ._registration import Registration
from ._request import NotInstalledError, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType
    from typing import Literal, Self

    from ._core import Session

__all__ = [
    "NotInstalledError",
    "Registration",
    "Request",
    "Shutdown",
    "install",
    "wait_exit",
    "wait_exit_async",
    "wait_exit_callback",
    "wait_exit_stop_loop",
]


def install(*, repeated: Literal["ignore", "force"] = "ignore", wakeup_fd: bool = True) -> None:
    """Begin to hear requests, for the life of the process. Main thread. Again: does no harm.

    Call it early, and before threads that will wait. On POSIX it starts no thread; waits,
    callbacks and "force" do, and CPython 3.12+ warns of a fork in a process that has threads.

    repeated   what a second request does. "ignore": it is counted (`Shutdown.count`).
               "force": it ends the process at once by `os._exit(128 + N)`, N being the signal
               number: no clean-up, no flush. Some managers repeat their signal until a program
               is gone, and a terminal's Ctrl-C may arrive twice where a parent forwards it as
               well; so it is not the default.
    wakeup_fd  False: leave `signal.set_wakeup_fd` alone (trio warns when it is taken). Requests
               are then heard by the signal handler alone, which CPython runs only when the
               main thread is between bytecodes, not inside a long call into C.

    Raises NotInstalledError off the main thread if nothing is installed yet.
    """
    from . import _hub

    _hub.hold(
        _hub.FOR_LIFE,
        "procession.shutdown.install()",
        force=_force(repeated),
        share=not wakeup_fd,
        retake=True,
    )


def wait_exit(timeout: float | None = None) -> Request | None:
    """Block until the process is asked to stop, and tell how; None if `timeout` seconds passed.

    Returns at once when it was asked already, so a second call does not wait for a second
    request. `timeout` None waits for ever; 0 or less only looks. Any thread, several at a time;
    off the main thread something must be installed (NotInstalledError otherwise). The main
    thread goes on running signal handlers of other signals while it waits.
    """
    from . import _hub

    session = _hub.hold(_hub.FOR_LIFE, "procession.shutdown.wait_exit()", retake=True)
    return session.wait(timeout)


async def wait_exit_async(timeout: float | None = None) -> Request | None:
    """`wait_exit` for a coroutine: under asyncio and uvloop, trio, and anyio on either.

    Blocks no loop; can be cancelled. The rules on threads are those of `wait_exit`.
    """
    from . import _async, _hub

    session = _hub.hold(_hub.FOR_LIFE, "procession.shutdown.wait_exit_async()", retake=True)
    return await _async.wait(session, timeout)


def wait_exit_callback(callback: Callable[[], object]) -> Registration:
    """Return at once; call `callback()` when the process is asked to stop.

    It is called exactly once, in a thread of its own that is not the main thread, so it may
    block; at once if the process was asked already. Several may be registered, also the same one
    twice; they run side by side. One that raises is logged (`procession.shutdown`, by `logging`)
    and stops none of the others.

    A callback under way is finished before the process exits. A program that ends by itself does
    not wait for a request; one that arrives when the main thread and all non-daemon threads have
    ended calls nothing. In the time between the end of the main thread and that of the process
    CPython 3.12+ starts no new thread, in a callback neither.

    Any thread; off the main thread something must be installed (NotInstalledError otherwise).
    RuntimeError when the interpreter ends already.
    """
    from . import _hub

    user = object()
    session = _hub.hold(user, "procession.shutdown.wait_exit_callback()")
    try:
        wish = session.add_callback(callback)
    except RuntimeError:
        _hub.release(user, session)
        raise
    session.ear.listen()
    wish.leave = lambda: _hub.release(user, session)
    return wish


def wait_exit_stop_loop(loop: asyncio.AbstractEventLoop) -> Registration:
    """Return at once; call `loop.stop()`, in the loop's own thread, when asked to stop.

    For `loop.run_forever()`. A loop that is not running yet stops in its first round; one closed
    meanwhile is left alone. What `run_until_complete` and `asyncio.run` wait for is not ended by
    `stop()` (they raise RuntimeError): there, await `wait_exit_async()`. Rules on threads as for
    `wait_exit_callback`.
    """
    from . import _async, _hub

    user = object()
    session = _hub.hold(user, "procession.shutdown.wait_exit_stop_loop()")
    session.ear.listen()
    wish = session.add_listener(lambda: _async.tell_loop(loop, loop.stop))
    wish.leave = lambda: _hub.release(user, session)
    return wish


class Shutdown:
    """The request to stop, for a program that asks, or that gives back what it installed.

        stop = Shutdown()
        while not stop.requested:
            work()

        with Shutdown(reraise=True) as stop:
            stop.wait()
            clean_up()

    The constructor installs, for the life of the process; used by `with`, until the end of the
    block. Leaving the last user's block gives back the signal handlers, the signal mask and
    the wakeup descriptor as they were found, and ends all threads of this module.

    repeated, wakeup_fd   see `install`; once asked for, they hold until nobody is left
    reraise               when the block is left as the last user, and without an exception, and a
                          signal was the request: send it to oneself again, so that the exit status
                          tells "killed by N" (SIGINT too, with no KeyboardInterrupt). Standard
                          output and error are flushed before; what atexit would have done is
                          not done if it kills. Make it the outermost block.

    Main thread, or any once something is installed (NotInstalledError otherwise). The methods
    may be called in any thread, and in no signal handler. In a child after fork the object is new:
    it has not been requested, and its first use in the child's main thread installs there.
    """

    def __init__(
        self,
        *,
        repeated: Literal["ignore", "force"] = "ignore",
        reraise: bool = False,
        wakeup_fd: bool = True,
    ) -> None:
        self._force = _force(repeated)
        self._reraise = reraise
        self._share = not wakeup_fd
        self._left = False
        self._session = self._hold()

    def _hold(self) -> Session:
        from . import _hub

        return _hub.hold(
            self, "procession.shutdown.Shutdown", force=self._force, share=self._share, retake=True
        )

    def _live(self) -> Session:
        import os

        if self._session.pid != os.getpid() and not self._left:
            self._session = self._hold()
        return self._session

    @property
    def requested(self) -> bool:
        """Has the process been asked to stop? After the block: had it been, until its end?"""
        return self.request is not None

    @property
    def request(self) -> Request | None:
        """The first request, with the number of all as `count`; None if there was none."""
        session = self._live()
        return session.known() if self._left else session.look()

    @property
    def count(self) -> int:
        """How many requests have arrived, `trigger` included."""
        request = self.request
        return 0 if request is None else request.count

    def wait(self, timeout: float | None = None) -> Request | None:
        """`wait_exit`, on this object. RuntimeError after its block was left unrequested."""
        session = self._live()
        if not self._left:
            return session.wait(timeout)
        if session.requested:
            return session.known()
        raise RuntimeError("wait() on a Shutdown whose `with` block was left: nobody hears for it")

    async def wait_async(self, timeout: float | None = None) -> Request | None:
        """`wait_exit_async`, on this object. RuntimeError as for `wait`."""
        session = self._live()
        if self._left:
            return self.wait()
        from . import _async

        return await _async.wait(session, timeout)

    def trigger(self, reason: str = "") -> None:
        """Ask this process to stop, from within: everybody who waits is told, callbacks run.

        As any request it is counted when it is not the first; it never forces.
        """
        from time import monotonic

        self._live().take(Request("program", None, reason, monotonic()))

    def __enter__(self) -> Self:
        if self._left:
            self._session = self._hold()
            self._left = False
        self._live()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        from . import _hub

        session = self._live()
        self._left = True
        last = _hub.release(self, session)
        request = session.known()
        if last and self._reraise and exc_type is None and request and request.signal:
            _die_by(request.signal)


def _die_by(signum: int) -> None:
    """Does not return where the signal's action is the default one of the system."""
    import signal
    import sys

    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if signal.getsignal(signum) is signal.default_int_handler:
        # Python's own for SIGINT: a KeyboardInterrupt out of here would show our insides
        signal.signal(signum, signal.SIG_DFL)
    signal.raise_signal(signum)


def _force(repeated: str) -> bool:
    if repeated not in ("ignore", "force"):
        raise ValueError(f"repeated={repeated!r}: expected 'ignore' or 'force'")
    return repeated == "force"
