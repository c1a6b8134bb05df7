"""YAML text to nodes: what is a text, what aliases stand for, and what is too much."""

from __future__ import annotations

import pytest
import yaml

from procession.config import yaml as reader
from procession.config.scalars import BOOLEAN, FLOAT, INTEGER, NULL, TEXT
from procession.config.source import MAX_PROBLEMS, Mark, Source
from procession.config.yaml import (
    MAX_DEPTH,
    MAX_EVENTS,
    MAX_EXPANDED,
    Mapping,
    Scalar,
    Sequence,
    compose,
    kind_of,
    mark_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.yaml import Node

LOADERS = [pytest.param(reader.LOADER, id="libyaml"), pytest.param(yaml.BaseLoader, id="python")]


def root_of(text: str, loader: type = reader.LOADER) -> Node:
    root, problems = compose(Source("f", text), loader)
    assert [str(p) for p in problems] == []
    assert root is not None
    return root


def plain(node: Node) -> object:
    """The tree as Python's own values; scalars as kind and text."""
    if isinstance(node, Scalar):
        return (kind_of(node), node.value)
    if isinstance(node, Mapping):
        pairs = [*node.items, *node.merged]
        return {
            str(plain(k)): plain(v)
            for k, v in reversed([*zip(pairs[::2], pairs[1::2], strict=True)])
        }
    return [plain(item) for item in node.items]


def only_problem(text: str, loader: type = reader.LOADER) -> str:
    _, problems = compose(Source("f", text), loader)
    assert len(problems) == 1, problems
    return str(problems[0])


def test_this_python_has_libyaml() -> None:
    assert reader.LOADER is yaml.CBaseLoader


@pytest.mark.quick
@pytest.mark.parametrize("loader", LOADERS)
def test_kinds_by_style_and_tag(loader: type) -> None:
    text = "[1, '1', \"1\", !!str 1, ! 1, !!int '1', !!float 1, !!bool 'true', !!null '', true, no]"
    wanted = [INTEGER, TEXT, TEXT, TEXT, TEXT, INTEGER, INTEGER, BOOLEAN, NULL, BOOLEAN, TEXT]
    root = root_of(text, loader)
    assert isinstance(root, Sequence)
    assert [kind_of(n) for n in root.items if isinstance(n, Scalar)] == wanted
    assert plain(root_of("a: |\n  1\n", loader)) == {str((TEXT, "a")): (TEXT, "1\n")}
    assert plain(root_of("- 1.5\n- >-\n  1.5\n", loader)) == [(FLOAT, "1.5"), (TEXT, "1.5")]


@pytest.mark.quick
@pytest.mark.parametrize("loader", LOADERS)
def test_nodes_know_where_they_begin(loader: type) -> None:
    root = root_of("a: 1\nbé: [x,\n  {y: z}]\n", loader)
    assert isinstance(root, Mapping)
    a, one, b, listed = root.items
    assert isinstance(listed, Sequence)
    places = [mark_of(n) for n in (root, a, one, b, listed, *listed.items)]
    wanted = [(1, 1), (1, 1), (1, 4), (2, 1), (2, 5), (2, 6), (3, 3)]
    assert places == [Mark(*place) for place in wanted]


@pytest.mark.parametrize("loader", LOADERS)
def test_an_alias_is_the_node_itself(loader: type) -> None:
    root = root_of("- &a [1]\n- *a\n- &a 2\n- *a\n", loader)
    assert isinstance(root, Sequence)
    assert root.items[0] is root.items[1]
    assert root.items[2] is root.items[3]


@pytest.mark.parametrize("loader", LOADERS)
def test_merges_give_way_to_own_keys_and_earlier_ones(loader: type) -> None:
    text = "- &a {k: a, l: a}\n- &b {k: b, m: b, <<: *a}\n- {<<: [*a, *b], l: own}\n- {<<: *b}\n"
    merged = plain(root_of(text, loader))
    assert isinstance(merged, list)
    key = {name: str((TEXT, name)) for name in "klm"}
    assert merged[2] == {key["k"]: (TEXT, "a"), key["l"]: (TEXT, "own"), key["m"]: (TEXT, "b")}
    assert merged[3] == {key["k"]: (TEXT, "b"), key["l"]: (TEXT, "a"), key["m"]: (TEXT, "b")}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_depth_is_bounded(unit: str, loader: type) -> None:
    told = only_problem(unit * 10_000, loader)
    assert f"nested more than {MAX_DEPTH} levels deep" in told


def test_depth_up_to_the_bound_is_read() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert isinstance(root_of(text), Sequence)
    assert "levels deep" in only_problem(f"[{text}]")


def laughs(levels: int, width: int) -> str:
    lines = [f"a0: &a0 [{', '.join('x' * width)}]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]")
    return "\n".join(lines) + "\n"


@pytest.mark.quick
@pytest.mark.parametrize("levels", [20, 500])
def test_a_billion_laughs_is_stopped_where_it_grows_too_large(levels: int) -> None:
    assert f"aliases stand for more than {MAX_EXPANDED} values" in only_problem(laughs(levels, 9))


def test_a_billion_merges_is_stopped() -> None:
    lines = ["a0: &a0 {k0: x}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k{i}: x}}" for i in range(1, 60)]
    assert "aliases stand for more than" in only_problem("\n".join(lines))


def test_aliases_within_the_bound_are_read() -> None:
    many = f"- &a [{', '.join('x' * 99)}]\n" + "- *a\n" * (MAX_EXPANDED // 100)
    assert isinstance(root_of(many), Sequence)
    assert "aliases stand for more than" in only_problem(many + "- *a\n")


def test_the_number_of_values_is_bounded() -> None:
    told = only_problem("- a\n" * (MAX_EVENTS + 1))
    assert f"more than {MAX_EVENTS} values" in told
    assert told.startswith(f"f:{MAX_EVENTS - 1}:")


def test_the_number_of_problems_is_bounded() -> None:
    _, problems = compose(Source("f", "- !x y\n" * (MAX_PROBLEMS + 5)))
    assert len(problems) == MAX_PROBLEMS + 1
    assert "too many problems" in str(problems[-1])


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "text", ["- &a [*a]", "&a [b, *a]", "- &a {k: *a}", "- &a {<<: *a}", "- &a [[{k: [*a]}]]"]
)
def test_an_alias_inside_its_own_anchor_ends_the_reading(text: str, loader: type) -> None:
    assert "stands inside its own anchor" in only_problem(text, loader)


def test_after_a_syntax_error_there_is_no_root_and_before_it_all_is_told() -> None:
    root, problems = compose(Source("f", "- *a\n- !x y\n- [a\n"))
    assert root is None
    assert [(p.line, p.column) for p in problems] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("text", "column"), [("a: \ud800", 4), ("\udcff", 1), ("é: '\udfff'", 5)])
def test_half_a_surrogate_pair_is_a_problem(text: str, column: int, loader: type) -> None:
    assert only_problem(text, loader).startswith(f"f:1:{column}: ")
