"""Times in words."""

from __future__ import annotations

import pytest

from procession.core.parts import duration, seconds

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.31, "0.3 s"),
        (42.2, "42 s"),
        (59.5, "1 min"),
        (720, "12 min"),
        (12_000, "3 h 20 min"),
        (86_400, "24 h"),
        (48 * 3600, "2 days"),
        (53 * 3600, "2 days 5 h"),
        (100 * 86_400, "100 days"),
        (2.88e9, "91 years"),
    ],
)
def test_a_duration_is_as_exact_as_somebody_wants_to_know_it(value: float, words: str) -> None:
    assert duration(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.25, "0.25 s"), (2, "2 s"), (90.0, "90 s"), (7200, "2 h"), (2.88e9, "91 years")],
)
def test_a_time_that_was_said_is_told_as_it_was_while_it_can_be_read(
    value: float, words: str
) -> None:
    assert seconds(value) == words
