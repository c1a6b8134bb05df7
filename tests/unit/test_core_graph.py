"""Who depends on whom: order, waves, and circles with their path."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procession.core import graph
from procession.spec import Dependency, Task

DIAMOND = {"web": ["api", "cache"], "api": ["db"], "cache": ["db"], "db": [], "log": []}


@pytest.mark.quick
def test_waves_are_as_early_as_can_be_and_as_in_the_file() -> None:
    assert graph.waves(DIAMOND) == [["db", "log"], ["api", "cache"], ["web"]]
    assert graph.order(DIAMOND) == ["db", "log", "api", "cache", "web"]
    assert graph.waves({}) == []


@pytest.mark.quick
def test_names_that_are_not_there_are_passed_over() -> None:
    assert graph.order({"web": ["nobody"]}) == ["web"]
    assert graph.cycles({"web": ["nobody"]}) == []
    assert list(graph.closure({"web": ["nobody"]}, ["web"])) == ["web"]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("edges", "paths"),
    [
        (DIAMOND, []),
        ({"a": ["a"]}, [("a", "a")]),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, [("a", "b", "c", "a")]),
        ({"x": ["a"], "a": ["b"], "b": ["a"]}, [("a", "b", "a")]),
        (
            {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]},
            [("a", "b", "a"), ("c", "d", "c")],
        ),
        ({"a": ["b", "c"], "b": ["a"], "c": ["a"]}, [("a", "b", "a"), ("a", "c", "a")]),
    ],
)
def test_circles_are_told_by_their_path(
    edges: dict[str, list[str]], paths: list[tuple[str, ...]]
) -> None:
    assert graph.cycles(edges) == paths
    if paths:
        with pytest.raises(ValueError, match=" -> ".join(paths[0])):
            graph.waves(edges)


@pytest.mark.quick
def test_what_a_task_needs_with_all_that_needs() -> None:
    assert list(graph.closure(DIAMOND, ["api"])) == ["db", "api"]
    assert list(graph.closure(DIAMOND, ["log", "web"])) == ["log", "db", "api", "cache", "web"]


@pytest.mark.quick
def test_the_edges_of_tasks_are_those_of_their_variants_too() -> None:
    variant = Task("web", "x", depends_on=(Dependency("cache"), Dependency("db")))
    web = Task("web", "x", depends_on=(Dependency("db"), Dependency("db", "started")))
    tasks = (web.replace(variants=(web, variant)), Task("db", "x"))
    assert graph.edges_of(tasks) == {"web": ("db", "cache"), "db": ()}


@pytest.mark.quick
def test_a_chain_may_be_as_long_as_a_file() -> None:
    chain = {str(n): [str(n + 1)] for n in range(20_000)}
    assert len(graph.waves(chain)) == 20_000
    assert len(graph.closure(chain, ["0"])) == 20_000
    chain["20000"] = ["0"]
    assert len(graph.cycles(chain)[0]) == 20_002


names = st.integers(0, 9).map(str)
graphs = st.dictionaries(names, st.lists(names, max_size=4), max_size=10)


@given(graphs)
def test_circles_are_found_where_there_is_no_order_and_only_there(
    edges: dict[str, list[str]],
) -> None:
    found = graph.cycles(edges)
    for path in found:
        assert path[0] == path[-1]
        assert all(need in edges[name] for name, need in pairwise(path))
        assert len(set(path)) == len(path) - 1
    if found:
        return
    place = {name: n for n, name in enumerate(graph.order(edges))}
    assert set(place) == set(edges)
    for name, needs in edges.items():
        assert all(place[need] < place[name] for need in needs if need in edges)
    for before, wave in pairwise(graph.waves(edges)):
        for name in wave:
            assert set(edges[name]) & set(before), "it could have begun a wave earlier"


@given(graphs, st.lists(names, max_size=3))
def test_a_closure_is_closed_and_has_nothing_else(
    edges: dict[str, list[str]], wanted: list[str]
) -> None:
    found = graph.closure(edges, wanted)
    assert set(wanted) <= set(found)
    for name in found:
        assert all(need in found for need in edges.get(name, ()) if need in edges)
        assert name in wanted or any(name in edges.get(other, ()) for other in found)
