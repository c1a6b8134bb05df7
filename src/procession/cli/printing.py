"""Text to standard output, for the verbs that print and are done."""

from __future__ import annotations

import os
import sys

from procession.errors import HostError


def counted(number: int, thing: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def terminal_width(fd: int) -> int | None:
    """Columns of the terminal that this descriptor is; None: it is none."""
    try:
        return os.get_terminal_size(fd).columns or None
    except OSError:
        return None


def print_out(text: str) -> None:
    """Write all of `text`. A reader that has gone (`| head`) is no mistake of ours.

    Characters that the stream's encoding does not have are spelled out. Raises HostError where
    the text cannot be written, as to a full disk.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except OSError as e:
        # the interpreter flushes once more at its end, and would tell of it
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        if not isinstance(e, BrokenPipeError):
            reason = (e.strerror or str(e)).lower()
            raise HostError("standard output", f"cannot be written to: {reason}") from e
