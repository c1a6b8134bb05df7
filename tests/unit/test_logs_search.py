"""A regular expression in a stream of bytes: however that is cut, the answer is the same."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.logs.search import LONGEST, OVERLAP, Search, Sought

pytestmark = pytest.mark.quick


def found(pattern: str, *blocks: bytes, rest: bool = False, **bounds: int) -> bool:
    sought = Sought(pattern)
    search = Search((sought,), **bounds)
    for block in blocks:
        search.feed(block)
    if rest:
        search.rest()
    return sought.found


def test_it_is_found_in_a_line_and_across_blocks() -> None:
    assert found("ready", b"getting ready\n")
    assert found("ready", b"getting re", b"ady", b"\n")
    assert found("^ready$", b"no\nready\r\nyes\n")
    assert not found("^ready$", b"not ready\nready or not\n")


def test_no_match_takes_a_newline_with_it() -> None:
    assert not found(r"is\s+ready", b"is\nready\n")
    assert not found("(?s)is.*ready", b"is\nready\n")


def test_a_line_is_not_over_where_a_block_is() -> None:
    assert not found("ready$", b"ready", b" in a minute\n")
    assert not found(r"ready\b", b"ready", b"made\n")


def test_a_line_without_newline_counts_when_its_writer_pauses_and_as_it_is_extended() -> None:
    assert not found("^> $", b"> ")
    assert found("^> $", b"> ", rest=True)
    sought = Sought("ready")
    search = Search((sought,))
    for block in (b"getting", b" rea", b"dy"):
        assert not sought.found
        search.feed(block)
        search.rest()
    assert sought.found
    assert search.holds


def test_bytes_that_are_no_text_are_no_obstacle() -> None:
    assert found("grün$", b"\xff\xfe\n\xe2\x82\nw\xc3\xa4re gr\xc3", b"\xbcn\n")
    assert found("^.ready", b"\xc3ready\n")


def test_what_was_found_stays_so_until_it_is_wanted_again() -> None:
    sought = Sought("beat")
    search = Search((sought,))
    search.feed(b"beat\n")
    assert sought.found
    sought.found = False
    search.feed(b"silence\n")
    assert not sought.found
    search.feed(b"beat\n")
    assert sought.found


def test_several_are_looked_for_at_once() -> None:
    one, other = Sought("one"), Sought("other")
    search = Search((one, other))
    search.feed(b"the other\n")
    assert (one.found, other.found) == (False, True)
    search.feed(b"the one\n")
    assert (one.found, other.found) == (True, True)


def test_a_line_that_never_ends_takes_bounded_memory() -> None:
    sought = Sought("needle")
    search = Search((sought,))
    for _ in range(40):
        search.feed(b"x" * 10_000)
        assert len(search._held) <= LONGEST + 1
    assert not sought.found
    search.feed(b"nee")
    search.feed(b"x" * LONGEST)
    search.feed(b"...needle" + b"y" * LONGEST)
    assert sought.found


@pytest.mark.parametrize("at", [LONGEST - OVERLAP, LONGEST - 3, LONGEST, 2 * LONGEST - OVERLAP - 3])
def test_what_lies_on_the_border_of_two_parts_is_found(at: int) -> None:
    line = b"x" * at + b"needle" + b"y" * LONGEST + b"\n"
    assert found("needle", line)
    assert not found("needle$", line)
    assert not found("^needle", line)
    assert found("^x+needle" if at < LONGEST - 6 else "needley", line)


@pytest.mark.parametrize(
    "pattern",
    [
        "^server.*",
        "server.*",
        "^.+$",
        "^.*started.*$",
        "started.*$",
        "(?i)^SERVER .*?$",
        r"^server(?s:.)*",
        r"^(?:server )?started .*\Z",
        "^(?P<first>s).*",
    ],
)
def test_what_takes_the_rest_of_a_line_is_found_however_long_that_is(pattern: str) -> None:
    line = b"server started " + b"z" * (2 * LONGEST)
    assert found(pattern, line)
    assert found(pattern, line.replace(b"s", b"q")) == (pattern == "^.+$")


@pytest.mark.parametrize(
    "pattern", ["^server.*y$", "^[a-z ]+$", r"^server.*z\b", "^server.*z(?=y)"]
)
def test_what_depends_on_the_end_of_a_line_waits_for_it(pattern: str) -> None:
    assert not found(pattern, b"server started " + b"z" * (2 * LONGEST))


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        Sought("(")


PATTERNS = [
    "a",
    "^a",
    "b$",
    "^ab*$",
    "a.b",
    r"a\s*b",
    r"\bab\b",
    "ä",
    "[^a]b",
    "(?i)A\x00?B",
    "a{2,}b",
]
STREAM = st.lists(st.sampled_from([b"a", b"b", b"\n", b"\r\n", b" ", b"\xc3\xa4", b"\xc3", b"\0"]))


@given(st.sampled_from(PATTERNS), STREAM.map(b"".join), st.lists(st.integers(0, 40)))
def test_any_cutting_of_a_stream_gives_what_its_lines_give(
    pattern: str, stream: bytes, cuts: list[int]
) -> None:
    lines = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in stream.split(b"\n")]
    expected = any(re.search(pattern, line) for line in lines)
    assert found(pattern, *_cut(stream, cuts), rest=True) == expected


@given(st.sampled_from(PATTERNS), STREAM.map(b"".join), st.lists(st.integers(0, 80)))
def test_any_cutting_gives_the_same_where_lines_are_too_long(
    pattern: str, stream: bytes, cuts: list[int]
) -> None:
    stream *= 2
    bounds = {"longest": 7, "overlap": 3}
    at_once = found(pattern, stream, rest=True, **bounds)
    assert found(pattern, *_cut(stream, cuts), rest=True, **bounds) == at_once
    single = [stream[i : i + 1] for i in range(len(stream))]
    assert found(pattern, *single, rest=True, **bounds) == at_once


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(at)]
