"""Control groups: when they are ours, who is in a leaf, whose places are swept, and what the kernel
may refuse. As root, which alone can make the groups."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.process import _cgroup_linux, _delegation_linux
from procession.process._cgroup_linux import LEFT, Groups, claim
from procession.process._kernel_texts import Cgroup
from procession.process._lineage_linux import LinuxTrees
from procession.process._stale_linux import sweep_stale
from procession.process.spawn import spawn
from tests.support.forest import Forest
from tests.support.groups import Group, group, hierarchy, in_leaf, inside, make
from tests.support.processes import command
from tests.support.programs import PROGRAMS, as_ordinary_user

__all__ = ["group", "inside"]

pytestmark = pytest.mark.root

TOKEN = "0123456789abcdef"
COOKIE = f"{TOKEN}.a.1"

# What is opened and listed by the check that every start makes, and what it loads.
CHECK = """
import json, os, sys
from procession.process._delegation_linux import claim_groups
seen, loaded = [], set(sys.modules)
def hook(event, args):
    if event in ("open", "os.listdir", "os.scandir"):
        seen.append(args[0])
sys.addaudithook(hook)
groups = claim_groups(0.0, print)
print(json.dumps([groups and groups.place, seen, sorted(set(sys.modules) - loaded)]))
if groups:
    groups.close()
"""


def checked(wrap: list[str], **env: str) -> tuple[str | None, list[str], list[str]]:
    done = subprocess.run(
        [*wrap, sys.executable, "-c", CHECK],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    place, seen, loaded = json.loads(done.stdout)
    return place, seen, loaded


@pytest.fixture
def groups(inside: Group) -> Iterator[Groups]:
    own = _delegation_linux.divisible()
    assert own is not None
    found = claim(own)
    assert found is not None
    yield found
    found.close()


# --- when they are ours


@pytest.mark.quick
def test_in_the_root_of_the_hierarchy_one_file_is_read_and_nothing_is_loaded() -> None:
    join = [sys.executable, "-S", str(PROGRAMS / "up_in_group.py"), str(hierarchy())]
    for user in ([], as_ordinary_user([])):
        assert checked([*join, *user]) == (None, ["/proc/self/cgroup"], [])


def test_so_it_is_in_a_group_that_is_somebody_elses() -> None:
    made = make(owner=None)
    try:
        assert checked(made.wrap) == (None, ["/proc/self/cgroup"], [])
    finally:
        made.close()


def test_in_a_group_of_ours_there_is_a_place_until_it_is_closed(group: Group) -> None:
    place, _, loaded = checked(group.wrap)
    assert place is not None
    assert Path(place).parent == group.folder
    assert "procession.process._cgroup_linux" in loaded
    assert group.places == []


def test_it_can_be_switched_off(group: Group) -> None:
    assert checked(group.wrap, PROCESSION_CGROUP="0") == (None, [], [])


def test_a_host_with_next_to_no_descriptors_keeps_them_for_its_tasks(group: Group) -> None:
    few = ["/bin/sh", "-c", 'ulimit -n 20; exec "$@"', "sh"]
    assert checked([*group.wrap, *few])[0] is None
    assert group.places == []


@pytest.mark.parametrize("name", ["", "cgroup.procs"])
def test_both_the_folder_and_its_list_have_to_be_ours(group: Group, name: str) -> None:
    os.chown(group.folder / name, 0, 0)
    assert checked(group.wrap)[0] is None


@pytest.mark.parametrize("attribute", ["user.delegate", "trusted.delegate"])
def test_root_leaves_to_systemd_what_systemd_has_not_given_away(
    inside: Group, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_delegation_linux, "_MANAGED", str(inside.folder))
    assert _delegation_linux.divisible() is not None, "no unit, and made by hand"
    unit = inside.folder / "some.scope"
    part = unit / "part"
    part.mkdir(parents=True)
    for folder in (unit, part):
        (folder / "cgroup.procs").write_text("0")
        assert _delegation_linux.divisible() is None
    os.setxattr(unit, attribute, b"1")
    for folder in (unit, part):
        (folder / "cgroup.procs").write_text("0")
        assert _delegation_linux.divisible() is not None
    (inside.folder / "cgroup.procs").write_text("0")


# --- in a leaf, and back


def test_who_starts_is_back_and_who_was_started_is_in(inside: Group, groups: Groups) -> None:
    handle = groups.born_in(COOKIE, lambda: spawn(command("tree_obedient", stdout=None)))
    leaf = groups.leaf(COOKIE)
    try:
        assert in_leaf(os.getpid(), inside.folder)
        assert groups.leaf_of(handle.pid) == COOKIE
        assert groups.leaf_of(os.getpid()) is None
        assert leaf.pids() == [handle.pid]
        assert leaf.holds()
    finally:
        assert leaf.kill()
        os.waitpid(handle.pid, 0)
        handle.close()
    assert not leaf.holds()
    leaf.remove()
    assert not Path(leaf.folder).exists()


def test_what_could_not_be_started_leaves_no_leaf(groups: Groups, inside: Group) -> None:
    def fails() -> None:
        assert groups.leaf_of(os.getpid()) == COOKIE
        raise FileNotFoundError(errno.ENOENT, "no such program")

    with pytest.raises(FileNotFoundError):
        groups.born_in(COOKIE, fails)
    assert in_leaf(os.getpid(), inside.folder)
    assert not Path(groups.leaf(COOKIE).folder).exists()


@pytest.mark.parametrize("cookie", ["a/b", "x" * 300, "with\nlines"])
def test_a_name_that_no_group_can_have_costs_the_leaf(groups: Groups, cookie: str) -> None:
    assert groups.born_in(cookie, lambda: groups.leaf_of(os.getpid())) is None
    leaf = groups.leaf(cookie)
    assert not leaf.holds()
    assert leaf.pids() == []
    assert not leaf.kill()
    leaf.spare()
    leaf.remove()


def test_a_frozen_place_is_not_entered(groups: Groups) -> None:
    """Whoever moved in would never return."""
    (Path(groups.place) / "cgroup.freeze").write_text("1")
    assert groups.born_in(COOKIE, lambda: groups.leaf_of(os.getpid())) is None
    assert not Path(groups.leaf(COOKIE).folder).exists()


@pytest.mark.parametrize("refused", ["own", "all"])
def test_a_way_back_that_is_refused(
    inside: Group, groups: Groups, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into the place then; and where that is refused too the leaf is not used any more: to kill
    it would be to kill ourselves."""
    join = _cgroup_linux._join
    entrances = {"own": [str(inside.folder)], "all": [str(inside.folder), groups.place]}[refused]
    monkeypatch.setattr(
        _cgroup_linux, "_join", lambda folder: folder not in entrances and join(folder)
    )
    assert groups.born_in(COOKIE, lambda: groups.leaf_of(os.getpid())) == COOKIE
    leaf = groups.leaf(COOKIE)
    if refused == "own":
        assert in_leaf(os.getpid(), Path(groups.place))
    else:
        assert groups.stuck_in == COOKIE
        assert not leaf.holds()
        assert not leaf.kill()
        groups.kill_all()  # nor this
        assert groups.born_in(f"{TOKEN}.b.1", lambda: groups.leaf_of(os.getpid())) == COOKIE
    monkeypatch.undo()
    (inside.folder / "cgroup.procs").write_text("0")


def test_where_the_end_of_a_leaf_cannot_be_heard_it_does_not_hold_up_the_run(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = groups.born_in(COOKIE, lambda: spawn(command("tree_obedient", stdout=None)))
    leaf = groups.leaf(COOKIE)
    monkeypatch.setattr(Groups, "watch", lambda *_: False)
    try:
        assert not leaf.holds()
        assert not leaf.holds()
    finally:
        leaf.kill()
        os.waitpid(handle.pid, 0)
        handle.close()


def test_without_cgroup_kill_the_members_are_killed_one_by_one(
    groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 5.14; also who is no descendant."""
    monkeypatch.setattr(_cgroup_linux, "kill", lambda folder: False)
    forest = Forest(LinuxTrees(groups))
    stranger = subprocess.Popen(["/bin/sleep", "1000"])
    try:
        forest.trees.ignore([stranger.pid])  # type: ignore[attr-defined]  # Linux's own
        handle = forest.trees.spawn(COOKIE, command("tree_obedient", stdout=None))
        forest.handles["run"] = handle
        tree = forest.trees.plant("run", COOKIE, handle)
        leaf = groups.leaf(COOKIE)
        Path(leaf.folder, "cgroup.procs").write_text(str(stranger.pid))
        assert {member.pid for member in tree.members()} == {handle.pid, stranger.pid}
        assert set(tree.kill().pids) == {handle.pid, stranger.pid}
        assert stranger.wait() == -signal.SIGKILL
        forest.until(tree.is_empty)
        tree.finish()
        assert not Path(leaf.folder).exists()
    finally:
        stranger.kill()
        stranger.wait()
        forest.close()


# --- what dead supervisors left


def stale(
    above: Group, place: str, leaf: str = COOKIE, script: str = ":"
) -> tuple[Path, subprocess.Popen[bytes]]:
    """A place nobody holds, and somebody who lives in a leaf of it."""
    folder = above.folder / place
    (folder / leaf).mkdir(parents=True)
    words = ["/bin/sh", "-c", f"{script}; echo; exec sleep 1000"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    (folder / leaf / "cgroup.procs").write_text(str(process.pid))
    return folder, process


def test_what_nobody_holds_is_ended_and_removed(inside: Group) -> None:
    folder, process = stale(inside, f"procession-{TOKEN}")
    (folder / COOKIE / "below").mkdir()
    assert sweep_stale(str(inside.folder), 5.0) == 1
    assert process.wait() == -signal.SIGTERM
    assert not folder.exists()


@pytest.mark.parametrize("at_once", [True, False], ids=["as a whole", "one by one"])
def test_who_does_not_hear_is_killed_after_the_grace(
    inside: Group, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not at_once:
        monkeypatch.setattr(_cgroup_linux, "kill", lambda folder: False)
    folder, process = stale(inside, f"procession-{TOKEN}", script="trap '' TERM")
    assert sweep_stale(str(inside.folder), 0.05) == 1
    assert process.wait() == -signal.SIGKILL
    assert not folder.exists()


@pytest.mark.parametrize(
    ("place", "leaf"),
    [
        ("procession", COOKIE),
        ("procession-", COOKIE),
        (f"other-{TOKEN}", COOKIE),
        (f"procession-{TOKEN}0", COOKIE),
        ("procession-0123456789ABCDEF", COOKIE),
        (f"procession-{TOKEN}", "somebody-elses"),
    ],
)
def test_what_is_not_called_as_ours_is_not_touched(inside: Group, place: str, leaf: str) -> None:
    folder, process = stale(inside, place, leaf)
    try:
        assert sweep_stale(str(inside.folder), 0.0) == 0
        assert process.poll() is None
        assert (folder / leaf).exists()
    finally:
        process.kill()
        process.wait()


def test_what_belongs_to_another_user_is_not_touched(inside: Group) -> None:
    folder, process = stale(inside, f"procession-{TOKEN}")
    os.chown(folder, 65534, 65534)
    try:
        assert sweep_stale(str(inside.folder), 0.0) == 0
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_what_somebody_holds_is_not_touched(inside: Group) -> None:
    folder, process = stale(inside, f"procession-{TOKEN}")
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        assert sweep_stale(str(inside.folder), 0.0) == 0
        assert process.poll() is None
    finally:
        os.close(fd)
        process.kill()
        process.wait()


def test_what_was_left_on_purpose_is_set_aside(inside: Group) -> None:
    folder, process = stale(inside, f"procession-{TOKEN}")
    (folder / COOKIE / LEFT).mkdir()
    try:
        assert sweep_stale(str(inside.folder), 0.0) == 0
        assert process.poll() is None
        assert in_leaf(process.pid, inside.folder)
        assert not folder.exists()
    finally:
        process.kill()
        process.wait()


def test_a_place_that_was_swept_away_between_is_made_again(
    inside: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another start takes the fresh place for a dead one's before it was locked."""
    locked = _cgroup_linux.locked
    swept: list[str] = []

    def late(folder: str, kind: int) -> int | None:
        if not swept:
            swept.append(folder)
            monkeypatch.setattr(_cgroup_linux, "locked", locked)
            sweep_stale(str(inside.folder), 0.0)
        return locked(folder, kind)

    monkeypatch.setattr(_cgroup_linux, "locked", late)
    own = _delegation_linux.divisible()
    assert isinstance(own, Cgroup)
    groups = claim(own)
    assert groups is not None
    assert not Path(swept[0]).exists()
    assert Path(groups.place).exists()
    groups.close()
    assert inside.places == []
