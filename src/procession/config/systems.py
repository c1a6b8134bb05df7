"""Which system the file is read for: what cannot be had there is refused, with the reason."""

from __future__ import annotations

import sys

from procession import spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.keys import Field

SYSTEM = sys.platform  # tests set another


def refusal(field: Field) -> str:
    """Why what this key says cannot be had here; empty if it can."""
    for platform, reason in field.absent:
        if platform == SYSTEM:
            return reason
    return ""


def last_code() -> int:
    """The largest exit code that is told here."""
    return spec.LAST_CODE_OF_WINDOWS if SYSTEM == "win32" else spec.LAST_CODE


def not_to_leader(signal: str, to: str) -> tuple[str, str] | None:
    """Why that signal cannot be kept to the leader here, and what can be said instead.

    On Windows a console event cannot be kept from the others of the leader's console."""
    able = spec.WINDOWS_SIGNALS_TO_LEADERS
    if SYSTEM != "win32" or to != "leader" or signal in able:
        return None
    expected = " or ".join(f"`signal: {name}`" for name in able)
    what = f"on Windows {signal} reaches the whole tree, not the leader alone"
    return what, f"`group` or `tree`, or {expected}"


def signals() -> dict[str, int]:
    """Name -> number, of this system; of several names of one number the usual one first."""
    if SYSTEM == "win32":
        # what the `signal` module names there (CTRL_C_EVENT is 0) are other things
        return spec.WINDOWS_SIGNALS
    import signal  # 6 ms, for the few files that name one

    names = {known.name: int(known) for known in signal.Signals}
    return names | {name: int(number) for name, number in signal.Signals.__members__.items()}
