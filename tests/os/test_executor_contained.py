"""Executors whose processes have a control group each: what the helper that starts them passes on,
who is found, and what becomes of it all when that helper is lost.

What holds for both kinds of containment is in the other suites of the executor, which run each test
with either. As root, who alone can make the groups.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from procession.errors import HostError, ProcessionError
from procession.executor import (
    PIPE,
    Capture,
    ExecHandle,
    Executor,
    Ladder,
    TimeoutExpired,
    WrongMomentError,
    WrongThreadError,
)
from procession.process import _linux, _starter_linux
from procession.process import _starter_wire as wire
from tests.support.groups import Group, group, in_leaf, inside, until_empty
from tests.support.processes import BOUND, PROGRAMS, Lines
from tests.support.programs import alive, all_gone, as_ordinary_user, gone

__all__ = ["group", "inside"]

pytestmark = pytest.mark.root
PY = (sys.executable, "-I", "-S")


@pytest.fixture
def ex(inside: Group) -> Iterator[Executor]:
    with Executor(containment="group") as found:
        yield found


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    yield found
    found.close()


def said(ex: Executor, script: str, **options: object) -> list[str]:
    """What a shell script writes, by lines."""
    handle = ex.create_process(["sh", "-c", script], stdout=Capture(), **options)  # type: ignore[arg-type]
    output = handle.result(BOUND).stdout
    assert output is not None
    return output.text().splitlines()


def helper(ex: Executor) -> int:
    """The pid of the helper."""
    assert ex._keeper.contained is not None
    return ex._keeper.contained.watched().handle.pid


def lose_helper(ex: Executor) -> int:
    """It is killed, and another one is there."""
    pid = helper(ex)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    deadline = time.monotonic() + BOUND
    while (other := helper(ex)) == pid:
        assert time.monotonic() < deadline
        os.sched_yield()
    return other


# --- when they are used


def test_without_a_group_it_is_an_error_or_marks_will_do() -> None:
    with (
        Executor(containment="group") as strict,
        pytest.raises(HostError, match="none is ours to divide"),
    ):
        strict.create_process(["true"])
    with Executor(containment="auto") as lenient:
        assert lenient.create_process(["true"]).wait() == 0
        assert not lenient.is_contained


@pytest.mark.quick
def test_with_one_auto_takes_it(inside: Group) -> None:
    with Executor(containment="auto") as ex:
        assert said(ex, "cat /proc/self/cgroup")[-1].startswith(f"0::/{inside.folder.name}/proc")
        assert ex.is_contained
    assert inside.places == []


def test_it_can_be_switched_off(inside: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSION_CGROUP", "0")
    with Executor(containment="auto") as ex:
        assert ex.create_process(["true"]).wait() == 0
        assert not ex.is_contained


def test_the_ready_instance_can_be_told_before_anything_lives(inside: Group) -> None:
    ex = Executor()
    assert ex.containment == "marks"
    assert ex.create_process(["true"]).result(BOUND).ok  # in place; somebody keeps house now
    ex.containment = "group"
    handle = ex.create_process(["sleep", "1000"])
    assert ex.is_contained
    with pytest.raises(WrongMomentError):
        ex.containment = "marks"
    handle.kill()
    with pytest.raises(ValueError, match="expected marks, auto, group"):
        ex.containment = "cgroup"
    ex.start()
    with pytest.raises(WrongThreadError):
        ex.containment = "marks"
    ex.stop()
    ex.join()
    assert inside.places == []


@pytest.mark.quick
def test_each_has_a_leaf_and_we_stay_where_we_were(ex: Executor, inside: Group) -> None:
    one, other = (ex.create_process(["sleep", "1000"]) for _ in range(2))
    (place,) = inside.places
    leaves = [
        next(leaf for leaf in place.iterdir() if leaf.is_dir() and in_leaf(handle.pid, leaf))
        for handle in (one, other)
    ]
    assert leaves[0] != leaves[1]
    assert in_leaf(os.getpid(), inside.folder)
    assert _linux.stat(one.pid).ppid == helper(ex)


def test_the_next_one_has_the_leaf_of_who_is_gone(ex: Executor) -> None:
    found = {tuple(said(ex, "cat /proc/self/cgroup")) for _ in range(60)}
    assert len(found) < 20


def test_a_leaf_with_a_group_below_is_nobody_elses(ex: Executor, inside: Group) -> None:
    below = "d=$(cat /proc/self/cgroup | sed -n s,^0::/,,p); mkdir {0}/$d/below && echo $d"
    first = said(ex, below.format(inside.folder.parent))
    assert first
    later = {line for _ in range(20) for line in said(ex, "cat /proc/self/cgroup")}
    assert f"0::/{first[0]}" not in later


# --- what is passed on


def test_folder_and_mask_are_those_of_the_moment(
    ex: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = os.getcwd()
    assert said(ex, "pwd; umask") == [here, f"{_umask():04o}"]
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o077)
    try:
        assert said(ex, "pwd; umask") == [str(tmp_path), "0077"]
        assert said(ex, "pwd; umask", cwd="below", umask=0o027) == [f"{tmp_path}/below", "0027"]
        assert said(ex, "pwd", cwd="/") == ["/"]
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        assert ex.create_process(["true"]).wait(BOUND) == 0  # as Popen
    finally:
        os.umask(before)


def _umask() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("Umask:\t")[2].split()[0], 8)


def test_whatever_fits_an_execution_fits_the_way_to_it(ex: Executor) -> None:
    long = "x" * 100_000
    assert said(ex, 'echo ${#1} "${#A}"', env={"A": long, "PATH": os.defpath}) == [f"0 {len(long)}"]
    words = [long, "\udce4", ""]
    handle = ex.create_process([*PY, "-c", "import sys; print(sys.argv[1:])", *words], stdout=PIPE)
    with handle:
        assert handle.stdout is not None
        assert handle.stdout.read().decode() == f"{words}\n"
    with pytest.raises(OSError, match=os.strerror(errno.E2BIG)):
        ex.create_process(["true", "x" * 200_000])


def test_our_signals_are_our_own_affair(ex: Executor) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    try:
        with Executor(containment="group") as late:  # whose helper begins with them, too
            for one in (ex, late):
                pid = one.create_process(["sleep", "1000"]).pid
                assert not _linux.blocked_signals(pid)
                # (Two are the C library's own, which GNU make leaves ignored in all it starts.)
                assert not _linux.ignored_signals(pid) & signal.valid_signals()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGUSR1,))
        signal.signal(signal.SIGTERM, before)


def test_another_user_is_what_it_was_asked_for(ex: Executor) -> None:
    assert said(ex, "id -u; id -g; id -G", user=65534, group=65534) == ["65534"] * 3


def test_who_has_become_somebody_else_has_to_begin_anew(ex: Executor, inside: Group) -> None:
    assert ex.create_process(["true"]).wait() == 0
    os.setegid(65534)
    try:
        with pytest.raises(HostError, match="has changed its user or groups"):
            ex.create_process(["true"])
    finally:
        os.setegid(0)
    assert ex.create_process(["true"]).wait() == 0


def test_too_many_for_its_descriptors_is_told_as_such(inside: Group) -> None:
    """And those that are there are not harmed."""
    script = f"""
import errno, sys
sys.path.insert(0, {os.path.dirname(os.path.dirname(_starter_linux.sentinel.FOLDER))!r})
from procession.executor import Executor
with Executor(containment="group") as ex:
    made = []
    try:
        for _ in range(200):
            made.append(ex.create_process(["sleep", "1000"]))
    except OSError as e:
        print(errno.errorcode[e.errno], len(made) > 10, all(one.poll() is None for one in made))
    made.pop().kill()
    print(ex.create_process(["true"]).wait())
"""
    limited = ["/bin/sh", "-c", 'ulimit -n 128; exec "$@"', "sh", *PY, "-c", script]
    done = subprocess.run(limited, capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.split() == ["EMFILE", "True", "True", "0"], done.stderr


# --- who is found


@pytest.mark.quick
def test_who_shows_nothing_is_ended_with_its_tree(ex: Executor, lines: Lines) -> None:
    """Own session, parent gone, environment emptied: in no other way would it be found."""
    bare = [*PY, str(PROGRAMS / "tree_bare_daemon.py"), "own"]
    handle = ex.create_process(bare, stdout=lines.fd)
    pids = lines.expect("leader", "daemon")
    os.kill(pids["leader"], signal.SIGKILL)
    assert handle.wait(BOUND) == -signal.SIGKILL
    assert alive(pids["daemon"])
    assert ex.processes == (handle,)
    handle.kill()
    assert not alive(pids["daemon"])
    assert handle.result(BOUND).survivors == ()


def test_who_moved_to_another_group_is_known_by_its_parents(
    ex: Executor, lines: Lines, inside: Group
) -> None:
    escapes = [*PY, str(PROGRAMS / "contained_escapes.py"), str(inside.folder)]
    handle = ex.create_process(escapes, stdout=lines.fd)
    pids = lines.expect("leader", "child")
    assert in_leaf(pids["child"], inside.folder)
    handle.kill()
    assert not alive(pids["child"])


def test_who_hid_from_everything_ends_with_the_executor(
    ex: Executor, lines: Lines, inside: Group
) -> None:
    escapes = [*PY, str(PROGRAMS / "contained_escapes.py"), str(inside.folder), "hides"]
    handle = ex.create_process(escapes, stdout=lines.fd)
    pids = lines.expect("leader", "child")
    handle.kill()
    assert alive(pids["child"])
    ex.stop()
    assert ex.join(BOUND)
    assert not alive(pids["child"])
    assert inside.places == []


def test_who_is_killed_at_once_is_killed_alone(ex: Executor) -> None:
    """The helper sits in the leaf of whom it has started, until it has time to go on."""
    assert ex.create_process(["true"]).wait() == 0
    pid = helper(ex)
    for _ in range(3):
        select.select([], [], [], 0.05)  # a rest, after which it takes its time
        handle = ex.create_process(["sleep", "1000"])
        handle.stop(Ladder(()))
        assert handle.returncode == -signal.SIGKILL
    assert helper(ex) == pid


# --- one that was interrupted, and forks


def test_a_start_that_was_interrupted_leaves_nobody(
    ex: Executor, inside: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an exception of a signal handler, say: nobody would ever know of it."""
    ex.create_process(["true"]).result(BOUND)
    (place,) = inside.places

    def interrupted(fd: int) -> None:
        assert select.select([fd], [], [], BOUND)[0]  # it was started
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(wire, "read_fact", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ex.create_process(["sleep", "1000"])
    deadline = time.monotonic() + BOUND
    while {int(one) for leaf in place.glob("*/") for one in _pids(leaf)} - {helper(ex)}:
        assert time.monotonic() < deadline
        os.sched_yield()
    assert ex.processes == ()


def _pids(leaf: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError, OSError):
        return (leaf / "cgroup.procs").read_text().split()
    return []


def test_a_forked_child_takes_no_word_from_its_parent(ex: Executor) -> None:
    """What one process reads of a pipe the other one would never hear."""
    reads, writes = os.pipe()
    handle = ex.create_process(["cat"], stdin=reads)
    os.close(reads)
    pidfd = os.pidfd_open(handle.pid)
    parked, done = threading.Event(), threading.Event()

    def park() -> None:  # the executor would be quicker, now and then
        parked.set()
        done.wait(BOUND)

    ex._keeper.call_soon(park)
    assert parked.wait(BOUND)
    forked = os.fork()
    if forked == 0:
        code = 1
        try:
            os.close(writes)
            select.select([pidfd], [], [], BOUND)
            handle.wait()
        except ProcessionError:  # it is its parent's
            code = 0
        finally:
            os._exit(code)
    os.close(writes)
    os.close(pidfd)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    done.set()
    assert handle.wait(BOUND) == 0


# --- when the helper is lost


@pytest.mark.parametrize("way", ["wait", "wait with a bound", "result"])
def test_what_it_started_lives_on_and_how_it_ends_is_unknown(ex: Executor, way: str) -> None:
    reads, writes = os.pipe()
    handle = ex.create_process(["cat"], stdin=reads)
    os.close(reads)
    codes: list[int] = []
    ways = {
        "wait": handle.wait,
        "wait with a bound": lambda: handle.wait(BOUND),
        "result": lambda: handle.result().returncode,
    }
    waits = threading.Thread(target=lambda: codes.append(ways[way]()))
    waits.start()
    lose_helper(ex)
    with pytest.raises(TimeoutExpired):
        handle.wait(0.05)
    assert handle.poll() is None
    assert codes == []
    os.close(writes)
    waits.join(BOUND)
    assert codes == [255]
    result = handle.result(BOUND)
    assert (result.reason, result.exit_code, result.signal) == ("status unknown", None, None)


def test_its_trees_are_known_by_their_groups(ex: Executor, lines: Lines) -> None:
    handles: dict[str, ExecHandle] = {}
    bare = [*PY, str(PROGRAMS / "tree_bare_daemon.py"), "own"]
    handles["first"] = ex.create_process(bare, stdout=lines.fd)
    first = lines.expect("leader", "daemon")
    os.kill(first["leader"], signal.SIGKILL)
    handles["first"].wait(BOUND)
    handles["second"] = ex.create_process(bare, stdout=lines.fd)
    second = lines.expect("leader", "daemon")
    lose_helper(ex)
    assert set(ex.processes) == set(handles.values())
    later = ex.create_process(["sleep", "1000"])
    handles["second"].send_signal(signal.SIGUSR2)
    assert handles["second"].wait(BOUND) == 255  # a pidfd tells that it has ended, and no more
    for handle in (*handles.values(), later):
        handle.kill()
    assert all_gone([first["daemon"], second["daemon"], later.pid]) == []
    assert later.returncode == -signal.SIGTERM
    assert handles["first"].returncode == -signal.SIGKILL


def test_who_was_started_while_it_died_is_ended(ex: Executor, inside: Group) -> None:
    """Nobody knows of it, and its group tells that there is such a one."""
    ex.create_process(["true"]).result(BOUND)
    (place,) = inside.places
    stray = place / f"{ex._keeper.token}.1-1000"
    stray.mkdir()
    process = subprocess.Popen(["sleep", "1000"])
    (stray / "cgroup.procs").write_text(str(process.pid))
    lose_helper(ex)
    assert process.wait(BOUND) == -signal.SIGKILL
    assert ex.create_process(["true"]).wait() == 0


def test_one_that_does_not_answer_is_replaced(
    ex: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = ex.create_process(["sleep", "1000"])
    stopped = helper(ex)
    os.kill(stopped, signal.SIGSTOP)
    monkeypatch.setattr(_starter_linux, "_PATIENCE", 0.2)
    with pytest.raises(TimeoutError, match=r"not started within 0\.2 s"):
        ex.create_process(["true"])
    monkeypatch.undo()
    assert gone(stopped)
    assert ex.create_process(["true"]).wait() == 0
    handle.kill()
    assert handle.returncode == 255


def test_helper_and_application_lost_in_one_instant(group: Group) -> None:
    """The next start in the same group ends what they left."""
    lines = Lines()
    words = [*group.wrap, sys.executable, str(PROGRAMS / "executor_app.py")]
    app = subprocess.Popen(
        [*words, "sweep+group", "wait", "daemon=deaf"], stdin=subprocess.PIPE, stdout=lines.fd
    )
    try:
        pids = lines.expect("leader", "daemon", "app", "sentinel")
        for name in ("sentinel", "app"):
            os.kill(pids[name], signal.SIGSTOP)
        for name in ("sentinel", "app"):
            os.kill(pids[name], signal.SIGKILL)
        assert all_gone([pids["sentinel"], pids["app"]]) == []
        assert alive(pids["daemon"])
        run = [sys.executable, "-m", "procession", "run", "--", "true"]
        subprocess.run([*group.root, *as_ordinary_user(run)], check=True, timeout=50)
        assert all_gone([pids["leader"], pids["daemon"]]) == []
        assert group.places == []
    finally:
        app.kill()
        app.wait()
        assert app.stdin is not None
        app.stdin.close()
        lines.close()
        until_empty(group.folder)
