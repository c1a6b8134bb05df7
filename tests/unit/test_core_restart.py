from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import restart
from procession.core.status import ExitStatus
from procession.spec import Restart

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("policy", "after_success", "after_failure"),
    [("no", False, False), ("on-failure", False, True), ("always", True, True)],
)
def test_policies(policy: str, after_success: bool, after_failure: bool) -> None:
    assert restart.wanted_again(Restart(policy), succeeded=True) is after_success
    assert restart.wanted_again(Restart(policy), succeeded=False) is after_failure


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    pauses = [restart.delay(Restart("always"), quick) for quick in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("quick", [1_000, 5_000, 10**9])
def test_days_of_failing_overflow_nothing(quick: int) -> None:
    assert restart.delay(Restart("always"), quick) == 30


@pytest.mark.parametrize("ran", [True, False])
@pytest.mark.parametrize("quick", [1, 2, 50])
def test_a_fixed_pause_stays(quick: int, ran: bool) -> None:
    assert restart.delay(Restart("always", 2.5), quick, ran=ran) == 2.5


def test_no_pause_is_for_runs_and_not_for_spawns_that_failed() -> None:
    assert restart.delay(Restart("always", 0.0), 7) == 0
    assert restart.delay(Restart("always", 0.0), 7, ran=False) == 1


def test_a_stable_run_forgives() -> None:
    quick = 0
    counted = []
    for lasted in (0.0, 9.99, 3.0, 10.0, 0.5, 86400.0):
        quick = restart.quick_ends(Restart(), quick, lasted)
        counted.append(quick)
    assert counted == [1, 2, 3, 1, 2, 1]


@given(st.integers(1, 10**6))
def test_the_pause_never_shrinks_while_it_fails(quick: int) -> None:
    sooner, later = (restart.delay(Restart("always"), q) for q in (quick, quick + 1))
    assert 1 <= sooner <= later <= 30


@pytest.mark.parametrize(
    ("status", "shell", "words"),
    [
        (ExitStatus(0), 0, "exited with 0"),
        (ExitStatus(255), 255, "exited with 255"),
        (ExitStatus(signal=15), 143, "killed by SIGTERM"),
        (
            ExitStatus(signal=11, core_dumped=True),
            139,
            "killed by SIGSEGV (segmentation fault, core dumped)",
        ),
        (ExitStatus(signal=40), 168, "killed by signal 40"),
        (ExitStatus(), 1, "status unknown"),
    ],
)
def test_how_a_leader_ended(status: ExitStatus, shell: int, words: str) -> None:
    assert (status.shell_status, str(status)) == (shell, words)
    assert status.unknown is (status == ExitStatus())


def test_success_is_a_known_code_among_the_good_ones() -> None:
    assert ExitStatus(0).succeeded()
    assert ExitStatus(3).succeeded((0, 3))
    assert not ExitStatus(0).succeeded((3,))
    assert not ExitStatus(signal=15).succeeded()
    assert not ExitStatus().succeeded((0, 1)), "an unknown status is no 0, and no 1 either"


POSIX_NUMBERS = {
    1: "HUP",
    2: "INT",
    3: "QUIT",
    4: "ILL",
    6: "ABRT",
    8: "FPE",
    9: "KILL",
    11: "SEGV",
}


@pytest.mark.parametrize(
    ("number", "name"), [*POSIX_NUMBERS.items(), (13, "PIPE"), (14, "ALRM"), (15, "TERM")]
)
def test_a_signal_with_the_same_number_everywhere_is_called_by_name(number: int, name: str) -> None:
    told = str(ExitStatus(signal=number))
    assert told.split(" (")[0] == f"killed by SIG{name}"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ExitStatus(0), ""),
        (ExitStatus(3), ""),
        (ExitStatus(), ""),
        (ExitStatus(signal=15), ""),
        (ExitStatus(signal=9), "lack of memory"),
        (ExitStatus(127), "not there"),
        (ExitStatus(126), "may not be executed"),
        (ExitStatus(137), "when SIGKILL killed a program"),
        (ExitStatus(128), ""),
        (ExitStatus(255), ""),
        (ExitStatus(0xC0000005), "access violation"),
        (ExitStatus(0xC000013A), "does not handle Ctrl-C or Ctrl-Break"),
    ],
)
def test_what_is_probably_behind_an_end(status: ExitStatus, words: str) -> None:
    assert words in status.hint
    assert bool(words) == bool(status.hint)
