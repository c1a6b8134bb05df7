"""The command lines of `up` and `check`: which files, which tasks, what is asked of all."""

from __future__ import annotations

import itertools
import sys

import pytest

from procession.app import UpOptions, wanted
from procession.cli.check import parse as parse_check
from procession.cli.up import parse
from procession.cli.usual import read
from procession.errors import UsageError
from procession.spec import Project, Task

pytestmark = pytest.mark.quick


def test_nothing_said() -> None:
    assert parse([]) == UpOptions()


def test_the_grace_of_a_crash_is_a_time_as_others(capsys: pytest.CaptureFixture[str]) -> None:
    if sys.platform != "win32":
        assert parse(["--crash-grace", "250ms"]).crash_grace == 0.25
        return
    with pytest.raises(SystemExit):
        parse(["--crash-grace", "250ms"])
    assert "the system itself ends all tasks" in capsys.readouterr().err


def test_files_in_their_order() -> None:
    assert parse(["-f", "a", "--file=b", "--config", "-"]).files == ("a", "b", "-")
    assert parse(["--config-j2", "a"]).files == ("a",)
    assert parse(["--config-j2", "a"]).template
    assert parse_check(["a"]).files == ("a",)
    assert parse_check(["-f", "a", "-f", "b"]).files == ("a", "b")


def test_which_tasks() -> None:
    found = parse(["--only", "a,b", "--only", "c", "--except=d,,e", "--no-deps"])
    assert (found.only, found.without, found.needed) == (("a", "b", "c"), ("d", "e"), False)


@pytest.mark.parametrize(("text", "seconds"), [("10", 10.0), ("1m30s", 90.0), ("250ms", 0.25)])
def test_what_is_asked_of_all(text: str, seconds: float) -> None:
    found = parse(["--exit-code-from", "web", "--abort-on-failure", "--stop-timeout", text])
    assert (found.exit_code_from, found.abort_on_failure) == ("web", True)
    assert found.stop_timeout == seconds


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-f", "a", "--config-j2", "b"], "one file is read with --config-j2"),
        (["--only", ","], "--only names nothing"),
        (["--except", ""], "--except names nothing"),
        (["--stop-timeout", "5 minutes"], "'5 minutes' is not a duration; did you mean '5m'?"),
        (["--stop-timeout", "-1"], "'-1' is negative; did you mean '1'?"),
        (["--crash-grace", "-1"], "is negative"),
        (["--crash-grace", "2h"], "'2h' is no time from 0 to 1h"),
        (["--exept", "a"], "did you mean `--except`?"),
        (["shop.yaml"], "`shop.yaml` has no meaning here; a file is given by -f FILE. `"),
        (["--no-deps"], "`--no-deps` goes with `--only`"),
        (["--no-deps", "--except", "a"], "`--no-deps` goes with `--only`"),
    ],
)
def test_what_is_no_command_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_check_reads_one_file_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["a", "-f", "b"], ["-f", "a", "-f", "b", "--rendered"]):
        with pytest.raises(SystemExit):
            parse_check(words)
    said = capsys.readouterr().err
    assert "the file is given twice" in said
    assert "--rendered prints the text of one file" in said


SHOP = Project("shop", "/srv", (Task("web", "x"), Task("db", "x")), stop_timeout=5.0)


def test_the_command_line_wins_over_the_files() -> None:
    assert wanted(SHOP, UpOptions()) is SHOP
    asked = UpOptions(exit_code_from="DB", abort_on_failure=True, stop_timeout=9.0)
    assert wanted(SHOP, asked) == SHOP.replace(
        exit_code_from="db", abort_on_failure=True, stop_timeout=9.0
    )
    assert wanted(SHOP.replace(abort_on_failure=True), UpOptions()).abort_on_failure


def test_whose_status_is_asked_for_has_to_run() -> None:
    with pytest.raises(UsageError, match="--exit-code-from: no task that runs has the name `web`"):
        wanted(SHOP, UpOptions(only=("db",), exit_code_from="web"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-q"],
        ["-f", "a", "--quiet", "--file", "b", "--config=c"],
        ["--log-dir", "l", "--name", "n", "--cwd", "c", "--log-dir=-m"],
        ["--file=", "--name=a=b", "--cwd", ""],
    ],
)
def test_the_usual_needs_no_argparse(words: list[str]) -> None:
    assert read(words) == parse(words)


def test_what_is_read_without_argparse_means_the_same_by_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pieces = [
        "-f", "--file", "--log-dir=l", "-q", "--name", "a", "", "-", "--", "-1", "-fa", "-f=a",
        "--name=", "--fil", "-qf", "--no-color", "--var=a=b", "--var-a=b",
    ]  # fmt: skip
    alike = 0
    for words in itertools.chain.from_iterable(
        itertools.product(pieces, repeat=length) for length in range(1, 4)
    ):
        quick = read(words)
        if quick is not None:
            alike += 1
            assert quick == parse(words), words
    assert alike > 80
    assert not capsys.readouterr().err
