"""Looking for a regular expression in a time that grows with the text alone. Pure.

The pattern is a graph of places (Thompson 1968); all places where a match may be are kept at once,
and what a set of them becomes by a character is remembered, so that in the end each character costs
one look into a dict. Nothing goes back, and other threads have their turns meanwhile, which `re`
does not let them have.

It says whether there is a match, and for that all of `re`'s preferences are the same. What is not
regular (references to groups, looking ahead or behind, what gives nothing back) it cannot do.
The characters are told by `re` itself, each class of them compiled on its own: so they mean here
what they mean there, whatever the flags.
"""

from __future__ import annotations

import re
from re import _compiler, _parser  # type: ignore[attr-defined] # they have no public door
from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Matches = Callable[[str], object]

PLACES = 1000  # of a pattern, counted repeats written out
REMEMBERED = 200_000  # places in what is remembered of transitions, some 10 MB; then it begins anew
_TYPES = int(re.ASCII | re.LOCALE | re.UNICODE)
_CHARACTERS = ("LITERAL", "NOT_LITERAL", "IN", "ANY", "CATEGORY", "RANGE")
_END = ""
_LAST_NEWLINE = "\n$"  # as a character of its own: `$` is true before it
_B_IN_EMPTY = re.search(r"\B", "") is not None  # CPython changed its mind in 3.14


class NotRegularError(ValueError):
    """Told in words: what it is that no automaton can do."""


class _Found(Exception):  # noqa: N818 - no error
    """A match ended before the character that was read."""


class Automaton:
    """Of one pattern, as `re._parser.parse` gives it. Raises NotRegularError.

    Any thread, but what is learned in one is of use in all.
    """

    def __init__(self, parsed: Any) -> None:
        # of each place: who may be here, and where that leads (None: it is looked at on the way)
        self._steps: list[tuple[Matches, int] | None] = [None]
        self._ways: list[tuple[int, ...]] = [()]
        self._looks: dict[int, str] = {}  # places that are passed only where this is true
        self._shared: dict[tuple[str, int, int], Matches] = {}
        self._states: dict[tuple[frozenset[int], str], _State] = {}
        self._remembered = 0
        self._lock = Lock()  # held by who learns; what is known is read without it
        self._begin = self._items(parsed, 0, parsed.state.flags)  # 0: a match is complete
        self._shared.clear()

    def search(self, text: str, begin: int = 0, *, cut: bool = False) -> bool:
        """Is there a match in `text` from `begin` on? `cut`: one that ends before the text does."""
        with self._lock:
            state = self._state(frozenset(), _kind(text[begin - 1]) if begin else "")
        last = not cut and text.endswith("\n") and len(text) > begin
        try:
            for character in text[begin : len(text) - last]:
                state = state[character]
            if last:
                state = state[_LAST_NEWLINE]
            if not cut:
                state[_END]
        except _Found:
            return True
        return False

    # --- the graph, from its end to its beginning --------------------------------------------

    def _place(self, ways: tuple[int, ...], step: tuple[Matches, int] | None = None) -> int:
        if len(self._ways) >= PLACES:
            raise NotRegularError("its repeats, written out, are too long")
        self._ways.append(ways)
        self._steps.append(step)
        return len(self._ways) - 1

    def _items(self, items: Any, then: int, flags: int) -> int:
        """The place from which `items` lead to `then`."""
        for op, value in reversed(list(items)):
            then = self._item(op, value, then, flags)
        return then

    def _item(self, op: Any, value: Any, then: int, flags: int) -> int:
        name = op.name
        if name in _CHARACTERS:
            return self._place((), (self._matcher(op, value, flags), then))
        if name == "SUBPATTERN":
            _, added, removed, items = value
            if added & _TYPES:
                flags &= ~_TYPES
            return self._items(items, then, (flags | added) & ~removed)
        if name == "BRANCH":
            return self._place(tuple(self._items(items, then, flags) for items in value[1]))
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, items = value
            return self._repeat(least, most, items, then, flags)
        if name == "AT":
            place = self._place((then,))
            self._looks[place] = _look(value.name, flags)
            return place
        if name == "FAILURE":
            return self._place(())
        raise NotRegularError(_WORDS.get(name, f"it has {name.lower()}"))

    def _repeat(self, least: int, most: Any, items: Any, then: int, flags: int) -> int:
        if most is _parser.MAXREPEAT:
            loop = self._place(())
            self._ways[loop] = (self._items(items, loop, flags), then)
            then = loop
        else:
            end = then
            for _ in range(most - least):
                once = self._items(items, then, flags)
                if once == then:
                    break
                then = self._place((once, end))
        for _ in range(least):
            before, then = then, self._items(items, then, flags)
            if then == before:  # it takes no place, however often: nested, that would never end
                break
        return then

    def _matcher(self, op: Any, value: Any, flags: int) -> Matches:
        """Of one character. One for all places that were written out of one item."""
        key = op.name, id(value), flags  # the parsed pattern, which holds all values, lives as long
        found = self._shared.get(key)
        if found is None:
            state = _parser.State()
            state.flags = flags
            alone = _parser.SubPattern(state, [(op, value)])
            found = self._shared[key] = _compiler.compile(alone, flags).match
        return found

    # --- the walk ----------------------------------------------------------------------------

    def _state(self, places: frozenset[int], before: str) -> _State:
        key = places, before if self._looks else " "
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(self, *key)
        return state

    def _after(self, state: _State, character: str) -> _State:
        """Where `character` leads to. Raises _Found."""
        with self._lock:
            return self._learned(state, character)

    def _learned(self, state: _State, character: str) -> _State:
        reached: set[int] = set()
        told: dict[Matches, object] = {}
        seen: set[int] = set()
        open_ = [self._begin, *state.places]
        plain = "\n" if character is _LAST_NEWLINE else character
        while open_:
            place = open_.pop()
            if place in seen:
                continue
            if not place:
                raise _Found
            seen.add(place)
            step = self._steps[place]
            if step is not None and plain:
                matches, then = step
                if matches not in told:
                    told[matches] = matches(plain)
                if told[matches]:
                    reached.add(then)
            elif place not in self._looks or _true(self._looks[place], state.before, character):
                open_ += self._ways[place]
        self._remembered += len(reached) + 10
        if self._remembered > REMEMBERED:
            self._remembered = 0
            for old in self._states.values():
                old.clear()
            self._states.clear()
        following = state[character] = self._state(frozenset(reached), _kind(plain))
        return following


class _State(dict[str, "_State"]):
    """Where a text may have led to so far, and where its next character leads to."""

    __slots__ = ("_automaton", "before", "places")

    def __init__(self, automaton: Automaton, places: frozenset[int], before: str) -> None:
        self._automaton = automaton
        self.places = places
        self.before = before  # the kind of the last character

    def __missing__(self, character: str) -> _State:
        return self._automaton._after(self, character)


def _kind(character: str) -> str:
    """One character for all that are the same to those who look back at them."""
    if character in ("", "\n"):
        return character
    if not (character.isalnum() or character == "_"):
        return " "
    return "a" if character.isascii() else "ä"


def _look(name: str, flags: int) -> str:
    if name in ("AT_BEGINNING", "AT_END") and flags & re.MULTILINE:
        return f"{name}_LINE"
    if name in ("AT_BOUNDARY", "AT_NON_BOUNDARY") and flags & re.ASCII:
        return f"{name}_ASCII"
    return name


def _true(look: str, before: str, after: str) -> bool:
    """What stands between two characters; "" is the text's beginning, or its end."""
    if look in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return not before
    if look == "AT_BEGINNING_LINE":
        return before in ("", "\n")
    if look == "AT_END_STRING":
        return not after
    if look == "AT_END":
        return after in (_END, _LAST_NEWLINE)
    if look == "AT_END_LINE":
        return after in (_END, _LAST_NEWLINE, "\n")
    if not before and not after:
        return _B_IN_EMPTY and "NON" in look
    words = ("a",) if look.endswith("ASCII") else ("a", "ä")
    between = (before in words) != (_kind(after[:1]) in words)
    return between != ("NON" in look)


_WORDS = {
    "ASSERT": "it looks ahead or behind",
    "ASSERT_NOT": "it looks ahead or behind",
    "GROUPREF": "it refers to a group",
    "GROUPREF_EXISTS": "it asks for a group",
    "POSSESSIVE_REPEAT": "it has a possessive repeat",
    "ATOMIC_GROUP": "it has an atomic group",
}
