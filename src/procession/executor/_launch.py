"""From a request to a running process: its pipes, its environment, the spawn, its tree."""

from __future__ import annotations

import io
import os
import sys
import time
from subprocess import DEVNULL, PIPE, STDOUT

from procession.executor._handle import ExecHandle
from procession.executor._streams import CAPTURED, Called, Capture, Drain, Kept, Lines, LineSink
from procession.process.command import Command
from procession.process.spawn import spawn

if sys.platform == "win32":
    from procession.executor._launch_windows import (
        ask_by_input,
        blocks,
        environment,
        ignores,
        inherited,
        leads_session,
        spawn_clean,
    )
    from procession.process._tree_windows import WindowsTree
else:
    from procession.executor._launch_posix import environment, inherited, leads_session
    from procession.process.defaults import blocks, ignores, spawn_clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    from procession.executor._keeper import Keeper
    from procession.executor._request import Request, Target
    from procession.process.handle import Handle

_KILL = 9  # on all platforms; on Windows `signal` has no name for it


def launch(keeper: Keeper, request: Request, number: int) -> ExecHandle:
    """Start it and plant its tree; in any thread. What `spawn` raises leaves nothing."""
    pipes = Pipes(request, keeper.null)
    try:
        now = time.monotonic()
        session = leads_session(request)
        command = Command(
            request.argv,
            request.executable,
            request.cwd,
            environment(request.env, keeper.token, number),
            pipes.child[0],
            pipes.child[1],
            pipes.child[2],
            session,
            (),
            request.uid,
            request.gid,
            request.groups,
            request.umask,
            group=not session,
        )
        process: Handle
        if keeper.contained is not None:
            process = keeper.contained.spawn(f"{keeper.token}.{number}", command)
            now = time.monotonic()  # the first of them waits for the helper to be there
        elif ignores() or blocks():
            process = spawn_clean(command)
        else:
            process = spawn(command)
    except OSError as e:
        pipes.abandon()
        raise _as_asked(e, request) from e
    except BaseException:
        pipes.abandon()
        raise
    try:
        handle = ExecHandle(keeper, request, process, now)
        handle._cookie = f"{keeper.token}.{number}"
        handle._tree = keeper.trees.plant(handle, handle._cookie, process)
        pipes.open(handle, keeper)
        if sys.platform == "win32" and handle.stdin is not None:
            assert isinstance(handle._tree, WindowsTree)
            ask_by_input(handle._tree, handle.stdin)
    except BaseException:
        pipes.abandon()
        undo(process)
        raise
    finally:
        pipes.close_child()
    return handle


def take_back(keeper: Keeper, handle: ExecHandle) -> None:
    """End what was launched, and that nobody could look after."""
    undo(handle._process)
    keeper.trace.pop(handle, None)
    keeper.trees.forget(handle)
    for drain in handle._drains.values():
        drain.close()
    for stream in (handle.stdin, handle.stdout, handle.stderr):
        if stream is not None:
            stream.close()


def undo(process: Handle) -> None:
    """Kill and reap what was just started, and that nobody else knows of."""
    process.kill_group(_KILL)
    while process.poll_exit() is None:
        os.sched_yield() if hasattr(os, "sched_yield") else time.sleep(0)
    process.reap()
    process.close()


def _as_asked(e: OSError, request: Request) -> OSError:
    """Names the program as the caller did, as Popen does."""
    if e.filename == request.executable and e.errno is not None:
        if sys.platform == "win32":
            return OSError(e.errno, e.strerror, request.argv[0], e.winerror)
        return OSError(e.errno, e.strerror, request.argv[0])
    return e


class Pipes:
    """The three streams of one process that is about to start."""

    def __init__(self, request: Request, null: int | None) -> None:
        self._request = request
        self._null = null  # open for all of them: a descriptor less for each
        self._to_close: list[int] = []  # ends of the child
        self._own: dict[str, int] = {}  # our ends
        self.child: tuple[int | None, int | None, int | None] = (null, null, null)
        if request.stdin is request.stdout is request.stderr is DEVNULL:
            return
        try:
            stdin = self._child_end("stdin", request.stdin, 0)
            stdout = self._child_end("stdout", request.stdout, 1)
            if request.stderr == STDOUT:
                stderr = stdout
            else:
                stderr = self._child_end("stderr", request.stderr, 2)
        except BaseException:
            self.abandon()
            raise
        self.child = stdin, stdout, stderr

    def _child_end(self, name: str, target: Target, number: int) -> int | None:
        if target is None:
            own = inherited(number)
            return self._null if own is None else own
        if isinstance(target, Capture | Lines):
            return self._pipe(name)
        if isinstance(target, int):
            if target == DEVNULL:
                return self._null
            return self._pipe(name) if target == PIPE else target
        fileno = getattr(target, "fileno", None)
        if fileno is None:
            return self._pipe(name)  # a function that is called with each line
        found: int = fileno()
        return found

    def _pipe(self, name: str) -> int:
        reads, writes = os.pipe()
        ours, theirs = (writes, reads) if name == "stdin" else (reads, writes)
        self._own[name] = ours
        self._to_close.append(theirs)
        return theirs

    def close_child(self) -> None:
        """The child has them. Idempotent."""
        while self._to_close:
            os.close(self._to_close.pop())

    def abandon(self) -> None:
        """Nothing was started."""
        self.close_child()
        while self._own:
            os.close(self._own.popitem()[1])

    def open(self, handle: ExecHandle, keeper: Keeper) -> None:
        """Give our ends to their readers."""
        if not self._own:
            return
        request = self._request
        for name in list(self._own):
            target: Any = getattr(request, name)
            if isinstance(target, int) and target == PIPE:
                setattr(handle, name, _file(self._own.pop(name), name == "stdin", request))
            else:
                sink = _sink(target, keeper, request.limit)
                handle._drains[name] = Drain(self._own.pop(name), name, sink)


def _file(fd: int, writes: bool, request: Request) -> IO[Any]:
    raw = open(fd, "wb" if writes else "rb", -1)  # noqa: SIM115 - it is the caller's to close
    if not request.text:
        return raw
    try:
        return io.TextIOWrapper(
            raw, encoding=request.encoding, errors=request.errors, write_through=writes
        )
    except BaseException:
        raw.close()
        raise


def _sink(target: Any, keeper: Keeper, limit: int | None) -> Kept | LineSink:
    if isinstance(target, Capture):
        return Kept(target.limit or limit or CAPTURED)
    if isinstance(target, Lines):
        return LineSink(target.put, target.end, target.encoding, target.errors)
    called = Called(target, keeper.call_soon)
    return LineSink(called.put, lambda _: None, "utf-8", "replace")
