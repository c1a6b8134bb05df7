"""What is known of a request and who is told of it, without signals: the ear is played here."""

from __future__ import annotations

import copy
import pickle
import queue
import signal
import sys
import threading

import pytest

from procession import shutdown
from procession.shutdown import NotInstalledError, Request
from procession.shutdown import _core as core

pytestmark = pytest.mark.quick

BOUND = 5.0
TERM = signal.SIGTERM


class Ear:
    """Hears nothing by itself."""

    arrived = False

    def __init__(self) -> None:
        self.retired: list[bool] = []

    def open(self) -> None: ...
    def listen(self) -> None: ...
    def pump(self) -> None: ...
    def share(self) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...

    def step(self) -> float | None:
        return None

    def orphan(self, orphaned: bool) -> bool:
        return True

    def retire(self, requested: bool) -> None:
        self.retired.append(requested)


class Session(core.Session):
    ear: Ear  # type: ignore[assignment]  # the played one

    def __init__(self) -> None:
        self.ended: list[int] = []
        super().__init__(self.ended.append)
        self.ear = Ear()

    def hears(self, number: signal.Signals = TERM, lane: str = "handler") -> None:
        self.heard("signal", number.name, lane, number)


# --- the value


def test_a_request_is_a_value() -> None:
    request = Request("signal", TERM, "SIGTERM", 1.5, None, 2)
    assert request == Request(source="signal", signal=TERM, reason="SIGTERM", time=1.5, count=2)
    assert request != Request("signal", TERM, "SIGTERM", 1.5, None, 3)
    assert request != "SIGTERM"
    assert len({request, copy.copy(request), pickle.loads(pickle.dumps(request))}) == 1
    assert repr(request) == (
        "Request(source='signal', signal=<Signals.SIGTERM: 15>, reason='SIGTERM', "
        "time=1.5, deadline=None, count=2)"
    )
    with pytest.raises(AttributeError, match=r"Request\.count cannot be changed"):
        request.count = 3
    with pytest.raises(AttributeError, match=r"Request\.signal cannot be changed"):
        del request.signal
    with pytest.raises(AttributeError):
        request.other = 1  # type: ignore[attr-defined]


def test_the_error_survives_a_pickle() -> None:
    error = NotInstalledError("wait_exit()")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (NotInstalledError, str(error))
    assert isinstance(error, RuntimeError)


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="repeated='twice': expected 'ignore' or 'force'"):
        shutdown.install(repeated="twice")  # type: ignore[arg-type]


# --- counting


def test_the_first_request_stays_the_first_and_the_rest_is_counted() -> None:
    session = Session()
    assert session.look() is None
    session.hears(signal.SIGINT)
    session.hears(TERM)
    session.hears(TERM)
    request = session.look()
    assert request is not None
    assert (request.signal, request.count) == (signal.SIGINT, 3)


def test_what_is_heard_two_ways_counts_once_in_any_order() -> None:
    session = Session()
    lanes = ["wakeup", "handler", "handler", "wakeup", "wakeup", "wakeup", "handler"]
    counts = []
    for lane in lanes:
        session.hears(lane=lane)
        request = session.look()
        counts.append(request and request.count)
    assert counts == [1, 1, 2, 2, 3, 4, 4]


def test_a_repeat_forces_only_where_asked_and_never_the_same_request_by_another_way() -> None:
    session = Session()
    session.hears()
    session.hears()
    assert session.ended == []
    session = Session()
    session.force = True
    session.hears(lane="wakeup")
    session.hears(lane="handler")
    assert session.ended == []
    session.hears(signal.SIGINT)
    assert session.ended == [128 + signal.SIGINT]


def test_a_trigger_never_forces() -> None:
    session = Session()
    session.force = True
    session.hears()
    assert not session.take(Request("program"))
    assert session.ended == []
    request = session.look()
    assert request is not None
    assert request.count == 2


# --- who is told


def test_a_wait_times_out_or_is_told() -> None:
    session = Session()
    assert session.wait(0) is None
    assert session.wait(-1) is None
    assert session.wait(0.001) is None
    teller = threading.Timer(0.01, session.hears)
    teller.start()
    request = session.wait(BOUND)
    teller.join()
    assert request is not None
    assert session.wait(None) == request
    assert session._listeners == []


def test_a_timeout_longer_than_a_lock_can_wait_is_no_error() -> None:
    session = Session()
    teller = threading.Timer(0.01, session.hears)
    teller.start()
    assert session.wait(1e12) is not None
    assert session.wait(float("inf")) is not None
    teller.join()


def test_callbacks_run_once_each_side_by_side_off_the_main_thread() -> None:
    session = Session()
    meet = threading.Barrier(3)
    where: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()

    def callback() -> None:
        meet.wait(BOUND)  # all three run at once, or none gets past
        where.put(threading.current_thread())

    wishes = [session.add_callback(callback) for _ in range(2)]
    session.hears()
    session.hears()
    wishes.append(session.add_callback(callback))  # came later: at once
    threads = {where.get(timeout=BOUND) for _ in wishes}
    for wish in wishes:
        wish.thread.join()
        assert not wish.cancel()
    assert len(threads) == 3
    assert threading.main_thread() not in threads
    assert where.empty()


def test_a_cancelled_callback_never_runs_and_leaves_no_thread() -> None:
    session = Session()
    called: list[int] = []
    wish = session.add_callback(lambda: called.append(1))
    other = session.add_callback(lambda: called.append(2))
    assert wish.cancel()
    assert wish.cancel()
    assert not wish.thread.is_alive()
    session.hears()
    other.thread.join()
    assert called == [2]
    assert not other.cancel()
    assert not other.cancelled


def test_a_callback_may_cancel_its_own_registration() -> None:
    session = Session()
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    wish = session.add_callback(lambda: answers.put(wish.cancel()))
    session.hears()
    assert answers.get(timeout=BOUND) is False
    wish.thread.join()


def test_raising_callbacks_and_listeners_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    session = Session()

    def broken() -> None:
        raise ValueError("oh")

    told: list[int] = []
    bad = session.add_callback(broken)
    leaving = session.add_callback(sys.exit)
    session.add_listener(broken)
    session.add_listener(lambda: told.append(1))
    session.hears()
    bad.thread.join()
    leaving.thread.join()
    assert told == [1]
    assert [record.name for record in caplog.records] == ["procession.shutdown"] * 2
    assert all(record.exc_info and record.exc_info[0] is ValueError for record in caplog.records)
    assert session._running == []


def test_a_cancelled_listener_is_not_told() -> None:
    session = Session()
    told: list[int] = []
    wish = session.add_listener(lambda: told.append(1))
    assert wish.cancel()
    session.hears()
    assert session.add_listener(lambda: told.append(2)).cancel() is False
    assert told == [2]


# --- the end


def test_at_exit_waits_for_what_is_under_way_and_lets_nothing_begin() -> None:
    session = Session()
    begun, gate = threading.Event(), threading.Event()
    done: list[str] = []

    def slow() -> None:
        begun.set()
        gate.wait(BOUND)
        done.append("slow")

    wish = session.add_callback(slow)
    session.hears()
    assert begun.wait(BOUND)
    opener = threading.Timer(0.05, gate.set)
    opener.start()
    session.at_exit()
    assert done == ["slow"]
    assert session.ear.retired == [True]
    opener.join()
    wish.thread.join()


def test_a_request_after_at_exit_is_known_but_calls_nothing() -> None:
    session = Session()
    called: list[int] = []
    wish = session.add_callback(lambda: called.append(1))
    session.at_exit()
    assert session.ear.retired == [False]
    session.hears()
    assert session.requested
    assert wish.cancel()
    assert called == []


def test_where_a_repeat_forces_a_late_one_is_not_ignored() -> None:
    session = Session()
    session.force = True
    session.hears()
    session.at_exit()
    assert session.ear.retired == []


# --- the order in which it becomes known


def test_nobody_sees_the_request_before_its_callbacks_are_kept_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The main thread may return as soon as it does, and end the process under them."""
    session = Session()
    seen: list[object] = []
    done = threading.Event()
    kept = Session._keep_alive

    def keep_alive(callbacks: list[object]) -> None:
        seen.extend((len(callbacks), session.known(), session.requested))
        kept(callbacks)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "_keep_alive", staticmethod(keep_alive))
    session.add_callback(done.set)
    session.hears()
    assert seen == [1, None, False]
    assert session.requested
    assert done.wait(BOUND)


def test_where_no_thread_can_be_started_the_waiting_thread_looks_itself() -> None:
    session = Session()
    looks: list[int] = []

    class Alone(Ear):
        def listen(self) -> None:
            raise RuntimeError("can't start new thread")

        def pump(self) -> None:
            looks.append(len(looks))
            if len(looks) == 2:
                session.hears()

    session.ear = Alone()
    request = session.wait(BOUND)
    assert request is not None
    assert request.reason == "SIGTERM"
    assert len(looks) >= 2
