"""Names and numbers of the stop signals of Windows, which has none itself: see `spec`."""

from __future__ import annotations

from procession.spec import WINDOWS_SIGNALS


def signal_name(number: int) -> str:
    """`SIGTERM`, or `signal 99` for what is none here."""
    found = [name for name, known in WINDOWS_SIGNALS.items() if known == number]
    return found[0] if found else f"signal {number}"


def signal_number(name: str) -> int:
    """The number of `SIGTERM`. Raises ValueError for what is none here."""
    try:
        return WINDOWS_SIGNALS[name]
    except KeyError:
        raise ValueError(f"Windows has no signal {name!r}") from None
