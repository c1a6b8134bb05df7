"""The console: whole lines, whole order, a bounded queue, and an output that may die."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from procession.logs.console import Console, ConsoleStream, Unshown
from procession.logs.palette import paint
from tests.support.programs import BOUND

PIPE = 64 * 1024


def never() -> None:
    raise AssertionError("nobody was to be called")


class Room:
    """What is called when there is room: a flag that can be waited for together with a pipe."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC)

    def __call__(self) -> None:
        os.eventfd_write(self.fd, 1)

    def __bool__(self) -> bool:
        return bool(select.select([self.fd], [], [], 0)[0])

    def close(self) -> None:
        os.close(self.fd)


class Screen:
    """A pipe in the place of a terminal, read when the test says so."""

    def __init__(self) -> None:
        self.fd, self.write = os.pipe()
        os.set_blocking(self.fd, False)
        self.seen = bytearray()

    def until(self, enough: Callable[[bytes], object]) -> bytes:
        deadline = time.monotonic() + BOUND
        while not enough(bytes(self.seen)):
            left = deadline - time.monotonic()
            readable = select.select([self.fd], [], [], max(0.0, left))[0]
            assert readable, f"not shown within the bound; seen: {bytes(self.seen[-500:])!r}"
            block = os.read(self.fd, PIPE)
            assert block, f"the end; seen: {bytes(self.seen[-500:])!r}"
            self.seen += block
        return bytes(self.seen)

    def read(self, text: bytes) -> bytes:
        return self.until(lambda seen: text in seen)

    def make_room(self, room: Room) -> None:
        """Read until room is reported."""
        deadline = time.monotonic() + BOUND
        while True:
            left = deadline - time.monotonic()
            readable = select.select([self.fd, room.fd], [], [], max(0.0, left))[0]
            assert readable, "no room reported within the bound"
            if room.fd in readable:
                return
            self.seen += os.read(self.fd, PIPE)

    def rest(self) -> bytes:
        """All there is, once nobody writes any more."""
        if self.write >= 0:
            os.close(self.write)
            self.write = -1
        os.set_blocking(self.fd, True)
        while block := os.read(self.fd, PIPE):
            self.seen += block
        return bytes(self.seen)

    def close(self) -> None:
        for fd in (self.fd, self.write):
            if fd >= 0:
                os.close(fd)
        self.fd = self.write = -1


class Showing:
    """A console on two screens, and what it complained of."""

    def __init__(self, **options: object) -> None:
        self.out, self.err = Screen(), Screen()
        self.troubles: list[str] = []
        given: dict[str, object] = {"names": ("web", "db"), "color": False, "timestamps": False}
        self.console = Console(
            self.out.write,
            self.err.write,
            **{"on_trouble": self.troubles.append, **given, **options},  # type: ignore[arg-type]
        )

    def close(self) -> None:
        self.console.close(0.0)
        self.out.close()
        self.err.close()


@pytest.fixture
def showing() -> Iterator[Showing]:
    made = Showing()
    yield made
    made.close()


def feed(stream: ConsoleStream, *lines: bytes) -> bool:
    return stream.offer(b"".join(stream.prefix() + line + b"\n" for line in lines), never)


@pytest.mark.quick
def test_stdout_goes_to_stdout_stderr_and_talk_to_stderr_all_aligned(showing: Showing) -> None:
    console = showing.console
    console.say("starting\nboth")
    feed(console.stream("web", "stdout"), b"hello", b"world")
    feed(console.stream("db", "stderr"), b"oops \xff")
    assert console.close(BOUND) == Unshown(0, 0)
    assert showing.out.rest() == b"web        | hello\nweb        | world\n"
    assert showing.err.rest() == (
        b"procession | starting\nprocession | both\ndb         | oops \xff\n"
    )
    assert showing.troubles == []


def test_the_longest_name_sets_the_width_and_a_later_one_may_be_longer() -> None:
    showing = Showing(names=("a-long-name-here", "b"))
    console = showing.console
    for name in ("b", "a-long-name-here", "a-name-that-came-later"):
        feed(console.stream(name, "stdout"), b"x")
    console.close(BOUND)
    assert showing.out.rest() == (
        b"b                | x\na-long-name-here | x\na-name-that-came-later | x\n"
    )
    showing.close()


def test_on_a_narrow_terminal_names_are_shortened_and_stay_apart() -> None:
    near, far = os.openpty()
    try:
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 45, 0, 0))
        names = ["b", *(f"importer-{middle}-of-invoices" for middle in ("a", "b", "c"))]
        console = Console(far, far, names=names, color=False, timestamps=False)
        labels = [console.label(name, "stdout") for name in (*names, "came-later-and-is-long")]
        console.close(0.0)
    finally:
        os.close(near)
        os.close(far)
    assert len(set(labels)) == len(labels)
    assert {len(label) for label in labels} == {15 + len(" | ")}
    assert labels[:2] == [b"b               | ", b"importe..voices | "]


def test_the_narrowest_of_our_terminals_counts_and_ten_characters_stay() -> None:
    wide, narrow = os.openpty(), os.openpty()
    try:
        for (_, far), columns in ((wide, 300), (narrow, 12)):
            fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        console = Console(
            wide[1], narrow[1], names=["a-name-that-is-long"], color=False, timestamps=False
        )
        label = console.label("a-name-that-is-long", "stdout")
        console.close(0.0)
    finally:
        for fd in (*wide, *narrow):
            os.close(fd)
    assert label == b"a-na..long | "


def test_colour_and_time_stand_before_the_line_and_end_before_it() -> None:
    at = time.mktime((2025, 3, 4, 5, 6, 7, 0, 0, -1)) + 0.25
    showing = Showing(color=True, timestamps=True, clock=lambda: at)
    console = showing.console
    feed(console.stream("db", "stdout"), b"x")
    feed(console.stream("later", "stdout"), b"y")
    console.say("z")
    console.close(BOUND)
    first, second = showing.out.rest().splitlines()
    assert first == b"05:06:07.250 " + paint(1) + b"db         |\x1b[0m x"
    assert second == b"05:06:07.250 " + paint(2) + b"later      |\x1b[0m y"
    assert showing.err.rest() == b"05:06:07.250 \x1b[1mprocession |\x1b[0m z\n"
    showing.close()


def test_where_both_lead_to_one_place_what_was_first_is_shown_first() -> None:
    screen = Screen()
    second = os.dup(screen.write)
    console = Console(screen.write, second, names=("web",), color=False, timestamps=False)
    stream = console.stream("web", "stdout")
    for number in range(500):
        console.say(f"{number} talk")
        feed(stream, b"%d line" % number)
    console.close(BOUND)
    os.close(second)
    numbers = [re.sub(rb"^.*\| ", b"", line) for line in screen.rest().splitlines()]
    assert numbers == [b"%d %b" % (n, word) for n in range(500) for word in (b"talk", b"line")]
    screen.close()


def test_what_is_shared_with_the_shell_stays_as_it_is(showing: Showing) -> None:
    before = [fcntl.fcntl(s.write, fcntl.F_GETFL) for s in (showing.out, showing.err)]
    showing.console.say("x")
    feed(showing.console.stream("web", "stdout"), b"y")
    showing.err.read(b"x")
    showing.out.read(b"y")
    assert [fcntl.fcntl(s.write, fcntl.F_GETFL) for s in (showing.out, showing.err)] == before
    showing.console.close(BOUND)
    assert [fcntl.fcntl(s.write, fcntl.F_GETFL) for s in (showing.out, showing.err)] == before


def test_no_thread_before_the_first_word_and_none_after_close() -> None:
    def ours() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "procession-console"]

    showing = Showing()
    assert ours() == []
    showing.console.say("x")
    [thread] = ours()
    assert thread.daemon
    showing.console.close(BOUND)
    assert ours() == []
    showing.console.say("after the end")  # vanishes, and blocks nobody
    assert showing.err.rest() == b"procession | x\n"
    showing.close()
    silent = Showing()
    assert silent.console.close(BOUND) == Unshown(0, 0)
    silent.close()


def test_a_host_without_threads_shows_it_when_there_is_one(
    showing: Showing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        showing.console.say("first")
    showing.console.say("second")
    assert showing.err.read(b"second\n") == b"procession | first\nprocession | second\n"


def test_its_own_descriptors_are_not_inherited() -> None:
    before = set(os.listdir("/proc/self/fd"))
    showing = Showing()
    showing.console.say("x")
    showing.err.read(b"x")
    ours = [int(fd) for fd in set(os.listdir("/proc/self/fd")) - before]
    inheritable = [os.get_inheritable(fd) for fd in ours if os.path.exists(f"/proc/self/fd/{fd}")]
    assert len(inheritable) >= 7  # the screens', the waker's, the reopened
    assert not any(inheritable)
    showing.close()


# --- nobody reads ---------------------------------------------------------------------------------


@pytest.mark.quick
def test_a_full_queue_refuses_a_flood_and_still_takes_the_words_of_others() -> None:
    showing = Showing(limit=256 * 1024)
    console = showing.console
    flood, calm = console.stream("web", "stdout"), console.stream("db", "stdout")
    room = Room()
    block = b"x" * 1023 + b"\n"
    taken = 0
    while flood.offer(block, room):
        taken += len(block)
        assert taken < 1024 * 1024, "the queue has no bound"
    assert taken >= 256 * 1024
    assert feed(calm, b"me too")
    assert not room
    showing.out.make_room(room)  # emptied to half, and no sooner, it calls
    assert len(showing.out.seen) >= taken - 128 * 1024 - PIPE
    assert flood.offer(block, never)
    showing.close()
    room.close()


def test_who_was_loud_once_and_was_shown_is_not_taken_for_a_flood() -> None:
    showing = Showing(limit=256 * 1024)
    once, flood = (showing.console.stream(name, "stdout") for name in ("db", "web"))
    lines = b"db | x\n" * 20_000
    assert once.offer(lines, never)
    showing.out.until(lambda seen: len(seen) == len(lines))
    feed(flood, b"so that the thread has counted what it wrote")
    showing.out.read(b"counted")
    while flood.offer(b"x" * 1023 + b"\n", never_mind):
        pass
    assert feed(once, b"a few words")
    showing.close()


def test_nobody_who_speaks_waits_for_a_terminal_that_does_not_read() -> None:
    showing = Showing(limit=64 * 1024)
    began = time.monotonic()
    for number in range(5000):
        showing.console.say(f"{number} {'x' * 100}")
    unshown = showing.console.close(0.1)
    assert time.monotonic() - began < 30
    assert unshown.lines > 3000
    shown = showing.err.rest().splitlines()
    assert shown
    assert shown[0].startswith(b"procession | 0 ")
    showing.close()


def test_close_is_bounded_and_counts_what_it_could_not_show() -> None:
    showing = Showing()
    stream = showing.console.stream("web", "stdout")
    lines = b"web | x\n" * 100_000
    assert stream.offer(lines, never)
    showing.out.until(lambda seen: seen)  # the thread writes
    began = time.monotonic()
    unshown = showing.console.close(0.1)
    assert time.monotonic() - began < 30
    assert unshown.size == len(lines) - len(showing.out.rest())
    assert unshown.size > 0
    showing.close()


def test_patience_is_counted_in_each_stall_anew() -> None:
    showing = Showing(limit=16 * 1024, patience=5.0)
    stream = showing.console.stream("web", "stdout")
    room = Room()
    block = b"x" * 1023 + b"\n"
    while stream.offer(block, room):
        pass
    assert stream.patience() == 5.0
    stream.waited(3.0)
    assert stream.patience() == 2.0
    stream.waited(3.0)
    assert stream.patience() == 0.0
    showing.out.make_room(room)
    while stream.offer(block, never_mind):
        pass
    assert stream.patience() == 5.0
    showing.close()
    room.close()


def never_mind() -> None:
    """Called or not."""


def test_what_was_not_shown_is_told_once_and_where_it_can_be_read(showing: Showing) -> None:
    stream = showing.console.stream("web", "stdout", "web.log")
    assert stream is showing.console.stream("web", "stdout")
    stream.lost(1_500_000, 2000)
    stream.tell_lost()
    stream.tell_lost()
    stream.lost(10, 1)
    assert showing.console.close(BOUND) == Unshown(2001, 1_500_010)
    first, second = showing.err.rest().decode().splitlines()
    assert first == (
        "procession | web: 2,000 lines (1.5 MB) of its stdout not shown, "
        "the terminal is too slow; web.log has all of it"
    )
    assert "web: 1 line (10 bytes) of its stdout" in second


def test_muted_it_writes_nothing_and_holds_nobody_back_until_unmuted() -> None:
    showing = Showing(limit=16 * 1024)
    console = showing.console
    stream = console.stream("web", "stdout")
    console.say("before")
    showing.err.read(b"before\n")
    console.mute()
    console.say("meanwhile")
    while stream.offer(b"web | " + b"x" * 1000 + b"\n", never_mind):
        pass
    assert stream.patience() == 0.0
    stream.lost(1000, 1)
    assert select.select([showing.out.fd, showing.err.fd], [], [], 0.2)[0] == []
    console.unmute()
    showing.err.read(b"meanwhile\n")
    assert b"1 line (1.0 kB) of its stdout not shown, the terminal was turned off" in (
        showing.err.read(b"turned off\n")
    )
    assert len(showing.out.until(lambda seen: len(seen) >= 16 * 1024)) >= 16 * 1024
    assert stream.patience() == 1.0
    showing.close()
