"""Whether an ended run is followed by another, and how long after. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.status import ExitStatus
    from procession.spec import Restart, RestartRule

SPAWN_PAUSE = 1.0  # seconds after a spawn that failed, where no other pause is asked for


def rule_for(restart: Restart, ended: ExitStatus) -> RestartRule | None:
    """The first rule that means this end; None: the policy decides."""
    for rule in restart.rules:
        if rule.code is None and rule.signal is None:
            continue
        if (rule.code is None or rule.code == ended.code) and (
            rule.signal is None or rule.signal == ended.signal
        ):
            return rule
    return None


def wanted_again(restart: Restart, *, succeeded: bool, ended: ExitStatus | None = None) -> bool:
    """What is said of a run that ended by itself. `ended` is None for one that could not be
    spawned, or that failed a check: how the leader ended is our own doing then."""
    if ended is not None and (rule := rule_for(restart, ended)) is not None:
        return rule.again
    return restart.policy == "always" or (restart.policy == "on-failure" and not succeeded)


def quick_ends(restart: Restart, before: int, lasted: float) -> int:
    """How many quick ends in a row, this one (a run of `lasted` seconds) included."""
    return 1 if lasted >= restart.stable_after else before + 1


def recent(restart: Restart, times: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Those of the restarts at `times` that count against the limit at `now`."""
    return tuple(at for at in times if now - at < restart.window)


def delay(restart: Restart, quick: int, *, ran: bool = True, chance: float = 0.0) -> float:
    """Seconds until the next run, after `quick` ends in a row (at least 1).

    `chance`, from 0 up to 1, was drawn: what fell together does not come again together. It is
    added to the longest pause as well, where most of them come to meet.
    `ran` is False for a spawn that failed: where no pause is asked for, nothing but this one
    keeps the supervisor from trying again for ever and doing nothing else.
    """
    pause = restart.delay
    if pause is None:
        pause = min(restart.longest, _grown(restart, quick))
        pause += pause * restart.jitter * chance
    return pause if ran or pause > 0 else SPAWN_PAUSE


def is_drawn(restart: Restart) -> bool:
    """Whether chance has a part in its pauses."""
    again = restart.policy != "no" or bool(restart.rules)
    return again and restart.delay is None and restart.jitter > 0


def _grown(restart: Restart, quick: int) -> float:
    try:
        return restart.first * restart.factor ** (quick - 1)
    except OverflowError:  # a task may fail for days
        return restart.longest
