"""Facts in words, as every view and reason says them. Pure."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`0.3 s`, `42 s`, `12 min`, `3 h 20 min`: as exact as somebody wants to know it."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = int(seconds / 60 + 0.5)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
