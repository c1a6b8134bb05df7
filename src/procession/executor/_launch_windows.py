# ruff: noqa: E402 - the assert that names the platform stands above what only that platform has
"""What a start takes that is different on each platform: here on Windows."""

from __future__ import annotations

import msvcrt
import os
import sys
import threading

assert sys.platform == "win32", "for Windows only"

from procession.process._tree_windows import WindowsTree
from procession.process._win32 import is_console
from procession.process.command import Command
from procession.process.crowd import OWNER
from procession.process.spawn import spawn
from procession.process.tree import COOKIE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Any, TypeAlias

    from procession.executor._handle import ExecHandle
    from procession.executor._request import Request
    from procession.process.handle import Handle

    Streams: TypeAlias = tuple[int | None, int | None, int | None]


def blocks() -> bool:
    """Would a child of the calling thread have blocked signals? Nothing is handed down here."""
    return False


def _leads_session(request: Request) -> bool:
    """A console of its own, as a rule. One that is to use ours stays there, in a group that our
    Ctrl-C does not reach: the streams of a console are of use to those alone who have it."""
    streams = (request.stdin, request.stdout, request.stderr)
    return not any(target is None and is_console(fd) for fd, target in enumerate(streams))


def inherited(fd: int) -> int | None:
    """The stream of this process that goes on there; None: programs without a console have none."""
    try:
        found = msvcrt.get_osfhandle(fd)
    except OSError:
        return None
    return fd if found >= 0 else None  # -2: the C runtime has it, and nothing is behind it


class Environment:
    """With the marks by which a process is known for ours; an outer executor's stay."""

    def __init__(self, data: dict[str, str]) -> None:
        self._data = data

    def marked(self, cookie: str, token: str) -> dict[str, str]:
        # What is nested is known by the marks of this process, whatever environment it is given.
        return {
            **self._data,
            COOKIE: _after(os.environ.get(COOKIE)) + cookie,
            OWNER: _after(os.environ.get(OWNER)) + token,
        }


def environment(env: Mapping[str, str] | None) -> Environment:
    """None: that of this process. Raises ValueError for a name that cannot be one."""
    found: dict[str, str] = {}
    for name, value in (os.environ if env is None else env).items():
        # the system keeps the folders of drives in variables such as `=C:`
        if not name or "=" in name[1:]:
            raise ValueError(f"illegal environment variable name {name!r}")
        if "\0" in name or "\0" in value:
            raise ValueError(f"embedded null character in environment variable {name!r}")
        found[name] = value
    for mark in [name for name in found if name.upper() in (COOKIE, OWNER)]:
        del found[mark]
    return Environment(found)


def start(request: Request, environ: dict[str, str], streams: Streams, null: int | None) -> Handle:
    """All of a spawn. Raises what `spawn` raises."""
    return spawn(command_of(request, environ, streams))


def started(begun: Handle, request: Request) -> Handle:
    """It is, already."""
    return begun


def command_of(request: Request, environ: dict[str, str], streams: Streams) -> Command:
    """What `spawn` takes."""
    stdin, stdout, stderr = streams
    session = _leads_session(request)
    return Command(
        request.argv,
        request.executable,
        request.cwd,
        environ,
        stdin,
        stdout,
        stderr,
        session,
        (),
        request.uid,
        request.gid,
        request.groups,
        request.umask,
        group=not session,
    )


def follow_input(handle: ExecHandle) -> None:
    """A stop ends the input of a leader that hears nothing else."""
    if handle.stdin is not None:
        assert isinstance(handle._tree, WindowsTree)
        _ask_by_input(handle._tree, handle.stdin)


def _ask_by_input(tree: WindowsTree, stream: IO[Any]) -> None:
    """Let a stop end this input of the tree's leader, if it hears nothing else. In a thread: the
    end may have to wait for whoever writes there, and for room in the pipe."""

    def end() -> None:
        try:
            stream.close()
        except (OSError, ValueError):
            pass  # nobody reads it any more, which is an end too

    def begin() -> None:
        threading.Thread(target=end, name="procession-stdin", daemon=True).start()

    tree.close_input = begin


def _after(outer: str | None) -> str:
    return f"{outer}:" if outer else ""
