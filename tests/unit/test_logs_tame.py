"""What a task may do to our terminal."""

from __future__ import annotations

import re
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.logs.prefix import Prefixer
from procession.logs.tame import is_wild, tame

pytestmark = pytest.mark.quick
RED, OFF = b"\x1b[31m", b"\x1b[0m"
LOST = "\N{REPLACEMENT CHARACTER}".encode()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain\n", b"plain\n"),
        (RED + b"red" + OFF + b"\n", RED + b"red" + OFF + b"\n"),
        (RED + b"red\nnext\n", RED + b"red" + OFF + b"\nnext\n"),
        (b"\x1b[1;38;5;208mbold\x1b[m\n", b"\x1b[1;38;5;208mbold\x1b[m\n"),
        (b"a\x1b[2Jb\x1b[10;20Hc\x1b[?25ld\n", b"abcd\n"),
        (b"\x1b]0;a title\x07text\n", b"text\n"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", b"link\n"),
        (b"\x1bPq data\x1b\\after\n", b"after\n"),
        (b"\x1b]0;never ended\nnext\n", b"\nnext\n"),
        (b"\x1bc\x1b7\x1b(0reset\n", b"reset\n"),
        (b"10%\r20%\r100%\n", b"100%\n"),
        (b"dos line\r\n", b"dos line\n"),
        (RED + b"10%\r20%\n", RED + b"20%" + OFF + b"\n"),
        (b"ab\b\x07c\x0bd\x0ce\n", b"abcde\n"),
        (b"broken off \x1b[31\n", b"broken off \n"),
        (b"a\xc2\x9b2Jb\xc2\x9b31mc\n", b"ab\x1b[31mc\x1b[0m\n"),
        (b"\xc2\x9d0;a title\xc2\x9ctext\n", b"text\n"),
        (b"\xc2\x9d0;\xc2\xa0title\x1b\\text\n", b"text\n"),
        (b"\x1b]0;title\xc2\x9ctext\xc2\x90q data\x07\n", b"text\n"),
        (b"next\xc2\x85line \xc2\x8dup \xc2\xa3 \xc2\xa0\n", b"nextline up \xc2\xa3 \xc2\xa0\n"),
        (b"\xc2\x07\x9b2J\xc2\xc2\x9b\x9b\n", LOST + b"\x9b2J" + LOST + b"\x9b\n"),
        (b"caf\xc3\xa9 \x00 \xff\n", b"caf\xc3\xa9 \x00 \xff\n"),
    ],
)
def test_colours_pass_and_nothing_else(written: bytes, shown: bytes) -> None:
    assert tame(written) == shown


controls = st.sampled_from(
    [
        *(RED, OFF, b"\xc2", b"\x9b", b"\xc2\x9b", b"\xc2\x9d", b"\xc2\x9c", b"\xc2\x85", b"\xa0"),
        *(b"\x1b", b"[", b"]0;t", b"\x07", b"\r", b"\n", b"\b", b"x", b"31m", b"\x1b[2J", b" "),
    ]
)


@given(st.lists(controls, max_size=30))
def test_nothing_is_left_that_moves_anything(parts: list[bytes]) -> None:
    lines = b"".join(parts) + b"\n"
    left = re.sub(rb"\x1b\[[0-9;:]*m", b"", tame(lines))
    assert not is_wild(left)
    assert left.count(b"\n") == lines.count(b"\n")


@given(st.lists(controls, max_size=30), st.lists(st.integers(0, 60), max_size=6))
def test_it_does_not_matter_where_the_blocks_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    written = b"".join(parts)
    places = sorted({0, len(written), *(min(c, len(written)) for c in cuts)})
    prefixer = Prefixer()
    shown = b""
    for start, stop in pairwise(places):
        shown += prefixer.feed(written[start:stop], b"p| ")
    shown += prefixer.flush(b"p| ")
    whole = written if written.endswith(b"\n") or not written else written + b"\n"
    lines = tame(whole).split(b"\n")[:-1]
    assert shown == b"".join(b"p| " + line + b"\n" for line in lines)


def test_raw_passes_everything() -> None:
    prefixer = Prefixer(raw=True)
    assert prefixer.feed(b"\x1b[2J\ra\n", b"") == b"\x1b[2J\ra\n"


@pytest.mark.parametrize(
    "unit",
    [
        b"x",
        b"\r",
        b"\r\r",
        b"\x1b[3m",
        b"\x1b",
        b"\x1b]",
        b"\x1b[",
        b"\b",
        b"a\r",
        b"\xc2\x9d",
        b"\xc2",
        b"\xc2\x9b",
        b"\xc2\xa0",
    ],
)
def test_a_long_line_costs_what_its_length_does(unit: bytes) -> None:
    """In processor time against a line of an eighth of the length: quadratic would be 64 times."""

    def cost(size: int) -> float:
        line = RED + unit * (size // len(unit)) + b"\n"
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            tame(line)
            best = min(best, time.process_time() - began)
        return best

    # Windows counts processor time in steps of 1/64 s, whatever it says of its resolution
    least = 1 / 64 if sys.platform == "win32" else 0.0
    assert cost(256 * 1024) < 24 * max(cost(32 * 1024), least) + 0.05
