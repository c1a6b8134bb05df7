"""The policy on Windows, over a system that is played here: `System` does what the vendor's pages
say that Windows does. That the calls themselves are right is for a run on Windows to show."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from procession import shutdown
from procession.shutdown import Request, Shutdown, _hub
from procession.shutdown import _windows as win
from procession.shutdown._core import Session

pytestmark = pytest.mark.quick

BOUND = 5.0
WM_QUIT = 0x0012


class Reply:
    """What a sender waits for."""

    def __init__(self) -> None:
        self._answer: queue.SimpleQueue[int] = queue.SimpleQueue()

    def give(self, answer: int) -> None:
        self._answer.put(answer)

    def get(self) -> int:
        return self._answer.get(timeout=BOUND)

    def is_there(self) -> bool:
        return not self._answer.empty()


class Thread:
    """A thread's message queue."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[tuple[int, int, int, Reply] | None] = queue.SimpleQueue()


class Window:
    def __init__(self, owner: Thread, procedure: win.Procedure, message_only: bool) -> None:
        self.owner = owner
        self.procedure = procedure
        self.message_only = message_only


class System:
    """A played Windows, as far as `_windows.WindowsApi` goes."""

    def __init__(self) -> None:
        self.classes: dict[str, win.Procedure] = {}
        self.windows: dict[int, Window] = {}
        self.handler: list[object] = []
        self.blocked: set[int] = set()
        self.service = False
        self.refuse_windows: set[bool] = set()
        self.message_error = False
        self.messages_asked_for = 0
        self._threads: dict[int, Thread] = {}
        self._list_of_handlers = threading.RLock()

    def _thread(self) -> Thread:
        return self._threads.setdefault(threading.get_ident(), Thread())

    # what the ear calls

    def register_class(self, name: str, procedure: win.Procedure) -> None:
        if name in self.classes:
            raise OSError(1410, "Class already exists")
        self.classes[name] = procedure

    def unregister_class(self, name: str) -> None:
        if self.windows:
            raise OSError(1412, "Class still has open windows")
        del self.classes[name]

    def create_window(self, class_name: str, title: str, message_only: bool) -> int:
        if message_only in self.refuse_windows:
            raise OSError(5, "Access is denied")
        number = 100 + len(self.windows)
        self.windows[number] = Window(self._thread(), self.classes[class_name], message_only)
        return number

    def destroy_window(self, window: int) -> None:
        if self.windows[window].owner is not self._thread():
            raise OSError(5, "Access is denied")
        del self.windows[window]

    def get_message(self) -> bool:
        self.messages_asked_for += 1
        if self.message_error:
            raise OSError(1400, "Invalid window handle")
        item = self._thread().queue.get()
        if item is None:
            return False
        window, message, wparam, reply = item
        answer = self.windows[window].procedure(window, message, wparam, 0)
        if answer is None and message == win.WM_CLOSE:
            self.destroy_window(window)
        reply.give(0 if answer is None else answer)
        return True

    def post_message(self, window: int, message: int) -> None:
        self.send(window, message)

    def post_quit(self) -> None:
        self._thread().queue.put(None)

    def block_shutdown(self, window: int, reason: str) -> None:
        self.blocked.add(window)

    def unblock_shutdown(self, window: int) -> None:
        self.blocked.discard(window)

    def add_console_handler(self, handler: object) -> None:
        self.handler.append(handler)

    def remove_console_handler(self) -> None:
        if not self._list_of_handlers.acquire(timeout=BOUND):
            raise AssertionError("the list of handlers is in use by one that runs: a deadlock")
        self.handler.clear()
        self._list_of_handlers.release()

    def is_service(self) -> bool:
        return self.service

    # what happens to it

    def send(self, window: int, message: int, wparam: int = 0) -> Reply:
        reply = Reply()
        self.windows[window].owner.queue.put((window, message, wparam, reply))
        return reply

    def broadcast(self, message: int, wparam: int = 0) -> list[Reply]:
        """To all top-level windows: a message-only window is none."""
        return [
            self.send(number, message, wparam)
            for number, window in list(self.windows.items())
            if not window.message_only
        ]

    def console(self, event: int) -> Reply:
        """The system starts a thread for each event, and holds its list while a handler runs."""
        reply = Reply()
        handler = self.handler[-1]
        assert callable(handler)

        def run() -> None:
            with self._list_of_handlers:
                answer = handler(event)
            reply.give(answer)

        threading.Thread(target=run, daemon=True).start()
        return reply


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    played = System()
    monkeypatch.setattr(_hub, "_make_ear", lambda session: win.WindowsEar(session, played))
    yield played
    assert (played.windows, played.handler, played.classes) == ({}, [], {})
    assert not win._registered


def _arrived(stop: Shutdown) -> Request:
    request = stop.wait(BOUND)
    assert request is not None
    return request


def test_ctrl_c_and_ctrl_break_are_requests_and_handled_at_once(system: System) -> None:
    with Shutdown() as stop:
        assert system.console(win.CTRL_C).get() == 1
        request = _arrived(stop)
        assert (request.source, request.reason) == ("console", "CTRL_C_EVENT")
        assert (request.signal, request.deadline) == (signal.SIGINT, None)
        assert system.console(win.CTRL_BREAK).get() == 1
        assert stop.count == 2
        assert system.console(77).get() == 0
        assert stop.count == 2


@pytest.mark.parametrize("event", [win.CTRL_CLOSE, win.CTRL_LOGOFF, win.CTRL_SHUTDOWN])
def test_the_handler_of_a_closing_console_parks_until_clean_up_has_ended(
    system: System, event: int
) -> None:
    """The process dies the moment that handler returns."""
    with Shutdown() as stop:
        returned = system.console(event)
        request = _arrived(stop)
        assert request.deadline == request.time + win.CLOSE_GRACE
        assert not returned.is_there()
    assert returned.get() == 1


def test_a_service_outlives_the_log_off_of_others(system: System) -> None:
    system.service = True
    with Shutdown() as stop:
        assert system.console(win.CTRL_LOGOFF).get() == 1
        assert not stop.requested
        returned = system.console(win.CTRL_SHUTDOWN)
        request = _arrived(stop)
        assert request.deadline == request.time + win.SERVICE_GRACE
    assert returned.get() == 1


def test_the_console_handler_is_removed(system: System) -> None:
    registration = shutdown.wait_exit_callback(bool)
    assert len(system.handler) == 1
    registration.cancel()
    assert system.handler == []


def test_the_class_is_there_while_windows_of_it_are(system: System) -> None:
    for _ in range(3):
        with Shutdown() as stop, Shutdown():
            assert len(system.windows) == 2
            assert list(system.classes) == [win.CLASS]
            system.send(min(system.windows), win.WM_CLOSE)
            assert _arrived(stop).reason == "WM_CLOSE"
        assert system.classes == {}


def test_one_message_thread_serves_all_waiters(system: System) -> None:
    got: list[Request | None] = []
    with Shutdown() as stop:
        threads = [threading.Thread(target=lambda: got.append(stop.wait(BOUND))) for _ in range(5)]
        for thread in threads:
            thread.start()
        called = threading.Event()
        registrations = [shutdown.wait_exit_callback(called.set) for _ in range(2)]
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("procession-shutdown-windows") == 1
        assert {window.message_only for window in system.windows.values()} == {True, False}
        system.send(max(system.windows), win.WM_CLOSE)
        for thread in threads:
            thread.join(BOUND)
        assert called.wait(BOUND)
        assert [request and request.source for request in got] == ["window"] * 5
        for registration in registrations:
            registration.cancel()


def test_wm_close_to_every_window_of_the_process_is_one_request(system: System) -> None:
    with Shutdown() as stop:
        for count in (1, 2):
            for window in list(system.windows):
                assert system.send(window, win.WM_CLOSE).get() == 0
            assert stop.count == count
        assert len(system.windows) == 2


def test_an_error_of_get_message_is_told_once_and_the_console_still_hears(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    system.message_error = True
    with Shutdown() as stop:
        thread = stop._session.ear._thread  # type: ignore[attr-defined]
        thread.join(BOUND)
        assert not thread.is_alive()
        assert system.messages_asked_for == 1
        assert [record.message for record in caplog.records] == ["the windows hear no more"]
        assert system.console(win.CTRL_C).get() == 1
        assert stop.requested


def test_without_windows_the_console_still_hears(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    system.refuse_windows = {True, False}
    with Shutdown() as stop:
        assert system.console(win.CTRL_C).get() == 1
        assert stop.requested
    assert "find none: [Errno 5] Access is denied" in caplog.text
    assert "the end of the session will not be heard" in caplog.text


@pytest.mark.parametrize("message_only", [True, False])
def test_of_two_windows_the_one_that_can_be_had_hears(
    system: System, caplog: pytest.LogCaptureFixture, message_only: bool
) -> None:
    system.refuse_windows = {not message_only}
    with Shutdown() as stop:
        (window,) = system.windows
        system.send(window, win.WM_CLOSE)
        assert _arrived(stop).source == "window"
    assert len(caplog.records) == 1


def test_the_end_of_the_session_reaches_the_hidden_window_and_parks(system: System) -> None:
    with Shutdown() as stop:
        (asked,) = system.broadcast(win.WM_QUERYENDSESSION)
        assert asked.get() == 1
        assert len(system.blocked) == 1
        assert not stop.requested  # another program may refuse
        (refused,) = system.broadcast(win.WM_ENDSESSION, 0)
        assert refused.get() == 0
        assert (system.blocked, stop.requested) == (set(), False)

        (ended,) = system.broadcast(win.WM_ENDSESSION, 1)
        request = _arrived(stop)
        assert (request.source, request.reason) == ("session", "WM_ENDSESSION")
        assert request.deadline == request.time + win.CLOSE_GRACE
        assert not ended.is_there()
    assert ended.get() == 0


def test_a_stranger_cannot_end_the_message_thread(system: System) -> None:
    with Shutdown() as stop:
        window = max(system.windows)
        assert system.send(window, win.WM_LEAVE).get() == 0
        assert system.send(window, win.WM_CLOSE).get() == 0
        assert stop.requested


def test_python_signals_of_the_process_itself_are_heard(system: System) -> None:
    with Shutdown() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        assert stop.wait(BOUND) == stop.request


@pytest.mark.parametrize("requested", [True, False])
def test_at_exit_nothing_of_the_system_can_call_back_any_more(
    system: System, requested: bool
) -> None:
    stop = Shutdown()
    session: Session = stop._session
    found = dict(session.ear._signals._previous)  # type: ignore[attr-defined]
    try:
        if requested:
            system.console(win.CTRL_C).get()
        session.at_exit()
        assert (system.windows, system.handler) == ({}, [])
        ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        assert ignored == requested
    finally:
        with stop:
            pass
        for number, handler in found.items():
            signal.signal(number, handler)


def test_an_event_under_way_at_exit_stays_parked_until_the_process_has_gone(
    system: System,
) -> None:
    stop = Shutdown()
    session = stop._session
    found = dict(session.ear._signals._previous)  # type: ignore[attr-defined]
    returned = system.console(win.CTRL_CLOSE)
    _arrived(stop)
    session.at_exit()
    assert not returned.is_there()
    with stop:
        pass
    assert returned.get() == 1
    for number, handler in found.items():
        signal.signal(number, handler)


def test_an_orphaned_installation_leaves_events_to_whoever_comes_next(system: System) -> None:
    registration = shutdown.wait_exit_callback(bool)
    window = max(system.windows)
    worker = threading.Thread(target=registration.cancel)
    worker.start()
    worker.join()
    assert system.console(win.CTRL_C).get() == 0
    asked = system.send(window, win.WM_QUERYENDSESSION)
    asked.get()
    assert system.blocked == set()
    with Shutdown() as stop:  # taken up again
        assert not stop.requested
        assert system.console(win.CTRL_C).get() == 1
        assert stop.requested


def test_times_are_of_the_monotonic_clock(system: System) -> None:
    with Shutdown() as stop:
        before = time.monotonic()
        system.console(win.CTRL_C).get()
        assert before <= _arrived(stop).time <= time.monotonic()
