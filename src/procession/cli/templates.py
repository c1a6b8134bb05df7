"""The options for templates, for every verb that reads a file."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORT = "--var-"


def with_plain_vars(words: Iterable[str]) -> list[str]:
    """The words of a command line with `--var-NAME=VALUE` as `--var=NAME=VALUE`.

    argparse knows no options with names of the user's making.
    """
    return [f"--var={_plain(word)}" if word.startswith(_SHORT) else word for word in words]


def _plain(word: str) -> str:
    return word[len(_SHORT) :] if "=" in word else word  # to be told as it was typed


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--config-j2` and `--var`, for words from `with_plain_vars`."""
    parser.add_argument(
        "--config-j2",
        metavar="FILE",
        help="the project's file, a Jinja2 template whatever its name (one in .j2 always is)",
    )
    parser.add_argument(
        "--var",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=variable,
        help="what a template knows as vars.NAME (again for more); --var-NAME=VALUE is the same",
    )


def variable(text: str) -> tuple[str, str]:
    """`NAME=VALUE` as a pair."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        if text.startswith(_SHORT):
            raise argparse.ArgumentTypeError(f"{text!r} is no {_SHORT}NAME=VALUE")
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, value
