"""How names, colours and amounts are shown."""

from __future__ import annotations

import colorsys

import pytest

from procession.logs.console import amount
from procession.logs.palette import COLORS, paint

LEVELS = (0, 95, 135, 175, 215, 255)  # of the 256-colour cube


def rgb(number: int) -> tuple[float, float, float]:
    at = number - 16
    red, green, blue = LEVELS[at // 36], LEVELS[at // 6 % 6], LEVELS[at % 6]
    return red / 255, green / 255, blue / 255


def luminance(number: int) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb(number)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("number", COLORS)
def test_every_colour_can_be_read_on_black_and_on_white(number: int) -> None:
    light = luminance(number)
    assert (light + 0.05) / 0.05 >= 3.4
    assert 1.05 / (light + 0.05) >= 3.4


def test_neighbours_are_far_apart_in_hue_also_where_the_colours_begin_again() -> None:
    hues = [colorsys.rgb_to_hsv(*rgb(number))[0] for number in COLORS]
    for one, other in zip(hues, hues[1:] + hues[:1], strict=True):
        apart = abs(one - other)
        assert min(apart, 1 - apart) >= 0.12
    assert len(set(COLORS)) == len(COLORS)


def test_there_is_a_colour_for_every_number() -> None:
    assert paint(len(COLORS)) == paint(0) != paint(1)


@pytest.mark.parametrize(
    ("size", "lines", "text"),
    [
        (0, 0, "0 bytes"),
        (999, 1, "1 line (999 bytes)"),
        (1000, 2, "2 lines (1.0 kB)"),
        (164_000_000, 1_640_000, "1,640,000 lines (164.0 MB)"),
        (5_000_000_000_000, 0, "5000.0 GB"),
    ],
)
def test_amounts_in_words(size: int, lines: int, text: str) -> None:
    assert amount(size, lines) == text
