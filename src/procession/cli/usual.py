"""`procession up` with the options that most starts have, read without argparse.

To import argparse and to fill it takes longer than to read a file of a hundred tasks. Whatever else
is on the command line, right or wrong, is read by `cli.up`, which these few mean the same to. See
docs/decisions/0024-what-a-start-does-without.md.
"""

from __future__ import annotations

from procession.app import UpOptions, up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILES = ("-f", "--file", "--config")
TAKING = {"--log-dir": "log_dir", "--name": "name", "--cwd": "cwd"}
QUIET = ("-q", "--quiet")


def main(words: Sequence[str]) -> int:
    """As `cli.up.main`."""
    options = read(words)
    if options is not None:
        return up(options)
    from procession.cli.up import main as begin

    return begin(words)


def read(words: Sequence[str]) -> UpOptions | None:
    """What they say; None: argparse has to be asked."""
    files: list[str] = []
    said: dict[str, str] = {}
    quiet = False
    coming = iter(words)
    for word in coming:
        if word in QUIET:
            quiet = True
            continue
        option, sign, value = word.partition("=")
        if option not in FILES and option not in TAKING:
            return None
        if not sign:
            value = next(coming, "-")
            if value.startswith("-"):  # standard input, another option, or nothing
                return None
        elif not option.startswith("--"):
            return None
        if option in FILES:
            files.append(value)
        else:
            said[TAKING[option]] = value
    return UpOptions(
        files=tuple(files),
        cwd=said.get("cwd"),
        name=said.get("name"),
        quiet=quiet,
        log_dir=said.get("log_dir"),
    )
