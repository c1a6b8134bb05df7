"""What may be said: the rules of messages and of the environment, without a manager."""

import os

import pytest

from procession import notify

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_manager_every_call_answers_false() -> None:
    assert [
        notify.ready(),
        notify.ready(status="up"),
        notify.reloading(),
        notify.stopping(),
        notify.status("17 orders"),
        notify.watchdog(),
        notify.watchdog(trigger=True),
        notify.extend(5),
        notify.errno(2),
        notify.mainpid(4711),
        notify.notify(X_SHOP_ORDERS=17),
        notify.send("READY=1"),
        notify.barrier(),
    ] == [False] * 13


def test_an_empty_address_is_no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "")
    assert notify.ready() is False


@pytest.mark.parametrize("text", ["two\nlines", "\n", "up\nMAINPID=1", "up\rMAINPID=1", "end\n"])
def test_a_line_break_in_a_value_is_refused(text: str) -> None:
    # Each would become a field of its own on the other side: text from outside could say MAINPID.
    for call in (notify.status, notify.ready, notify.stopping, notify.reloading):
        with pytest.raises(ValueError, match="line break"):
            call(text)
    with pytest.raises(ValueError, match="X_NOTE: a line break"):
        notify.notify(READY=1, X_NOTE=text)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_managers_drop_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        notify.status(text)


@pytest.mark.parametrize("name", ["ready", "Ready", "1X", "A B", "A-B", "X=Y", "", "ÄX", "A\nB"])
def test_a_name_is_capitals_digits_and_underscores(name: str) -> None:
    with pytest.raises(ValueError, match="no field name"):
        notify.notify(**{name: "1"})


@pytest.mark.parametrize(
    "text", ["", "\n", "READY", "READY=1\nnothing", "=1", "READY=1\r\nSTATUS=x"]
)
def test_a_message_is_lines_of_assignments(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=value|empty|carriage return"):
        notify.send(text)


@pytest.mark.parametrize("value", [1.5, None, b"bytes"])
def test_a_value_is_text_or_a_whole_number(value: object) -> None:
    with pytest.raises(TypeError, match="expected text or an int"):
        notify.notify(X_VALUE=value)  # type: ignore[arg-type]


def test_no_fields_are_no_message() -> None:
    with pytest.raises(ValueError, match="no field"):
        notify.notify()


def test_a_barrier_goes_by_its_own_call() -> None:
    for call in (lambda: notify.send("READY=1\nBARRIER=1"), lambda: notify.notify(BARRIER=1)):
        with pytest.raises(ValueError, match=r"call barrier\(\)"):
            call()


def test_the_size_of_a_message_is_counted_in_bytes() -> None:
    room = notify.MESSAGE_MAX - len("STATUS=")
    assert notify.status("x" * room) is False
    with pytest.raises(ValueError, match="4097 bytes"):
        notify.status("x" * (room + 1))
    with pytest.raises(ValueError, match="managers drop"):
        notify.status("ä" * (room // 2 + 1))


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_more_time_is_positive_and_finite(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive, finite"):
        notify.extend(seconds)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_every_wait_has_a_bound(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        notify.barrier(seconds)
    with pytest.raises(ValueError, match="finite"):
        notify.send("READY=1", timeout=seconds)


def test_errno_and_pid_are_checked() -> None:
    for number in (-1, 4096):
        with pytest.raises(ValueError, match="errno"):
            notify.errno(number)
    for pid in (0, -1):
        with pytest.raises(ValueError, match="no process id"):
            notify.mainpid(pid)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("relative/path", "absolute path or @name"),
        ("vsock:2:1234", "absolute path or @name"),
        ("/" + "x" * 200, "201 bytes, and a unix socket address holds"),
        ("@" + "x" * 200, "201 bytes, and a unix socket address holds"),
    ],
)
def test_an_address_that_cannot_be_is_told(
    monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    for call in (notify.ready, notify.barrier):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        (None, None, None),
        ("30000000", None, 30.0),
        ("1500000", "own", 1.5),
        ("1500000", "1", None),
        ("0", None, None),
        ("", "", None),
        (str(2**64 - 1), None, None),
        ("rubbish", "1", None),
    ],
)
def test_the_watchdog_interval_is_in_seconds_and_ours(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, seconds: float | None
) -> None:
    if usec is not None:
        monkeypatch.setenv("WATCHDOG_USEC", usec)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert notify.watchdog_interval() == seconds


@pytest.mark.parametrize(
    ("name", "text"),
    [("WATCHDOG_USEC", "soon"), ("WATCHDOG_USEC", "-5"), ("WATCHDOG_PID", "1_0")],
)
def test_a_watchdog_that_is_no_number_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match=name):
        notify.watchdog_interval()
