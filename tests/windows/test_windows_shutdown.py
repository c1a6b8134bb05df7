"""A hosted program hears the request to stop, from another process, on Windows itself."""

from __future__ import annotations

import pytest

from tests.support.windows import (
    KINDS,
    WM_CLOSE,
    WM_ENDSESSION,
    WM_QUERYENDSESSION,
    Program,
    hidden_window,
    message_window,
    post,
    send,
    until,
)

pytestmark = pytest.mark.windows

HEARD_CLOSE = "heard window WM_CLOSE"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("wait", HEARD_CLOSE),
        ("callback", "callback"),
        ("stop-loop-proactor", "stopped"),
        ("stop-loop-selector", "stopped"),
    ],
)
def test_wm_close_is_heard_with_every_kind_of_console(how: str, told: str, kind: str) -> None:
    with Program("windows_hears", how, kind=kind) as program:
        program.expect("ready")
        program.close_window()
        program.expect(told)
        assert program.ended() == 0


def test_wm_close_to_the_message_only_window_is_the_same() -> None:
    with Program("windows_hears", "wait") as program:
        program.expect("ready")
        post(until(lambda: message_window(program.pid), "message-only window"), WM_CLOSE)
        program.expect(HEARD_CLOSE)
        assert program.ended() == 0


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("await-proactor", HEARD_CLOSE),
        ("await-selector", HEARD_CLOSE),
        ("several", "waiters 6"),
        ("http", "closed"),
    ],
)
def test_wm_close_reaches_whoever_asks(how: str, told: str) -> None:
    with Program("windows_hears", how) as program:
        program.expect("ready")
        program.close_window()
        program.expect(told)
        assert program.ended() == 0


def test_a_program_may_begin_and_end_to_hear_twice() -> None:
    with Program("windows_hears", "twice") as program:
        for number in (1, 2):
            program.expect(f"ready {number}")
            program.close_window()
            program.expect("heard WM_CLOSE 1")
        assert program.ended() == 0


def test_it_is_heard_while_the_main_thread_is_in_a_c_call() -> None:
    with Program("windows_hears", "c-call") as program:
        program.expect("ready")
        program.close_window()
        program.expect("callback")
        program.end_input()
        program.expect("returned")
        assert program.ended() == 0


@pytest.mark.parametrize("kind", ["no window", "new console"])
def test_ctrl_c_of_its_console(kind: str) -> None:
    with Program("windows_hears", "wait", kind=kind) as program:
        program.expect("ready")
        program.ctrl_c()
        program.expect("heard console CTRL_C_EVENT")
        assert program.ended() == 0


def test_ctrl_break_of_its_console() -> None:
    with Program("windows_hears", "wait") as program:
        program.expect("ready")
        program.ctrl_break()
        program.expect("heard console CTRL_BREAK_EVENT")
        assert program.ended() == 0


def test_ctrl_break_to_the_group_it_leads() -> None:
    with Program("windows_hears", "wait", kind="own group") as program:
        program.expect("ready")
        program.break_group()
        program.expect("heard console CTRL_BREAK_EVENT")
        assert program.ended() == 0


def test_a_closed_console_waits_for_the_clean_up() -> None:
    """The process dies when the handler of this event returns, or after five seconds."""
    with Program("windows_hears", "slow") as program:
        program.expect("ready")
        program.ctrl_close()
        program.expect("heard console CTRL_CLOSE_EVENT True")
        program.end_input()
        program.expect("clean")
        assert program.ended() == 0


def test_the_end_of_the_session_is_agreed_to_and_may_be_called_off() -> None:
    with Program("windows_hears", "slow") as program:
        program.expect("ready")
        window = until(lambda: hidden_window(program.pid), "window")
        assert send(window, WM_QUERYENDSESSION) == 1
        assert send(window, WM_ENDSESSION, 0) == 0
        program.close_window()  # the next thing it hears: of the session it has heard nothing
        program.expect("heard window WM_CLOSE False")
        program.end_input()
        assert program.ended() == 0


def test_the_end_of_the_session_waits_for_the_clean_up() -> None:
    with Program("windows_hears", "slow") as program:
        program.expect("ready")
        window = until(lambda: hidden_window(program.pid), "window")
        assert send(window, WM_QUERYENDSESSION) == 1
        assert send(window, WM_ENDSESSION, 1, milliseconds=300) is None, "it did not park"
        program.expect("heard session WM_ENDSESSION True")
        program.end_input()
        program.expect("clean")
        assert program.ended() == 0


def test_afterwards_no_window_no_class_and_no_handler_is_left() -> None:
    with Program("windows_hears", "nothing") as program:
        program.expect("class True", "class False", "ready")
        assert hidden_window(program.pid) is None
        assert message_window(program.pid) is None
        program.ctrl_break()  # kills again
        program.ended()
        assert program.seen[-1] == "ready"
