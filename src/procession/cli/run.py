"""`procession run`: one command in a tree of its own. Options are read here without argparse, which
would be a third of what the whole start takes."""

from __future__ import annotations

import sys

from procession.core.single import OWN_FAILURE
from procession.errors import UsageError, quoted
from procession.supervisor.command import RunOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HELP = """\
usage: procession run [options] [--] COMMAND [ARGUMENT...]

Run one command in a tree of its own. When the command ends, whatever it left
behind is stopped as well, wherever that moved to; nothing is left at the end,
even if one of procession's two processes is killed.

options:
  --timeout TIME      stop it when it has run for so long: 90, 1m30s, 250ms
  --grace TIME        how long a stop may take until what is left is killed
                      (default: 10s)
  --cwd DIR           run it there; a COMMAND with a slash is meant from there
  --env-file FILE     variables (NAME=VALUE lines) laid over the inherited ones;
                      again for more
  --user USER         run it as USER, UID, USER:GROUP or UID:GID (for root)
  --json-result FILE  write there what became of it
  -h, --help          this text

On a terminal the command has the keys and the terminal, as under a shell;
without one it leads a session of its own. SIGTERM begins a graceful stop; HUP,
INT, QUIT, USR1, USR2 and WINCH are passed on to the command as they are.

Exit status: the command's own; 128 + N when signal N killed it; 124 when the
time was up; 125 when procession failed, or could not end all of it; 126 when
the command cannot be executed, 127 when it is not there.
"""

_WITH_VALUE = frozenset({"--timeout", "--grace", "--cwd", "--env-file", "--user", "--json-result"})


def main(words: Sequence[str]) -> int:
    """Parse and run; the exit status."""
    from procession.errors import ProcessionError

    try:
        options = parse(words)
        if options is None:
            from procession.cli.printing import print_out

            print_out(HELP)
            return 0
        from procession.app import run

        return run(options)
    except ProcessionError as e:
        sys.stderr.write(f"procession run: {e}\n")
        return OWN_FAILURE


def parse(words: Sequence[str]) -> RunOptions | None:
    """The options; None: help is wanted. Raises UsageError.

    The first word that is no option begins the command, as with env(1) and timeout(1): what
    follows is the command's.
    """
    given: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word in ("-h", "--help"):
            return None
        name, sign, value = word.partition("=")
        if name not in _WITH_VALUE:
            raise _unknown(name)
        if not sign:
            if not rest:
                raise UsageError(name, "lacks its value", f"{name} VALUE, or {name}=VALUE")
            value = rest.pop(0)
        given.setdefault(name, []).append(value)
    if not rest:
        raise UsageError("COMMAND", "it is missing", "procession run [options] -- COMMAND")
    if not rest[0]:
        raise UsageError("COMMAND", "it is an empty word", "a program's name or path")
    timeout = _last(given, "--timeout")
    grace = _last(given, "--grace")
    options = RunOptions(
        tuple(rest),
        timeout=None if timeout is None else _seconds("--timeout", timeout),
        cwd=_last(given, "--cwd"),
        env_files=tuple(given.get("--env-file", ())),
        user=_last(given, "--user"),
        json_result=_last(given, "--json-result"),
    )
    if options.timeout == 0:
        raise UsageError("--timeout", "leaves no time at all", "a time above 0, or no --timeout")
    return options if grace is None else options.replace(grace=_seconds("--grace", grace))


def _last(given: dict[str, list[str]], name: str) -> str | None:
    """Said twice, the last counts: so a script may lay its user's options over its own."""
    value = given.get(name, [None])[-1]
    if value == "":
        raise UsageError(name, "has an empty value")
    return value


def _seconds(name: str, text: str) -> float:
    from procession.config.scalars import BadDurationError, plain_kind, seconds

    try:
        if text:
            return seconds(text, plain_kind(text))
    except BadDurationError as e:
        hint = f" Did you mean {e.suggestion}?" if e.suggestion else ""
        raise UsageError(
            name, f"{quoted(text)} {e.what}", "a time, as 90, 1m30s or 250ms", hint.strip()
        ) from None
    raise UsageError(name, "has an empty value", "a time, as 90, 1m30s or 250ms")


def _unknown(name: str) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(name[2:], [known[2:] for known in _WITH_VALUE], 1)
    meant = f"Did you mean --{near[0]}?" if near else ""
    hint = meant or "A command whose name begins with - goes after --"
    return UsageError(quoted(name), "there is no such option of `run`", "", hint)
