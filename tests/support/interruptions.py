"""Ctrl-C at a place of one's choice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def came(call: Callable[[], object], place: int) -> bool:
    """Have it come at one of those places where Python looks: the beginning of a function, and the
    end of one in C. False: the call is over before that. Raises what it is made into."""
    left = place

    def look(frame: FrameType, event: str, arg: object) -> None:
        nonlocal left
        if event in ("call", "c_return"):
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

    before = sys.getprofile()
    try:
        sys.setprofile(look)
        call()
        sys.setprofile(before)
    except KeyboardInterrupt:
        return left < 0
    finally:
        sys.setprofile(before)
    return False
