"""A Procfile's lines as a project file.

The form is Foreman's: `NAME: COMMAND`, a name of letters, digits, `_` and `-`, the command for a
shell; blank lines, and comments that begin with `#`. What no line of that form is, runners pass
over in silence; here it is told.
"""

from __future__ import annotations

import re

from procession.config.decode import decode
from procession.config.names import fit_name, is_name
from procession.config.scalars import TEXT, plain_kind
from procession.config.source import Mark, Source
from procession.errors import ConfigError, quoted
from procession.spec import MAX_NAME, RESERVED_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.source import Problem

FIRST_PORT, PORT_STEP = 5000, 100  # what Foreman, and those that follow it, give each task

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*?)\s*")
# No character that any shell reads as more than itself, wherever it stands in a word. A `=` in the
# first word would be a variable, a `~` a home, a `%` of some shells a job.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@+,./:=-]+")
_PLAIN_VALUE = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
# What a shell does itself (POSIX.1-2017, 2.4, 2.14 and the utilities of 1.6): a program of that
# name is not there, or is not what was meant.
_SHELL_WORDS = frozenset(
    ". : alias bg break case cd command continue do done elif else esac eval exec exit export fc "
    "fg fi for function getopts hash if in jobs read readonly return select set shift source then "
    "time times trap type ulimit umask unalias unset until wait while".split()
)


def convert(source: Source, *, folder: str = ".", env_file: str | None = None) -> str:
    """The text of a project file that does what the Procfile does, which passes the reader.

    `folder`, which the commands run in, and `env_file`, which each task gets, are meant from the
    file that is made. Raises ConfigError with every line that is no task, and
    where there is none at all.
    """
    problems: list[Problem] = []
    tasks = _tasks(source, problems)
    if not tasks and not problems:
        what = "no task in it"
        problems.append(source.problem(Mark(1, 1), what, "lines of the form `NAME: COMMAND`"))
    if problems:
        raise ConfigError(source.name, problems)
    parts = [
        f"# Made of {source.name!r}. As a Procfile's runner does: each task has a PORT of its own,",
        "# Python holds no lines back (`PYTHONUNBUFFERED`), and when one ends, all of them end.",
        "",
        "tasks:",
    ]
    for i, (name, command) in enumerate(tasks.items()):
        parts += [f"  {_value(name)}:", *_command(command)]
        if folder != ".":
            parts.append(f"    cwd: {_value(folder)}")
        parts += ["    environment:", f"      PORT: {FIRST_PORT + PORT_STEP * i}"]
        parts.append("      PYTHONUNBUFFERED: 1")
        if env_file is not None:
            parts.append(f"    env-file: {_value(env_file)}")
        parts += ["    quit-on-terminate: true", ""]
    text = "\n".join(parts)
    made = decode(Source(source.name, text), "/").report.problems()
    assert not made, made  # a mistake of this module, not of the Procfile
    return text


def _tasks(source: Source, problems: list[Problem]) -> dict[str, str]:
    """Commands by name; what is wrong goes to `problems`."""
    tasks: dict[str, str] = {}
    taken: dict[str, int] = {}  # by name without case: the line
    # not `splitlines`: to a Procfile's runner what Unicode has besides is of the line
    for number, ended in enumerate(source.text.split("\n"), 1):
        line = ended.removesuffix("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        wrong: tuple[str, str, str] | None = None
        if found is None:
            wrong = "no task", "`NAME: COMMAND`", ""
        else:
            name, command = found.groups()
            wrong = _wrong(name, taken)
            if wrong is None and not command.replace("\t", " ").isprintable():
                wrong = "a character that does not print", "a shell command", ""
        if wrong is not None or found is None:
            problems.append(source.problem(Mark(number, 1), *(wrong or ("", "", ""))))
            continue
        taken[name.lower()] = number
        tasks[name] = command
    return tasks


def _wrong(name: str, taken: dict[str, int]) -> tuple[str, str, str] | None:
    """Why a name cannot be a task's: what, what was expected, a suggestion."""
    if name.lower() in taken:
        return f"the name {quoted(name)} is taken in line {taken[name.lower()]}", "another", ""
    if name.lower() in RESERVED_NAMES:
        return f"the name {quoted(name)} is our own, for log and terminal", "another", ""
    if not is_name(name):
        rule = f"at most {MAX_NAME} characters, a letter or digit first"
        return f"the name {quoted(name)}", rule, fit_name(name)
    return None


def _command(command: str) -> list[str]:
    words = command.split()
    plain = (
        all(_PLAIN_WORD.fullmatch(word) for word in words)
        and "=" not in words[0]
        and words[0] not in _SHELL_WORDS
    )
    if not plain:
        return ["    program: sh", f'    args: ["-c", {_text(command)}]']
    lines = [f"    program: {_value(words[0])}"]
    if words[1:]:
        lines.append(f"    args: {_text(' '.join(words[1:]))}")
    return lines


def _value(text: str) -> str:
    """Text as YAML, without quotes where it needs none."""
    plain = _PLAIN_VALUE.fullmatch(text) and plain_kind(text) == TEXT and not text.endswith(":")
    return text if plain else _text(text)


def _text(text: str) -> str:
    """Text in double quotes, whatever is in it (YAML 1.2.2, 5.7)."""
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\U{code:08x}"
