"""What one pipe does about a slow terminal, as histories in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.logs.feed import IDLE, Feed

PATIENCE = 1.0


class Terminal:
    """A destination with a switch: it has room, or not."""

    def __init__(self) -> None:
        self.has_room = True
        self.closed = False
        self.raw = True
        self.shown = bytearray()
        self.told: list[tuple[int, int]] = []
        self.waiting: list[Callable[[], None]] = []
        self.budget = PATIENCE
        self._lost = [0, 0]

    def prefix(self) -> bytes:
        return b"> "

    def offer(self, lines: bytes, on_room: Callable[[], None]) -> bool:
        assert lines.endswith(b"\n")
        if not self.has_room:
            self.waiting.append(on_room)
            return False
        self.shown += lines
        return True

    def patience(self) -> float:
        return self.budget

    def waited(self, seconds: float) -> None:
        assert seconds >= 0
        self.budget -= seconds

    def lost(self, size: int, lines: int) -> None:
        self._lost[0] += size
        self._lost[1] += lines

    def tell_lost(self) -> None:
        if self._lost[0]:
            self.told.append((self._lost[0], self._lost[1]))
        self._lost = [0, 0]

    @property
    def lost_bytes(self) -> int:
        return self._lost[0] + sum(size for size, _ in self.told)

    def free(self) -> None:
        """There is room again; whoever waits hears of it."""
        self.has_room = True
        self.budget = PATIENCE
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


class Stage:
    def __init__(self, terminal: Terminal | None = None) -> None:
        self.terminal = terminal or Terminal()
        self.now = 100.0
        self.called = False
        self.feed = Feed(self.terminal, self._on_room)

    def _on_room(self) -> None:
        self.called = True

    def take(self, block: bytes) -> None:
        self.feed.take(block, self.now)

    def room(self) -> None:
        self.terminal.free()
        assert self.called, "the feed did not ask to be called"
        self.called = False
        self.feed.room(self.now)

    def until(self, at: float) -> None:
        """Let time pass; deadlines are kept as the capture keeps them."""
        while (deadline := self.feed.deadline()) is not None and deadline <= at:
            self.now = max(self.now, deadline)
            self.feed.due(self.now)
        self.now = at


@pytest.mark.quick
def test_lines_go_through_and_nothing_is_pending() -> None:
    stage = Stage()
    stage.take(b"one\ntwo\n")
    assert stage.terminal.shown == b"> one\n> two\n"
    assert stage.feed.deadline() is None
    assert not stage.feed.paused


def test_an_unfinished_line_is_shown_after_half_a_second_of_silence() -> None:
    stage = Stage()
    stage.take(b"name? ")
    assert stage.feed.deadline() == stage.now + IDLE
    stage.until(stage.now + 0.4)
    stage.take(b"really ")  # not silent: waits anew
    stage.until(stage.now + 0.4)
    assert stage.terminal.shown == b""
    stage.until(stage.now + 0.2)
    assert stage.terminal.shown == b"> name? really \n"
    assert stage.feed.deadline() is None


def test_the_last_line_is_completed_at_the_end() -> None:
    stage = Stage()
    stage.take(b"one\nlast")
    stage.feed.end(stage.now)
    assert stage.terminal.shown == b"> one\n> last\n"


@pytest.mark.quick
def test_a_full_terminal_pauses_the_pipe_and_what_was_refused_comes_first() -> None:
    stage = Stage()
    stage.terminal.has_room = False
    stage.take(b"one\n")
    assert stage.feed.paused
    stage.until(stage.now + 0.9)
    assert stage.feed.paused
    stage.room()
    assert not stage.feed.paused
    stage.take(b"two\n")
    assert stage.terminal.shown == b"> one\n> two\n"
    assert stage.terminal.told == []


def test_a_line_is_not_broken_because_nobody_listened_for_its_rest() -> None:
    stage = Stage()
    stage.terminal.has_room = False
    stage.take(b"one\ntw")
    stage.until(stage.now + 0.9)
    stage.room()
    assert stage.feed.deadline() == stage.now + IDLE
    stage.take(b"o\n")
    assert stage.terminal.shown == b"> one\n> two\n"


def test_after_its_patience_it_drops_counts_and_tells_when_there_is_room() -> None:
    stage = Stage()
    stage.terminal.has_room = False
    stage.take(b"one\n")
    stage.until(stage.now + PATIENCE)
    assert not stage.feed.paused
    stage.take(b"two\nthree\n")
    assert not stage.feed.paused, "it waits once in a stall"
    assert stage.feed.deadline() is None
    stage.room()
    assert stage.terminal.told == [(len(b"one\ntwo\nthree\n"), 3)]
    stage.take(b"four\n")
    assert stage.terminal.shown == b"> four\n"


def test_a_line_that_was_lost_in_part_is_lost_as_a_whole_and_told_once() -> None:
    stage = Stage()
    stage.terminal.has_room = False
    stage.take(b"one\nt")
    stage.until(stage.now + PATIENCE)
    stage.take(b"w")
    stage.room()
    assert stage.terminal.told == []
    stage.take(b"o\nthree\n")
    assert stage.terminal.told == [(len(b"one\ntwo\n"), 2)]
    assert stage.terminal.shown == b"> three\n"


def test_a_lost_line_that_does_not_go_on_is_told_all_the_same() -> None:
    stage = Stage()
    stage.terminal.has_room = False
    stage.take(b"one\nt")
    stage.until(stage.now + PATIENCE)
    stage.room()
    stage.until(stage.now + IDLE)
    assert stage.terminal.told == [(5, 1)]
    assert stage.feed.deadline() is None


def test_patience_is_for_the_whole_stall_not_for_each_run() -> None:
    first = Stage()
    first.terminal.has_room = False
    first.take(b"one\n")
    first.until(first.now + 0.75)
    first.feed.give_up(first.now)
    second = Stage(first.terminal)  # the next run of the same replica
    second.take(b"two\n")
    assert second.feed.deadline() == second.now + 0.25
    second.until(second.now + 0.25)
    third = Stage(first.terminal)
    third.take(b"three\n")
    assert not third.feed.paused
    assert first.terminal.lost_bytes == len(b"one\ntwo\nthree\n")


def test_without_patience_it_drops_at_once() -> None:
    stage = Stage()
    stage.terminal.has_room = False
    stage.terminal.budget = 0.0
    stage.take(b"one\n")
    assert not stage.feed.paused
    assert stage.terminal.lost_bytes == 4


def test_an_end_while_paused_or_dropping_counts_what_was_not_shown() -> None:
    paused = Stage()
    paused.terminal.has_room = False
    paused.take(b"one\ntw")
    paused.feed.end(paused.now)
    assert paused.terminal.lost_bytes == 6
    dropping = Stage()
    dropping.terminal.has_room = False
    dropping.take(b"one\n")
    dropping.until(dropping.now + PATIENCE)
    dropping.take(b"two\nthr")
    dropping.feed.end(dropping.now)
    assert dropping.terminal.told == []
    dropping.room()  # after its end: it still tells
    assert dropping.terminal.told == [(len(b"one\ntwo\nthr"), 2)]


def test_a_last_line_that_is_refused_is_counted() -> None:
    stage = Stage()
    stage.take(b"last")
    stage.terminal.has_room = False
    stage.feed.end(stage.now)
    assert stage.terminal.lost_bytes == 4
    stage.room()
    assert stage.terminal.told == [(4, 1)]


blocks = st.text("abc\n", max_size=12).map(str.encode)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), blocks),
        st.tuples(st.just("pass"), st.sampled_from([0.1, 0.3, 0.6, 2.0])),
        st.tuples(st.just("full"), st.none()),
        st.tuples(st.just("room"), st.none()),
    ),
    max_size=30,
)


@given(steps)
def test_any_history_shows_or_counts_every_byte_and_waits_a_second_at_most(
    history: list[tuple[str, bytes | float | None]],
) -> None:
    stage = Stage()
    terminal = stage.terminal
    sent = bytearray()
    for what, value in history:
        if what == "take" and not stage.feed.paused:
            assert isinstance(value, bytes)
            sent += value
            stage.take(value)
        elif what == "pass":
            assert isinstance(value, float)
            stage.until(stage.now + value)
        elif what == "full":
            terminal.has_room = False
        elif what == "room":
            terminal.free()
            if stage.called:
                stage.called = False
                stage.feed.room(stage.now)
        assert terminal.budget >= -1e-9, "it waited longer than its patience"
        if stage.feed.paused:
            assert stage.feed.deadline() is not None, "nothing would end the pause"
    stage.feed.end(stage.now)
    for line in bytes(terminal.shown).splitlines():
        assert line.startswith(b"> ")
    shown = bytes(terminal.shown).replace(b"> ", b"").replace(b"\n", b"")
    letters = sent.replace(b"\n", b"")
    kept = iter(letters)
    assert all(byte in kept for byte in shown), "shown in another order than it was written"
    # newlines of ours may stand where the stream's own do not
    unseen = len(sent) - len(bytes(terminal.shown).replace(b"> ", b""))
    ours = len(history) + 1
    assert abs(terminal.lost_bytes - unseen) <= ours
