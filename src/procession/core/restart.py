"""Whether an ended run is followed by another, and how long after. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import Restart

FIRST_DELAY = 1.0  # seconds before the first restart where no fixed time is given
LONGEST_DELAY = 30.0
STABLE_AFTER = 10.0  # a run that lasted this long forgives all quick ends before it


def wanted_again(restart: Restart, *, succeeded: bool) -> bool:
    """What the policy says of a run that ended by itself, or that could not be spawned."""
    return restart.policy == "always" or (restart.policy == "on-failure" and not succeeded)


def quick_ends(before: int, lasted: float) -> int:
    """How many quick ends in a row, this one (a run of `lasted` seconds) included."""
    return 1 if lasted >= STABLE_AFTER else before + 1


def delay(restart: Restart, quick: int, *, ran: bool = True) -> float:
    """Seconds until the next run, after `quick` ends in a row (at least 1).

    `ran` is False for a spawn that failed: where no pause is asked for, nothing but this one
    keeps the supervisor from trying again for ever and doing nothing else.
    """
    if restart.delay is not None:
        return restart.delay if ran or restart.delay > 0 else FIRST_DELAY
    # 2.0 ** 1024 overflows, and a task may fail for days
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(quick - 1, 16))
