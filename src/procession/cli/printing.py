"""Text to standard output, for the verbs that print and are done."""

from __future__ import annotations

import os
import sys


def counted(number: int, thing: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def print_out(text: str) -> None:
    """Write all of `text`. A reader that has gone (`| head`) is no mistake of ours.

    Characters that the stream's encoding does not have are spelled out.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes once more at its end, and would tell of it
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
