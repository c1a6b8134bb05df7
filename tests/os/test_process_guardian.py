"""The guardian, on real processes: it passes signals on once, and outlives its supervisor's death.

Runs as root and, by test_process_as_user.py, as an ordinary user.
"""

from __future__ import annotations

import errno
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from procession.errors import HostError
from procession.process import _linux
from procession.process.guardian import guard
from tests.support.processes import BOUND, PROGRAMS
from tests.support.programs import Program, alive, all_gone, gone

T = TypeVar("T")

FAMILY = "tree_family,leader={0},child={0},daemon={0}"


def guarded(end: str, *words: str, session: bool = True) -> Program:
    return Program.python(
        PROGRAMS / "tree_guarded.py", end, *words, env={"PYTHONPATH": "src:."}, session=session
    )


def until(program: Program, holds: Callable[[str], T | None]) -> T:
    """Read what the program writes until `holds` finds what it looks for, and return that."""
    deadline = time.monotonic() + BOUND
    while (found := holds(program.output.decode())) is None:
        program._take(deadline, "what was looked for was not written")
    return found


def numbers(program: Program, *names: str) -> dict[str, int]:
    """Wait for a line `NAME PID` of each, and for `up`; the last of each."""

    def look(said: str) -> dict[str, int] | None:
        words = [line.split() for line in said.splitlines()]
        found = {word[0]: int(word[1]) for word in words if len(word) == 2 and word[1].isdigit()}
        return found if ["up"] in words and found.keys() >= set(names) else None

    return {name: pid for name, pid in until(program, look).items() if name in names}


def pids_of(program: Program, name: str, count: int) -> list[int]:
    """Wait for so many lines `NAME PID`; all pids."""

    def look(said: str) -> list[int] | None:
        found = [int(line.split()[1]) for line in said.splitlines() if line.startswith(f"{name} ")]
        return found if len(found) >= count else None

    return until(program, look)


def times(text: str, count: int) -> Callable[[str], bool | None]:
    return lambda said: said.count(text) >= count or None


@pytest.fixture
def strays() -> Iterator[list[int]]:
    """Pids to be ended with the test, for what is meant to outlive its supervisor."""
    found: list[int] = []
    yield found
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        gone(pid)


# --- the ordinary life


@pytest.mark.quick
@pytest.mark.parametrize("status", [0, 7, 255])
def test_an_orderly_end_has_the_supervisors_status(status: int) -> None:
    with guarded("return", f"status={status}") as program:
        assert program.wait() == status
        assert program.errors == b""
        pid = numbers(program, "supervisor", "guardian")
        assert pid["guardian"] == program.pid


def test_a_system_exit_is_an_orderly_end() -> None:
    with guarded("exit", "status=4") as program:
        assert program.wait() == 4
        assert program.errors == b""
    with guarded("exit-words") as program:
        assert program.wait() == 1
        assert program.errors == b"no cheese at all\n"


def test_the_supervisor_has_a_session_of_its_own() -> None:
    with guarded("wait") as program:
        pid = numbers(program, "supervisor", "guardian")
        assert os.getsid(pid["supervisor"]) == pid["supervisor"] != os.getsid(pid["guardian"])
        assert os.getpgid(pid["supervisor"]) == pid["supervisor"]
        program.signal(signal.SIGTERM)
        assert program.wait() == 0


@pytest.mark.quick
def test_each_signal_is_passed_on_once_and_only_through_the_link() -> None:
    with guarded("wait", "a:tree_obedient") as program:
        program.expect(b"ready")
        for name in ("SIGINT", "SIGHUP", "SIGQUIT", "SIGINT", "SIGTERM"):
            seen = program.output.count(f"heard {name} sent".encode())
            program.signal(getattr(signal, name))
            until(program, times(f"heard {name} sent", seen + 1))
        assert program.wait() == 0
        said = program.output.decode()
    assert [line for line in said.splitlines() if line.endswith(" sent")] == [
        "heard SIGINT sent",
        "heard SIGHUP sent",
        "heard SIGQUIT sent",
        "heard SIGINT sent",
        "heard SIGTERM sent",
    ]
    assert said.count("heard SIGTERM ") == 2  # the supervisor's line, and the task's own
    assert said.count("heard SIGINT ") == 2  # the task has heard of none of these
    assert "direct" not in said


def test_signals_sent_before_the_supervisor_listens_are_not_lost() -> None:
    """They are blocked from before the fork on, in both."""
    with guarded("wait") as program:
        for _ in range(3):
            program.signal(signal.SIGTERM)
        status = program.wait()
        # Before `guard` is called nobody is there to hear: then the default action ends it.
        assert status in (0, -signal.SIGTERM)
        if status == 0:
            assert b"heard SIGTERM sent" in program.output


def test_a_hang_up_that_was_ignored_stays_ignored() -> None:
    with Program.python(
        *(PROGRAMS / "tree_dirty.py", "SIGHUP", "", sys.executable),
        *(PROGRAMS / "tree_guarded.py", "wait"),
        env={"PYTHONPATH": "src:."},
    ) as program:
        program.expect(b"\nup\n")
        program.signal(signal.SIGHUP)
        program.signal(signal.SIGINT)
        program.expect(b"heard SIGINT")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert b"SIGHUP" not in program.output


def test_it_works_where_sigchld_was_ignored_at_the_start() -> None:
    with guarded("return", "chld=ignore", "status=6") as program:
        assert program.wait() == 6


class Terminal:
    """A pseudo terminal, and a program that leads the session on it."""

    def __init__(self, *argv: object) -> None:
        self.master, self.slave = pty.openpty()  # without a slave the master has an error
        self.program = Program.python(
            *(PROGRAMS / "tree_on_terminal.py", os.ttyname(self.slave), sys.executable),
            *map(str, argv),
            env={"PYTHONPATH": "src:."},
        )
        self.said = b""

    def expect(self, text: bytes, count: int = 1) -> None:
        deadline = time.monotonic() + 10
        while self.said.count(text) < count:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.master], [], [], left)[0], self.said.decode()
            self.said += os.read(self.master, 65536)

    def close(self) -> None:
        self.program.close()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def on_terminal() -> Iterator[Terminal]:
    found = Terminal(PROGRAMS / "tree_guarded.py", "wait", "a:tree_obedient")
    yield found
    found.close()


@pytest.mark.quick
def test_a_typed_ctrl_c_is_told_from_a_sent_one(on_terminal: Terminal) -> None:
    """And reaches neither the supervisor nor the tasks by itself."""
    on_terminal.expect(b"ready")
    os.write(on_terminal.master, b"\x03")
    on_terminal.expect(b"heard SIGINT typed")
    os.kill(on_terminal.program.pid, signal.SIGINT)
    on_terminal.expect(b"heard SIGINT sent")
    os.write(on_terminal.master, b"\x03")
    on_terminal.expect(b"heard SIGINT typed", count=2)
    os.kill(on_terminal.program.pid, signal.SIGTERM)
    on_terminal.expect(b"heard SIGTERM sent")
    assert on_terminal.program.wait() == 0
    assert b"direct" not in on_terminal.said
    assert b"heard SIGINT " + str(on_terminal.program.pid).encode() not in on_terminal.said


def test_a_supervisor_that_does_not_end_when_forced_is_killed() -> None:
    terminal = Terminal(
        *(PROGRAMS / "tree_guarded.py", "stuck", "forced_wait=0.2", "crash_grace=0.2"),
        "a:tree_ignores_term",
    )
    try:
        terminal.expect(b"ready")
        while not gone(terminal.program.pid, 0.1):  # two typed at once may be heard as one
            os.write(terminal.master, b"\x03")
        terminal.expect(b"did not end within 0.2 s and was killed; 1 process swept")
        assert terminal.program.wait() == 1
    finally:
        terminal.close()


@pytest.mark.parametrize("call", ["fork", "pipe"])
def test_a_host_without_room_for_a_supervisor_is_told(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """And left as it was: descriptors, and the mask."""

    def refused() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    monkeypatch.setattr(os, call, refused)
    with pytest.raises(HostError, match="supervisor: Resource temporarily unavailable"):
        guard(lambda link: 0)
    monkeypatch.undo()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    _linux.set_child_subreaper(False)


# --- the supervisor dies


@pytest.mark.quick
def test_nothing_survives_a_supervisor_that_is_killed() -> None:
    """20 trees of 3, each with a child and a daemon, 7 of them deaf."""
    trees = [f"t{n}:{FAMILY.format('deaf' if n < 7 else 'obeys')}" for n in range(20)]
    with guarded("stuck", *trees) as program:
        supervisor = numbers(program, "supervisor")["supervisor"]
        all_pids = [p for name in ("leader", "child", "daemon") for p in pids_of(program, name, 20)]
        assert len(set(all_pids)) == 60
        began = time.monotonic()
        os.kill(supervisor, signal.SIGKILL)
        assert program.wait() == 1
        took = time.monotonic() - began
        assert all_gone(all_pids, 0.0) == []
        assert 1.0 <= took < 7.0  # all deaf had the same second; bench/crash.py measures
        heard = [line for line in program.output.split(b"\n") if line.startswith(b"heard ")]
        assert len(heard) == len(set(heard)) == 39, "each obedient process heard exactly once"
        assert program.errors == (
            b"procession: the supervisor was lost (killed by SIGKILL); 60 processes swept\n"
        )


@pytest.mark.quick
def test_where_all_obey_nobody_waits_for_the_grace() -> None:
    with guarded("stuck", f"a:{FAMILY.format('obeys')}", "crash_grace=60") as program:
        pid = numbers(program, "supervisor", "leader", "child", "daemon")
        os.kill(pid["supervisor"], signal.SIGSEGV)
        assert program.wait() == 1
        assert b"the supervisor was lost (killed by SIGSEGV" in program.errors
        assert b"3 processes swept" in program.errors


def test_a_supervisor_that_raises_is_swept_and_tells_why() -> None:
    with guarded("raise", "crash_grace=0.1", f"a:{FAMILY.format('deaf')}") as program:
        assert program.wait() == 1
        assert b"RuntimeError: out of cheese" in program.errors
        assert b"the supervisor was lost (exited with 1)" in program.errors


def test_a_supervisor_that_vanishes_with_0_did_not_end_well() -> None:
    with guarded("vanish", "a:tree_obedient") as program:
        assert program.wait() == 1
        assert b"the supervisor was lost (exited with 0); 1 process swept" in program.errors


@pytest.mark.quick
def test_each_run_hears_its_own_signal() -> None:
    words = ("term:tree_obedient", "int!SIGINT:tree_obedient", "usr1!SIGUSR1:tree_obedient")
    with guarded("stuck", *words, "crash_grace=0.3") as program:
        pids_of(program, "ready", 3)
        os.kill(numbers(program, "supervisor")["supervisor"], signal.SIGKILL)
        assert program.wait() == 1
        heard = sorted(
            line.split()[1] for line in program.output.decode().splitlines() if "heard" in line
        )
        assert heard == ["SIGINT", "SIGTERM", "SIGUSR1"]


def test_a_shorter_grace_of_the_run_is_kept() -> None:
    words = ("a!SIGTERM@0.1:tree_ignores_term", "crash_grace=30")
    with guarded("stuck", *words) as program:
        pids_of(program, "ready", 1)
        began = time.monotonic()
        os.kill(numbers(program, "supervisor")["supervisor"], signal.SIGKILL)
        assert program.wait() == 1
        assert 0.1 <= time.monotonic() - began < 30


def test_stopped_processes_are_continued_so_that_they_can_obey() -> None:
    with guarded("stuck", "a:tree_stopped,child", "crash_grace=30") as program:
        pid = numbers(program, "supervisor", "leader", "child")
        for name in ("leader", "child"):
            while _linux.stat(pid[name]).state != "T":
                os.sched_yield()
        os.kill(pid["supervisor"], signal.SIGKILL)
        assert program.wait() == 1
        assert f"heard leader {pid['leader']}" in program.output.decode()
        assert f"heard child {pid['child']}" in program.output.decode()


def test_a_daemon_without_any_evidence_is_swept_too() -> None:
    """Own session, emptied environment: all that descends from us is ours to end."""
    with guarded("stuck", "a:tree_bare_daemon,own", "crash_grace=1") as program:
        pid = numbers(program, "supervisor", "daemon", "leader")
        os.kill(pid["supervisor"], signal.SIGKILL)
        assert program.wait() == 1
        assert not alive(pid["daemon"])
        assert b"2 processes swept" in program.errors


def test_evidence_by_session_gives_a_bare_process_its_runs_signal() -> None:
    """sleep(1) obeys any signal; what tells is that nobody had to be killed after the grace."""
    with guarded("stuck", "a!SIGINT:tree_bare_daemon,kept", "crash_grace=30") as program:
        pid = numbers(program, "supervisor", "daemon", "leader")
        os.kill(pid["supervisor"], signal.SIGKILL)
        gone(pid["daemon"])
        gone(pid["leader"])
        assert program.wait() == 1


def test_a_storm_of_forks_ends() -> None:
    words = ("a:tree_storm,50,0.01", "b:tree_storm,10,0.02,own", "quiet=1", "crash_grace=0.2")
    with guarded("wait", *words) as program:
        supervisor = numbers(program, "supervisor")["supervisor"]
        leaders = set(_linux.children(supervisor))
        while len(leaders.union(_linux.children(supervisor))) < 20:  # orphans come to it
            os.sched_yield()
        os.kill(supervisor, signal.SIGKILL)
        assert program.wait() == 1
        assert b"could not be killed" not in program.errors


def test_children_it_had_before_are_not_touched(strays: list[int]) -> None:
    """As the background jobs of a shell that has become us by `exec`."""
    with guarded("stuck", "older=1", "a:tree_obedient", "crash_grace=0.1") as program:
        pid = numbers(program, "older", "supervisor", "ready")
        strays.append(pid["older"])
        strays += _linux.children(pid["older"])
        assert len(strays) == 2
        os.kill(pid["supervisor"], signal.SIGKILL)
        assert program.wait() == 1
        assert b"1 process swept" in program.errors
        assert all(alive(number) for number in strays)


def test_strangers_that_come_to_it_are_reaped(strays: list[int]) -> None:
    """An orphan of an older child; for the first process of a container, anybody's."""
    with guarded("wait", "older=1") as program:
        pid = numbers(program, "older", "supervisor", "guardian")
        deadline = time.monotonic() + 10
        while not (found := _linux.children(pid["older"])):  # it says its pid, then forks
            assert time.monotonic() < deadline, "it has no child"
            os.sched_yield()
        (orphan,) = found
        strays += [pid["older"], orphan]
        os.kill(pid["older"], signal.SIGKILL)
        while _linux.stat(orphan).ppid != pid["guardian"]:
            os.sched_yield()
        os.kill(orphan, signal.SIGKILL)
        assert gone(orphan)
        deadline = time.monotonic() + 10
        while orphan in _linux.children(pid["guardian"]):
            assert time.monotonic() < deadline, "it stays a zombie"
            os.sched_yield()
        assert pid["older"] in _linux.children(pid["guardian"]), "not ours to reap"
        program.signal(signal.SIGTERM)
        assert program.wait() == 0


def test_what_is_left_at_an_orderly_end_is_swept_and_told() -> None:
    with guarded("return", f"a:{FAMILY.format('obeys')}", "crash_grace=0.5", "status=0") as program:
        assert program.wait() == 1
        assert b"something was left at the end; " in program.errors
        assert b" swept" in program.errors


def test_what_was_left_on_purpose_lives_on(strays: list[int]) -> None:
    with guarded("leave", "a:tree_obedient", "status=3") as program:
        assert program.wait() == 3
        assert program.errors == b""
        program.expect(b"ready ")
        strays += pids_of(program, "ready", 1)
        assert alive(strays[0])


def test_a_ctrl_c_typed_during_a_sweep_ends_the_graces() -> None:
    terminal = Terminal(
        *(PROGRAMS / "tree_guarded.py", "stuck", "crash_grace=60", "a:tree_hears_late")
    )
    try:
        terminal.expect(b"ready")
        supervisor = int(terminal.said.split(b"supervisor ")[1].split()[0])
        os.kill(supervisor, signal.SIGKILL)
        terminal.expect(b"heard leader")  # it lives on after SIGTERM
        os.kill(terminal.program.pid, signal.SIGTERM)  # a manager's resend forces nothing
        os.write(terminal.master, b"\x03")
        terminal.expect(b"1 process swept")
        assert terminal.program.wait() == 1
    finally:
        terminal.close()


@pytest.mark.parametrize("fds", ["2", "12", "012"])
def test_it_works_with_standard_descriptors_closed(fds: str) -> None:
    with guarded("return", f"close={fds}", "status=9") as program:
        assert program.wait() == 9
    with guarded("raise", f"close={fds}", "a:tree_obedient", "crash_grace=0.5") as program:
        assert program.wait() == 1
        assert program.errors == b""


# --- the guardian dies


@pytest.mark.quick
@pytest.mark.parametrize("whole_group", [False, True], ids=["alone", "its whole group"])
def test_a_killed_guardian_is_heard_of_and_all_stops(whole_group: bool) -> None:
    with guarded("wait", f"a:{FAMILY.format('obeys')}") as program:
        pid = numbers(program, "supervisor", "leader", "child", "daemon")
        if whole_group:
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.signal(signal.SIGKILL)
        program.expect(b"guardian gone")
        assert all_gone(list(pid.values())) == []
        until(program, times("heard ", 3))


def test_both_killed_at_once_is_the_one_thing_it_cannot_mend(strays: list[int]) -> None:
    """Said here so that it is known: what remains needs control groups."""
    with guarded("stuck", "a:tree_obedient") as program:
        pid = numbers(program, "supervisor", "ready")
        strays.append(pid["ready"])
        program.signal(signal.SIGSTOP)
        os.kill(pid["supervisor"], signal.SIGKILL)
        program.signal(signal.SIGKILL)
        gone(pid["supervisor"])
        assert alive(pid["ready"])
