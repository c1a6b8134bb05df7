"""How many steps Python's `re` may take at the most to look for a pattern. Pure.

`re` goes back and tries again: its work is the number of ways to walk through a pattern, times
what each takes. That is counted here from the parsed pattern, never too low: what could be told
apart only by looking at characters (`(a|b)+` has one way for each text) counts as if it could not.
"""

from __future__ import annotations

from re import _compiler, _parser  # type: ignore[attr-defined] # they have no public door

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INFINITE = float("inf")
_MANY = 1e30  # beyond all budgets
_LONG = 1000  # what may be repeated more often than that is as good as unbounded
_BEGINNINGS = ("AT_BEGINNING", "AT_BEGINNING_STRING")
IGNORECASE, MULTILINE = 2, 8  # re.I and re.M, which are no plain numbers
_ONE_CHARACTER = ("LITERAL", "NOT_LITERAL", "IN", "ANY", "CATEGORY")


class Steps:
    """`factor * n ** degree`, for a text of n characters. Immutable."""

    __slots__ = ("degree", "factor")

    def __init__(self, factor: float, degree: float = 0) -> None:
        self.factor = min(factor, _MANY)
        self.degree = degree

    def __add__(self, other: Steps) -> Steps:
        return Steps(self.factor + other.factor, max(self.degree, other.degree))

    def __mul__(self, other: Steps) -> Steps:
        return Steps(self.factor * other.factor, self.degree + other.degree)

    def within(self, budget: float) -> float:
        """How long a text may be for so many steps; infinite where its length does not matter."""
        if self.factor > budget or self.degree == INFINITE:
            return 0
        return INFINITE if not self.degree else (budget / self.factor) ** (1 / self.degree)


_ONE = Steps(1)
_EACH = Steps(1, 1)  # once for each character


def of_search(parsed: Any) -> Steps:
    """Of a search for what `re._parser` gave."""
    if not parsed.state.flags & IGNORECASE:
        if all(op.name == "LITERAL" for op, _ in parsed):
            return Steps(2, 1)  # however long: `re` never goes back in it
        if guarded := _of_guarded(parsed):
            return guarded
    _, cost = _of_items(parsed)
    first = parsed[0] if len(parsed) else None
    anchored = first is not None and first[0].name == "AT" and first[1].name in _BEGINNINGS
    if anchored and not parsed.state.flags & MULTILINE:
        return cost + _EACH  # all other beginnings are over at once
    return cost * _EACH


def _of_guarded(parsed: Any) -> Steps | None:
    """Of `port \\d+` and the like; None: it is none of them.

    Where a character stands before the first repeat that cannot be in that, no two repeats that
    begin at different places go through the same text: all of them together are as long as it is.
    """
    guards: list[tuple[int, int]] = []  # where they are, and who
    width = 0
    for index, (op, value) in enumerate(parsed):
        if op.name == "LITERAL":
            guards.append((width, value))
        elif op.name == "ASSERT" and value[0] < 0:
            behind = list(value[1])
            if all(each.name == "LITERAL" for each, _ in behind):
                guards += [(width - len(behind) + at, c) for at, (_, c) in enumerate(behind)]
        elif op.name in ("MAX_REPEAT", "MIN_REPEAT") and int(value[1]) > _LONG:
            repeated = list(value[2])
            if len(repeated) != 1 or repeated[0][0].name not in _ONE_CHARACTER:
                return None
            alone = _parser.SubPattern(parsed.state, repeated)
            matches = _compiler.compile(alone, parsed.state.flags).match
            near = max((at for at, guard in guards if not matches(chr(guard))), default=None)
            before, after = _of_items(parsed[:index])[1], _of_items(parsed[index + 1 :])[1]
            if near is None or before.degree or after.degree:
                return None
            # (the repeats of so many beginnings may overlap)
            return Steps(before.factor + (width - near) * (1 + after.factor), 1)
        elif op.name not in ("ASSERT", "ASSERT_NOT", "AT", *_ONE_CHARACTER):
            return None
        width += op.name in _ONE_CHARACTER
    return None


def _of_items(items: Any) -> tuple[Steps, Steps]:
    """In how many ways it may match from one place on, and the steps that all of them take."""
    ways, cost = _ONE, _ONE
    for op, value in items:
        own_ways, own_cost = _of_item(op.name, value)
        cost += ways * own_cost  # what comes later is tried once for each way to get there
        ways *= own_ways
    return ways, cost


def _of_item(name: str, value: Any) -> tuple[Steps, Steps]:
    if name == "SUBPATTERN":
        return _of_items(value[3])
    if name == "BRANCH":
        return _of_branches(value[1])
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        return _of_repeat(*value)
    if name == "POSSESSIVE_REPEAT":
        return _ONE, _of_repeat(*value)[1]
    if name in ("ASSERT", "ASSERT_NOT"):
        return _ONE, _of_items(value[1])[1]
    if name == "ATOMIC_GROUP":
        return _ONE, _of_items(value)[1]
    if name == "GROUPREF":
        return _ONE, _EACH
    if name == "GROUPREF_EXISTS":
        return _of_branches([part for part in value[1:] if part is not None])
    return _ONE, _ONE  # one character, or a look at where we are


def _of_branches(branches: Any) -> tuple[Steps, Steps]:
    ways, cost = Steps(0), _ONE
    for branch in branches:
        own_ways, own_cost = _of_items(branch)
        ways, cost = ways + own_ways, cost + own_cost
    return ways, cost


def _of_repeat(least: int, most: Any, items: Any) -> tuple[Steps, Steps]:
    ways, cost = _of_items(items)
    unbounded = int(most) > _LONG
    if ways.factor <= 1 and not ways.degree:
        if unbounded:
            return _EACH, cost * _EACH
        return Steps(most - least + 1), cost * Steps(most + 1)
    if unbounded:
        endless = Steps(1, INFINITE)
        return endless, endless
    power, all_ways, tries = _ONE, Steps(0), _ONE
    for count in range(most + 1):
        all_ways += power if count >= least else Steps(0)
        tries += power if count < most else Steps(0)
        power *= ways
    return all_ways, cost * tries
