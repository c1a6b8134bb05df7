"""Problems as they are shown: the right line of the file, the caret under the place, no secret."""

from __future__ import annotations

import re

import pytest

from procession.config.decode import decode
from procession.config.source import Problem, Source
from procession.config.telling import safe_line, told
from procession.secrets import MASK, looks_secret, masked, masked_arguments, masked_text
from tests.support.configs import Broken, one_task
from tests.support.configs_model import BROKEN_SHAPE, BROKEN_VALUES
from tests.support.configs_yaml import BROKEN_YAML

ALL = (*BROKEN_YAML, *BROKEN_SHAPE, *BROKEN_VALUES)
SECRET = "hunter2"


def problems_of(text: str) -> list[Problem]:
    return decode(Source("p.yaml", text), "/srv").report.problems()


def shown(text: str, *, color: bool = False) -> str:
    return told(problems_of(text), color=color)


@pytest.mark.quick
@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_every_broken_file_is_shown_with_its_line_and_a_caret(file: Broken) -> None:
    problems = problems_of(file.text)
    lines = iter(told(problems, color=False).splitlines())
    for problem in problems:
        assert next(lines) == str(problem)
        number = str(problem.line)
        source = Source("p.yaml", file.text).line(problem.line)
        if not safe_line(problem).source_line:
            assert not source or problem.hidden
            continue
        gutter, line = next(lines).split(" | ", 1)
        assert gutter == f"  {number}"
        below, caret = next(lines).split(" | ", 1)
        assert below == "  " + " " * len(number)
        assert caret.endswith("^")
        if source.isascii() and source.isprintable() and len(source) <= 120:
            parts = line.split(MASK)
            assert re.fullmatch(".*".join(map(re.escape, parts)), source)
            if len(parts) == 1 or len(caret) <= len(parts[0]):
                assert len(caret) == problem.column
            pointed = source[problem.column - 1 :][:1]
            assert line[len(caret) - 1 :].startswith((MASK, pointed))
    assert list(lines) == []


def test_nearly_all_of_the_corpus_has_a_caret() -> None:
    carets = sum(told(problems_of(f.text), color=False).count("^\n") for f in ALL)
    assert carets >= 0.9 * sum(len(f.problems) for f in ALL)


@pytest.mark.quick
def test_how_a_problem_looks() -> None:
    assert shown(one_task("restrat: always")) == (
        "p.yaml:4:5: tasks.web.restrat: unknown key `restrat`; did you mean `restart`?\n"
        "  4 |     restrat: always\n"
        "    |     ^\n"
    )


def test_the_gutter_grows_with_the_number_of_the_line() -> None:
    text = "\n" * 1000 + "tasks: 5\n"
    assert shown(text).splitlines()[1:] == ["  1001 | tasks: 5", "       |        ^"]


@pytest.mark.quick
def test_colour_is_around_the_words_and_not_in_them() -> None:
    text = one_task("restrat: always", "stop: {singal: INT}", "args: [{a: b}]")
    plain, colored = shown(text), shown(text, color=True)
    assert "\x1b" not in plain
    assert "\x1b[1m" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == plain
    for line in colored.splitlines():
        assert line.count("\x1b[0m") >= 1
        assert line.rstrip().rfind("\x1b[0m") == line.rfind("\x1b")  # nothing is left switched on


def test_what_the_file_says_cannot_steer_the_terminal() -> None:
    text = one_task("'k\\x1b]0;t': 1", '"\\e[2J": 1')
    for color in (False, True):
        for line in shown(text, color=color).splitlines():
            assert re.sub(r"\x1b\[(0|1|31|36)m", "", line).isprintable()


def test_wide_characters_and_tabs_keep_the_caret_under_its_place() -> None:
    head, line, caret = shown("tasks:\n  web: {program: '日本', restrat: 1}\n").splitlines()
    assert head.startswith("p.yaml:2:24: ")
    place = line.index("restrat")
    assert len(caret) - 1 == place + 2  # each of the two characters before takes two cells


# --- secrets


@pytest.mark.quick
@pytest.mark.parametrize(
    "keys",
    [
        ["environment:", f"  PASSWORD: [{SECRET}]"],
        ["environment:", f"  HARMLESS: [{SECRET}]"],
        ["environment:", f"  A B: {SECRET}"],
        ["environment:", f"  - NAME {SECRET}"],
        ["environment:", f"  - A B={SECRET}"],
        ["environment:", f"  - HARMLESS: {SECRET}"],
        [f"environment: {{HARMLESS: {SECRET}, OTHER: [x]}}"],
        [f"environment: {{OTHER: [x], HARMLESS: {SECRET}}}"],
        [f"PASSWORD: {SECRET}"],
        [f"environemnt: {{DB_PASSWORD: {SECRET}}}"],
        [f"unknown: https://user:{SECRET}@host/"],
        [f"unknown: https://{SECRET}@host/"],
        [f"arsg: --api-key={SECRET}"],
    ],
    ids=" ".join,
)
def test_no_value_of_a_variable_is_shown_and_nothing_that_looks_secret(keys: list[str]) -> None:
    text = one_task(*keys)
    told_lines = shown(text)
    assert told_lines
    assert SECRET in text
    assert SECRET not in told_lines


def test_of_a_line_with_a_secret_the_rest_is_still_shown() -> None:
    _, line, caret = shown(one_task("environment:", f"  HARMLESS: [{SECRET}]")).splitlines()
    assert line == "  5 |       HARMLESS: [***]"
    assert line[len(caret) - 1 :] == "[***]"
    _, line, caret = shown(one_task(f"environemnt: {{DB_PASSWORD: {SECRET}}}")).splitlines()
    assert line == "  4 |     environemnt: {DB_PASSWORD: ***}"
    assert line[len(caret) - 1 :].startswith("environemnt")


@pytest.mark.quick
def test_names_that_tell_a_secret() -> None:
    secret = "PASSWORD PGPASSWORD DB_PASS dbPassword API_KEY GITHUB_TOKEN githubToken --token JWT"
    assert [n for n in secret.split() if not looks_secret(n)] == []
    harmless = "PATH PWD OLDPWD MONKEY_COUNT KEYBOARD COMPASS PORT HOME passenger AUTHOR"
    assert [n for n in harmless.split() if looks_secret(n)] == []


@pytest.mark.quick
def test_values_as_they_may_be_shown() -> None:
    assert masked("PORT", "8000") == "8000"
    assert masked("TOKEN", "x") == MASK
    assert masked("TOKEN", "") == ""  # that nothing is there may be the very mistake
    assert masked("URL", "postgres://me:p@ss@db/x") == "postgres://***@db/x"
    assert masked_text("a --password=x b") == "a --password=***"
    assert masked_text("http://localhost:80/") == "http://localhost:80/"
    assert masked_arguments(("--token", "x", "y")) == ("--token", MASK, "y")
    assert masked_arguments(("--token=x", "y", "-v")) == ("--token=***", "y", "-v")
    assert masked_arguments(("--token", "-v", "x")) == ("--token", "-v", "x")
    assert masked_arguments(("-H", "Authorization: Bearer x")) == ("-H", "Authorization: ***")


@pytest.mark.parametrize("part", ["a", " ", "://", "://a:", "key ", "key:", "a:=", "-", "key='"])
def test_many_problems_of_one_long_line_take_no_long_time(part: str) -> None:
    line = part * (1_000_000 // len(part))
    place = len(line) // 2
    told([Problem("f", 1, place, "", "x", source_line=line)] * 500, color=False)
    masked_text(line[:100_000])


def test_a_secret_is_hidden_wherever_in_a_long_line_its_problem_is() -> None:
    for before in (0, 100, 1000, 5000):
        line = " " * before + f"x: {{PASSWORD: {SECRET}, y: 1}}"
        for column in range(1, len(line) + 1):
            shown_line = Problem("f", 1, column, "", "x", source_line=line)
            assert SECRET not in told([shown_line], color=False), column
