"""Which system the file is read for: what cannot be had there is refused, with the reason."""

from __future__ import annotations

import sys

from procession.keys import Field

SYSTEM = sys.platform  # tests set another


def refusal(field: Field) -> str:
    """Why what this key says cannot be had here; empty if it can."""
    for platform, reason in field.absent:
        if platform == SYSTEM:
            return reason
    return ""
