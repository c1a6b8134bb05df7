"""What guardian and supervisor tell each other: whole, in order, and without waiting."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from procession.process.link import GuardianGone, Heard, Known, Link, Posts

TERM, INT = int(signal.SIGTERM), int(signal.SIGINT)


class Pair:
    """Both ends, in one process."""

    def __init__(self) -> None:
        heard_r, heard_w = os.pipe()
        posts_r, posts_w = os.pipe()
        self.link = Link(heard_r, posts_w)
        self.posts = Posts(posts_r, heard_w)

    def close(self) -> None:
        self.link.close()
        self.posts.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    found = Pair()
    yield found
    found.close()


@pytest.mark.quick
def test_a_run_is_known_from_before_its_spawn_to_its_end(pair: Pair) -> None:
    pair.link.begins("a.web.1", TERM, 10.0)
    assert pair.posts.read()
    assert pair.posts.runs == {"a.web.1": Known(TERM, 10.0)}
    pair.link.started("a.web.1", 4711)
    pair.posts.read()
    assert pair.posts.runs == {"a.web.1": Known(TERM, 10.0, 4711)}
    pair.link.started("a.web.1", 4711, [(5, 77), (6, 78)], start_time=123)
    pair.posts.read()
    known = Known(TERM, 10.0, 4711, ((5, 77), (6, 78)), 123)
    assert pair.posts.runs == {"a.web.1": known}
    pair.link.ended("a.web.1")
    pair.posts.read()
    assert pair.posts.runs == {}


def test_a_run_that_is_left_is_not_swept(pair: Pair) -> None:
    pair.link.begins("a", INT, 0.5)
    pair.link.started("a", 5)
    pair.link.leaves("a")
    pair.posts.read()
    assert pair.posts.runs == {}
    assert pair.posts.left == {"a": Known(INT, 0.5, 5)}
    pair.link.spares("a", 7, 100)
    pair.link.spares("b", 8, 200)
    pair.posts.read()
    assert pair.posts.spared == {(7, 100), (8, 200)}
    pair.link.ended("a")  # nothing of it lives any more: nothing is to be remembered of it
    pair.posts.read()
    assert pair.posts.left == {}
    assert pair.posts.spared == {(8, 200)}


def test_folders_that_the_supervisor_makes_may_have_any_name(pair: Pair) -> None:
    pair.link.makes("/run/a b\n\udcff")
    pair.link.makes("/tmp/c")
    assert pair.posts.read()
    assert pair.posts.folders == ["/run/a b\n\udcff", "/tmp/c"]


def test_the_log_folder_may_have_any_name(pair: Pair) -> None:
    assert pair.posts.log_folder is None
    pair.link.logs_in("/a b/c\nd/\udcff")
    pair.posts.read()
    assert pair.posts.log_folder == "/a b/c\nd/\udcff"


def test_an_orderly_end_is_said(pair: Pair) -> None:
    pair.posts.read()
    assert not pair.posts.orderly
    pair.link.orderly()
    pair.link.close()
    assert not pair.posts.read()
    assert pair.posts.orderly


def test_what_was_posted_is_there_after_the_writers_end(pair: Pair) -> None:
    for number in range(200):
        pair.link.begins(f"run{number}", TERM, 1e-9)
    pair.link.close()
    assert not pair.posts.read()
    assert len(pair.posts.runs) == 200
    assert pair.posts.runs["run7"].grace == 1e-9


@pytest.mark.quick
def test_signals_are_heard_in_order_with_what_is_known_of_them(pair: Pair) -> None:
    heard = [Heard(INT, True, 1.25), Heard(TERM, False, 2.5), Heard(INT, None, 1e300)]
    for one in heard:
        pair.posts.tell(one)
    assert pair.link.read() == heard
    assert pair.link.read() == []


def test_a_message_in_two_pieces_is_one(pair: Pair) -> None:
    os.write(pair.posts._heard, b"15 0 3.")
    assert pair.link.read() == []
    os.write(pair.posts._heard, b"5\n2 1 4.0\n15")
    assert pair.link.read() == [Heard(15, False, 3.5), Heard(2, True, 4.0)]


def test_the_end_of_the_guardian_comes_after_what_it_said(pair: Pair) -> None:
    pair.posts.tell(Heard(TERM, False, 1.0))
    pair.posts.close()
    assert pair.link.read() == [Heard(TERM, False, 1.0), GuardianGone()]
    assert pair.link.read() == [GuardianGone()]


def test_posting_to_a_guardian_that_is_gone_is_no_error(pair: Pair) -> None:
    pair.posts.close()
    pair.link.begins("a", TERM, 1.0)
    pair.link.orderly()
    assert not pair.link._later


@pytest.mark.quick
def test_a_guardian_that_does_not_read_holds_nothing_up_and_misses_nothing(pair: Pair) -> None:
    """As one stopped by Ctrl-Z: the pipe is full, first at 64 KiB and then at 1 MiB."""
    cookies = [f"{'x' * 200}.{number}" for number in range(10_000)]
    for cookie in cookies:
        pair.link.begins(cookie, TERM, 1.0)
    assert pair.link._later
    seen: set[str] = set()
    while True:
        pair.posts.read()
        seen |= set(pair.posts.runs)
        if not pair.link._later:
            break
        pair.link.read()  # each turn of the supervisor's loop tries again
    pair.posts.read()
    assert list(pair.posts.runs) == cookies


def test_what_ended_meanwhile_does_not_pile_up(pair: Pair) -> None:
    """A task that restarts for hours under a stopped guardian."""
    for number in range(20_000):
        cookie = f"{'x' * 200}.{number}"
        pair.link.begins(cookie, TERM, 1.0)
        pair.link.started(cookie, number)
        pair.link.ended(cookie)
    assert len(pair.link._later) <= 1
    while pair.link._later:
        pair.posts.read()
        pair.link.read()
    pair.posts.read()
    assert pair.posts.runs == {}


def test_what_the_guardian_heard_of_is_taken_back_in_order(pair: Pair) -> None:
    pair.link.begins("early", TERM, 1.0)
    number = 0
    while not pair.link._later:
        pair.link.begins(f"{'x' * 200}.{number}", TERM, 1.0)
        number += 1
    pair.link.started("early", 5)
    pair.link.ended("early")
    pair.link.begins("late", TERM, 1.0)
    pair.link.started("late", 6)
    while pair.link._later:
        pair.posts.read()
        pair.link.read()
    pair.posts.read()
    assert "early" not in pair.posts.runs
    assert pair.posts.runs["late"] == Known(TERM, 1.0, 6)


def test_an_orderly_end_is_said_even_where_the_pipe_is_full(pair: Pair) -> None:
    while not pair.link._later:
        pair.link.begins("x" * 2000, TERM, 1.0)
    reader = threading.Thread(target=pair.posts.read)
    reader.start()
    pair.link.orderly()
    reader.join()
    pair.posts.read()
    assert pair.posts.orderly


def test_a_supervisor_that_does_not_read_holds_nothing_up(pair: Pair) -> None:
    for number in range(10_000):
        pair.posts.tell(Heard(TERM, False, float(number)))
    heard = pair.link.read()
    assert heard[0] == Heard(TERM, False, 0.0)
    assert 1_000 < len(heard) < 10_000


def test_telling_a_supervisor_that_is_gone_is_no_error(pair: Pair) -> None:
    pair.link.close()
    pair.posts.tell(Heard(TERM, False, 0.0))


@pytest.mark.parametrize(
    "line",
    [b"", b"b", b"b x", b"b x y z", b"s nobody 5", b"s", b"l nobody", b"?", b"\xff\xfe", b"b x 15"],
)
def test_the_guardian_survives_nonsense(pair: Pair, line: bytes) -> None:
    pair.link.begins("a", TERM, 1.0)
    os.write(pair.link._posts, line + b"\n")
    pair.link.begins("b", TERM, 1.0)
    assert pair.posts.read()
    assert set(pair.posts.runs) == {"a", "b"}


def test_names_of_any_script_pass(pair: Pair) -> None:
    pair.link.begins("ünï.\udcff.1", TERM, 1.0)
    pair.posts.read()
    assert set(pair.posts.runs) == {"ünï.\udcff.1"}


def test_closing_twice_is_closing_once(pair: Pair) -> None:
    pair.link.close()
    other = os.open(os.devnull, os.O_RDONLY)
    pair.link.close()
    os.fstat(other)
    os.close(other)
