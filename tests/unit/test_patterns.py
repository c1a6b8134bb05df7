"""What users look for is found as `re` finds it, and never takes longer than the text is long."""

from __future__ import annotations

import random
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from re import _parser  # type: ignore[attr-defined]

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession.patterns import cost
from procession.patterns.automaton import PLACES, REMEMBERED, Automaton, NotRegularError
from procession.patterns.pattern import BUDGET, EndlessError, Pattern

pytestmark = pytest.mark.quick


def automaton(pattern: str) -> Automaton:
    return Automaton(_parser.parse(pattern))


# --- the same as `re` --------------------------------------------------------------------------

ATOMS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "ä",
            ".",
            r"\n",
            r"\w",
            r"\W",
            r"\d",
            r"\s",
            "[ab]",
            "[^a]",
            "[a-c1]",
            r"[^\w ]",
        ),
        *(
            "^",
            "$",
            r"\A",
            r"\Z",
            r"\b",
            r"\B",
            "(?i:A)",
            "(?a:\\w)",
            "(?a:\\b)",
            "(?m:^)",
            "(?m:$)",
        ),
        *("(?s:.)", "(?i:Ä)", "(?i-s:.)", ""),
    ]
)
REPEATS = st.sampled_from(
    ["*", "+", "?", "{2}", "{0,2}", "{2,}", "{1,3}", "*?", "+?", "??", "{0}", "{,3}?"]
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda all_: f"(?:{'|'.join(all_)})"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, REPEATS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


REGULAR = st.tuples(
    st.sampled_from(["", "(?i)", "(?m)", "(?s)", "(?a)", "(?ims)"]),
    st.recursive(ATOMS, compound, max_leaves=8),
).map("".join)
TEXTS = st.text("aAbcä1 _\n-", max_size=8)


@settings(max_examples=400)
@given(REGULAR, TEXTS, st.integers(0, 8))
def test_an_automaton_finds_what_re_finds(pattern: str, text: str, begin: int) -> None:
    begin = min(begin, len(text))
    expected = re.compile(pattern).search(text, begin) is not None
    built = automaton(pattern)
    assert built.search(text, begin) == expected
    assert built.search(text, begin) == expected  # by what it remembers


@settings(max_examples=200)
@given(REGULAR, TEXTS, TEXTS)
def test_what_is_found_in_a_part_is_found_in_the_whole(pattern: str, part: str, more: str) -> None:
    built = automaton(pattern)
    if more and built.search(part, cut=True):
        # where it ends in "\n" a part may not take that for the end
        assert re.search(pattern, part + more) is not None
    match = re.search(pattern, part + "x")
    if match is not None and match.end() < len(part) and "\n" not in part[-1:]:
        assert built.search(part, cut=True)


@settings(max_examples=200)
@given(REGULAR, TEXTS)
def test_a_pattern_finds_what_re_finds_whoever_is_asked(pattern: str, text: str) -> None:
    expected = re.search(pattern, text) is not None
    assert Pattern(pattern).search(text) == expected
    long = text + "a" * 3000 + text
    if cost.of_search(_parser.parse(pattern)).degree <= 2:
        assert Pattern(pattern).search(long) == (re.search(pattern, long) is not None)


@settings(max_examples=300)
@given(REGULAR, TEXTS, TEXTS.map(lambda text: text + "x"))
def test_what_is_found_in_a_line_that_goes_on_is_found_in_all_of_it(
    pattern: str, part: str, more: str
) -> None:
    part, more = part.replace("\n", ""), more.replace("\n", "")
    looked = Pattern(pattern)
    found = looked.search(part, cut=True)
    if found:
        assert re.search(pattern, part + more) is not None
    else:
        match = re.search(pattern, part + "x")
        assert match is None or match.end() >= len(part)
    looked._reach = -1  # and the same by the automaton, where there is one
    assert looked.search(part, cut=True) == found


def test_what_it_remembers_is_bounded() -> None:
    built = automaton("(?:a|b)*a(?:a|b){40}c")
    text = "".join("ab"[bin(n).count("1") % 2] for n in range(30_000))
    assert not built.search(text)
    assert sum(map(len, built._states.values())) <= REMEMBERED
    assert len(built._states) <= REMEMBERED + 1
    assert built.search(text + "a" + "b" * 40 + "c")


# --- never long --------------------------------------------------------------------------------

LONG = 64 * 1024


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        (r"(x+x+)+y", "x"),
        (r"(a|a)*b", "a"),
        (r"(a|ab|b)*c", "ab"),
        (r".*.*.*x", "a"),
        (r"\s+$", " "),
        (r"\d+x", "1"),
        (r"(\w+\s?)+:$", "word "),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
        (r"(?:a?){40}b", "a"),
        (r"(?i)(?:ä+)+ö", "Ä"),
    ],
)
def test_no_line_holds_us_up(pattern: str, unit: str) -> None:
    """Each takes `re` from seconds to for ever."""
    looked = Pattern(pattern)
    assert not looked.search(unit * (LONG // len(unit)) + ".")


@pytest.mark.parametrize("pattern", ["[ab]*a[ab]{400}c", "(a|b)*a(?:ab?|b){60}c"])
def test_what_never_comes_twice_is_quick_too(pattern: str) -> None:
    """Processor time, with much to spare: 0.2 s is usual, and 5 s what place after place takes."""
    chosen = random.Random(1)
    text = "".join(chosen.choice("ab") for _ in range(40_000))
    built = automaton(pattern)
    began = time.process_time()
    assert not built.search(text)
    assert time.process_time() - began < 1.5


PLAIN = [
    "ready",
    "(?i)server (is )?(up|ready)",
    r"listening on .*:\d+",
    r"v\d+\.\d+ ready",
    r"^(?!.*error).*ready",
    r"(?<=port )\d{1,5}\b",
    r"^(?P<sign>[>#]) .{0,20} (?P=sign)",
    r"^(?:a++b)?c",
    r"(?<!not )ready in \d+ ms",
    r"(?<=port )\d+",
    "x" * 1001,
]


@pytest.mark.parametrize("pattern", PLAIN)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert not Pattern(pattern).search("something else")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(x+x+)+\1y", "refers to a group"),
        (r"(?=.*a).*b", "looks ahead"),
        (r"(?<!x)(a|b)*c", "looks ahead or behind"),
        (r"(?>a|b)*c+d", "atomic"),
        (r"(.*)++c", "possessive"),
        (r"(?:(?:a|b)*x){2000}", "too long"),
        (r"[ab]*a(?:[ab]?){80}c", "too many repeats"),
        (r"(?<=1)\d+", "looks ahead or behind"),
        (r"(?<!a)b\w+", "looks ahead or behind"),
        (r"(a)?(?:b*)*(?(1)c|d)", "asks for a group"),
    ],
)
def test_what_could_hold_us_up_for_ever_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(EndlessError, match=why):
        Pattern(pattern)


def test_a_graph_is_bounded() -> None:
    for pattern in ("(?:a{1000}){1000}", "a{100000}", "(?:a?){5000}", "((a{50}){50}){50}"):
        with pytest.raises(NotRegularError, match="too long"):
            automaton(pattern)
    assert not automaton("(?:){65000}b").search("aaa")
    assert automaton(f"a{{{PLACES - 5}}}").search("a" * PLACES)


@pytest.mark.parametrize("empty", ["((((){1000}){1000}){1000})", "((((){1000}){1000}){0,9}){1000}"])
def test_what_takes_no_place_is_not_repeated(empty: str) -> None:
    assert automaton(f"(?:{empty})*x*x*y").search("xy")
    assert not Pattern(f"{empty}x*x*x*y").search("x" * LONG)


@pytest.mark.timeout(60)
def test_many_threads_may_learn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgetting goes through all that is known, while others learn."""
    monkeypatch.setattr("procession.patterns.automaton.REMEMBERED", 2_000)
    built = automaton("[ab]*a[ab]{40}c")
    texts = ["".join("ab"[bin(n * k).count("1") % 2] for n in range(8_000)) for k in (1, 3, 5, 7)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(built.search, texts)) == [False] * 4
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize(
    ("pattern", "degree"),
    [
        ("abc", 1),
        ("^abc", 1),
        ("^a*b", 1),
        ("(?m)^a*b", 2),
        ("a*b", 2),
        ("a*b*c", 3),
        ("^a*b*c", 2),
        ("(?:ab)*c", 2),
        ("(?:a|b+)*c", cost.INFINITE),
        ("(?:a*)*", cost.INFINITE),
        ("(?:a*){3}b", 4),
        ("^(?!.*error).*ready", 1),
        (r"(a)\1", 2),
        (r"port \d+ is", 1),
        (r"(?i)port \d+ is", 2),
        (r"(?<=port )\d+", 1),
        (r"(?<!port )\d+", 2),
        (r"\d1\d+", 2),
        (r"a=\d+.*b", 3),
    ],
)
def test_steps_are_counted_by_how_repeats_lie_in_each_other(pattern: str, degree: float) -> None:
    assert cost.of_search(_parser.parse(pattern)).degree == degree


@settings(max_examples=100, deadline=None)
@given(REGULAR, st.text("abä1 ", min_size=1, max_size=3))
def test_re_is_asked_only_where_it_is_quick(pattern: str, unit: str) -> None:
    """In processor time, with much to spare for a busy machine: 1 ms is usual."""
    reach = cost.of_search(_parser.parse(pattern)).within(BUDGET)
    text = (unit * LONG)[: int(min(reach, LONG))]
    began = time.process_time()
    re.compile(pattern).search(text + "-" if len(text) < reach else text)
    assert time.process_time() - began < 0.5
