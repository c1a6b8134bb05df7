"""Order, waves and circles of who depends on whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core.graph import closure, cycles, edges_of, order, waves
from procession.spec import Dependency, Task

pytestmark = pytest.mark.quick


def test_waves_keep_the_order_they_are_given() -> None:
    edges = {"web": ["db", "cache"], "db": [], "cache": [], "migrate": ["db"], "last": ["web"]}
    assert waves(edges) == [["db", "cache"], ["web", "migrate"], ["last"]]
    assert order(edges) == ["db", "cache", "web", "migrate", "last"]


def test_what_is_no_key_is_passed_over() -> None:
    assert waves({"a": ["gone", "gone"]}) == [["a"]]
    assert cycles({"a": ["gone"]}) == []
    assert waves({}) == []
    assert list(closure({"a": ["gone"]}, ["a", "nobody"])) == ["a", "nobody"]


def test_a_circle_is_named_in_its_order() -> None:
    edges = {"x": [], "d": ["c"], "a": ["c"], "b": ["x", "a"], "c": ["b"]}
    assert cycles(edges) == [("c", "b", "a", "c")]
    assert cycles({"a": ["a"]}) == [("a", "a")]
    assert cycles({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}) == [
        ("a", "b", "a"),
        ("c", "d", "c"),
    ]
    with pytest.raises(ValueError, match="c -> b -> a -> c"):
        waves(edges)


def test_a_long_chain_is_no_recursion() -> None:
    edges = {str(i): [str(i + 1)] for i in range(20_000)} | {"20000": []}
    assert cycles(edges) == []
    assert order(edges) == list(edges)[::-1]
    assert list(closure(edges, ["0"])) == list(edges)[::-1]


def test_the_edges_of_tasks_are_those_of_all_their_replicas() -> None:
    one = Task("web", "web", depends_on=(Dependency("db"),))
    two = one.replace(depends_on=(Dependency("cache"), Dependency("db")))
    task = one.replace(replicas=2, variants=(one, two))
    assert edges_of([task, Task("db", "db")]) == {"web": ("db", "cache"), "db": ()}


NAMES = "abcdefg"


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES + "?"))))
def test_there_are_waves_or_there_is_a_circle(some: dict[str, list[str]]) -> None:
    edges = {name: some.get(name, []) for name in NAMES}
    circles = cycles(edges)
    for *names, again in circles:
        assert again == names[0]
        assert len(set(names)) == len(names)
        for name, need in zip(names, [*names[1:], again], strict=True):
            assert need in edges[name]
    if circles:
        with pytest.raises(ValueError, match="in a circle"):
            waves(edges)
        return
    place = {name: i for i, wave in enumerate(waves(edges)) for name in wave}
    assert sorted(place) == list(NAMES)
    for name, needs in edges.items():
        known = [place[need] for need in needs if need in place]
        # as early as can be, and no earlier
        assert place[name] == max(known, default=-1) + 1
