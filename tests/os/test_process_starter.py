"""The parts of a starter, each by itself: what goes over its wire, and the leaves it sits in."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.core.status import ExitStatus
from procession.errors import HostError
from procession.process import _ahead_linux, _delegation_linux
from procession.process import _starter_wire as wire
from procession.process._ahead_linux import Ahead, leaf_name
from procession.process._cgroup_linux import LEFT, Groups, claim
from procession.process._stale_linux import sweep_stale
from tests.support.groups import Group, hierarchy, in_leaf, inside

__all__ = ["inside"]

TOKEN = "0123456789abcdef"
COOKIES = [f"{TOKEN}.{number}" for number in range(40)]


# --- the wire


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("size", [0, 10, 32_767, 32_768, 500_000])
def test_words_of_any_length_come_with_their_descriptors(
    pair: tuple[socket.socket, socket.socket], size: int
) -> None:
    reads, writes = os.pipe()
    words = ("start", b"x" * size, None, [1, "\udce4"])
    wire.send(pair[0], words, [reads, writes])
    received = wire.receive(pair[1])
    assert received is not None
    assert received[0] == words
    found = received[1]
    assert len(found) == 2
    assert [os.get_inheritable(fd) for fd in found] == [False, False]
    os.write(found[1], b"!")
    assert os.read(reads, 10) == b"!"
    for fd in (reads, writes, *found):
        os.close(fd)


def test_nobody_speaks_and_nobody_listens(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert wire.receive(pair[1]) is None
    with pytest.raises(BrokenPipeError):
        wire.send(pair[1], ("undo", "x"))


@pytest.mark.parametrize(
    "status",
    [
        ExitStatus(code=0),
        ExitStatus(code=255),
        ExitStatus(signal=9),
        ExitStatus(signal=64, core_dumped=True),
        ExitStatus(),
    ],
    ids=str,
)
def test_an_end_is_told_as_it_was(status: ExitStatus) -> None:
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    with pytest.raises(BlockingIOError):
        wire.read_fact(reads)
    os.write(writes, wire.fact(wire.STARTED, 42, 7))
    os.write(writes, wire.end_of(status))
    os.close(writes)
    assert wire.read_fact(reads) == (wire.STARTED, 42, 7, "")
    found = wire.read_fact(reads)
    assert found is not None
    assert found[0] == wire.ENDED
    assert wire.status_of(found[1], found[2]) == status
    assert wire.read_fact(reads) is None
    os.close(reads)


def test_a_long_reason_is_cut_and_still_one_write() -> None:
    reads, writes = os.pipe()
    os.write(writes, wire.fact(wire.FAILED, 5, wire.OTHER, "é" * 5000))
    os.close(writes)
    found = wire.read_fact(reads)
    assert found is not None
    assert 100 < len(found[3].encode("utf-8", "surrogateescape")) < 2000
    os.close(reads)


def test_an_answer_that_does_not_come() -> None:
    reads, writes = os.pipe()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        wire.take(reads, 0.05)
    assert time.monotonic() - began < 30
    os.close(writes)
    with pytest.raises(EOFError):
        wire.take(reads, 5.0)
    os.close(reads)
    reads, writes = os.pipe()
    os.close(reads)
    wire.give(writes, [1, 2])  # nobody is there to read it


# --- the leaves


@pytest.fixture
def groups(inside: Group) -> Iterator[Groups]:
    own = _delegation_linux.divisible()
    assert own is not None
    found = claim(own)
    assert found is not None
    yield found
    (inside.folder / "cgroup.procs").write_text("0")
    found.close()
    assert inside.places == []


def ahead(groups: Groups, *, required: bool = False) -> Ahead:
    lock, own, place, prefix = groups.heritage
    return Ahead(own, place, prefix, os.dup(lock), TOKEN, required=required)


@pytest.fixture
def seats(groups: Groups) -> Iterator[Ahead]:
    found = ahead(groups)
    yield found
    found.go_home()
    found.abandon()


def born(seats: Ahead, cookie: str) -> Path:
    """The leaf in which it was."""

    def start() -> Path:
        path = Path("/proc/self/cgroup").read_text().splitlines()[-1].removeprefix("0::/")
        return hierarchy() / path

    return seats.born_in(cookie, start)


@pytest.mark.root
def test_each_is_born_where_we_sit_and_we_go_on(seats: Ahead, inside: Group) -> None:
    seats.move_on()
    first = born(seats, COOKIES[0])
    assert in_leaf(os.getpid(), first), "until somebody has time for it"
    assert seats.due is not None
    assert seats.leaf_of(os.getpid()) == COOKIES[0]
    second = born(seats, COOKIES[1])
    assert first != second
    assert seats.folder_of(COOKIES[0]) == str(first)
    assert first.name == leaf_name(TOKEN, os.getpid(), seats.number_of(COOKIES[0]))
    seats.make_way([COOKIES[0]])
    assert in_leaf(os.getpid(), second), "it is not asked about that one"
    seats.make_way([COOKIES[1], COOKIES[2]])
    assert not in_leaf(os.getpid(), second)
    assert seats.due is None
    assert seats.leaf_of(os.getpid()) is None
    assert not seats.leaf(COOKIES[1]).holds()
    seats.go_home()
    assert in_leaf(os.getpid(), inside.folder)


@pytest.mark.root
def test_a_start_that_fails_leaves_the_leaf_for_the_next(seats: Ahead) -> None:
    def fails() -> None:
        raise FileNotFoundError

    seats.move_on()
    with pytest.raises(FileNotFoundError):
        seats.born_in(COOKIES[0], fails)
    assert seats.number_of(COOKIES[0]) == 0
    assert seats.due is None
    born(seats, COOKIES[1])
    assert seats.number_of(COOKIES[1]) == 1


@pytest.mark.root
def test_leaves_are_used_again_but_for_what_is_not_as_new(seats: Ahead) -> None:
    leaves = [born(seats, cookie) for cookie in COOKIES[:4]]
    seats.move_on()
    (leaves[1] / "below").mkdir()
    (leaves[2] / "cgroup.freeze").write_text("1")
    for cookie in COOKIES[:4]:
        seats.leaf(cookie).remove()
    assert [leaf.exists() for leaf in leaves] == [True, False, False, True]
    (leaves[3] / "cgroup.freeze").write_text("1")  # by somebody, since
    again = {born(seats, cookie) for cookie in COOKIES[4:7]}
    assert leaves[0] in again
    assert leaves[3] not in again
    assert not leaves[3].exists()


@pytest.mark.root
def test_no_more_is_kept_than_pays(seats: Ahead, groups: Groups) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for cookie in COOKIES:
        born(seats, cookie)
    assert len(os.listdir("/proc/self/fd")) - before <= seats.descriptors
    seats.move_on()
    for cookie in COOKIES:
        seats.leaf(cookie).remove()
    kept = [path for path in Path(groups.place).iterdir() if path.is_dir()]
    assert 1 < len(kept) <= _ahead_linux._POOL + 1


@pytest.mark.root
@pytest.mark.parametrize("required", [False, True])
def test_where_no_leaf_can_be_had(groups: Groups, required: bool, inside: Group) -> None:
    """A limit of the administrator's, say."""
    seats = ahead(groups, required=required)
    (inside.folder / "cgroup.max.descendants").write_text("1")  # the place itself
    try:
        if required:
            with pytest.raises(HostError, match="no control group can be made here"):
                born(seats, COOKIES[0])
        else:
            assert born(seats, COOKIES[0]) == inside.folder
            assert seats.number_of(COOKIES[0]) == 0
            assert not seats.leaf(COOKIES[0]).holds()
        (inside.folder / "cgroup.max.descendants").write_text("max")
        assert born(seats, COOKIES[1]) != inside.folder
    finally:
        seats.go_home()
        seats.abandon()


@pytest.mark.root
@pytest.mark.parametrize("refused", ["own", "own and place", "all"])
def test_a_way_out_that_is_refused(
    groups: Groups, refused: str, inside: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is none at all nobody is started any more, and we are not killed with who was."""
    seats = ahead(groups)
    leaf = born(seats, COOKIES[0])
    entrances = {
        "own": [str(inside.folder)],
        "own and place": [str(inside.folder), groups.place],
        "all": [str(inside.folder), groups.place],
    }[refused]
    joins = Groups._joins
    monkeypatch.setattr(
        Groups, "_joins", lambda self, folder: folder not in entrances and joins(self, folder)
    )
    if refused == "all":
        monkeypatch.setattr(Ahead, "_new_seat", lambda self: None)
    seats.move_on()
    assert in_leaf(os.getpid(), leaf) is (refused == "all")
    if refused == "all":
        assert seats.stuck_in == COOKIES[0]
        assert not seats.leaf(COOKIES[0]).holds()
        assert not seats.leaf(COOKIES[0]).kill()
        seats.kill_all()
        with pytest.raises(HostError):
            born(seats, COOKIES[1])
    else:
        seats.go_home()
        seats.kill_all()
    monkeypatch.undo()
    (inside.folder / "cgroup.procs").write_text("0")
    seats.abandon()


@pytest.mark.root
def test_what_a_lost_starter_left(groups: Groups) -> None:
    """Known leaves are kept, those left on purpose too; who is in any other is ended."""
    names = [leaf_name(TOKEN, 1, number) for number in (1, 2, 3)]
    leaves = [Path(groups.place, name) for name in names]
    for leaf in leaves:
        leaf.mkdir()
    (leaves[2] / LEFT).mkdir()
    seats = ahead(groups)
    seats.move_on()
    seats.adopt([(COOKIES[0], names[0]), (COOKIES[1], "")])
    assert [leaf.exists() for leaf in leaves] == [True, False, True]
    assert seats.folder_of(COOKIES[0]) == str(leaves[0])
    born(seats, COOKIES[2])
    seats.go_home()
    seats.leaf(COOKIES[0]).remove()
    assert not leaves[0].exists(), "it is not held open, so nobody can tell that it is as new"
    seats.abandon()


@pytest.mark.root
def test_names_of_leaves_are_known_for_ours(groups: Groups, inside: Group) -> None:
    """By the next start, which sweeps what dead owners have left."""
    leaf = Path(groups.place, leaf_name(TOKEN, os.getpid(), 1))
    leaf.mkdir()
    assert sweep_stale(str(inside.folder), 0.0) == 0
    assert leaf.exists(), "somebody holds the place"
    groups.abandon()
    assert sweep_stale(str(inside.folder), 0.0) == 0
    assert inside.places == []
