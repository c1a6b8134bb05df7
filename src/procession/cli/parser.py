"""argparse, as all verbs use it."""

from __future__ import annotations

import argparse

from procession.cli.printing import print_out
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from _typeshed import SupportsWrite


_UNKNOWN = "unrecognized arguments: "


class First(argparse.Action):
    """The first of several `-f`, by which `up` has the project known that it lays together of them:
    so the same words mean the same project here."""

    def __call__(self, parser: object, namespace: object, values: object, _: object = None) -> None:
        if getattr(namespace, self.dest) is None:
            setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Prints its help by `print_out`: argparse's own way says nothing of a disk that is full.

    A mistake is one line, without the usage, and says which option was probably meant.
    """

    def error(self, message: str) -> NoReturn:
        """As argparse's: SystemExit(2), after the line on standard error."""
        if message.startswith(_UNKNOWN):
            message = self._unknown(message.removeprefix(_UNKNOWN).split(" ")[0])
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} `{self.prog} --help` tells what there is\n")

    def _unknown(self, word: str) -> str:
        name = word.partition("=")[0]
        if not name.startswith("-"):
            takes_file = "--file" in self._option_string_actions
            hint = "; a file is given by -f FILE" if takes_file else ""
            return f"{quoted(name)} has no meaning here{hint}"
        from difflib import get_close_matches

        # the version is not a verb's, but `procession --verson` comes to one
        known = [o[2:] for o in (*self._option_string_actions, "--version") if o[:2] == "--"]
        near = get_close_matches(name.lstrip("-"), known, 1)
        if not near:
            return f"{quoted(name)} is no option"
        before = "procession " if near[0] == "version" else ""
        return f"{quoted(name)} is no option; did you mean `{before}--{near[0]}`?"

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """As argparse's; raises HostError where standard output cannot be written to."""
        if file is None:
            print_out(self.format_help())
        else:
            super().print_help(file)


def span(text: str) -> float:
    """An argument that is a time, as files have it (`90`, `1m30s`, `250ms`), in seconds."""
    from procession.config.scalars import BadDurationError, plain_kind, seconds

    try:
        return seconds(text, plain_kind(text))
    except BadDurationError as e:
        hint = f"; did you mean {e.suggestion!r}?" if e.suggestion else ""
        raise argparse.ArgumentTypeError(f"{text!r} {e.what}{hint}") from None
