"""A regular expression that somebody wrote, looked for in what somebody else wrote. Pure.

`re` goes back and tries again, and holds the interpreter's lock meanwhile: there are patterns with
which a line of 40 characters stops all of us for years. So it is asked only where the steps that it
may take are few (`cost`); else an automaton is, whose time grows with the text alone. A pattern
that is neither is refused when the file is read.
"""

from __future__ import annotations

import re
from re import _compiler, _parser  # type: ignore[attr-defined] # they have no public door

from procession.patterns import cost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.patterns.automaton import Automaton

BUDGET = 1_000_000  # steps of one search by `re` that are always granted: 2 ms
# steps for each character of any text, where its length counts only once:
PLAIN = 16  # so few that nobody else is asked
BEARABLE = 100  # where no automaton can be


class EndlessError(ValueError):
    """A pattern that could hold us up for ever: why no other way leads to it, in words."""


class Pattern:
    """Whether it is found in a text. Any thread.

    Raises EndlessError, or what `re.compile` does for what is no regular expression: re.error,
    OverflowError, RecursionError.
    """

    __slots__ = ("_automaton", "_needed", "_open", "_parsed", "_reach", "_regex")

    def __init__(self, pattern: str) -> None:
        self._regex = re.compile(pattern)
        self._parsed = parsed = _parser.parse(pattern)
        self._automaton: Automaton | None = None
        self._open: tuple[re.Pattern[str], Automaton | None] | None = None
        self._needed = ""
        steps = cost.of_search(parsed)
        self._reach = steps.within(BUDGET)  # `re` may be asked of so many characters
        if steps.degree <= 1 and steps.factor <= PLAIN:
            return
        try:
            self._automaton = _automaton(parsed)
        except EndlessError:
            if steps.degree > 1 or steps.factor > BEARABLE:
                raise
        self._needed = _needed(parsed)

    def search(self, text: str, begin: int = 0, *, cut: bool = False) -> bool:
        """Is it in `text`, from `begin` on? `^` stands for the true beginning. `cut`: the text is
        of one line, which goes on: there is a match whatever follows. (But `re`, where it looks
        ahead, sees no further than the text.)"""
        regex, automaton = self._regex, self._automaton
        if cut:
            self._open = self._open or self._opened()
            regex, automaton = self._open
        if automaton is None or len(text) - begin <= self._reach:
            return regex.search(text, begin) is not None
        if self._needed and text.find(self._needed, begin) < 0:
            return False
        return automaton.search(text, begin, cut=cut)

    def _opened(self) -> tuple[re.Pattern[str], Automaton | None]:
        """What is looked for in a line that goes on: a match with a character after it."""
        items = list(self._parsed)
        automaton = self._automaton
        if _takes_the_rest(items):
            del items[-1]
            if automaton is not None:
                automaton = _automaton(_parser.SubPattern(self._parsed.state, items))
        followed = _parser.SubPattern(self._parsed.state, [*items, *_parser.parse("(?s:.)")])
        return _compiler.compile(followed), automaton


def _takes_the_rest(items: list[Any]) -> bool:
    """Does it end in `.*$` or the like, which in a line is true wherever `.*` is?"""
    if len(items) < 2 or items[-1][0].name != "AT" or not items[-1][1].name.startswith("AT_END"):
        return False
    op, value = items[-2]
    if op.name not in ("MAX_REPEAT", "MIN_REPEAT") or value[1] is not _parser.MAXREPEAT:
        return False
    return [each.name for each, _ in value[2]] == ["ANY"]


def _automaton(parsed: Any) -> Automaton:
    from procession.patterns.automaton import Automaton, NotRegularError

    try:
        return Automaton(parsed)
    except NotRegularError as e:
        raise EndlessError(str(e)) from e


def _needed(parsed: Any) -> str:
    """The longest text that each match has in it, as far as that is plain to see."""
    if parsed.state.flags & re.IGNORECASE:
        return ""
    longest = run = ""
    for op, value in parsed:
        run = run + chr(value) if op.name == "LITERAL" else ""
        longest = max(longest, run, key=len)
    return longest
