"""Trees on Linux, on real processes: whose an orphan is, who hears what, and that all of it ends.

Runs as root and, by test_process_as_user.py, as an ordinary user.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from procession.process import _lineage_linux, _linux, host
from procession.process._lineage_linux import LinuxTrees
from procession.process._tree import Member
from tests.support.forest import Forest
from tests.support.processes import BOUND


@pytest.fixture
def forest() -> Iterator[Forest]:
    found = Forest()
    yield found
    found.close()


def pids(members: list[Member]) -> set[int]:
    return {member.pid for member in members}


def alive(pid: int) -> bool:
    try:
        return not _linux.stat(pid).dead
    except ProcessLookupError:
        return False


# --- who is in a tree


@pytest.mark.quick
def test_a_tree_lasts_as_long_as_its_last_process(forest: Forest) -> None:
    """The leader's end is not the end: a child in the group and a daemon live on."""
    tree = forest.plant("run", "tree_family", "leader=leaves", "child=obeys", "daemon=obeys")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.until_ended("run")
    assert not tree.is_empty()
    assert pids(tree.members()) == {pid["child"], pid["daemon"]}
    os.kill(pid["child"], signal.SIGTERM)
    forest.until(lambda: len(tree.members()) == 1)
    assert not tree.is_empty()
    os.kill(pid["daemon"], signal.SIGTERM)
    forest.until(tree.is_empty)
    assert tree.members() == []
    assert not forest.handles["run"].reaped  # leaders are never reaped by a scan
    assert tree.finish() is not None
    assert forest.children() == []


@pytest.mark.quick
def test_members_of_a_live_tree_with_their_names(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "child=obeys", "daemon=obeys")
    pid = forest.lines.expect("leader", "child", "daemon")
    assert not tree.is_empty()
    forest.scan()
    members = tree.members()
    assert members[0].pid == pid["leader"] == forest.handles["run"].pid
    assert pids(members) == set(pid.values())
    assert all(member.name.startswith("python") for member in members)
    assert members[0].start_time == forest.handles["run"].start_time
    assert str(members[0]) == f"{members[0].name} (pid {pid['leader']})"


@pytest.mark.quick
def test_a_tree_holds_its_members_and_nobody_else(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "child=obeys", "daemon=obeys")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.until_adopted(pid["daemon"])
    assert tree.holds(pid["leader"])
    assert tree.holds(pid["child"])
    assert tree.holds(pid["daemon"]), "it came to us, and nobody has scanned since"
    other = forest.plant("other", "/bin/sleep", "1000")
    assert other.holds(forest.handles["other"].pid)
    for stranger in (forest.handles["other"].pid, os.getpid(), 1, 0, 2**22 + 1):
        assert not tree.holds(stranger)


# A shell in its place asks for its children as it likes, also just before it becomes another.
_KEEPS_A_ZOMBIE = """
import os, time
pid = os.fork()
if pid == 0:
    os._exit(0)
print("zombie", pid, flush=True)
time.sleep(1000)
"""


def test_a_tree_holds_who_has_ended_and_was_not_reaped(forest: Forest) -> None:
    """Who says a word and ends is told by its parent, which has not asked for it yet."""
    tree = forest.plant("run", sys.executable, "-S", "-c", _KEEPS_A_ZOMBIE)
    pid = forest.lines.expect("zombie")["zombie"]
    while not _linux.stat(pid).dead:
        os.sched_yield()
    assert tree.holds(pid)


def test_is_empty_looks_for_itself_when_no_scan_came_after_the_end(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "daemon=obeys")
    pid = forest.lines.expect("leader", "daemon")
    os.waitid(os.P_PID, forest.handles["run"].pid, os.WEXITED | os.WNOWAIT)
    assert not tree.is_empty()
    assert pids(tree.members()) == {pid["daemon"]}
    assert forest.trees.again  # what that look found is still to be told
    assert forest.scan() == ["run"]
    assert not forest.trees.again


def test_a_scan_that_is_told_of_the_end_spares_that_look(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = [forest.plant(f"run{n}", "/bin/true") for n in range(5)]
    for handle in forest.handles.values():
        os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    forest.trees.scan(trees)
    monkeypatch.setattr(_linux, "children", None)  # no further reading, or it raises
    assert all(tree.is_empty() for tree in trees)


def test_so_does_one_that_has_no_time(forest: Forest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking a thousand leaders takes longer than a look may; then each tree looked for itself."""
    trees = [forest.plant(f"run{n}", "/bin/true") for n in range(5)]
    for handle in forest.handles.values():
        os.waitid(os.P_PID, handle.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(_lineage_linux, "_PATIENCE", -1.0)
    forest.trees.scan(trees)
    monkeypatch.setattr(_linux, "children", None)  # no further reading, or it raises
    assert all(tree.is_empty() for tree in trees)


def test_a_leader_that_lives_is_not_over_whatever_it_is_told(forest: Forest) -> None:
    tree = forest.plant("run", "/bin/sleep", "1000")
    forest.trees.scan([tree])
    assert not tree.is_empty()
    with pytest.raises(RuntimeError, match="still runs"):
        tree.finish()


def test_a_process_whose_main_thread_ended_is_not_dead(forest: Forest) -> None:
    tree = forest.plant("run", "tree_headless")
    pid = forest.lines.expect("ready")["ready"]
    while _linux.stat(pid).state != "Z":
        os.sched_yield()
    forest.scan()
    assert not tree.is_empty()
    assert pids(tree.members()) == {pid}
    assert _linux.environ_cookie(pid, "PROCESSION_RUN") is not None  # by its other thread
    tree.kill()
    forest.until(tree.is_empty)


# --- whose an orphan is


def test_by_session_where_the_environment_was_emptied(forest: Forest) -> None:
    tree = forest.plant("run", "tree_bare_daemon", "kept")
    daemon = forest.lines.expect("daemon", "leader")["daemon"]
    assert _linux.environ_cookie(daemon, "PROCESSION_RUN") is None
    forest.scan()
    assert daemon in pids(tree.members())
    assert forest.trees.unclaimed() == []


def test_by_cookie_where_session_and_group_are_new(forest: Forest) -> None:
    one = forest.plant("one", "tree_family", "daemon=obeys")
    first = forest.lines.expect("leader", "daemon")
    two = forest.plant("two", "tree_family", "daemon=obeys")
    second = forest.lines.expect("leader", "daemon")
    assert sorted(map(str, forest.scan())) == ["one", "two"]
    assert pids(one.members()) == set(first.values())
    assert pids(two.members()) == set(second.values())


def test_by_what_was_seen_before_where_nothing_else_is_left(forest: Forest) -> None:
    """Seen as a grandchild, then orphaned with neither cookie nor session: still known."""
    tree = forest.plant("run", "tree_between")
    pid = forest.lines.expect("leader", "between", "bare")
    assert pids(tree.members()) == set(pid.values())
    os.kill(pid["between"], signal.SIGKILL)
    forest.until_adopted(pid["bare"])
    forest.scan()
    assert pid["bare"] in pids(tree.members())
    assert forest.trees.unclaimed() == []


@pytest.mark.quick
def test_without_any_evidence_it_is_unclaimed_and_can_be_swept(forest: Forest) -> None:
    """Own session, emptied environment, parent gone before anybody looked."""
    tree = forest.plant("run", "tree_bare_daemon", "own")
    pid = forest.lines.expect("daemon", "leader")
    forest.scan()
    assert pids(tree.members()) == {pid["leader"]}
    assert pids(forest.trees.unclaimed()) == {pid["daemon"]}
    tree.signal(signal.SIGTERM)
    forest.until(tree.is_empty)
    tree.finish()
    sent = forest.trees.sweep_unclaimed(signal.SIGTERM)
    assert sent.pids == (pid["daemon"],)
    forest.until(lambda: not forest.trees.unclaimed() and not forest.children())


@pytest.mark.quick
def test_by_the_output_it_still_holds_where_nothing_else_is_left(forest: Forest) -> None:
    """Own session, emptied environment, parent gone: but its output is the run's own pipe."""
    reads, writes = os.pipe()
    try:
        tree = forest.plant("run", "tree_bare_daemon", "own", pipe=writes, pipes=(reads,))
        other = forest.plant("other", "/bin/sleep", "1000")
    finally:
        os.close(writes)
    with open(reads, "rb", buffering=0) as output:
        pid = {word: int(number) for word, number in (output.readline().split() for _ in range(2))}
        forest.scan()
        assert pids(tree.members()) == {pid[b"daemon"], pid[b"leader"]}
        assert forest.trees.unclaimed() == []
        tree.signal(signal.SIGTERM, to="leader")
        forest.until_ended("run")
        assert not tree.is_empty()
        assert len(other.members()) == 1
        tree.kill()
        forest.until(tree.is_empty)
        assert output.read() == b""  # and so the output ends with the tree
        tree.finish()


def test_pipes_of_others_prove_nothing(forest: Forest) -> None:
    reads, writes = os.pipe()
    forest.plant("other", "/bin/sleep", "1000", pipes=(reads,))
    forest.plant("run", "tree_bare_daemon", "own")
    daemon = forest.lines.expect("daemon", "leader")["daemon"]
    forest.scan()
    assert pids(forest.trees.unclaimed()) == {daemon}
    os.close(reads)
    os.close(writes)


def test_sweeping_by_kill(forest: Forest) -> None:
    forest.plant("run", "tree_bare_daemon", "own")
    daemon = forest.lines.expect("daemon", "leader")["daemon"]
    forest.scan()
    assert forest.trees.sweep_unclaimed(signal.SIGKILL).pids == (daemon,)
    forest.until(lambda: not forest.trees.unclaimed())


def test_session_evidence_passes_from_a_dead_orphan_to_its_children(forest: Forest) -> None:
    """The daemon, known by its cookie, has a bare child in its session. When the daemon dies the
    child comes to us in the same moment, and only the dead one's session ties it."""
    tree = forest.plant("run", "tree_daemon_with_bare_child")
    pid = forest.lines.expect("leader", "daemon", "bare")
    forest.scan()
    os.kill(pid["daemon"], signal.SIGKILL)
    forest.until(lambda: not alive(pid["daemon"]))
    forest.until_adopted(pid["bare"])
    forest.scan()
    assert pid["bare"] in pids(tree.members())


def test_supervisors_under_supervisors_each_find_their_own_part(forest: Forest) -> None:
    """The cookie is `outer:own`; below us somebody may have added a third."""
    tree = forest.plant("run", "tree_family", "daemon=obeys", cookie="outer:own")
    pid = forest.lines.expect("leader", "daemon")
    forest.scan()
    assert pids(tree.members()) == set(pid.values())
    assert isinstance(forest.trees, LinuxTrees)
    assert forest.trees._evidence.run_of_cookie("outer:own:inner") == "run"
    assert forest.trees._evidence.run_of_cookie("outer:sibling") is None
    assert forest.trees._evidence.run_of_cookie(None) is None


def test_a_leaders_session_tells_after_a_daemons_session_is_gone(forest: Forest) -> None:
    tree = forest.plant("run", "tree_hears_late")
    leader = forest.lines.expect("ready")["ready"]
    os.kill(leader, signal.SIGUSR1)
    newcomer = forest.lines.expect("newcomer")["newcomer"]  # a session of its own
    forest.scan()
    os.kill(newcomer, signal.SIGKILL)
    forest.until(lambda: len(tree.members()) == 1)
    assert isinstance(forest.trees, LinuxTrees)
    assert forest.trees._evidence._sessions == {leader: "run"}
    tree.kill()
    forest.until(tree.is_empty)
    tree.finish()
    assert forest.trees._evidence._sessions == {}


def test_an_unreadable_environment_is_not_no_environment(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EACCES as other users and non-dumpable processes give it: the session tells."""

    def refused(pid: object, name: str) -> str | None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_linux, "environ_cookie", refused)
    tree = forest.plant("run", "tree_family", "leader=leaves", "child=obeys", "daemon=obeys")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.until_ended("run")
    assert pids(tree.members()) == {pid["child"]}
    assert pids(forest.trees.unclaimed()) == {pid["daemon"]}


def test_an_orphan_that_is_being_executed_is_asked_again(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And until then nothing is called empty."""
    tree = forest.plant("run", "tree_family", "leader=leaves", "daemon=obeys")
    daemon = forest.lines.expect("leader", "daemon")["daemon"]
    os.waitid(os.P_PID, forest.handles["run"].pid, os.WEXITED | os.WNOWAIT)
    real = _linux.environ_cookie
    monkeypatch.setattr("procession.process._lineage_linux._PATIENCE", 0.02)

    def not_yet(pid: int | str, name: str) -> str | None:
        raise BlockingIOError(11, "not yet")

    monkeypatch.setattr(_linux, "environ_cookie", not_yet)
    forest.trees.scan()
    assert forest.trees.again
    assert not tree.is_empty()
    assert forest.trees.unclaimed() == []
    monkeypatch.setattr(_linux, "environ_cookie", real)
    forest.scan()
    assert pids(tree.members()) == {daemon}


def test_one_whose_execution_hangs_is_not_waited_for_for_ever(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "daemon=obeys")
    daemon = forest.lines.expect("leader", "daemon")["daemon"]
    os.waitid(os.P_PID, forest.handles["run"].pid, os.WEXITED | os.WNOWAIT)

    def never(pid: int | str, name: str) -> str | None:
        raise BlockingIOError(11, "not yet")

    monkeypatch.setattr(_linux, "environ_cookie", never)
    forest.scan()
    assert tree.is_empty()
    assert pids(forest.trees.unclaimed()) == {daemon}


def test_one_that_is_not_dumpable(forest: Forest) -> None:
    tree = forest.plant("run", "tree_undumpable")
    daemon = forest.lines.expect("daemon")["daemon"]
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            _linux.environ_cookie(daemon, "PROCESSION_RUN")
    forest.until_ended("run")
    assert pids(tree.members()) == {daemon}
    tree.kill()
    forest.until(tree.is_empty)


def test_one_that_closed_all_descriptors(forest: Forest) -> None:
    tree = forest.plant("run", "tree_closes_fds")
    daemon = forest.lines.expect("daemon")["daemon"]
    forest.until_ended("run")
    assert pids(tree.members()) == {daemon}
    tree.kill()
    forest.until(tree.is_empty)


@pytest.mark.quick
def test_without_children_files_all_of_proc_is_read_instead(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "has_children_files", lambda: False)
    monkeypatch.setattr(_linux, "children", None)
    tree = forest.plant("run", "tree_family", "leader=leaves", "child=obeys", "daemon=obeys")
    pid = forest.lines.expect("leader", "child", "daemon")
    forest.until_ended("run")
    assert pids(tree.members()) == {pid["child"], pid["daemon"]}
    tree.signal(signal.SIGTERM)
    forest.until(tree.is_empty)
    tree.finish()
    monkeypatch.undo()


# --- scanning


@pytest.mark.quick
def test_dead_orphans_are_reaped_and_leaders_are_not(forest: Forest) -> None:
    tree = forest.plant("run", "tree_crowd", "30")
    forest.lines.expect("ready")
    handle = forest.handles["run"]
    handle.send(signal.SIGKILL)
    forest.until_ended("run")
    assert len(tree.members()) == 30
    tree.kill()
    forest.until(tree.is_empty)
    assert len(forest.children()) == 1  # the leader, a zombie
    assert forest.scan() == []


def test_a_scan_tells_only_of_those_who_have_not_heard(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=obeys", "child=deaf", "daemon=deaf")
    pid = forest.lines.expect("leader", "child", "daemon")
    assert forest.scan() == ["run"]
    assert forest.scan() == []
    sent = tree.signal(signal.SIGTERM)
    assert set(sent.pids) == set(pid.values())
    forest.until_ended("run")
    assert forest.grown == ["run"]  # the orphaned child heard while it was a grandchild
    assert tree.signal(signal.SIGTERM, only_new=True).pids == ()


def test_forgotten_runs_are_reaped_but_neither_told_nor_swept(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "daemon=obeys", "child=obeys")
    pid = forest.lines.expect("leader", "daemon", "child")
    forest.until(lambda: not tree.is_empty() and forest.handles["run"].poll_exit() is not None)
    forest.trees.forget("run")
    assert forest.handles["run"].reaped
    assert forest.trees.unclaimed() == []
    assert forest.trees.sweep_unclaimed(signal.SIGKILL).pids == ()
    assert alive(pid["daemon"])
    os.kill(pid["daemon"], signal.SIGTERM)
    os.kill(pid["child"], signal.SIGTERM)
    forest.until(lambda: not forest.children())


def test_descendants_of_a_forgotten_run_are_left_too(forest: Forest) -> None:
    forest.plant("run", "tree_daemon_with_bare_child")
    pid = forest.lines.expect("leader", "daemon", "bare")
    forest.handles["run"].send(signal.SIGKILL)
    forest.until_ended("run")
    forest.trees.forget("run")
    os.kill(pid["daemon"], signal.SIGKILL)
    forest.until(lambda: not alive(pid["daemon"]))
    forest.until_adopted(pid["bare"])
    forest.scan()
    assert alive(pid["bare"])
    assert forest.trees.unclaimed() == []


def test_a_forgotten_leader_that_lives_is_reaped_when_it_ends(forest: Forest) -> None:
    """As one that could not be killed in time."""
    forest.plant("run", "/bin/sleep", "1000")
    forest.trees.forget("run")
    forest.scan()
    assert forest.trees.unclaimed() == []
    os.kill(forest.handles["run"].pid, signal.SIGKILL)
    forest.until(lambda: not forest.children())
    forest.handles.pop("run").close()  # not to be used any more


def test_what_lives_after_finish_becomes_unclaimed(forest: Forest) -> None:
    tree = forest.plant("run", "tree_family", "leader=leaves", "daemon=obeys")
    daemon = forest.lines.expect("leader", "daemon")["daemon"]
    forest.until_ended("run")
    tree.finish()
    assert tree.finish() is not None  # the same usage again
    assert pids(forest.trees.unclaimed()) == {daemon}


def test_a_run_is_planted_once(forest: Forest) -> None:
    forest.plant("run", "/bin/true")
    with pytest.raises(ValueError, match="planted before"):
        forest.trees.plant("run", "other", forest.handles["run"])
    with pytest.raises(ValueError, match="planted before"):
        forest.trees.plant(None, "other", forest.handles["run"])


def test_what_was_seen_is_forgotten_with_its_processes(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("procession.process._evidence_linux.SEEN_SPARE", 4)
    trees = LinuxTrees()
    monkeypatch.setattr(forest, "trees", trees)
    tree = forest.plant("run", "tree_crowd", "10")
    leader = forest.lines.expect("ready")["ready"]
    assert len(tree.members()) == 11
    children = _linux.children(leader)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    while any(alive(pid) for pid in children):
        os.sched_yield()
    trees._evidence._seen_limit = 4
    assert len(tree.members()) == 1
    assert (
        len(trees._evidence._seen) == 10
    )  # zombies of a leader that does not reap are there still
    tree.kill()
    forest.until(tree.is_empty)
    tree.finish()
    assert trees._evidence._seen == {}


def test_our_own_group_and_session_prove_nothing(forest: Forest) -> None:
    """An orphan in the supervisor's own session is not taken for some run's."""
    first = forest.plant("one", "tree_family", "leader=leaves", "child=obeys")
    forest.lines.expect("leader", "child")
    forest.until_ended("one")
    middle = os.fork()
    if middle == 0:
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        os._exit(0)
    os.waitpid(middle, 0)
    forest.scan()
    assert len(forest.trees.unclaimed()) == 1
    assert len(first.members()) == 1


def test_adopted_orphans_can_be_watched_by_pidfd(forest: Forest) -> None:
    import select

    forest.plant("run", "tree_family", "daemon=obeys")
    daemon = forest.lines.expect("leader", "daemon")["daemon"]
    forest.scan()
    assert isinstance(forest.trees, LinuxTrees)
    (orphan,) = forest.trees.orphans()
    assert orphan.pid == daemon
    assert orphan.pidfd is not None
    assert orphan.pidfd == orphan.pidfd
    os.kill(daemon, signal.SIGTERM)
    assert select.select([orphan.pidfd], [], [], BOUND)[0]
    forest.until(lambda: not list(forest.trees.orphans()))
