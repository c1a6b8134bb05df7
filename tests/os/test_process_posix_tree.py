"""What other POSIX hosts have to do with, chosen by hand and run on Linux: groups, and `ps`."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from procession.process import _linux
from procession.process._ears_posix import Ears
from procession.process._sweep_posix import Rescue, sweep
from procession.process._tree_posix import PosixTrees, processes
from procession.process.link import Known, Posts
from tests.support.forest import Forest
from tests.support.lone import in_one_thread
from tests.support.processes import BOUND


@pytest.fixture
def forest() -> Iterator[Forest]:
    found = Forest(PosixTrees())
    yield found
    found.close()


def test_ps_tells_of_everything_that_lives(forest: Forest) -> None:
    forest.plant("run", "tree_obedient")
    pid = forest.lines.expect("ready")["ready"]
    line = processes()[pid]
    assert (line.ppid, line.pgrp) == (os.getpid(), pid)
    assert abs(line.start_time - time.time()) < 60
    assert line.name.startswith("python")
    forest.handles["run"].send(signal.SIGKILL)
    forest.until(lambda: forest.handles["run"].poll_exit() is not None)
    assert pid not in processes()  # a zombie does not live


def test_a_tree_lasts_as_long_as_its_group(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "child=obeys")
    child = forest.lines.expect("leader", "child")["child"]
    forest.until(lambda: forest.handles["run"].poll_exit() is not None)
    assert not tree.is_empty()
    assert [member.pid for member in tree.members()] == [child]
    assert forest.trees.scan() == ["run"]
    assert tree.signal(signal.SIGTERM, to="leader").pids == ()
    assert tree.signal(signal.SIGTERM, to="group").pids == ()
    forest.until(tree.is_empty)
    assert forest.trees.scan() == []
    assert tree.finish() is not None
    assert forest.trees.unclaimed() == []
    assert forest.trees.sweep_unclaimed(signal.SIGKILL).pids == ()
    assert not forest.trees.again


def test_descendants_in_other_groups_are_members_while_lineage_holds(forest: Forest) -> None:
    tree = forest.plant("run", "tree_between")
    pid = forest.lines.expect("leader", "between", "bare")
    assert {member.pid for member in tree.members()} == set(pid.values())
    sent = tree.signal(signal.SIGTERM)
    assert set(sent.pids) == set(pid.values())
    assert tree.signal(signal.SIGTERM, only_new=True).pids == ()
    forest.until(lambda: forest.handles["run"].poll_exit() is not None)


def test_kill_leaves_nobody_in_the_group(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=deaf", "child=deaf")
    pid = forest.lines.expect("leader", "child")
    assert set(tree.kill().pids) == set(pid.values())
    forest.until(lambda: forest.handles["run"].poll_exit() is not None)
    deadline = time.monotonic() + BOUND
    while not tree.is_empty():
        assert time.monotonic() < deadline
    with pytest.raises(ValueError, match="planted before"):
        forest.trees.plant("run", "", forest.handles["run"])
    with pytest.raises(ValueError, match="leader, group, tree"):
        tree.signal(signal.SIGTERM, to="all")


def test_a_forgotten_run_is_reaped(forest: Forest) -> None:
    forest.plant("run", "/bin/true")
    handle = forest.handles["run"]
    forest.until(lambda: handle.poll_exit() is not None)
    forest.trees.forget("run")
    assert handle.reaped


# --- the guardian's part


def ears_for_what_was_sent() -> None:
    numbers = [signal.SIGUSR1, signal.SIGUSR2]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    handler = signal.getsignal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    ears = Ears(numbers)
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
        assert select.select([ears.fd], [], [], BOUND)[0]
        assert sorted(ears.read()) == [(signal.SIGUSR1, None), (signal.SIGUSR2, None)]
        assert ears.read() == []
    finally:
        ears.close()
    assert signal.getsignal(signal.SIGUSR1) == handler
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) >= set(numbers)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_ears_by_handlers_hear_what_was_sent_while_it_was_blocked() -> None:
    in_one_thread(ears_for_what_was_sent)


class Deaf:
    """Ears that hear nothing, on a pipe."""

    def __init__(self) -> None:
        self.fd, self._writes = os.pipe()

    def read(self) -> list[tuple[int, bool | None]]:
        return []

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._writes)


def test_the_sweep_ends_the_groups_it_was_told_of(forest: Forest) -> None:
    """A helper reaps them, as the first process of the system would."""
    forest.plant("obeys", "tree_family", "child=obeys")
    first = forest.lines.expect("leader", "child")
    forest.plant("deaf", "tree_family", "leader=deaf", "child=deaf")
    second = forest.lines.expect("leader", "child")
    reads, writes = os.pipe()
    posts = Posts(reads, writes)
    posts.runs = {
        "obeys": Known(signal.SIGTERM, 5.0, first["leader"]),
        "deaf": Known(signal.SIGTERM, 5.0, second["leader"]),
        "unborn": Known(signal.SIGTERM, 5.0),
    }
    ears = Deaf()
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps for us
    try:
        swept = sweep(posts, 0.3, ears, (), Rescue(os.getpid()))
        assert (swept.count, swept.survivors) == (2, ())
        assert not _linux.children()
        assert sorted(forest.lines.rest()) == sorted(
            f"heard {name} {first[name]}" for name in ("leader", "child")
        )
    finally:
        signal.signal(signal.SIGCHLD, previous)
        ears.close()
        posts.close()
    assert sys.platform == "linux"
