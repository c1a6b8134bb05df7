"""From a request to a running process: its pipes, its environment, the spawn, its tree."""

from __future__ import annotations

import io
import os
import sys
import time
from subprocess import DEVNULL, PIPE, STDOUT

from procession.executor._handle import ExecHandle
from procession.executor._streams import CAPTURED, Called, Capture, Drain, Kept, Lines, LineSink

if sys.platform == "win32":
    from procession.executor._launch_windows import (
        command_of,
        follow_input,
        inherited,
        start,
        started,
    )
else:
    from procession.executor._launch_posix import (
        command_of,
        follow_input,
        inherited,
        start,
        started,
    )

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

    from procession.executor._keeper import Keeper
    from procession.executor._request import Request, Target
    from procession.process._tree import Tree
    from procession.process.handle import Handle

_KILL = 9  # on all platforms; on Windows `signal` has no name for it


class Newborn:
    """A process that was just started, and is nobody's yet: who asked for it calls `finish`."""

    __slots__ = ("_begun", "_born_at", "_cookie", "_pipes", "request")

    def __init__(
        self,
        request: Request,
        cookie: str,
        pipes: Pipes | None,
        born_at: float,
        begun: tuple[int, int] | Handle,
    ) -> None:
        self.request = request
        self._cookie = cookie
        self._pipes = pipes
        self._born_at = born_at
        self._begun: Any = begun

    def finish(self, keeper: Keeper) -> ExecHandle:
        """Plant its tree. What it raises leaves nothing."""
        request, pipes = self.request, self._pipes
        process: Handle | None = None
        tree: Tree | None = None
        try:
            process = started(self._begun, request)
            handle = ExecHandle(keeper, request, process, self._born_at)
            handle._cookie = cookie = self._cookie
            handle._tree = tree = keeper.trees.plant(handle, cookie, process)
            if pipes is not None:
                pipes.open(handle, keeper)
                follow_input(handle)
                pipes.close_child()
        except BaseException as e:
            if pipes is not None:
                pipes.abandon()
            if process is not None:
                undo(process)
                if tree is not None:
                    keeper.trees.drop(tree)
            elif isinstance(e, OSError):
                raise _as_asked(e, request) from e
            raise
        return handle


def launch(keeper: Keeper, request: Request, number: int) -> Newborn:
    """Start it, in any thread. What it raises leaves nothing.

    What need not be done here, by a thread that may launch for many, is done before, or by
    `finish`, while the child is executed.
    """
    cookie = f"{keeper.token}.{number}"
    environ: Any = request.environment.marked(cookie, keeper.token)
    null = own = keeper.null  # open for all of them: a descriptor less for each
    if null is None:
        null = os.open(os.devnull, os.O_RDWR)
    pipes = None
    try:
        streams: Any = (null, null, null)
        if not request.is_silent:
            pipes = Pipes(request, null)
            streams = pipes.child
        born_at = time.monotonic()
        begun: tuple[int, int] | Handle
        if keeper.contained is None:
            begun = start(request, environ, streams, null)
        else:
            begun = keeper.contained.spawn(cookie, command_of(request, environ, streams))
            born_at = time.monotonic()  # the first of them waits for the helper to be there
    except BaseException as e:
        if pipes is not None:
            pipes.abandon()
        if isinstance(e, OSError):
            raise _as_asked(e, request) from e
        raise
    finally:
        if own is None:
            os.close(null)
    return Newborn(request, cookie, pipes, born_at, begun)


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

    __slots__ = ("_null", "_own", "_request", "_to_close", "child")

    def __init__(self, request: Request, null: int) -> None:
        self._request = request
        self._null = null
        self._to_close: list[int] = []  # ends of the child
        self._own: dict[str, int] = {}  # our ends
        self.child: tuple[int, int, int]
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

    def _child_end(self, name: str, target: Target, number: int) -> int:
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
        drains: dict[str, Drain] = {}
        handle._drains = drains  # before it has any: they are closed with the handle
        for name in list(self._own):
            target: Any = getattr(request, name)
            if isinstance(target, int) and target == PIPE:
                setattr(handle, name, _file(self._own.pop(name), name == "stdin", request))
            else:
                sink = _sink(target, keeper, request.limit)
                drains[name] = Drain(self._own.pop(name), name, sink)


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
