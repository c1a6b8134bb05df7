"""A program gets a descriptor under the number it expects, and we lose none of ours."""

from __future__ import annotations

import os
import resource
import selectors
import sys
from collections.abc import Iterator

import pytest

from procession.process._places_posix import Places
from procession.process.spawn import spawn
from tests.support.processes import Started, await_exit, command

WRITES = """
import os
os.write({0}, b"from %d" % {0})
with os.scandir("/proc/self/fd") as entries:  # has one of its own, the lowest that is free
    print(sorted(int(entry.name) for entry in entries))
"""


@pytest.fixture
def places() -> Iterator[Places]:
    made = Places()
    yield made
    made.close()


@pytest.fixture
def started() -> Iterator[Started]:
    made = Started()
    yield made
    made.close()


def passed(places: Places, started: Started, number: int) -> tuple[bytes, bytes]:
    """What a program wrote to the descriptor it got as `number`, and what it has open."""
    reads, writes = os.pipe()
    out_r, out_w = os.pipe()
    wanted = command(
        sys.executable, "-I", "-S", "-c", WRITES.format(number), stdout=out_w, pass_fds=(number,)
    )
    try:
        handle = places.put({number: writes}, lambda: started(wanted, spawn))
    finally:
        os.close(writes)
        os.close(out_w)
    await_exit(handle)
    try:
        return os.read(reads, 100), os.read(out_r, 1000)
    finally:
        os.close(reads)
        os.close(out_r)


@pytest.mark.quick
def test_a_number_that_nobody_has(places: Places, started: Started) -> None:
    assert passed(places, started, 77) == (b"from 77", b"[0, 1, 2, 3, 77]\n")
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(77)


@pytest.mark.quick
def test_a_number_that_is_reserved_is_given_to_nobody_else(
    places: Places, started: Started
) -> None:
    free = os.dup(0)
    os.close(free)
    places.reserve((free, free, 77))
    other = os.dup(0)
    try:
        assert other != free
        assert passed(places, started, free)[0] == b"from %d" % free
        assert not os.get_inheritable(free), "and it is reserved still"
    finally:
        os.close(other)
    places.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(free)


def test_what_has_the_number_is_back_afterwards_and_watched_all_the_time(
    places: Places, started: Started
) -> None:
    reads, writes = os.pipe()
    with selectors.DefaultSelector() as selector:
        selector.register(reads, selectors.EVENT_READ)
        before = os.fstat(reads)
        places.reserve((reads,))
        assert passed(places, started, reads)[0] == b"from %d" % reads
        assert os.path.sameopenfile(reads, reads)
        assert (os.fstat(reads).st_ino, os.get_inheritable(reads)) == (before.st_ino, False)
        assert selector.select(0) == []
        os.write(writes, b"!")
        assert [key.fd for key, _ in selector.select(0)] == [reads]
    os.close(reads)
    os.close(writes)


def test_a_spawn_that_fails_leaves_all_as_it_was(places: Places) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        places.put({77: 0}, lambda: spawn(command("/no/such/program", pass_fds=(77,))))
    assert os.listdir("/proc/self/fd") == before


def test_a_number_above_the_limit_is_told(places: Places) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    places.reserve((soft,))
    with pytest.raises(OSError, match="descriptor"):
        places.put({soft: 0}, lambda: pytest.fail("nothing is to be spawned"))
