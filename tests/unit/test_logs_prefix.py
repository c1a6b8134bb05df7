"""Blocks into whole lines behind a prefix: the same as a loop over lines, however it is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.logs.prefix import Prefixer

PREFIX = b"web | "
text = st.binary(max_size=200) | st.text("ab\n\r\0\xff", max_size=200).map(
    lambda s: s.encode("latin-1")
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(p for p in places if p < len(data))})
    return [data[a:b] for a, b in pairwise(marks)]


def line_by_line(data: bytes) -> bytes:
    """What is promised, said in the plainest way."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return b"".join(PREFIX + line + b"\n" for line in lines)


@pytest.mark.quick
@given(text, st.lists(st.integers(0, 200)), st.sampled_from([PREFIX, b""]))
def test_the_same_as_line_by_line_however_it_is_cut(
    data: bytes, places: list[int], prefix: bytes
) -> None:
    prefixer = Prefixer(raw=True)
    shown = b"".join(prefixer.feed(block, prefix) for block in cut(data, places))
    shown += prefixer.flush(prefix)
    expected = line_by_line(data)
    assert shown == (expected if prefix else expected.replace(PREFIX, b""))
    assert prefixer.held == 0


@given(text, st.lists(st.integers(0, 200)))
def test_every_block_shown_is_made_of_whole_lines(data: bytes, places: list[int]) -> None:
    prefixer = Prefixer(raw=True)
    for block in cut(data, places):
        shown = prefixer.feed(block, PREFIX)
        assert not shown or (shown.startswith(PREFIX) and shown.endswith(b"\n"))


@given(text, st.lists(st.integers(0, 200)), st.integers(0, 20))
def test_a_line_that_is_too_long_is_broken_and_loses_nothing(
    data: bytes, places: list[int], hold: int
) -> None:
    prefixer = Prefixer(hold, raw=True)
    shown = bytearray()
    for block in cut(data, places):
        shown += prefixer.feed(block, b"")
        assert prefixer.held <= hold
    shown += prefixer.flush(b"")
    assert shown.replace(b"\n", b"") == data.replace(b"\n", b"")
    added = shown.count(b"\n") - data.count(b"\n")
    assert 0 <= added <= len(cut(data, places)) + 1


@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from(["feed", "skip", "flush"]))))
def test_what_is_shown_and_what_is_lost_is_all_there_was(
    steps: list[tuple[bytes, str]],
) -> None:
    prefixer = Prefixer(raw=True)
    shown = bytearray()
    ours = 0
    for block, how in steps:
        if how == "skip":
            prefixer.skip(block)
            continue
        shown += prefixer.feed(block, b"")
        if how == "flush":
            line = prefixer.flush(b"")
            ours += bool(line)
            shown += line
    prefixer.skip(b"")
    # a newline of ours may have stood for one of the stream's own, which is then not repeated
    missing = sum(len(block) for block, _ in steps) - len(shown) - prefixer.lost_bytes
    assert -ours <= missing <= 0


def test_lines_begin_whole_after_a_loss() -> None:
    prefixer = Prefixer(raw=True)
    assert prefixer.feed(b"one\ntw", PREFIX) == b"web | one\n"
    prefixer.skip(b"o\nthree\nfo")
    assert prefixer.skipping
    assert prefixer.feed(b"ur", PREFIX) == b""
    assert prefixer.feed(b"\nfive\n", PREFIX) == b"web | five\n"
    assert not prefixer.skipping
    assert prefixer.take_lost() == (len(b"two\nthree\nfour\n"), 3)
    assert prefixer.take_lost() == (0, 0)


def test_a_loss_that_ends_with_a_line_loses_no_more() -> None:
    prefixer = Prefixer(raw=True)
    prefixer.skip(b"one\n")
    assert prefixer.feed(b"two\n", PREFIX) == b"web | two\n"
    assert prefixer.take_lost() == (4, 1)


def test_a_prompt_that_was_shown_gets_no_empty_line_when_its_newline_comes() -> None:
    prefixer = Prefixer(raw=True)
    assert prefixer.feed(b"sure? ", PREFIX) == b""
    assert prefixer.flush(PREFIX) == b"web | sure? \n"
    assert prefixer.feed(b"\n", PREFIX) == b""
    assert prefixer.feed(b"\n", PREFIX) == b"web | \n"
    assert prefixer.feed(b"gone\n", PREFIX) == b"web | gone\n"


def test_what_follows_a_prompt_is_a_line_of_its_own() -> None:
    prefixer = Prefixer(raw=True)
    prefixer.feed(b"copying", PREFIX)
    prefixer.flush(PREFIX)
    assert prefixer.feed(b"... done\n", PREFIX) == b"web | ... done\n"


def test_a_prefix_that_changes_stands_before_whole_lines_only() -> None:
    prefixer = Prefixer(raw=True)
    prefixer.feed(b"be", b"1 ")
    assert prefixer.feed(b"gun\nnext\nand", b"2 ") == b"2 begun\n2 next\n"
    assert prefixer.flush(b"3 ") == b"3 and\n"


def test_nothing_in_nothing_out() -> None:
    prefixer = Prefixer(raw=True)
    assert prefixer.feed(b"", PREFIX) == prefixer.flush(PREFIX) == b""
    prefixer.skip(b"")
    assert prefixer.take_lost() == (0, 0)
    assert not prefixer.skipping
