# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""What a start takes that is different on each platform: here on POSIX."""

from __future__ import annotations

import os
import sys

assert sys.platform != "win32", "for POSIX only"

from procession.process.crowd import OWNER
from procession.process.tree import COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from procession.executor._request import Request

_cached: tuple[dict[bytes, bytes], list[bytes]] = ({}, [])


def leads_session(request: Request) -> bool:
    """Nothing of the kind keeps a process from its streams."""
    return True


def inherited(fd: int) -> int | None:
    """The stream of this process that goes on there. None where this process has closed it: the
    number may be that of anything by now, of what is ours too, which the child would write into."""
    try:
        return fd if os.get_inheritable(fd) else None
    except OSError:
        return None


def environment(env: Mapping[str, str] | None, token: str, number: int) -> list[bytes]:
    """Encoded, with the marks by which a process is known for ours; an outer executor's stay."""
    base, outer_run, outer_owner = _inherited() if env is None else _given(env)
    mark = token.encode()
    run = b"%b.%d" % (mark, number)
    return [
        *base,
        COOKIE.encode() + b"=" + (outer_run + b":" if outer_run else b"") + run,
        OWNER.encode() + b"=" + (outer_owner + b":" if outer_owner else b"") + mark,
    ]


def _inherited() -> tuple[list[bytes], bytes, bytes]:
    """Of this process. Encoding it anew for each spawn would be a tenth of what that costs."""
    global _cached
    data: dict[bytes, bytes] | None = getattr(os.environ, "_data", None)
    if data is None:
        data = dict(os.environb)
    known, entries = _cached
    if data != known:
        copy = dict(data)
        entries = _entries(copy)
        _cached = copy, entries
    return entries, data.get(COOKIE.encode(), b""), data.get(OWNER.encode(), b"")


def _given(env: Mapping[str, str]) -> tuple[list[bytes], bytes, bytes]:
    data: dict[bytes, bytes] = {}
    for name, value in env.items():
        key, text = os.fsencode(name), os.fsencode(value)
        if b"=" in key or not key:
            raise ValueError(f"illegal environment variable name {name!r}")
        if b"\0" in key or b"\0" in text:
            raise ValueError(f"embedded null byte in environment variable {name!r}")
        data[key] = text
    # What is nested is known by the marks of this process, whatever environment it is given.
    _, run, owner = _inherited()
    return _entries(data), run, owner


def _entries(data: dict[bytes, bytes]) -> list[bytes]:
    ours = (COOKIE.encode(), OWNER.encode())
    return [name + b"=" + value for name, value in data.items() if name not in ours]
