"""What a probe asks an HTTP server, and what it makes of the answer."""

from __future__ import annotations

import itertools
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.spec import HttpProbe
from procession.supervisor.probes.http import ALL, BODY, HEAD, Answer, BadAnswer, Target, judged

pytestmark = pytest.mark.quick


def answer(*parts: bytes, wants_body: bool = True, head_only: bool = False) -> Answer:
    """What came of these parts, and the end of the connection after them."""
    got = Answer(wants_body=wants_body, head_only=head_only)
    for part in (*parts, b""):
        if got.feed(part):
            break
    return got


def wrong(got: Answer, **probe: object) -> str:
    return judged(HttpProbe("http://h/", **probe), got)  # type: ignore[arg-type]


# --- what is asked -----------------------------------------------------------------------------


def test_a_request_says_whom_it_is_for_and_that_it_is_the_only_one() -> None:
    target = Target(HttpProbe("http://127.0.0.1:8000/health?deep=1#part"))
    assert (target.secure, target.host, target.port) == (False, "127.0.0.1", 8000)
    first, *lines = target.request.decode().split("\r\n")
    assert first == "GET /health?deep=1 HTTP/1.1"
    assert "Host: 127.0.0.1:8000" in lines
    assert "Connection: close" in lines
    assert lines[-2:] == ["", ""]


@pytest.mark.parametrize(
    ("url", "host", "port", "said"),
    [
        ("http://h", "h", 80, "Host: h"),
        ("https://h/x", "h", 443, "Host: h"),
        ("https://h:80", "h", 80, "Host: h:80"),
        ("http://[::1]:8000/", "::1", 8000, "Host: [::1]:8000"),
    ],
)
def test_the_port_is_the_usual_one_where_none_is_said(
    url: str, host: str, port: int, said: str
) -> None:
    target = Target(HttpProbe(url))
    assert (target.host, target.port) == (host, port)
    assert said.encode() in target.request.split(b"\r\n")


def test_headers_of_the_probe_take_the_place_of_ours() -> None:
    probe = HttpProbe("http://h/", method="HEAD", headers=(("host", "other"), ("X-Token", "t")))
    lines = Target(probe).request.decode().split("\r\n")
    assert lines[0] == "HEAD / HTTP/1.1"
    assert [line for line in lines if line.lower().startswith("host:")] == ["host: other"]
    assert "X-Token: t" in lines


def test_who_logs_in_by_the_url_is_said_in_a_header_alone() -> None:
    request = Target(HttpProbe("http://me:p%40ss@h/")).request.decode()
    assert "Authorization: Basic bWU6cEBzcw==" in request
    assert request.startswith("GET / HTTP/1.1\r\nHost: h\r\n")


def test_what_a_path_may_not_hold_is_escaped() -> None:
    assert Target(HttpProbe("http://h/gr ün")).request.startswith(b"GET /gr%20%C3%BCn HTTP")


@pytest.mark.parametrize("url", ["ftp://h/", "h:80/x", "http://", "http:///x", "http://h:99999/"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ValueError, match="no http or https URL"):
        Target(HttpProbe(url))


def test_a_header_cannot_bring_another() -> None:
    with pytest.raises(ValueError, match="line break"):
        Target(HttpProbe("http://h/", headers=(("A", "b\r\nC: d"),)))


# --- what came back ----------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (OK + b"Content-Length: 4\r\n\r\nfine and more", b"fine"),
        (OK + b"\r\nto the end", b"to the end"),
        (
            OK + b"transfer-encoding: chunked\r\n\r\n3;x=y\r\nfin\r\n1\r\ne\r\n0\r\nT: x\r\n\r\n",
            b"fine",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\nContent-Length: 1\n\n!", b"!"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\n\r\n", b""),
    ],
)
def test_an_answer_is_read_to_its_end(said: bytes, body: bytes) -> None:
    got = answer(said)
    assert got.complete
    assert got.status in (200, 204)
    assert got.body == body
    single = answer(*[said[i : i + 1] for i in range(len(said))])
    assert (single.status, single.body) == (got.status, body)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 20", "without an answer"),
        (OK + b"Content-Length: 9\r\n\r\nshort", "cut off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nsho", "cut off"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP"),
        (b"HTTP/2 200\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * HEAD, "head is longer than 64 KiB"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "no HTTP"),
    ],
)
def test_what_is_no_answer_is_told(said: bytes, words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        answer(said)


def fed(answer: Answer, block: bytes, at_most: int) -> int:
    """How much of the block, again and again, an answer takes until it has enough of it."""
    for taken in range(0, at_most, len(block)):
        try:
            if answer.feed(block):
                return taken
        except BadAnswer:
            return taken
    raise AssertionError("it is never enough")


def test_heads_and_trailers_without_end_are_bounded_together() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert fed(Answer(wants_body=False), interim * 10, 4 * HEAD) <= HEAD
    chunked = Answer(wants_body=True)
    assert not chunked.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    assert fed(chunked, b"a: b\r\n" * 10, 4 * HEAD) <= HEAD
    few = answer(interim * 20 + OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n\r\n")
    assert few.complete


def test_what_is_between_chunks_is_bounded() -> None:
    chunked = Answer(wants_body=True)
    assert not chunked.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    block = (b"1;" + b"x" * 60_000 + b"\r\n!\r\n") * 2
    assert fed(chunked, block, 2 * ALL) <= ALL


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"\r\n", b"some text"),
    ],
)
def test_an_answer_costs_what_its_length_does(head: bytes, unit: bytes) -> None:
    """In processor time against an eighth of the length: quadratic would be 64 times."""

    def cost(size: int) -> float:
        best = float("inf")
        for _ in range(3):
            got = Answer(wants_body=True)
            got.feed(OK + head)
            block = unit * (size // len(unit))
            began = time.process_time()
            for at in range(0, len(block), 65536):
                got.feed(block[at : at + 65536])
            best = min(best, time.process_time() - began)
        return best

    least = 1 / 64 if sys.platform == "win32" else 0.0
    assert cost(1 << 19) < 24 * max(cost(1 << 16), least) + 0.05


def test_a_body_nobody_looks_at_is_not_waited_for() -> None:
    """An endpoint that goes on for ever is well as soon as its head says so."""
    for head in (b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: 999999\r\n\r\n"):
        assert Answer(wants_body=False).feed(OK + head)
    few = Answer(wants_body=False)
    assert not few.feed(OK + b"Content-Length: 5\r\n\r\nab")
    assert few.feed(b"cde")
    assert few.body == b""


def test_a_head_that_was_asked_for_has_no_body() -> None:
    assert Answer(wants_body=True, head_only=True).feed(OK + b"Content-Length: 5\r\n\r\n")


def test_a_body_without_end_is_read_so_far() -> None:
    endless = Answer(wants_body=True)
    endless.feed(OK + b"\r\n")
    block = b"x" * 65536
    assert any(endless.feed(block) for _ in range(BODY // len(block)))
    assert len(endless.body) == BODY


@given(
    st.binary(max_size=60), st.lists(st.integers(1, 20), max_size=4), st.lists(st.integers(0, 200))
)
def test_any_cutting_of_an_answer_gives_the_same(
    body: bytes, sizes: list[int], cuts: list[int]
) -> None:
    chunks = []
    left = body
    for size in (*sizes, len(body)):
        if left:
            part, left = left[:size], left[size:]
            chunks.append(b"%x\r\n%s\r\n" % (len(part), part))
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"
    counted = OK + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    for said in (chunked, counted, OK + b"\r\n" + body):
        at = [0, *sorted(cuts), len(said)]
        parts = [said[a:b] for a, b in itertools.pairwise(at) if a < b]
        assert answer(*parts).body == body


@given(st.binary(max_size=300), st.booleans())
def test_nothing_a_server_says_breaks_us(said: bytes, http: bool) -> None:
    try:
        got = answer((OK if http else b"") + said)
    except BadAnswer:
        return
    assert got.complete


# --- what is made of it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ranges", "words"),
    [
        (200, ((200, 399),), ""),
        (302, ((200, 399),), ""),
        (404, ((200, 399),), "answered 404, expected 200-399"),
        (404, ((200, 200), (404, 404)), ""),
        (503, ((200, 200), (300, 399), (404, 404)), "answered 503, expected 200, 300-399 or 404"),
    ],
)
def test_a_status_is_in_a_range_or_told(
    status: int, ranges: tuple[tuple[int, int], ...], words: str
) -> None:
    got = answer(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    assert wrong(got, status=ranges) == words


def test_a_body_is_searched() -> None:
    got = answer(OK + b'Content-Length: 15\r\n\r\n{"db": "up ok"}')
    assert wrong(got, body='"db": "up') == ""
    assert wrong(got, body="^ok") == "answered 200, and `^ok` is not in what it said"


def test_no_body_holds_us_up() -> None:
    got = answer(OK + b"\r\n" + b"x" * BODY)
    assert wrong(got, body="(x+x+)+y") == "answered 200, and `(x+x+)+y` is not in what it said"
    assert wrong(got, body="(.*)(.*)(.*)y$") != ""
    assert wrong(got, body="(x+x+)+$") == ""
    assert "cannot be looked for" in wrong(got, body=r"(x+x+)+\1y")
