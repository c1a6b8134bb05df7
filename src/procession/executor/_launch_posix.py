# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""What a start takes that is different on each platform: here on POSIX."""

from __future__ import annotations

import os
import sys

assert sys.platform != "win32", "for POSIX only"

from procession.process.command import Command
from procession.process.crowd import OWNER
from procession.process.defaults import blocks, ignores, spawn_clean
from procession.process.spawn import begin, conclude
from procession.process.tree import COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from procession.executor._handle import ExecHandle
    from procession.executor._request import Request
    from procession.process.handle import Handle

    Streams: TypeAlias = tuple[int | None, int | None, int | None]

_RUN, _OWNER = COOKIE.encode(), OWNER.encode()
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def inherited(fd: int) -> int | None:
    """The stream of this process that goes on there. None where this process has closed it: the
    number may be that of anything by now, of what is ours too, which the child would write into."""
    try:
        return fd if os.get_inheritable(fd) else None
    except OSError:
        return None


class Environment:
    """Encoded, and what our two marks begin with: those of an outer executor stay."""

    __slots__ = ("_entries", "_owner", "_run", "data")

    def __init__(self, data: dict[bytes, bytes], outer: dict[bytes, bytes]) -> None:
        self.data = data
        self._entries = [b"%b=%b" % item for item in data.items() if item[0] not in (_RUN, _OWNER)]
        run, owner = outer.get(_RUN, b""), outer.get(_OWNER, b"")
        self._run = _RUN + b"=" + (run + b":" if run else b"")
        self._owner = _OWNER + b"=" + (owner + b":" if owner else b"")

    def marked(self, cookie: str, token: str) -> list[bytes]:
        """With the marks by which a process is known for ours."""
        return [*self._entries, self._run + cookie.encode(), self._owner + token.encode()]


_cached = Environment({}, {})


def environment(env: Mapping[str, str] | None) -> Environment:
    """None: that of this process. Raises ValueError for a name that cannot be one, TypeError for
    what is no text."""
    return _inherited() if env is None else _given(env)


def _inherited() -> Environment:
    """Encoding it anew for each spawn would be a tenth of what that costs."""
    global _cached
    data: dict[bytes, bytes] | None = getattr(os.environ, "_data", None)
    if data is None:
        data = dict(os.environb)
    known = _cached
    if data != known.data:
        copy = dict(data)
        known = _cached = Environment(copy, copy)
    return known


def _given(env: Mapping[str, str]) -> Environment:
    data: dict[bytes, bytes] = {}
    for name, value in env.items():
        key, text = os.fsencode(name), os.fsencode(value)
        if b"=" in key or not key:
            raise ValueError(f"illegal environment variable name {name!r}")
        if b"\0" in key or b"\0" in text:
            raise ValueError(f"embedded null byte in environment variable {name!r}")
        data[key] = text
    # What is nested is known by the marks of this process, whatever environment it is given.
    return Environment(data, _inherited().data)


def start(
    request: Request, environ: list[bytes], streams: Streams, null: int
) -> tuple[int, int] | Handle:
    """The first half of a spawn: the child is on its way. `null` stands for streams that are None,
    unless those are to go on. Raises what `spawn` raises."""
    stdin, stdout, stderr = streams
    if ignores() or blocks():
        return spawn_clean(command_of(request, environ, streams))
    return begin(
        request.argv,
        request.executable.encode(_ENCODING, _ERRORS),
        request.cwd,
        environ,
        null if stdin is None else stdin,
        null if stdout is None else stdout,
        null if stderr is None else stderr,
        request.uid,
        request.gid,
        request.groups,
        request.umask,
    )


def started(begun: tuple[int, int] | Handle, request: Request) -> Handle:
    """The second: in any thread. Raises what `spawn` raises, and nothing is left then."""
    if isinstance(begun, tuple):
        return conclude(begun, request.executable, request.cwd)
    return begun


def command_of(request: Request, environ: list[bytes], streams: Streams) -> Command:
    """What a spawn of another kind takes."""
    stdin, stdout, stderr = streams
    return Command(
        request.argv,
        request.executable,
        request.cwd,
        environ,
        stdin,
        stdout,
        stderr,
        uid=request.uid,
        gid=request.gid,
        groups=request.groups,
        umask=request.umask,
    )


def follow_input(handle: ExecHandle) -> None:
    """A stop has signals here."""
