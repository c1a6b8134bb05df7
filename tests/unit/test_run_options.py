"""The command line of `procession run`, read without argparse."""

from __future__ import annotations

import pytest

from procession.cli.run import parse
from procession.errors import UsageError
from procession.supervisor.command import GRACE, RunOptions


@pytest.mark.quick
@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["true"], ("true",)),
        (["--", "true", "--timeout", "5"], ("true", "--timeout", "5")),
        (["sh", "-c", "exit 3"], ("sh", "-c", "exit 3")),
        (["--", "--odd"], ("--odd",)),
        (["--timeout=5", "--", "--", "x"], ("--", "x")),
        (["-", "x"], ("-", "x")),
    ],
)
def test_the_first_word_that_is_no_option_begins_the_command(
    words: list[str], command: tuple[str, ...]
) -> None:
    found = parse(words)
    assert found is not None
    assert found.command == command


@pytest.mark.quick
def test_all_options() -> None:
    words = "--timeout 1m30s --grace=250ms --cwd d --env-file a --env-file=b --user u:g"
    found = parse([*words.split(), "--json-result", "r", "--", "c", "-x"])
    assert found == RunOptions(("c", "-x"), 90.0, 0.25, "d", ("a", "b"), "u:g", "r")


def test_defaults() -> None:
    assert parse(["c"]) == RunOptions(("c",), None, GRACE, None, (), None, None)


def test_said_twice_the_last_counts() -> None:
    found = parse(["--grace", "1", "--grace", "2s", "c"])
    assert found is not None
    assert found.grace == 2.0


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_asked_before_the_command_only(word: str) -> None:
    assert parse([word]) is None
    assert parse(["--grace", "1", word, "c"]) is None
    assert parse(["c", word]) is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COMMAND: it is missing"),
        (["--"], "COMMAND: it is missing"),
        (["--grace", "1"], "COMMAND: it is missing"),
        (["", "x"], "empty word"),
        (["--timeout"], "lacks its value"),
        (["--tiemout", "1", "c"], "Did you mean --timeout?"),
        (["--zzz", "c"], "goes after --"),
        (["-x", "c"], "there is no such option of `run`"),
        (["--timeout", "soon", "c"], "`soon` is not a duration"),
        (["--timeout", "0", "c"], "leaves no time"),
        (["--timeout", "-1", "c"], "is negative"),
        (["--grace", "5 minutes", "c"], "Did you mean 5m?"),
        (["--grace=", "c"], "has an empty value"),
        (["--cwd=", "c"], "has an empty value"),
    ],
)
def test_mistakes_are_told(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert said in str(caught.value)
