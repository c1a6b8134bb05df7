"""A Procfile as a project file: what becomes of each kind of line."""

from __future__ import annotations

import os

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from procession.config.decode import decode
from procession.config.procfile import convert
from procession.config.source import Source
from procession.errors import ConfigError
from procession.spec import Project, Task

pytestmark = pytest.mark.quick


def made(text: str, **more: str) -> Project:
    decoded = decode(Source("made", convert(Source("Procfile", text), **more)), "/work")
    assert decoded.report.problems() == []
    return decoded.project


def one(command: str, **more: str) -> Task:
    (task,) = made(f"web: {command}\n", **more).tasks
    return task


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("node server.js", ["node", "server.js"]),
        ("./bin/web", ["./bin/web"]),
        ("bundle   exec\tpuma", ["bundle", "exec", "puma"]),
        ("python3 -m http.server --port=80", ["python3", "-m", "http.server", "--port=80"]),
        ("true", ["true"]),
        ("null -", ["null", "-"]),
        ("7z a:b", ["7z", "a:b"]),
        ("web: x", ["web:", "x"]),
    ],
)
def test_plain_words_are_a_program_and_its_arguments(command: str, words: list[str]) -> None:
    task = one(command)
    assert [task.program, *task.args] == words


@pytest.mark.parametrize(
    "command",
    [
        "puma -p $PORT",
        "PORT=1 puma",
        "echo 'a b'",
        'echo "a b"',
        "a && b",
        "a | b",
        "a; b",
        "a > log 2>&1",
        "(a)",
        "a `b`",
        "a *.rb",
        "a {1,2}",
        "~/bin/a",
        "a ~",
        "a # b",
        "a \\",
        "a !b",
        "exec a",
        "cd x",
        ". ./env.sh",
        "if a",
        "é ü",
        "a\t$B 😀",
        "a: $B",
    ],
)
def test_what_a_shell_reads_is_given_to_one(command: str) -> None:
    task = one(command)
    assert task.program == "sh"
    assert task.args == ("-c", command)


def test_what_a_runner_gives_each_task() -> None:
    web, worker = made("web: a\n\n# no: task\nworker: b\r\n", env_file=".env").tasks
    assert web.environment == (("PORT", "5000"), ("PYTHONUNBUFFERED", "1"))
    assert worker.environment == (("PORT", "5100"), ("PYTHONUNBUFFERED", "1"))
    assert (worker.name, worker.program) == ("worker", "b")
    assert web.env_files == worker.env_files == (os.path.join("/work", ".env"),)
    assert web.quit_on_terminate
    assert worker.quit_on_terminate


def test_the_folder_of_the_commands() -> None:
    assert one("a").cwd is None
    assert one("a", folder="../my app").cwd == os.path.join("/work", "../my app")


def test_every_line_that_is_no_task_is_told() -> None:
    text = "web: a\nno colon\n_x: a\nWEB: b\nprocession: c\nempty:\nbell: \a\n"
    with pytest.raises(ConfigError) as caught:
        convert(Source("Procfile", text))
    told = [str(problem) for problem in caught.value.problems]
    assert [line.partition(": ")[0] for line in told] == [f"Procfile:{n}:1" for n in range(2, 8)]
    parts = [
        "`NAME: COMMAND`",
        "did you mean `x`?",
        "taken in line 1",
        "our own",
        "no task",
        "print",
    ]
    assert all(part in line for part, line in zip(parts, told, strict=True))


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_a_file_without_a_task_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="no task in it"):
        convert(Source("Procfile", text))


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\n"), max_size=40))
@example('\\0 "\\ud800" %s {{ x }}')
@example("a\u00ad\u2060b")
@example("0\x1e#")
@example("a\u2028#")
@example("a\r#")
@example("a\t\x1eb")
def test_any_command_comes_out_as_it_went_in(command: str) -> None:
    try:
        task = one(command)
    except ConfigError:
        assert not command.isprintable() or not command.strip()
        return
    words = command.split()
    assert [task.program, *task.args] in (["sh", "-c", command.strip()], words)
