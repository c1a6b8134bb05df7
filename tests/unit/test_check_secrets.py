"""No value of a variable, and nothing that looks secret, is in anything that is told of a file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procession.cli.render import problems_json
from procession.config.decode import decode
from procession.config.source import Problem, Source, decode_bytes
from procession.config.telling import told
from procession.errors import ConfigError, quoted

SECRET = "hunter2"
HEAD = "tasks:\n  a:\n    program: sh\n"


def everything_told(text: str) -> str:
    """What `check`, `check --json` and `up` have to say of a file."""
    source = decode_bytes("p.yaml", text.encode())
    problems = [source] if isinstance(source, Problem) else decode(source, "/srv").report.problems()
    # the tagged value is never told, nor what could be guessed of it
    as_json = json.dumps(json.loads(problems_json("p.yaml", problems, None)), ensure_ascii=False)
    return told(problems, color=False) + as_json + str(ConfigError("p.yaml", problems))


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "tasks:\n  a: {program: sh, environment: DB_PASSWORD=hunter2}\n",
        HEAD + "    environment:\n      DB_PASSWORD=hunter2\n",
        HEAD + "    start-delay: DB_PASSWORD=hunter2\n",
        HEAD + "    stop: password=hunter2\n",
        HEAD + "    restart: --password=hunter2\n",
        HEAD + "    restart: --password hunter2\n",
        HEAD + "    cwd: --password hunter2\n    tags: --token hunter2\n",
        "tasks:\n  a: {program: sh, environment: {A: hunter2}, argz: 1}\n",
        "tasks:\n  a: {program: sh, environment: [A=hunter2], argz: 1}\n",
        "tasks:\n  a: {program: sh, environment: {A: hunter2, B: [hunter2]}, argz: 1}\n",
        "tasks:\n  a: {program: sh, environment: {A: hunter2\n",
        "tasks:\n  a: {program: sh, environment: {A: 1,\nB: hunter2\n",
        "tasks:\n  a: {program: sh, environment: {hunter2}}\n",
        "tasks:\n  a: {program: sh, environment: {A hunter2}}\n",
        "tasks:\n  a: {program: sh, environment: {A:hunter2}}\n",
        HEAD + "    environment:\n      A: hunter2: x\n",
        HEAD + "    environment:\n      A: @hunter2\n",
        HEAD + "    environment:\n      A: *hunter2\n",
        HEAD + "    environment:\n      A: !hunter2 x\n",
        HEAD + "    environment:\n      A: !hunter2 [x]\n",
        HEAD + "    environment:\n      A: !!int hunter2\n",
        HEAD + '    environment:\n      C: "hu\\qnter2 hunter2"\n',
        HEAD + '    environment:\n      C: "a\nhunter2\n',
        HEAD + "    environment:\n      A: |\n        x\n       hunter2: [\n",
        HEAD + "    environment:\n    A: hunter2\n",
        HEAD + "    environment:\n    A: hunter2: x\n",
        HEAD + "    environment\n      A: hunter2\n",
        HEAD + "    ready: {http: {url: 'http://x', headers: {A: hunter2}, bodi: x}}\n",
        HEAD + "    ready: {http: {url: 'http://x', headers: [hunter2], body: '('}}\n",
        HEAD + "    health: {http: {url: x, headers: {A: [hunter2], hunter2}}}\n",
        HEAD + "    health:\n      http:\n        headers:\n          A: hunter2\n",
        HEAD + "    health:\n      http:\n        headers:\n          A: hunter2: x\n",
        HEAD + "    health: {http: {headers: hunter2, url: 'http://x'}}\n",
        HEAD + "    ready: {http: 'ftp://me:hunter2@x'}\n",
        HEAD + "    ready: {exec: [probe, --token, hunter2, [x]]}\n",
        HEAD + "    ready: {tcp: '--password hunter2'}\n",
        HEAD + "    stop: [{command: [x, --password, hunter2], singal: x}]\n",
        HEAD + "    environment:\n    - A=hunter2: x\n    - {A: hunter2\n",
        HEAD + "    environment: {A: [x]}  # was hunter2\n",
        HEAD + '    "environ\\x6dent": {A: hunter2, B: [x]}\n',
        "x-common: &c\n  A: hunter2: x\n" + HEAD + "    environment:\n      <<: *c\n",
        "x-common: &c {A: [hunter2]}\n" + HEAD + "    environment: {<<: *c}\n",
        HEAD + "    args: --password hunter2\n    argz: 2\n",
        HEAD + '    args: "--password \'hunter2"\n',
        HEAD + "    args: [--password, hunter2, {a: b}]\n",
        HEAD + "    args:\n      - --password\n      - hunter2: x\n",
        HEAD + "    PASSWORD:\n      - hunter2\n    x: [\n",
        "tasks:\n  a: 'environment: {A: hunter2}'\n",
        "tasks:\n  environment: hunter2\n",
        "environment: {A: hunter2}\n",
        HEAD + "    environment: {A: hunter2\0}\n",
    ],
)
def test_what_is_not_to_be_shown_is_nowhere(text: str) -> None:
    shown = everything_told(text)
    assert "p.yaml:" in shown
    assert SECRET not in shown


def test_text_in_another_encoding_is_masked_as_well() -> None:
    data = (HEAD + "    environment: {A: hunter2ö}\n").encode("latin-1")
    problem = decode_bytes("p.yaml", data)
    assert isinstance(problem, Problem)
    assert SECRET not in told([problem], color=False)


@pytest.mark.quick
def test_the_caret_stands_under_its_place_after_what_is_masked() -> None:
    text = "tasks:\n  a: {program: sh, environment: {A: hunter2, B: x}, argz: 1}\n"
    _, line, caret = told(
        decode(Source("p.yaml", text), "/").report.problems(), color=False
    ).splitlines()
    assert line == "  2 |   a: {program: sh, environment: {A: ***, B: ***}, argz: 1}"
    assert line[len(caret) - 1 :] == "argz: 1}"


@pytest.mark.quick
def test_a_task_may_be_called_env_and_a_variable_keeps_its_name() -> None:
    text = "tasks:\n  env: {program: sh, argz: 1}\n  b: {program: sh, environment: {A: [x]}}\n"
    shown = everything_told(text)
    assert "env: {program: sh, argz: 1}" in shown
    assert "tasks.b.environment.A: a list" in shown


def test_a_quotation_is_masked_before_it_is_cut() -> None:
    long = "x" * 60 + " PASSWORD=" + SECRET * 3
    assert SECRET not in quoted(long)
    assert SECRET not in quoted("x" * 5000 + " PASSWORD=" + "y" * 5000 + SECRET)
    assert quoted("a: b") == "`a: b`"


_BREAKS = ("", ": x", " [", "}", "'", '"', ": [", "\t", " : *x", "\n", " #", ", ]", "\\q", " &")
_BEFORE = (
    "",
    "@",
    "*",
    "!",
    "&",
    "%",
    "'",
    '"',
    "[",
    "{",
    "`",
    "|\n        ",
    ">\n        ",
    "!!int ",
    "- ",
)
_FRAMES = (
    HEAD + "    environment:\n      A: {}\n      B: {}\n    argz: 1\n",
    HEAD + "    environment:\n      - A={}\n      - B={}\n    argz: [\n",
    HEAD + "    environment:\n    - A={}\n    - B: {}\n",
    HEAD + "    environment: {{A: {}, B: {}}}\n    argz: 1\n",
    HEAD + "    environment: [A={}, B={}]\n",
    HEAD + "    env:\n      A: {}\n\n      # more\n      B:\n        {}\n    argz: 1: 2\n",
    "tasks:\n  a: {{program: sh, environment: {{A: {}, B: [{}]}}, argz: 1}}\n",
    "tasks:\n- name: a\n  program: ~\n  environment:\n    A: {}\n    B: [{}]\n- {{\n",
)


@settings(max_examples=300, deadline=None)
@given(
    frame=st.sampled_from(_FRAMES),
    before=st.tuples(st.sampled_from(_BEFORE), st.sampled_from(_BEFORE)),
    after=st.tuples(st.sampled_from(_BREAKS), st.sampled_from(_BREAKS)),
)
def test_no_broken_file_shows_a_value_of_a_variable(
    frame: str, before: tuple[str, str], after: tuple[str, str]
) -> None:
    text = frame.format(before[0] + SECRET + after[0], before[1] + SECRET + after[1])
    assert SECRET not in everything_told(text), text
