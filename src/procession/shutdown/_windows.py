"""Hearing WM_CLOSE, the end of the session and console events on Windows. Policy only.

The calls are in `_windows_api.py`; here an object with the same methods does, so that this can be
tested anywhere.

One thread of ours owns two windows that nobody sees:
- a message-only window: what a manager finds that looks for windows below HWND_MESSAGE; it gets
  no broadcasts (https://learn.microsoft.com/windows/win32/winmsg/window-features#message-only-windows);
- a hidden top-level window: it gets WM_QUERYENDSESSION and WM_ENDSESSION, and is found by
  `taskkill` and whoever lists top-level windows.

Console events come in threads that the system starts. A process that has loaded user32, as one
with windows has, gets CTRL_LOGOFF and CTRL_SHUTDOWN no more, which is why the windows must hear of
the end of the session (https://learn.microsoft.com/windows/console/setconsolectrlhandler).
"""

from __future__ import annotations

import signal
import sys
from _thread import allocate_lock

from ._registration import log, warn
from ._signals import Signals, start_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable
    from threading import Thread
    from typing import Protocol

    from ._core import Session

    class WindowsApi(Protocol):
        """What `_windows_api.py` calls. A failed call raises OSError."""

        def register_class(self, name: str, procedure: Procedure) -> None:
            """Not again before it was unregistered."""

        def unregister_class(self, name: str) -> None:
            """When no window of it is left. The procedure may be called until then."""

        def create_window(self, class_name: str, title: str, message_only: bool) -> int: ...

        def destroy_window(self, window: int) -> None:
            """In the thread that created it."""

        def get_message(self) -> bool:
            """Wait for a message to this thread's windows, and have it handled. False: WM_QUIT."""

        def post_message(self, window: int, message: int) -> None: ...

        def post_quit(self) -> None:
            """`get_message` of this thread answers False from now on."""

        def block_shutdown(self, window: int, reason: str) -> None: ...

        def unblock_shutdown(self, window: int) -> None: ...

        def add_console_handler(self, handler: Callable[[int], bool]) -> None:
            """One at a time. Called in a thread of the system's; True: it was handled."""

        def remove_console_handler(self) -> None: ...

        def is_service(self) -> bool:
            """Does this process run in session 0, where no user is logged on?"""

    # window, message, wparam, lparam -> result, or None: as the system does by default
    Procedure = Callable[[int, int, int, int], int | None]

CLASS = "ProcessionShutdown"

WM_CLOSE = 0x0010
WM_QUERYENDSESSION = 0x0011
WM_ENDSESSION = 0x0016
WM_LEAVE = 0x8000 + 0x50  # WM_APP and up: private to the owner of the window class

CTRL_C, CTRL_BREAK, CTRL_CLOSE, CTRL_LOGOFF, CTRL_SHUTDOWN = 0, 1, 2, 5, 6

# Seconds the system allows by default before it ends the process (HungAppTimeout,
# WaitToKillAppTimeout, WaitToKillServiceTimeout; an administrator may have changed them).
CLOSE_GRACE = 5.0
SERVICE_GRACE = 20.0

# Seconds `retire` waits for the message thread; a window busy with the end of the session keeps it.
_LEAVE_TIMEOUT = 1.0

_SIGNALS: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
if sys.platform == "win32":
    _SIGNALS = (*_SIGNALS, signal.SIGBREAK)

# The class is there while windows of it are. Those of two sessions may be for a moment, when one
# begins before the thread of the one before has ended.
_classes = allocate_lock()
_registered: set[int] = set()  # by `WindowsApi`
_by_window: dict[int, WindowsEar] = {}


class WindowsEar:
    """One installation on Windows. See `_core.Ear` for the contract."""

    def __init__(self, session: Session, api: WindowsApi | None = None) -> None:
        self._session = session
        self._api = api if api is not None else _system()
        # What reaches Python's own handlers: raise_signal and interrupt_main, within the process.
        self._signals = Signals(session, _SIGNALS)
        self._windows: list[int] = []
        self._thread: Thread | None = None
        self._lock = allocate_lock()
        self._over = allocate_lock()  # held until clean-up has ended
        self._over.acquire()
        self._parked = 0
        self._opened = False

    @property
    def arrived(self) -> bool:
        return self._signals.arrived

    def open(self) -> None:
        self._signals.open()
        if self._opened:
            return
        self._opened = True
        self._api.add_console_handler(self._on_console)
        ready = allocate_lock()
        ready.acquire()
        self._thread = start_thread(lambda: self._own_windows(ready), "procession-shutdown-windows")
        ready.acquire()

    def listen(self) -> None:
        self._signals.listen()

    def pump(self) -> None:
        self._signals.pump()

    def step(self) -> float | None:
        return None  # requests come in threads of their own, whatever the main thread does

    def share(self) -> None:
        pass  # the wakeup descriptor is not used here

    def close(self) -> None:
        self._end_session_waits()
        self._leave(None)
        self._api.remove_console_handler()
        self._signals.stop()
        self._signals.pump()
        self._signals.put_back()

    def orphan(self, orphaned: bool) -> bool:
        self._signals.orphaned = orphaned
        return not self._signals.aside

    def abandon(self) -> None:
        raise NotImplementedError("there is no fork on Windows")

    def retire(self, requested: bool) -> None:
        # No callback of the system may meet an interpreter that is gone. The C runtime, which has
        # its own console handler, heeds what is ignored here for Ctrl-C and Ctrl-Break.
        if requested:
            self._signals.ignore()
        else:
            self._signals.late = True
        if self._parked:
            return  # the system holds the list of handlers while one runs: removing would hang
        self._api.remove_console_handler()
        self._leave(_LEAVE_TIMEOUT)

    # ---- console events: each in a thread of the system's

    def _on_console(self, event: int) -> bool:
        if self._signals.orphaned:
            return False
        if event == CTRL_C:
            self._session.heard("console", "CTRL_C_EVENT", "console", signal.SIGINT)
        elif event == CTRL_BREAK:
            sigbreak = getattr(signal, "SIGBREAK", None)
            self._session.heard("console", "CTRL_BREAK_EVENT", "console", sigbreak)
        elif event == CTRL_CLOSE:
            self._hear_and_park("CTRL_CLOSE_EVENT", CLOSE_GRACE)
        elif event == CTRL_LOGOFF:
            # Services are told of everybody's log-off, and it is not theirs.
            if not self._api.is_service():
                self._hear_and_park("CTRL_LOGOFF_EVENT", CLOSE_GRACE)
        elif event == CTRL_SHUTDOWN:
            grace = SERVICE_GRACE if self._api.is_service() else CLOSE_GRACE
            self._hear_and_park("CTRL_SHUTDOWN_EVENT", grace)
        else:
            return False
        return True

    def _hear_and_park(self, reason: str, grace: float) -> None:
        """The process ends when this event's handler returns, or when its grace is over."""
        self._session.heard("console", reason, "console", None, grace)
        self._park()

    def _park(self) -> None:
        """Until the last user has left, or with the process."""
        with self._lock:
            self._parked += 1
        self._over.acquire()
        self._over.release()

    def _end_session_waits(self) -> None:
        if self._over.locked():
            self._over.release()

    # ---- windows: all in one thread

    def _own_windows(self, ready: LockType) -> None:
        """The life of the message thread. Without windows there is still the console."""
        try:
            self._create_windows()
        finally:
            ready.release()
        if not self._windows:
            self._destroy_windows()  # the class may be there all the same
            return
        try:
            while self._api.get_message():
                pass
        except OSError:
            log("the windows hear no more")
        self._destroy_windows()

    def _create_windows(self) -> None:
        """Both, or the one that can be had: without a desktop there is no top-level window."""
        for message_only, loss in (
            (True, "managers that look for a message-only window will find none"),
            (False, "the end of the session will not be heard"),
        ):
            try:
                window = self._create_window(message_only)
            except OSError as error:
                warn(f"{loss}: {error}")
                continue
            self._windows.append(window)

    def _create_window(self, message_only: bool) -> int:
        with _classes:
            if id(self._api) not in _registered:
                self._api.register_class(CLASS, _procedure)
                _registered.add(id(self._api))
            window = self._api.create_window(CLASS, "procession", message_only)
            _by_window[window] = self
            return window

    def _destroy_windows(self) -> None:
        with _classes:
            for window in self._windows:
                _by_window.pop(window, None)
                self._api.destroy_window(window)
            self._windows.clear()
            if not _by_window and id(self._api) in _registered:
                _registered.remove(id(self._api))
                self._api.unregister_class(CLASS)

    def _leave(self, timeout: float | None) -> None:
        """End the message thread and its windows."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        for window in self._windows[:1]:
            self._api.post_message(window, WM_LEAVE)
        thread.join(timeout)

    def _on_message(self, window: int, message: int, wparam: int) -> int | None:
        if message == WM_LEAVE:
            if self._thread is None:  # posted by `_leave`, by nobody else
                self._api.post_quit()
            return 0
        if self._signals.orphaned:
            return None
        if message == WM_CLOSE:
            # By default the window would be destroyed, and the next request heard by nobody.
            self._session.heard("window", "WM_CLOSE", str(window))
            return 0
        if message == WM_QUERYENDSESSION:
            self._api.block_shutdown(window, "Finishing its work")
            return 1
        if message == WM_ENDSESSION:
            if wparam:
                # The process may be ended as soon as this returns.
                self._session.heard("session", "WM_ENDSESSION", str(window), None, CLOSE_GRACE)
                self._park()
            else:
                self._api.unblock_shutdown(window)  # another program refused; nothing ends
            return 0
        return None


def _procedure(window: int, message: int, wparam: int, lparam: int) -> int | None:
    """Of the window class, for all sessions that this process will have."""
    ear = _by_window.get(window)
    return None if ear is None else ear._on_message(window, message, wparam)


def _system() -> WindowsApi:
    if sys.platform == "win32":
        from ._windows_api import api

        return api
    raise NotImplementedError("Windows only")
