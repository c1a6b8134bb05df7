"""What the tries of a check's probes come to: passed, failed, or nothing new. Pure.

A probe passes once it succeeded `successes` times in a row, and fails once it failed `failures`
times in a row; between the two it is what it was before. A check of several is passed when all of
them pass, and failed when one fails; with `any` it is the other way round.
"""

from __future__ import annotations

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import Check

PASSED, FAILED = "passed", "failed"


class Streak(Record):
    """One probe: how often in a row it went so, and what it counts as."""

    good: bool | None = None  # how the last try went; None: there was none
    count: int = 0
    passing: bool | None = None  # None: neither yet
    words: str = ""  # how its last try that failed did so
    turn: int = 0  # which of all tries of the check that was


class Tally(Record):
    """Where a check stands. `words`: how the probe that failed last did so, of those that do not
    pass; empty: none did."""

    probes: tuple[Streak, ...]
    any: bool
    successes: int
    failures: int | None
    passing: bool | None = None
    turn: int = 0

    @property
    def words(self) -> str:
        failing = [p for p in self.probes if p.passing is not True or p.good is False]
        return max(failing, key=lambda p: p.turn).words if failing else ""


def begin(check: Check, probes: int | None = None) -> Tally:
    """Nothing has been tried yet. `probes`: how many there are, where not all of the check's."""
    count = len(check.probes) if probes is None else probes
    return Tally((Streak(),) * count, check.any, max(1, check.successes), check.failures)


def tell(
    tally: Tally, probe: int, ok: bool, words: str = "", *, lasting: bool = False
) -> tuple[Tally, str | None]:
    """One try of the probe number `probe` ended. `lasting`: it holds from now on, and is not tried
    again: a line was written, a message came. The answer is PASSED or FAILED where that is new.
    """
    before = tally.probes[probe]
    count = before.count + 1 if before.good is ok else 1
    passing, turn = before.passing, tally.turn + 1
    if ok and (lasting or count >= tally.successes):
        passing = True
    elif not ok and tally.failures is not None and count >= tally.failures:
        passing = False
    after = before.replace(good=ok, count=count, passing=passing)
    if not ok:
        after = after.replace(words=words, turn=turn)
    probes = (*tally.probes[:probe], after, *tally.probes[probe + 1 :])
    whole = _whole(probes, tally.any)
    news = whole is not None and whole is not tally.passing
    tally = tally.replace(
        probes=probes, turn=turn, passing=tally.passing if whole is None else whole
    )
    if not news:
        return tally, None
    return tally, PASSED if whole else FAILED


def _whole(probes: tuple[Streak, ...], any_: bool) -> bool | None:
    """None: neither; the check stays what it was."""
    counts = [p.passing for p in probes]
    if any_ in counts:  # one is enough: to pass with `any`, to fail with `all`
        return any_
    return not any_ if all(c is not None for c in counts) else None
