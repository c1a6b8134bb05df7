"""Colours that tell tasks apart on any terminal."""

from __future__ import annotations

# Numbers of the 256-colour cube whose contrast is at least 3.4 : 1 against black and against
# white (a test computes it), so that no background makes a name unreadable; no pure red, which
# people read as an error. The 16 basic colours will not do: every theme paints them as it likes,
# and yellow on white or blue on black cannot be read. Neighbours are far apart in hue.
COLORS = (32, 166, 28, 164, 30, 130, 62, 64, 162, 31, 100, 134, 29, 168, 27, 94)
RESET = b"\x1b[0m"


def paint(number: int) -> bytes:
    """The sequence that begins the colour of the `number`th task."""
    return b"\x1b[38;5;%dm" % COLORS[number % len(COLORS)]
