"""Who of a tree hears a signal, how often, and that SIGKILL leaves nobody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from procession.process import _linux, _tree_linux
from procession.process._tree import Member
from tests.support.forest import Forest
from tests.support.processes import PROGRAMS
from tests.support.programs import alive


@pytest.fixture
def forest() -> Iterator[Forest]:
    found = Forest()
    yield found
    found.close()


def pids(members: tuple[Member, ...] | list[Member]) -> set[int]:
    return {member.pid for member in members}


def stopped(pid: int) -> bool:
    return _linux.stat(pid).state == "T"


# --- who hears


@pytest.mark.quick
@pytest.mark.parametrize(
    ("to", "who"),
    [
        ("leader", {"leader"}),
        ("group", {"leader", "child", "daemon"}),  # who detached has nobody else to tell it
        ("tree", {"leader", "child", "daemon"}),
    ],
)
def test_leader_group_or_tree(forest: Forest, to: str, who: set[str]) -> None:
    tree = forest.plant("run", "tree_family", "child=obeys", "daemon=obeys")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.scan()
    sent = tree.signal(signal.SIGTERM, to=to)
    assert sent.refused == ()
    assert pid["leader"] in sent.pids
    assert forest.lines.expect(*(f"heard {name}" for name in who)) == {
        f"heard {name}": pid[name] for name in who
    }
    forest.until(lambda: pids(tree.members()) == {pid[n] for n in pid if n not in who})
    # the others have not heard, and now do: each exactly once
    tree.signal(signal.SIGTERM, only_new=True)
    forest.until(tree.is_empty)
    rest = forest.lines.rest()
    assert sorted(rest) == sorted(f"heard {name} {pid[name]}" for name in pid if name not in who)


def test_the_group_hears_when_its_leader_is_a_zombie(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "child=obeys")
    forest.lines.expect("leader", "child")
    forest.until_ended("run")
    assert tree.signal(signal.SIGTERM, to="group").pids == ()
    assert tree.signal(signal.SIGTERM, to="leader").pids == ()
    forest.until(tree.is_empty)


@pytest.mark.quick
def test_a_newcomer_hears_exactly_once(forest: Forest) -> None:
    """It is born after the group was signalled, moves to its own session and loses its parent."""
    tree = forest.plant("run", "tree_hears_late")
    leader = forest.lines.expect("ready")["ready"]
    tree.signal(signal.SIGTERM, to="group")
    assert forest.lines.expect("heard leader") == {"heard leader": leader}
    tick = _linux.boot_ticks()
    while _linux.boot_ticks() == tick:  # start times have 10 ms
        os.sched_yield()
    os.kill(leader, signal.SIGUSR1)
    newcomer = forest.lines.expect("newcomer")["newcomer"]
    assert forest.scan() == ["run"]
    assert tree.signal(signal.SIGTERM, only_new=True).pids == (newcomer,)
    assert tree.signal(signal.SIGTERM, only_new=True).pids == ()
    assert forest.scan() == []
    os.kill(leader, signal.SIGTERM)
    heard = [forest.lines.next(), forest.lines.next()]
    assert sorted(heard) == sorted([f"heard newcomer {newcomer}", f"heard leader {leader}"])
    tree.kill()
    forest.until(tree.is_empty)
    assert forest.lines.rest() == []


def test_a_new_stop_speaks_to_all_again(forest: Forest) -> None:
    tree = forest.plant("run", "tree_hears_late")
    forest.lines.expect("ready")
    for _ in range(3):
        assert len(tree.signal(signal.SIGTERM, to="tree").pids) == 1
        forest.lines.expect("heard leader")
    assert tree.signal(signal.SIGTERM, to="leader", only_new=True).pids == ()
    tree.signal(signal.SIGTERM, to="leader")
    forest.lines.expect("heard leader")
    assert tree.signal(signal.SIGTERM, to="leader", only_new=True).pids == ()


@pytest.mark.quick
@pytest.mark.parametrize("to", ["leader", "group", "tree"])
def test_a_stopped_process_is_continued_so_that_it_can_obey(forest: Forest, to: str) -> None:
    more = [] if to == "leader" else ["child"]
    tree = forest.plant("run", "tree_stopped", *more)
    pid = forest.lines.expect("leader", *more)
    while not all(stopped(number) for number in pid.values()):
        os.sched_yield()
    tree.signal(signal.SIGTERM, to=to)
    forest.until(tree.is_empty)
    assert sorted(forest.lines.rest()) == sorted(f"heard {name} {pid[name]}" for name in pid)


def test_stop_signals_are_not_undone(forest: Forest) -> None:
    tree = forest.plant("run", "tree_obedient")
    pid = forest.lines.expect("ready")["ready"]
    for to in ("leader", "group", "tree"):
        tree.signal(signal.SIGSTOP, to=to)
        while not stopped(pid):
            os.sched_yield()
        tree.signal(0, to=to)
        assert stopped(pid)
        tree.signal(signal.SIGCONT, to=to)
        while stopped(pid):
            os.sched_yield()


def test_other_targets_are_refused(forest: Forest) -> None:
    tree = forest.plant("run", "/bin/sleep", "1000")
    with pytest.raises(ValueError, match="leader, group, tree"):
        tree.signal(signal.SIGTERM, to="everybody")


def test_a_pid_is_pinned_before_it_is_signalled(forest: Forest) -> None:
    """The number alone is not the process: with another start time it is a stranger's."""
    forest.plant("run", "/bin/sleep", "1000")
    handle = forest.handles["run"]
    assert handle.start_time is not None
    assert not _linux.signal_pinned(handle.pid, handle.start_time + 1, signal.SIGKILL)
    assert not _linux.signal_pinned(handle.pid, handle.start_time - 1, signal.SIGKILL)
    assert handle.poll_exit() is None
    assert _linux.signal_pinned(handle.pid, handle.start_time, signal.SIGKILL)
    forest.until_ended("run")
    handle.reap()
    assert not _linux.signal_pinned(handle.pid, handle.start_time, signal.SIGKILL)


def test_what_belongs_to_a_signal_goes_to_the_very_same_process(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which the first one ends; a stranger that has its pid then may have its start time too."""
    forest.plant("run", "/bin/sleep", "1000")
    handle = forest.handles["run"]
    assert handle.start_time is not None
    opened: list[int] = []
    sent: list[int] = []
    pidfd_open, send = os.pidfd_open, signal.pidfd_send_signal

    def opens(pid: int) -> int:
        opened.append(pid)
        return pidfd_open(pid)

    def ends(fd: int, number: int) -> None:
        send(fd, number)
        sent.append(number)
        forest.until_ended("run")
        handle.reap()

    monkeypatch.setattr(os, "pidfd_open", opens)
    monkeypatch.setattr(signal, "pidfd_send_signal", ends)
    both = signal.SIGTERM, signal.SIGCONT
    assert _linux.signal_pinned(handle.pid, handle.start_time, *both)
    assert (sent, opened) == ([signal.SIGTERM], [handle.pid])


def test_a_group_whose_leader_somebody_else_reaped_is_told_nothing(forest: Forest) -> None:
    """Though its end was seen before: its number may be another group's by now."""
    forest.plant("run", "/bin/true")
    handle = forest.handles["run"]
    forest.until_ended("run")
    assert handle.poll_exit() is not None
    os.waitpid(handle.pid, 0)
    assert not handle.kill_group(0)


def test_pinning_without_pidfd(forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    forest.plant("run", "/bin/sleep", "1000")
    handle = forest.handles["run"]
    assert handle.start_time is not None
    monkeypatch.setattr(os, "pidfd_open", refused)
    assert not _linux.signal_pinned(handle.pid, handle.start_time + 1, signal.SIGKILL)
    assert handle.poll_exit() is None
    assert _linux.signal_pinned(handle.pid, handle.start_time, signal.SIGKILL)
    forest.until_ended("run")


# --- SIGKILL


@pytest.mark.quick
def test_kill_ends_deaf_children_and_deaf_daemons(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=deaf", "child=deaf", "daemon=deaf")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.scan()
    sent = tree.kill()
    assert set(sent.pids) == set(pid.values())
    forest.until(tree.is_empty)
    tree.finish()
    assert forest.children() == []


def test_who_comes_to_light_after_the_kill_is_killed_on_sight(forest: Forest) -> None:
    """Nobody has scanned since the daemon was adopted, so nobody knew of it."""
    tree = forest.plant("run", "tree_family", "leader=deaf", "daemon=deaf")
    pid = forest.lines.expect("leader", "daemon")
    assert tree.kill().pids == (pid["leader"],)
    assert alive(pid["daemon"])
    forest.until(tree.is_empty)
    assert not alive(pid["daemon"])
    assert forest.grown == []  # there is nobody left to be told


def test_kill_ends_who_blocks_everything_or_is_stopped(forest: Forest) -> None:
    blocked = forest.plant("blocked", "tree_blocked_mask")
    forest.lines.expect("ready")
    halted = forest.plant("halted", "tree_stopped", "child")
    pid = forest.lines.expect("leader", "child")
    while not all(stopped(number) for number in pid.values()):
        os.sched_yield()
    blocked.kill()
    halted.kill()
    forest.until(lambda: blocked.is_empty() and halted.is_empty())


@pytest.mark.parametrize(
    "storm",
    [["100", "0.003"], ["20", "0.02", "own"]],
    ids=["100 in the group", "20 in sessions of their own"],
)
def test_kill_beats_a_storm_of_forks(forest: Forest, storm: list[str]) -> None:
    """Processes that fork a successor and end, again and again. The group dies at once; those
    who lead sessions are killed on sight, which takes as long as we get the processor."""
    tree = forest.plant("run", "tree_storm", *storm)
    forest.lines.expect("ready")
    tree.kill()
    forest.until(tree.is_empty)
    assert forest.trees.unclaimed() == []
    tree.finish()
    assert forest.children() == []


def test_kill_after_the_leaders_end_reaches_moved_groups_at_once(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "daemon=deaf")
    daemon = forest.lines.expect("leader", "daemon")["daemon"]
    forest.until_ended("run")
    assert tree.kill().pids == (daemon,)
    forest.until(tree.is_empty)


def test_killing_twice_and_killing_nobody(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=deaf", "child=deaf")
    forest.lines.expect("leader", "child")
    tree.kill()
    tree.kill()
    forest.until(tree.is_empty)
    assert tree.kill().pids == ()
    tree.finish()
    assert tree.kill().pids == ()
    assert tree.signal(signal.SIGTERM, to="group").pids == ()


# --- what we may not signal


@pytest.mark.root
def test_what_we_may_not_signal_is_named(forest: Forest) -> None:
    """Root's processes under a supervisor that is nobody."""
    done = subprocess.run(
        [sys.executable, PROGRAMS / "tree_refused.py"],
        capture_output=True,
        timeout=20,
        check=False,
        cwd=PROGRAMS.parent.parent,
        env={**os.environ, "PYTHONPATH": "src:."},
    )
    assert done.returncode == 0, done.stderr.decode()
    forest.scan()
    told = json.loads(done.stdout)
    family = told["family"]
    (leader,) = (name for name in family if name.endswith(f"(pid {told['leader_is']})"))
    assert told["leader"] == [[], [leader]], told
    for asked in ("group", "tree", "kill"):
        assert told[asked] == [[], family], told
    assert told["left"] == family, told
    assert told["empty"] is False
    forest.trees.sweep_unclaimed(signal.SIGKILL)  # its family is ours now, and we may
    forest.until(lambda: not forest.children())


def test_a_refusal_stops_neither_the_others_nor_the_rounds(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = forest.plant("run", "tree_family", "child=deaf", "daemon=deaf")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.scan()
    real = _tree_linux.LinuxTree._signal_one
    asked: list[int] = []

    def refuse(self: _tree_linux.LinuxTree, stat: _linux.ProcStat, number: int) -> bool:
        if stat.pid == pid["daemon"]:
            asked.append(number)
            raise PermissionError(1, "Operation not permitted")
        return real(self, stat, number)

    monkeypatch.setattr(_tree_linux.LinuxTree, "_signal_one", refuse)
    monkeypatch.setattr(os, "killpg", lambda *_: None)
    sent = tree.kill()
    assert set(sent.pids) == {pid["leader"], pid["child"]}
    assert pids(sent.refused) == {pid["daemon"]}
    assert asked == [signal.SIGKILL]
    forest.until(lambda: pids(tree.members()) == {pid["daemon"]})
    assert not tree.is_empty()
