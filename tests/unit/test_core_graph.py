"""Waves and cycles of who needs whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core.graph import cycle, waves

pytestmark = pytest.mark.quick


def test_waves_keep_the_order_they_are_given() -> None:
    edges = {"web": ["db", "cache"], "db": [], "migrate": ["db"], "last": ["web", "migrate"]}
    names = ["web", "db", "cache", "migrate", "last"]
    assert waves(names, edges) == [["db", "cache"], ["web", "migrate"], ["last"]]


def test_what_is_not_among_the_names_is_passed_over() -> None:
    assert waves(["a"], {"a": ["gone", "gone"], "x": ["a"]}) == [["a"]]
    assert cycle(["a"], {"a": ["gone"], "gone": ["a"]}) is None
    assert waves([], {}) == []


def test_a_cycle_is_named_in_its_order() -> None:
    edges = {"d": ["c"], "c": ["b"], "b": ["x", "a"], "a": ["c"], "x": []}
    assert cycle(["x", "d", "a", "b", "c"], edges) == ["c", "b", "a"]
    assert cycle(["a"], {"a": ["a"]}) == ["a"]
    with pytest.raises(ValueError, match="need each other"):
        waves(edges, edges)


def test_a_long_chain_is_no_recursion() -> None:
    names = [str(i) for i in range(20_000)]
    edges = {str(i): [str(i + 1)] for i in range(19_999)}
    assert cycle(names, edges) is None
    assert [wave[0] for wave in waves(names, edges)] == names[::-1]


NAMES = "abcdefg"


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES + "?"))))
def test_there_are_waves_or_there_is_a_cycle(edges: dict[str, list[str]]) -> None:
    found = cycle(NAMES, edges)
    if found is None:
        order = {name: i for i, wave in enumerate(waves(NAMES, edges)) for name in wave}
        assert sorted(order) == list(NAMES)
        for name, needs in edges.items():
            known = [order[need] for need in needs if need in order]
            # as early as can be, and no earlier
            assert order[name] == max(known, default=-1) + 1
        return
    assert len(set(found)) == len(found)
    for name, need in zip(found, [*found[1:], found[0]], strict=True):
        assert need in edges[name]
    with pytest.raises(ValueError, match="need each other"):
        waves(NAMES, edges)
