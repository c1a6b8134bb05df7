"""A time that a caller gave, in seconds. Pure."""

from __future__ import annotations


def seconds(name: str, value: float, least: float = 0.0) -> float:
    """`value`, which the caller called `name`. Raises TypeError for what is no number, ValueError
    for one that is less than `least`, and for NaN; infinity is a time."""
    if not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; expected seconds, 0 or more")
    if not value >= least:  # NaN is not either
        raise ValueError(f"{name} is {value!r}; expected seconds, 0 or more")
    return value
