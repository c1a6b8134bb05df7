"""`ExecHandle`: one started process, with the face of `subprocess.Popen`."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from _thread import RLock
from types import MappingProxyType

from procession.core.status import ExitStatus
from procession.executor import _values as words
from procession.executor._async import Awaited
from procession.executor._stopping import GRACE, Stopping, as_ladder, default_ladder
from procession.process.latch import Latch

if sys.platform == "win32":
    from procession.executor._communicate_windows import Exchange
    from procession.executor._signals_windows import SIGKILL, SIGTERM, await_end, send
else:
    from signal import SIGKILL, SIGTERM

    from procession.executor._communicate_posix import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import IO, Any, Self

    from procession.core.stop import Ladder, Step
    from procession.executor._keeper import Keeper
    from procession.executor._loop import Timer
    from procession.executor._request import Request
    from procession.executor._streams import Drain
    from procession.executor._values import Result
    from procession.process._tree import Tree
    from procession.process.handle import Handle


_BRIEFLY = 0.02  # seconds


class ExecHandle(Awaited):
    """A process of an `Executor`. `create_process` makes them; all methods from any thread.

    `pid`, `args`, `stdin`, `stdout`, `stderr`, `returncode`, `poll`, `wait`, `communicate`,
    `send_signal`, `terminate` and `with` are those of `subprocess.Popen`, and speak of the process
    itself, the *leader*. `result`, `kill`, `stop` and `await handle` speak of its *tree*: the
    leader and everything it started.
    """

    # What most of them never get has its first value here: each that is set costs a start.
    stdin: IO[Any] | None = None
    stdout: IO[Any] | None = None
    stderr: IO[Any] | None = None
    _tree: Tree
    _cookie: str
    _status: ExitStatus | None = None
    _begun = False  # known to the thread that turns the loop
    _greeted = False  # it was in the trace when that thread looked for the newborn
    _handed = False  # told to the selector
    _posted = False  # to the sentinel
    _wanted = False  # somebody waits for the end of the tree
    _waiters = 0
    _close_due = False
    _member_fd = -1  # of one who outlived the leader, and whose end is awaited
    _exit_told = False
    _over = False  # its tree is; its output may not have been read yet
    _read_out: Callable[[], None] | None = None  # due once its output has ended
    _survivors: tuple[str, ...] | None = None  # once the tree is over
    _result: Result | None = None  # made of them when somebody asks
    _latch: Latch | None = None  # falls then; made for the first who waits
    _callbacks: tuple[Callable[[ExecHandle], object], ...] = ()
    _listeners: tuple[Callable[[ExecHandle], object], ...] = ()
    _drains: Mapping[str, Drain] = MappingProxyType({})
    _timers: tuple[Timer, ...] = ()
    _stop: Stopping | None = None
    _exchange: Exchange | None = None

    def __init__(self, keeper: Keeper, request: Request, process: Handle, now: float) -> None:
        self.args = request.args
        self.pid = process.pid
        self._keeper = keeper
        self._request = request
        self._process = process
        self._owner: threading.Thread = request.owner
        self._started_at = self._idle_since = self._ended_at = now
        self._lock = RLock()  # a signal handler may ask, too, in the midst of it

    @property
    def _stopping(self) -> Stopping:
        """For the loop's thread, and once the tree is over."""
        if self._stop is None:
            self._stop = Stopping(self._started_at)
        return self._stop

    def __repr__(self) -> str:
        state = "running" if self._status is None else str(self._status)
        return f"<ExecHandle {self.name} pid {self.pid} {state}>"

    @property
    def name(self) -> str:
        """What it was named, else its program's name."""
        return self._request.name

    # --- the leader ------------------------------------------------------------------------------

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal's number (on Windows 137 where its tree had to be
        killed); None: it was not seen to have ended yet.
        255 where somebody else in this process took the status: it is not known then."""
        return None if self._status is None else words.code_of(self._status)

    @property
    def return_code(self) -> int | None:
        """The same as `returncode`."""
        return self.returncode

    def poll(self) -> int | None:
        """Look whether it has ended. Its `returncode`."""
        if self._status is None:
            status = self._process.look()
            if status is not None:
                self._note(status)
        return self.returncode

    def _saw_end(self) -> bool:
        """Has it been seen to have ended, by now?"""
        if self._status is None and (status := self._process.poll_exit()) is not None:
            self._note(status)
        return self._status is not None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process has ended; its `returncode`. What it started may live on, and
        nobody's pipe is read meanwhile.

        Raises subprocess.TimeoutExpired after `timeout` seconds.
        """
        if self._status is None and not self._await_end(timeout):
            assert timeout is not None, "without a timeout it waits for ever"
            raise subprocess.TimeoutExpired(self.args, timeout)
        code = self.returncode
        assert code is not None, "it has ended"
        return code

    def _await_end(self, timeout: float | None) -> bool:
        """The waiting caller asks the kernel itself: a hand-over to another thread costs more."""
        if sys.platform == "win32":
            return await_end(self, timeout)
        process = self._process
        with self._lock:
            if self._status is not None:
                return True
            fd = process.pidfd
            self._waiters += 1
        status: ExitStatus | None = None
        first = False
        try:
            if fd is None:
                return self._saw_end() or self._keeper.await_end(self, timeout)
            until = None if timeout is None else time.monotonic() + timeout
            status = process.await_exit(fd, until)
        finally:
            with self._lock:
                self._waiters -= 1
                first = self._marks(status)
                if self._close_due and not self._waiters:
                    process.close()
            if first:
                self._spread()
        return self._status is not None

    def _marks(self, status: ExitStatus | None) -> bool:
        """Is this the first to say so? With the lock held; `_spread` follows."""
        if status is None or self._status is not None:
            return False
        self._ended_at = time.monotonic()
        self._status = status
        return True

    def _note(self, status: ExitStatus) -> None:
        """It was seen to have ended, by whoever looked first."""
        with self._lock:
            first = self._marks(status)
        if first:
            self._spread()

    def _spread(self) -> None:
        self._keeper.ended(self)
        for listener in self._listeners:
            listener(self)

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002 - Popen's own name
        """Write `input` to stdin, read stdout and stderr to their ends, and wait: as Popen's.

        Like Popen's it reads to the ends of the pipes, which a background child that has them
        keeps from coming; a `Capture` is given up a moment after the tree is over.

        Raises subprocess.TimeoutExpired; calling again loses nothing that was read.
        """
        if self._exchange is None:
            self._exchange = Exchange(self)
        elif input:
            raise ValueError("Cannot send input after starting communication")
        return self._exchange.run(input, timeout)

    def send_signal(self, sig: int) -> None:
        """To the process alone; nothing happens once it has ended. Raises PermissionError when
        it runs as somebody we may not signal. On Windows SIGTERM, CTRL_C_EVENT and
        CTRL_BREAK_EVENT, see docs/windows.md; ValueError for others, as with Popen."""
        self.poll()
        if self._status is None:
            if sys.platform == "win32":
                send(self, sig)
            else:
                self._process.send(sig)

    def terminate(self) -> None:
        """SIGTERM to the process alone. On Windows it ends at once, with exit code 1."""
        self.send_signal(SIGTERM)

    def kill_now(self) -> None:
        """SIGKILL to the process alone, and no waiting: what Popen calls `kill`."""
        self.send_signal(SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pipes and wait for the process, as Popen does."""
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        try:
            if self.stdin is not None:
                self.stdin.close()
        finally:
            if kind is None or not issubclass(kind, KeyboardInterrupt):
                self.wait()

    # --- the tree --------------------------------------------------------------------------------

    def kill(self, grace: float = GRACE) -> None:
        """SIGTERM to the whole tree, up to `grace` seconds for it to end, then SIGKILL. Returns
        when nothing of it is left, or when the rest could not be killed (`result().survivors`).

        A stop that is under way is joined, and takes no longer than `grace` from now. A signal
        handler must not call it: it waits.
        """
        self._begin_stop(default_ladder(grace), grace)
        self._latch_or_turn(None)

    def stop(self, ladder: Ladder | Step | Iterable[Step] | None = None) -> None:
        """The same by a ladder of your own: who gets which signal, and how long that may take;
        None: the one that `create_process` was given. Waits as `kill` does."""
        self._begin_stop(self._request.stop if ladder is None else as_ladder(ladder), None)
        self._latch_or_turn(None)

    def _begin_stop(self, ladder: Ladder, cap: float | None) -> None:
        self._keeper.stop_one(self, ladder, cap)

    def result(self, timeout: float | None = None) -> Result:
        """Wait until nothing of the tree lives and all captured output was read; how it went.

        The same object each time. Raises subprocess.TimeoutExpired after `timeout` seconds.
        """
        if not self.done:
            until = None if timeout is None else time.monotonic() + timeout
            if not self._ends_soon(timeout):
                self._keeper.want(self)
                left = None if until is None else until - time.monotonic()
                if not self._latch_or_turn(left):
                    assert timeout is not None, "without a timeout it waits for ever"
                    raise subprocess.TimeoutExpired(self.args, timeout)
        with self._lock:
            if self._result is None:
                self._result = self._made_of_facts()
            return self._result

    def _ends_soon(self, timeout: float | None) -> bool:
        """Many do, and leave nothing behind: then their caller finds that out by itself, and the
        loop is not troubled."""
        if sys.platform == "win32" or self._keeper.turns_here or self._process.pidfd is None:
            return False
        if not self._await_end(_BRIEFLY if timeout is None else min(_BRIEFLY, timeout)):
            return False
        return self.done or self._keeper.bury(self)

    def _made_of_facts(self) -> Result:
        assert self._survivors is not None, "the latch fell"
        status = self._status or ExitStatus()
        kept = {name: drain.sink.output for name, drain in self._drains.items()}
        return words.Result(
            args=self.args,
            pid=self.pid,
            exit_code=status.code,
            signal=status.signal,
            reason=self._stopping.reason(status),
            duration=self._ended_at - self._started_at,
            usage=self._process.usage,
            stdout=kept.get("stdout"),
            stderr=kept.get("stderr"),
            survivors=self._survivors,
            stop_trace=tuple(self._stopping.steps),
        )

    def _latch_or_turn(self, timeout: float | None) -> bool:
        with self._lock:
            if self._survivors is not None:
                return True
            latch = self._latch = self._latch or Latch()
        return self._keeper.await_latch(latch, timeout)

    @property
    def done(self) -> bool:
        """Is the tree over, and its `result()` there?"""
        return self._survivors is not None

    def add_done_callback(self, callback: Callable[[ExecHandle], object]) -> None:
        """Have `callback(handle)` called once the result is there, or soon if it is. It runs in
        the executor's own thread, and should be quick; what it raises is logged."""
        with self._lock:
            late = self._survivors is not None
            if not late:
                self._callbacks = (*self._callbacks, callback)
        if late:
            self._keeper.call_soon(callback, self)
        else:
            self._keeper.want(self)

    def remove_done_callback(self, callback: Callable[[ExecHandle], object]) -> None:
        """It need not be called any more. Idempotent."""
        with self._lock:
            left = list(self._callbacks)
            if callback in left:
                left.remove(callback)
                self._callbacks = tuple(left)

    def _on_exit(self, listener: Callable[[ExecHandle], object]) -> None:
        """Have `listener(handle)` called once the process itself has ended, in whatever thread sees
        that. It must not raise, and only post. For the forms that coroutines use."""
        with self._lock:
            ended = self._status is not None
            if not ended:
                self._listeners = (*self._listeners, listener)
        if ended:
            listener(self)
        else:
            self._keeper.want(self)

    def _not_on_exit(self, listener: Callable[[ExecHandle], object]) -> None:
        """Idempotent."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

    def take_ownership(self) -> None:
        """From now on it belongs to the calling thread, where `children_of` is concerned."""
        self._owner = threading.current_thread()
