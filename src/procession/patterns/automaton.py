"""Looking for a regular expression in a time that grows with the text alone. Pure.

The pattern is a graph of places (Thompson 1968); all places where a match may be are kept at once,
as the bits of one number, and what that becomes by a character is remembered, so that in the end
each character costs one look into a dict. Where nothing comes twice it costs some shifts and masks
of that number. Nothing goes back, and other threads have their turns meanwhile, which `re` does not
let them have.

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
    from collections.abc import Callable, Iterator
    from typing import Any

    Matches = Callable[[str], object]
    _Nexts = list[tuple[int, int]]
    _Follow = tuple[int, _Nexts]

PLACES = 1000  # of a pattern, counted repeats written out
TURNS = 64  # shifts and masks for one character: more would make it slow
REMEMBERED = 10_000  # transitions, some 6 MB at the most; then it begins anew
_TYPES = int(re.ASCII | re.LOCALE | re.UNICODE)
_CHARACTERS = ("LITERAL", "NOT_LITERAL", "IN", "ANY", "CATEGORY", "RANGE")
_SHIFTS, _FEW = (1, 0, 2, 4, 8, 16), 8  # what is tried, until the turns are so few
_TOO_LONG = f"with its repeats written out it is too long (over {PLACES} characters)"
_END = ""
_LAST_NEWLINE = "\n$"  # as a character of its own: `$` is true before it
_B_IN_EMPTY = re.search(r"\B", "") is not None  # CPython changed its mind in 3.14


class NotRegularError(ValueError):
    """Told in words: what it is that no automaton can do."""


class _Found(Exception):  # noqa: N818 - no error
    """A match ended before the character that was read."""


class Automaton:
    """Of one pattern, as `re._parser.parse` gives it. Raises NotRegularError.

    Any thread; what is learned in one is of use in all.
    """

    def __init__(self, parsed: Any) -> None:
        # of each place: who may be here, and where that leads (None: it is looked at on the way)
        self._steps: list[tuple[str | Matches, int] | None] = [None]
        self._ways: list[tuple[int, ...]] = [()]
        self._looks: dict[int, str] = {}  # places that are passed only where this is true
        self._shared: dict[tuple[str, str, int], Matches] = {}
        self._begin = self._items(parsed, 0, parsed.state.flags)  # 0: a match is complete
        self._kinds = tuple(sorted(set(self._looks.values())))
        self._tables: dict[tuple[bool, ...], _Table] = {}  # by which looks are true
        everywhere = _Table(self._follow((True,) * len(self._kinds)), None)
        if everywhere.turns > TURNS:
            raise NotRegularError("it has too many repeats of what may be left out")
        self._shifts = [shift for shift, _ in everywhere.shifts]
        self._literals: dict[str, int] = {}  # the places for a character
        self._matchers: dict[Matches, int] = {}
        for place, step in enumerate(self._steps):
            if step is not None:
                who = step[0]
                if isinstance(who, str):
                    self._literals[who] = self._literals.get(who, 0) | 1 << place
                else:
                    self._matchers[who] = self._matchers.get(who, 0) | 1 << place
        self._masks: dict[str, int] = {}  # the same, of what was met
        self._states: dict[tuple[int, str], _State] = {}
        self._remembered = 0
        self._lock = Lock()  # held by who learns; what is known is read without it

    def search(self, text: str, begin: int = 0, *, cut: bool = False) -> bool:
        """Is there a match in `text` from `begin` on? `cut`: one that ends before the text does."""
        with self._lock:
            state = self._state(0, _kind(text[begin - 1]) if begin else "")
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

    def _place(self, ways: tuple[int, ...], step: tuple[str | Matches, int] | None = None) -> int:
        if len(self._ways) >= PLACES:
            raise NotRegularError(_TOO_LONG)
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

    def _matcher(self, op: Any, value: Any, flags: int) -> str | Matches:
        """Of one character. One for all that are alike."""
        if op.name == "LITERAL" and not flags & re.IGNORECASE:
            return chr(value)
        key = op.name, str(value), flags
        found = self._shared.get(key)
        if found is None:
            state = _parser.State()
            state.flags = flags
            alone = _parser.SubPattern(state, [(op, value)])
            found = self._shared[key] = _compiler.compile(alone, flags).match
        return found

    # --- the walk ----------------------------------------------------------------------------

    def _state(self, places: int, before: str) -> _State:
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
        looks: tuple[bool, ...] = ()
        if self._kinds:
            looks = tuple([_true(look, state.before, character) for look in self._kinds])
        table = self._tables.get(looks)
        if table is None:
            table = self._tables[looks] = _Table(self._follow(looks), self._shifts)
        reached = table.after(state.places)
        if reached & 1:
            raise _Found
        plain = "\n" if character is _LAST_NEWLINE else character
        self._remembered += 1
        if self._remembered > REMEMBERED:
            self._remembered = 0
            for old in self._states.values():
                old.clear()
            self._states.clear()
        kind = _kind(plain) if self._kinds else " "
        following = state[character] = self._state(reached & self._mask(plain), kind)
        return following

    def _mask(self, character: str) -> int:
        """The places where this character may be."""
        mask = self._masks.get(character)
        if mask is None:
            mask = self._literals.get(character, 0)
            if character:
                for matches, places in self._matchers.items():
                    if matches(character):
                        mask |= places
            if len(self._masks) >= REMEMBERED:
                self._masks.clear()
            self._masks[character] = mask
        return mask

    def _follow(self, looks: tuple[bool, ...]) -> _Follow:
        """For each place, the characters' places (and 0) that come next without a character."""
        passed = {look for look, true in zip(self._kinds, looks, strict=True) if true}
        near = [0 if step is None else 1 << place for place, step in enumerate(self._steps)]
        near[0] = 1
        changed = True
        while changed:  # most lead to places that were made before: few rounds, one for each loop
            changed = False
            for place, ways in enumerate(self._ways):
                if place not in self._looks or self._looks[place] in passed:
                    all_ = near[place]
                    for way in ways:
                        all_ |= near[way]
                    if all_ != near[place]:
                        near[place], changed = all_, True
        nexts = [
            (place, near[step[1]]) for place, step in enumerate(self._steps) if step is not None
        ]
        return near[self._begin], nexts


class _Table:
    """Which places follow those where a character was, all at once. Immutable.

    What leads equally far from many places is one shift; what many have in common is one mask.
    """

    __slots__ = ("_begin", "_grouped", "_groups", "shifts")

    def __init__(self, follow: _Follow, shifts: list[int] | None) -> None:
        self._begin, nexts = follow
        if shifts is None:
            shifts = _best_shifts(nexts)
        self.shifts, groups = _split(nexts, shifts)
        self._grouped = 0
        self._groups: dict[int, tuple[int, int]] = {}  # by each place in it: from, to
        for to, places in groups.items():
            sources = sum(1 << place for place in places)
            self._grouped |= sources
            for place in places:
                self._groups[place] = ~sources, to

    @property
    def turns(self) -> int:
        return len(self.shifts) + len({to for _, to in self._groups.values()})

    def after(self, places: int) -> int:
        """The places where the next character may be; with 0 if a match is complete."""
        reached = self._begin
        if not places:
            return reached
        for shift, mask in self.shifts:
            if shift > 0:
                reached |= (places & mask) >> shift
            else:
                reached |= (places & mask) << -shift
        places &= self._grouped
        while places:
            others, to = self._groups[places.bit_length() - 1]
            reached |= to
            places &= others
        return reached


def _best_shifts(nexts: _Nexts) -> list[int]:
    counts: dict[int, int] = {}
    for place, to in nexts:
        for target in _bits(to):
            counts[place - target] = counts.get(place - target, 0) + 1
    order = sorted(counts, key=lambda shift: -counts[shift])
    best, fewest = order[:0], len(nexts) + 1
    for many in _SHIFTS:
        turns = many + len(_split(nexts, order[:many])[1])
        if turns < fewest:
            best, fewest = order[:many], turns
        if turns <= _FEW:
            break
    return best


def _split(nexts: _Nexts, shifts: list[int]) -> tuple[list[tuple[int, int]], dict[int, list[int]]]:
    """The places that each shift is for; and by what else follows, those that it follows."""
    masks = dict.fromkeys(shifts, 0)
    groups: dict[int, list[int]] = {}
    for place, to in nexts:
        rest = to
        for shift in shifts:
            if place >= shift and to >> (place - shift) & 1:
                masks[shift] |= 1 << place
                rest &= ~(1 << (place - shift))
        if rest:
            groups.setdefault(rest, []).append(place)
    return [(shift, mask) for shift, mask in masks.items() if mask], groups


def _bits(number: int) -> Iterator[int]:
    while number:
        highest = number.bit_length() - 1
        yield highest
        number ^= 1 << highest


class _State(dict[str, "_State"]):
    """Where a text may have led to so far, and where its next character leads to."""

    __slots__ = ("_automaton", "before", "places")

    def __init__(self, automaton: Automaton, places: int, before: str) -> None:
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
