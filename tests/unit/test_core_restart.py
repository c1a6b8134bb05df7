from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import restart
from procession.core.status import ExitStatus
from procession.spec import Restart, RestartRule

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
    assert restart.quick_ends(Restart(stable_after=1.0), 4, 1.5) == 1
    for lasted in (0.0, 9.99, 3.0, 10.0, 0.5, 86400.0):
        quick = restart.quick_ends(Restart(), quick, lasted)
        counted.append(quick)
    assert counted == [1, 2, 3, 1, 2, 1]


def test_the_growth_is_the_file_s() -> None:
    slow = Restart("always", first=0.5, factor=3.0, longest=10.0)
    assert [restart.delay(slow, quick) for quick in range(1, 6)] == [0.5, 1.5, 4.5, 10, 10]
    assert restart.delay(slow.replace(factor=1e300), 9) == 10
    steady = slow.replace(factor=1.0)
    assert {restart.delay(steady, quick) for quick in (1, 50, 10**6)} == {0.5}


def test_chance_adds_a_part_and_also_to_the_longest_pause() -> None:
    assert restart.delay(Restart("always", jitter=0.1), 1, chance=0.5) == 1.05
    assert restart.delay(Restart("always", jitter=0.5), 50, chance=0.999) < 45
    assert restart.delay(Restart("always", jitter=0.5), 50, chance=0.5) == 37.5
    assert restart.delay(Restart("always", 3.0, jitter=0.5), 1, chance=0.5) == 3.0


@pytest.mark.parametrize(
    ("rule", "drawn"),
    [
        (Restart(), False),
        (Restart("always"), True),
        (Restart("always", 5.0), False),
        (Restart("always", jitter=0.0), False),
        (Restart(rules=(RestartRule(True, code=3),)), True),
    ],
)
def test_nothing_is_drawn_where_chance_has_no_part(rule: Restart, drawn: bool) -> None:
    assert restart.is_drawn(rule) is drawn


RULES = (
    RestartRule(True, code=75),
    RestartRule(False, code=2),
    RestartRule(True, signal=9),
    RestartRule(False, code=75),
    RestartRule(True),
)


@pytest.mark.parametrize(
    ("policy", "ended", "again"),
    [
        ("no", ExitStatus(75), True),
        ("always", ExitStatus(2), False),
        ("no", ExitStatus(signal=9), True),
        ("no", ExitStatus(9), False),
        ("no", ExitStatus(signal=75), False),
        ("on-failure", ExitStatus(1), True),
        ("no", ExitStatus(1), False),
        ("always", ExitStatus(), True),
    ],
)
def test_the_first_rule_for_an_end_wins_over_the_policy(
    policy: str, ended: ExitStatus, again: bool
) -> None:
    rules = Restart(policy, rules=RULES)
    good = ended.succeeded()
    assert restart.wanted_again(rules, succeeded=good, ended=ended) is again


def test_no_rule_is_for_an_end_that_was_our_own_doing() -> None:
    never = Restart("always", rules=(RestartRule(False, signal=15),))
    assert restart.wanted_again(never, succeeded=False)


def test_only_restarts_in_the_window_count() -> None:
    window = Restart(window=60.0)
    assert restart.recent(window, (0.0, 39.9, 40.1, 100.0), 100.0) == (40.1, 100.0)


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
