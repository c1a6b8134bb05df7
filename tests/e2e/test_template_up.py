"""`procession up` of a template: which file, and its variables."""

from __future__ import annotations

import pytest

from procession.cli.templates import with_plain_vars
from tests.support.up import Project

TEXT = """\
tasks:
  {% for w in ["a", "b"] %}
  {{ w }}: {program: echo, args: {{ vars.x }}}
  {% endfor %}
"""


@pytest.mark.quick
@pytest.mark.parametrize("words", [["--var", "x=1"], ["--var=x=1"], ["--var-x=1"]])
def test_a_template_and_its_variables(project: Project, words: list[str]) -> None:
    project.file(TEXT, "p.yaml.j2")
    up = project.up("-f", "p.yaml.j2", *words)
    assert up.status() == 0, up.said()
    assert sorted(up.out.splitlines()) == ["a          | 1", "b          | 1"]


def test_config_j2_is_a_template_whatever_its_name(project: Project) -> None:
    project.file(TEXT, "p.txt")
    up = project.up("--config-j2", "p.txt", "--var-x=a=b")
    assert up.status() == 0, up.said()
    assert "| a=b\n" in up.out


def test_in_a_plain_file_braces_mean_themselves(project: Project) -> None:
    project.file("tasks: {a: {program: echo, args: ['{{ vars.x }}']}}")
    up = project.up()
    assert up.status() == 0, up.said()
    assert up.out == "a          | {{ vars.x }}\n"


@pytest.mark.parametrize("verb", ["up", "check"])
def test_a_variable_that_nothing_could_use_is_a_mistake(project: Project, verb: str) -> None:
    project.file("tasks: {a: {program: echo, args: ['{{ vars.x }}']}}")
    up = project.start(verb, "--var-x=1", "--var=y=2", log_dir=None)
    assert up.status() == 2, up.said()
    assert up.out == ""
    assert up.err == (
        "procession: --var: procession.yaml is no template: `x`, `y` would mean nothing in it; "
        "expected a file in .j2, --config-j2, or `template: true` in it\n"
    )


def test_the_problems_of_a_plain_file_come_before_that(project: Project) -> None:
    project.file("tasks: {a: {programme: echo}}")
    up = project.up("--var-x=1")
    assert up.status() == 2, up.said()
    assert "unknown key `programme`" in up.err
    assert "--var" not in up.err


def test_texts_of_a_file_that_says_so(project: Project) -> None:
    project.file("template: true\ntasks: {a: {program: echo, args: ['{{ vars.x }}']}}")
    up = project.up("--var-x=1")
    assert up.status() == 0, up.said()
    assert up.out == "a          | 1\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--config-j2", "p.yaml.j2"], "p.yaml.j2:3:42: the variable `x` has no value"),
        (["--var", "x"], "'x' is no NAME=VALUE"),
        (["--var-x"], "'--var-x' is no --var-NAME=VALUE"),
        (["--var==1"], "is no NAME=VALUE"),
        (["-f", "p.yaml.j2", "--config-j2", "p.yaml.j2"], "one file is read"),
        (["--config-j2", "p.yaml.j2", "--var-x={"], "p.yaml.j2 (rendered):"),
    ],
)
def test_mistakes_start_nothing(project: Project, words: list[str], told: str) -> None:
    project.file(TEXT, "p.yaml.j2")
    up = project.up(*words)
    assert up.status() == 2, up.said()
    assert told in up.err
    assert "Traceback" not in up.err
    assert not project.logs.exists()


def test_words_of_other_options_stay() -> None:
    assert with_plain_vars(["-f", "x", "--var-a-b=c", "--variable", "--var=d=e"]) == [
        "-f",
        "x",
        "--var=a-b=c",
        "--variable",
        "--var=d=e",
    ]
