"""argparse, as all verbs use it."""

from __future__ import annotations

import argparse

from procession.cli.printing import print_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import SupportsWrite


class Parser(argparse.ArgumentParser):
    """Prints its help by `print_out`: argparse's own way says nothing of a disk that is full."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """As argparse's; raises HostError where standard output cannot be written to."""
        if file is None:
            print_out(self.format_help())
        else:
            super().print_help(file)
