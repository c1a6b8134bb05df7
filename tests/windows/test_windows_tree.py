"""Runs as job objects on Windows itself: members, the empty tree, and the stop of each kind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from procession.core.status import ExitStatus
from procession.errors import HostError
from procession.process import _tree_windows
from procession.process import _win32 as win
from procession.process._tree_windows import own_job
from tests.support.windows import BOUND, Program, until
from tests.support.windows_trees import Forest, Run, ended, outliving

pytestmark = pytest.mark.windows

INT, TERM, CLOSE, INPUT, BREAK, KILL = 2, 15, 16, 17, 21, 9


@pytest.fixture
def forest() -> Iterator[Forest]:
    found = Forest()
    yield found
    found.close()


# ---- membership


def test_all_that_a_leader_starts_is_of_its_tree(forest: Forest) -> None:
    run = forest.start("windows_family", "3")
    pids = run.pids(3)
    assert run.tree.members()[0].pid == run.pid == pids[0]
    assert {member.pid for member in run.tree.members()} == set(pids)
    assert {member.name.lower() for member in run.tree.members()} == {"python.exe"}
    assert not run.tree.is_empty()


def test_a_member_from_its_first_instruction(forest: Forest) -> None:
    """There is no moment in which a child of the leader could be outside."""
    run = forest.start("windows_hears", "wait")
    assert win.in_job(run.handle.process, run.handle.job)
    run.expect("ready")


def test_the_tree_is_empty_when_its_last_process_has_ended_not_its_leader(forest: Forest) -> None:
    run = forest.start("windows_family", "2", "leaves")
    _, child = run.pids(2)
    run.give(b"\n")
    assert win.wait(run.handle.process, int(BOUND * 1000))
    assert run.handle.poll_exit() == ExitStatus(7)
    assert not run.tree.is_empty()
    assert [member.pid for member in run.tree.members()] == [child]
    run.tree.kill()
    run.empty()
    assert run.handle.poll_exit() == ExitStatus(7), "the leader ended by itself"
    assert run.tree.finish() is not None
    assert run.tree.members() == []


def test_the_port_tells_of_the_end_without_being_asked(forest: Forest) -> None:
    run = forest.start("windows_hears", "wait")
    run.expect("ready")
    forest.told.clear()
    run.tree.signal(TERM)
    forest.wait(BOUND)
    assert run in forest.told


@pytest.mark.parametrize("slow", [False, True])
def test_an_end_that_is_told_before_it_can_be_seen_is_not_lost(
    forest: Forest, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    """Windows takes a process off its job before it marks it as ended. Played: who does not wait
    sees it alive; "slow": so does, twice, who waits."""
    run = forest.start("windows_family", "2", "leaves")
    run.pids(2)
    real, early = win.wait, [2 if slow else 0]
    waited = threading.Event()

    def wait(handle: int, milliseconds: int = win.INFINITE) -> bool:
        if milliseconds and early[0]:
            early[0] -= 1
            return False
        if milliseconds:
            waited.set()
        return waited.is_set() and real(handle, milliseconds)

    monkeypatch.setattr(win, "wait", wait)
    seen: list[object] = []
    forest.on_change = lambda run: seen.append(run.handle.poll_exit())
    run.give(b"\n")
    until(lambda: seen and seen[-1] == ExitStatus(7), "news of the leader's end")
    monkeypatch.undo()


def test_two_runs_have_nothing_to_do_with_each_other(forest: Forest) -> None:
    one, two = forest.start("windows_family", "2"), forest.start("windows_family", "2")
    mine, others = one.pids(2), two.pids(2)
    one.tree.kill()
    one.empty()
    assert all(ended(pid) for pid in mine)
    assert {member.pid for member in two.tree.members()} == set(others)


def test_a_console_host_that_was_only_just_begun_does_not_keep_its_tree(
    forest: Forest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is cannot be seen yet when its leader ends, and nothing ends after that."""
    run = forest.start("windows_family", "2", "leaves")
    run.pids(2)
    names = ["?"]
    monkeypatch.setattr(_tree_windows, "_name_of", lambda process: names[-1])
    run.give(b"\n")
    assert win.wait(run.handle.process, int(BOUND * 1000))
    assert run.handle.poll_exit() == ExitStatus(7)
    until(lambda: run in forest.told, "report of the leader's end")
    assert not run.tree.is_empty()
    names.append("conhost.exe")
    forest.told.clear()
    until(lambda: run in forest.told, "another look")
    assert run.tree.is_empty()
    monkeypatch.undo()


def test_jobs_nest(forest: Forest) -> None:
    """A run of ours whose leader is a supervisor with job objects of its own."""
    run = forest.start("windows_owner", "2")
    pids = [*run.pids(1), *run.pids(4)]
    assert {member.pid for member in run.tree.members()} == set(pids)
    run.tree.kill()
    run.empty()
    assert all(ended(pid) for pid in pids)


def test_what_is_left_on_purpose_lives_on(forest: Forest) -> None:
    run = forest.start("windows_family", "2", "leaves")
    _, child = run.pids(2)
    run.give(b"\n")
    assert win.wait(run.handle.process, int(BOUND * 1000))
    forest.trees.forget(run)
    assert forest.trees.left() == {run}
    assert [member.pid for member in forest.trees.left_of(run)] == [child]
    forest.let_go(run)
    process = win.open_process(child, win.SYNCHRONIZE | win.PROCESS_TERMINATE)
    assert not win.wait(process, 300), "it ended with its job's last handle"
    win.terminate(process, 1)
    win.close(process)
    assert ended(child)


# ---- the stop, for each kind of program

HEARS, BREAKS, INTERRUPTED = (
    ("windows_hears", "wait"),
    ("windows_sigbreak", "break"),
    (
        "windows_sigbreak",
        "int",
    ),
)
CONSOLE, DEAF = ("windows_console.exe", "hears"), ("windows_console.exe", "deaf")
TOP, MESSAGE, BOTH = (("windows_box.exe", how) for how in ("top", "message", "both"))
READS, NO_CONSOLE = ("windows_reads", "console"), ("windows_reads", "none")
# An unhandled Ctrl-Break ends a process: by this code on Windows, by the other under Wine.
BY_THE_SYSTEM = (0xC000013A, 0)
KINDS = {
    "wait_exit": HEARS,
    "SIGBREAK handler": BREAKS,
    "KeyboardInterrupt": INTERRUPTED,
    "console handler in C": CONSOLE,
    "top-level window": TOP,
    "message-only window": MESSAGE,
    "both windows": BOTH,
    "reads its input": READS,
    "no console": NO_CONSOLE,
    "deaf": DEAF,
}

# Who ends by it, with what it writes and its code.
ENDS: dict[str, dict[int, tuple[list[str], tuple[int, ...]]]] = {
    "wait_exit": {
        TERM: (["heard window WM_CLOSE"], (0,)),
        CLOSE: (["heard window WM_CLOSE"], (0,)),
        BREAK: (["heard console CTRL_BREAK_EVENT"], (0,)),
        INT: (["heard console CTRL_C_EVENT"], (0,)),
    },
    "SIGBREAK handler": {
        TERM: (["clean after break"], (5,)),
        BREAK: (["clean after break"], (5,)),
        INT: (["clean after ctrl-c"], (6,)),
    },
    "KeyboardInterrupt": {
        TERM: ([], BY_THE_SYSTEM),
        BREAK: ([], BY_THE_SYSTEM),
        INT: (["clean after ctrl-c"], (6,)),
    },
    "console handler in C": {
        TERM: (["event 1", "clean"], (3,)),
        BREAK: (["event 1", "clean"], (3,)),
        INT: (["event 0", "clean"], (3,)),
    },
    "top-level window": dict.fromkeys((TERM, CLOSE), (["close top", "clean"], (4,))),
    "message-only window": dict.fromkeys((TERM, CLOSE), (["close message", "clean"], (4,))),
    "both windows": dict.fromkeys((TERM, CLOSE), (["close top", "clean"], (4,))),
    "reads its input": {INPUT: (["clean after input"], (8,))},
    "no console": dict.fromkeys((TERM, INPUT), (["clean after input"], (8,))),
}

# Who is told and lives on, with what it writes; None: there is nobody who could be told.
LIVES: dict[str, dict[int, list[str] | None]] = {
    "wait_exit": {INPUT: []},
    "SIGBREAK handler": {CLOSE: None, INPUT: []},
    "KeyboardInterrupt": {CLOSE: None, INPUT: []},
    "console handler in C": {CLOSE: None, INPUT: []},
    "top-level window": {BREAK: ["a console event"], INT: ["a console event"], INPUT: []},
    "message-only window": {BREAK: ["a console event"], INT: ["a console event"], INPUT: []},
    "both windows": {BREAK: ["a console event"], INT: ["a console event"], INPUT: []},
    "reads its input": {CLOSE: None, TERM: ["break"], BREAK: ["break"], INT: ["ctrl-c"]},
    "no console": {CLOSE: None, BREAK: [], INT: []},  # it is known too late that it has none
    "deaf": {
        CLOSE: None, TERM: ["event 1"], BREAK: ["event 1"], INT: ["event 0"], INPUT: [],
    },
}  # fmt: skip


def begun(forest: Forest, kind: str) -> Run:
    run = forest.start(*KINDS[kind])
    run.tree.close_input = run.end_input
    run.expect("ready")
    return run


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, cells in ENDS.items() for number in cells]
)
def test_each_kind_ends_by_its_own_clean_up(forest: Forest, kind: str, number: int) -> None:
    words, codes = ENDS[kind][number]
    run = begun(forest, kind)
    assert run.tree.signal(number).pids == (run.pid,)
    run.empty()
    while run.line() is not None:
        pass
    assert run.seen[1:] == words
    status = run.handle.poll_exit()
    assert status is not None
    assert status.signal is None
    assert status.code in codes


@pytest.mark.parametrize("kind", LIVES)
def test_each_kind_lives_on_by_what_is_not_for_it_and_ends_by_force(
    forest: Forest, kind: str
) -> None:
    run = begun(forest, kind)
    for number, words in LIVES[kind].items():
        assert run.tree.signal(number).pids == (() if words is None else (run.pid,)), number
        run.expect(*(words or ()))
        assert run.handle.poll_exit() is None, number
    assert run.tree.kill().pids == (run.pid,)
    run.empty()
    assert run.handle.poll_exit() == ExitStatus(signal=KILL), "told from any code of its own"


def test_of_every_kind_all_is_tried() -> None:
    for kind in KINDS:
        tried = [*ENDS.get(kind, ()), *LIVES[kind]]
        assert sorted(tried) == [INT, TERM, CLOSE, INPUT, BREAK], kind


def test_in_a_shared_console_the_end_of_its_input_is_what_can_be_told(forest: Forest) -> None:
    run = forest.start("windows_reads", "console", session=False)
    run.tree.close_input = run.end_input
    run.expect("ready")
    assert run.tree.signal(TERM).pids == (run.pid,)
    run.expect("clean after input")
    run.empty()
    assert run.handle.poll_exit() == ExitStatus(8)


def test_without_an_input_of_ours_its_end_is_told_to_nobody(forest: Forest) -> None:
    run = forest.start("windows_reads", "console", session=False)
    run.expect("ready")
    assert run.tree.signal(INPUT).pids == run.tree.signal(TERM).pids == ()
    assert run.handle.poll_exit() is None


def test_whoever_has_no_window_hears_when_those_with_one_have_ended(forest: Forest) -> None:
    run = forest.start("windows_mixed")
    run.expect("ready", "ready")
    (told,) = run.tree.signal(TERM).pids
    assert told != run.pid
    run.empty()
    while run.line() is not None:
        pass
    assert run.seen[2:] == ["close top", "clean", "clean after break"]
    assert run.handle.poll_exit() == ExitStatus(5)


def test_only_new_speaks_to_nobody_twice(forest: Forest) -> None:
    run = forest.start("windows_console.exe", "deaf")
    run.expect("ready")
    assert run.tree.signal(BREAK).pids == (run.pid,)
    run.expect("event 1")
    assert run.tree.signal(BREAK, only_new=True).pids == ()
    assert run.tree.signal(BREAK).pids == (run.pid,)
    run.expect("event 1")


def test_a_leader_of_a_group_in_our_console_hears_ctrl_break(forest: Forest) -> None:
    run = forest.start("windows_sigbreak", "break", session=False, group=True)
    run.expect("ready")
    assert run.tree.signal(INT).pids == (), "Ctrl-C cannot be typed for a group"
    assert run.tree.signal(BREAK).pids == (run.pid,)
    run.expect("clean after break")
    run.empty()


def test_in_a_shared_console_nothing_is_typed(forest: Forest) -> None:
    """It would reach ourselves, and whoever started us."""
    run = forest.start("windows_console.exe", "hears", session=False)
    run.expect("ready")
    assert run.tree.signal(BREAK).pids == run.tree.signal(INT).pids == ()
    assert run.handle.poll_exit() is None


@pytest.mark.parametrize(
    ("number", "console", "name", "how", "told"),
    [
        (INT, "own", "windows_sigbreak", "int", "clean after ctrl-c"),
        (BREAK, "own", "windows_sigbreak", "break", "clean after break"),
        (BREAK, "group", "windows_sigbreak", "break", "clean after break"),
        (TERM, "own", "windows_console.exe", "hears", "event 1|clean"),
        (TERM, "own", "windows_box.exe", "top", "close top|clean"),
        (CLOSE, "own", "windows_box.exe", "message", "close message|clean"),
        (KILL, "own", "windows_console.exe", "deaf", ""),
    ],
)
def test_after_every_stop_ctrl_c_still_reaches_ourselves(
    number: int, console: str, name: str, how: str, told: str
) -> None:
    """As a user would type it, in our own console."""
    words = (str(number), console, name, how)
    with Program("windows_stops_and_waits", *words, kind="no window") as program:
        program.expect(f"{told}|", "ready")
        program.ctrl_c()
        program.expect("KeyboardInterrupt")
        assert program.ended() == 0


# ---- our own end


@pytest.mark.parametrize(
    ("inside", "words"), [(True, "no other can be nested"), (False, "Access is denied")]
)
def test_where_we_cannot_be_in_a_job_of_our_own_it_says_so(
    monkeypatch: pytest.MonkeyPatch, inside: bool, words: str
) -> None:
    """Before Windows 8; the refusal is played."""

    def refuses(job: int, process: int) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(win, "assign", refuses)
    monkeypatch.setattr(win, "in_job", lambda process: inside)
    with pytest.raises(HostError, match=words):
        own_job()


@pytest.mark.parametrize("how", ["jobs", "own"])
def test_when_the_owner_is_terminated_nothing_is_left(how: str) -> None:
    """Ten runs of three levels each, one of them still growing: TerminateProcess on their owner.
    "own": those that were started past our jobs, by a member of the owner's own job."""
    with Program("windows_owner", "10", how) as owner:
        pids = []
        while len(pids) < 30:
            line = owner.line()
            assert line is not None
            if line.startswith("level "):
                pids.append(int(line.removeprefix("level ")))
        owner.popen.terminate()
        assert outliving(pids) == []
        owner.ended()


def test_a_signal_that_windows_lacks_is_refused(forest: Forest) -> None:
    run = forest.start("windows_hears", "wait")
    with pytest.raises(ValueError, match="no signal 1 on Windows"):
        run.tree.signal(1)
    with pytest.raises(ValueError, match="ask its tree"):
        run.handle.send(int(signal.SIGTERM))


def test_no_handle_of_ours_is_inherited(forest: Forest) -> None:
    """Inheritable handles of somebody else in this process, such as a pipe's, do not get across:
    the pipe ends with us although the child lives."""
    reads, writes = os.pipe()
    os.set_inheritable(writes, True)
    run = forest.start("windows_hears", "wait")
    run.expect("ready")
    os.close(writes)
    with open(reads, "rb") as stream:
        assert stream.read() == b""
    assert not os.get_handle_inheritable(run.handle.job)  # type: ignore[attr-defined]
    assert not os.get_handle_inheritable(run.handle.process)  # type: ignore[attr-defined]
    assert run.handle.poll_exit() is None
