"""What a message of sd_notify(3) says, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.supervisor.notify_message import LONGEST, Message, parsed

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("READY=1", Message(ready=True)),
        ("READY=1\n", Message(ready=True)),
        ("RELOADING=1\nMONOTONIC_USEC=12", Message(reloading=True)),
        ("STOPPING=1\r\nSTATUS=bye", Message(stopping=True, status="bye")),
        ("STATUS=a=b c", Message(status="a=b c")),
        ("STATUS=", Message(status="")),
        ("EXTEND_TIMEOUT_USEC=1500000", Message(extend=1.5)),
        ("WATCHDOG=1", Message(alive=True)),
        ("WATCHDOG=trigger", Message(trigger=True)),
        ("WATCHDOG_USEC=20000000", Message(watchdog=20.0)),
        ("WATCHDOG_USEC=0", Message(watchdog=float("inf"))),
        ("WATCHDOG_USEC=18446744073709551615", Message(watchdog=float("inf"))),
        ("MAINPID=123", Message(main_pid=123)),
        ("ERRNO=2", Message(errno=2)),
        ("BARRIER=1", Message(barrier=True)),
        ("X_SHOP_ORDERS=17", Message()),
    ],
)
def test_what_is_known_is_understood(text: str, message: Message) -> None:
    assert parsed(text.encode()) == message


def test_of_two_the_first_counts() -> None:
    assert parsed(b"STATUS=one\nSTATUS=two\nREADY=1") == Message(ready=True, status="one")


def test_a_status_moves_no_cursor_and_has_an_end() -> None:
    told = parsed(b"STATUS=\x1b[2Jup \xff" + b"x" * 1000)
    assert isinstance(told, Message)
    assert told.status is not None
    assert told.status.startswith("\\x1b[2Jup \ufffdx")
    assert len(told.status) < 330


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("FDSTORE=1\nFDNAME=x", ("FDSTORE=", "FDNAME=")),
        ("READY=yes", ("READY=yes",)),
        ("MAINPID=0", ("MAINPID=0",)),
        ("MAINPID=-3", ("MAINPID=-3",)),
        ("ERRNO=99999", ("ERRNO=99999",)),
        ("EXTEND_TIMEOUT_USEC=0", ("EXTEND_TIMEOUT_USEC=0",)),
        ("EXTEND_TIMEOUT_USEC=18446744073709551615", ("EXTEND_TIMEOUT_USEC=18446744073709551615",)),
        ("WATCHDOG_USEC=soon", ("WATCHDOG_USEC=soon",)),
        ("WATCHDOG=\x1b", ("WATCHDOG=\\x1b",)),
        ("hello", ("a line that is no NAME=value",)),
        ("ready=1\n=2", ("a line that is no NAME=value",)),
    ],
)
def test_what_means_nothing_to_us_is_told(text: str, ignored: tuple[str, ...]) -> None:
    assert parsed(text.encode()) == Message(ignored=ignored)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"READY=1\0", "holds a NUL"),
        (b"STATUS=" + b"x" * LONGEST, "is longer than 4096 bytes"),
    ],
)
def test_what_is_no_message(data: bytes, words: str) -> None:
    assert parsed(data) == words


def test_a_flood_of_names_is_told_of_in_part() -> None:
    told = parsed("\n".join(f"N{i}=1" for i in range(500)).encode())
    assert isinstance(told, Message)
    assert len(told.ignored) == 8


@given(st.binary(max_size=200) | st.text("ABREADY_USEC=01\n\r", max_size=80).map(str.encode))
def test_nothing_breaks_it(data: bytes) -> None:
    told = parsed(data)
    if isinstance(told, Message) and told.status is not None:
        assert told.status.isprintable()
