"""The core schema of YAML 1.2, durations, and what was probably meant."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.config import scalars
from procession.config.scalars import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    NULL,
    TEXT,
    BadDurationError,
    plain_kind,
)

KINDS = {
    NULL: "~ null Null NULL",
    BOOLEAN: "true True TRUE false False FALSE",
    INTEGER: "0 12 -3 +7 007 0o17 0x1F 0xdeadBEEF 123456789012345678901234567890",
    FLOAT: "1. .5 -.5 1.5 1e3 +1.5E-3 12e03 0.0 1.e5 .inf -.Inf +.INF .nan .NaN .NAN",
    TEXT: """yes no on off y N tRUE nul 1_000 1:30 0b1 0o8 0xg -0x1F +0o7 0x 0o . - + --5 +-5
        1e e5 .e5 1.2.3 inf nan -.nan +.NaN Infinity ٣ 1٣ ٣.5 = << 0x1_0 2026-01-01 12e
        1e+ 1e5.5""",
}

# Chapter 10.3.2 of the YAML 1.2.2 specification
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


@pytest.mark.quick
def test_nothing_is_null() -> None:
    assert plain_kind("") == NULL


@pytest.mark.quick
@pytest.mark.parametrize("text", [" ", "5 ", "- 5", "\n"])
def test_blanks_make_text_of_a_number(text: str) -> None:
    assert plain_kind(text) == TEXT


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "kind"), [(text, kind) for kind, texts in KINDS.items() for text in texts.split()]
)
def test_what_a_plain_scalar_is(text: str, kind: str) -> None:
    assert plain_kind(text) == kind


@given(st.text("+-.0123456789eExXoOaAfFinN_: ٣", max_size=8))
def test_numbers_are_what_the_specifications_patterns_match(text: str) -> None:
    expected = INTEGER if _INT.fullmatch(text) else FLOAT if _FLOAT.fullmatch(text) else None
    kind = plain_kind(text)
    assert (kind if kind in (INTEGER, FLOAT) else None) == expected
    if expected is INTEGER:
        base = {"0o": 8, "0x": 16}.get(text[:2])
        assert scalars.integer(text) == (int(text[2:], base) if base else int(text))
    if expected is not None:
        assert isinstance(scalars.number(text), float)


@pytest.mark.quick
@pytest.mark.parametrize("sign", ["", "-", "+"])
def test_a_number_of_any_length_is_read_at_once(sign: str) -> None:
    text = sign + "9" * 1_000_000
    assert abs(scalars.integer(text)) == 10**18
    assert (scalars.integer(text) < 0) == (sign == "-")
    assert math.isinf(scalars.number(text))
    assert scalars.integer("0x" + "f" * 100_000) > 255
    assert scalars.number("0x" + "f" * 100_000) == 1e18
    assert scalars.integer("0" * 100_000 + "7") == 7


BAD_DURATIONS = [
    ("", ""),
    (" ", ""),
    ("soon", ""),
    ("1", None),
    ("-1", "1"),
    ("-2m", "2m"),
    ("5 sec", "5s"),
    ("5 Minutes", "5m"),
    ("1hr 30min", "1h30m"),
    ("100 msec", "100ms"),
    ("1S", "1s"),
    ("2d 1x", ""),
    ("1m1m", ""),
    ("30s 1m", "1m30s"),
    ("5ms1s", "1s5ms"),
    ("1:30", "1m30s"),
    ("1:00:05", "1h5s"),
    ("1:2:3:4", ""),
    ("1m30", ""),
    ("m", ""),
    ("1..5s", ""),
    ("1,5s", ""),
    ("٣s", ""),
    ("1s;", ""),
    ("+5s", ""),
]


@pytest.mark.quick
@pytest.mark.parametrize(("text", "meant"), BAD_DURATIONS)
def test_what_is_no_duration_and_what_was_meant(text: str, meant: str | None) -> None:
    if meant is None:
        assert scalars.seconds(text, TEXT) == 1.0
        return
    with pytest.raises(BadDurationError) as caught:
        scalars.seconds(text, plain_kind(text) if text.strip() else TEXT)
    assert caught.value.suggestion == meant


@pytest.mark.quick
@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", "1e400", "-1e400", "1e12", "36501d"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(BadDurationError):
        scalars.seconds(text, plain_kind(text))


@given(st.floats(0, scalars.MAX_SECONDS).map(lambda x: round(x, 3)))
def test_a_time_written_in_units_means_what_it_says(wanted: float) -> None:
    rest = round(wanted * 1000)
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        amount, rest = divmod(rest, size)
        text += f"{amount}{unit}"
    assert scalars.seconds(text, TEXT) == pytest.approx(wanted)


@given(st.text("0123456789.dhms :+-", max_size=12))
def test_a_duration_is_a_time_or_a_worded_error(text: str) -> None:
    try:
        value = scalars.seconds(text, TEXT)
    except BadDurationError as caught:
        error = caught
    else:
        assert 0 <= value <= scalars.MAX_SECONDS
        return
    assert error.what
    if error.suggestion:
        assert scalars.seconds(error.suggestion, plain_kind(error.suggestion)) >= 0
