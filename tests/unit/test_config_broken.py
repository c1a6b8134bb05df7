"""Every broken file of the tables is told as it must be: all problems, each at its place."""

from __future__ import annotations

import pytest
import yaml

from procession.config.decode import decode
from procession.config.source import Source
from tests.support.configs import Broken
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES
from tests.support.configs_supervision import BROKEN_SUPERVISION
from tests.support.configs_yaml import BROKEN_YAML
from tests.support.systems import read_as_on

ALL = (*BROKEN_YAML, *BROKEN_SHAPE, *BROKEN_VALUES, *BROKEN_SUPERVISION)


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each system refuses is told by tests of its own."""
    read_as_on("linux", monkeypatch)


def test_the_tables_name_every_file_once() -> None:
    assert len({file.name for file in ALL}) == len(ALL) >= 100


@pytest.mark.quick
@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_every_problem_is_told_at_its_place_and_no_other(file: Broken) -> None:
    problems = decode(Source("p.yaml", file.text), "/srv").report.problems()
    lines = "\n".join(map(str, problems))
    found = [(p.line, p.column, p.path) for p in problems]
    assert found == [(t.line, t.column, t.path) for t in file.problems], lines
    for problem, wanted in zip(problems, file.problems, strict=True):
        for part in wanted.parts:
            assert part in str(problem), lines


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_a_problem_is_one_line_that_begins_with_its_place(file: Broken) -> None:
    for problem in decode(Source("p.yaml", file.text), "/srv").report.problems():
        line = str(problem)
        assert line.startswith(f"p.yaml:{problem.line}:{problem.column}: ")
        assert line.isprintable()
        assert "Traceback" not in line


@pytest.mark.parametrize("file", BROKEN_YAML, ids=lambda file: file.name)
def test_the_parser_without_libyaml_tells_the_same(file: Broken) -> None:
    from procession.config import yaml as reader

    source = Source("p.yaml", file.text)
    with_c = [str(p) for p in reader.compose(source)[1]]
    without = [str(p) for p in reader.compose(source, yaml.BaseLoader)[1]]
    if file.name == "unknown escape":  # the one parser points to the backslash, the other behind it
        with_c = [line.replace(":4:11:", ":4:12:") for line in with_c]
    assert without == with_c
