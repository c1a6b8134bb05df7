"""How an exit is noticed: one contract, two mechanisms. Noticed means observable, never reaped.

`PidfdExits` keeps a pidfd of each process in the loop's selector and costs no thread.
`ThreadExits` has one waiting thread for each process, where the host has no pidfd; the threads
only write to a pipe of that selector. `ExitWatcher` takes for each process what there is.

The loop's side is the same for all: `data` of a selector key is a function without arguments, so
the owner calls `key.data()` for what became readable, and `on_exit(token)` is called from there,
in the loop's own thread. Not thread-safe, as the selector itself.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector
    from typing import Generic, Protocol, TypeVar

    from procession.process.handle import Handle

    class Watched(Protocol):
        """What can be watched: a `Handle`, or an adopted orphan. It must be our child."""

        @property
        def pid(self) -> int: ...
        @property
        def pidfd(self) -> int | None: ...

    T = TypeVar("T")
else:

    class Generic:
        def __class_getitem__(cls, _):
            return cls

    T = None

_READ = 1  # selectors.EVENT_READ, without importing it


class PidfdExits(Generic[T]):
    """See `ExitWatcher`. For processes that have a pidfd."""

    def __init__(self, selector: BaseSelector, on_exit: Callable[[T], object]) -> None:
        self._selector = selector
        self._on_exit = on_exit
        self._watched: dict[int, int] = {}  # pid -> registered pidfd

    def watch(self, process: Watched, token: T) -> None:
        self.forget(process)
        pid, pidfd = process.pid, process.pidfd
        if pidfd is None:
            raise ValueError(f"process {pid} has no pidfd: it needs a waiting thread")

        def told() -> None:
            # A select that returned both this event and the one that made us forget it.
            if self._watched.get(pid) == pidfd:
                # A zombie's pidfd stays readable, and would spin the loop.
                self._selector.unregister(self._watched.pop(pid))
                self._on_exit(token)

        self._selector.register(pidfd, _READ, told)
        self._watched[pid] = pidfd

    def forget(self, process: Watched) -> None:
        pidfd = self._watched.pop(process.pid, None)
        if pidfd is not None:
            self._selector.unregister(pidfd)

    def close(self) -> None:
        while self._watched:
            self._selector.unregister(self._watched.popitem()[1])


if sys.platform != "win32":
    from procession.process._waitid import waitid

    class ThreadExits(Generic[T]):
        """See `ExitWatcher`. One daemon thread for each process, blocked in waitid(WNOWAIT).

        A forgotten process keeps its thread until it ends: waitid cannot be called off.
        """

        def __init__(self, selector: BaseSelector, on_exit: Callable[[T], object]) -> None:
            self._selector = selector
            self._on_exit = on_exit
            self._watched: dict[int, tuple[object, T]] = {}  # pid -> (thread's own mark, token)
            self._ended: deque[tuple[int, object]] = deque()
            self._lock = allocate_lock()
            self._reads, self._writes = os.pipe()
            os.set_blocking(self._reads, False)
            os.set_blocking(self._writes, False)
            selector.register(self._reads, _READ, self._told)

        def watch(self, process: Watched, token: T) -> None:
            import threading

            mark = object()
            self._watched[process.pid] = (mark, token)
            threading.Thread(
                target=self._wait,
                args=(process.pid, mark),
                name=f"exit-of-{process.pid}",
                daemon=True,
            ).start()

        def _wait(self, pid: int, mark: object) -> None:
            try:
                waitid(pid, None, block=True)
            except ChildProcessError:
                pass  # somebody else reaped it: an exit all the same, with status unknown
            self._ended.append((pid, mark))
            with self._lock:  # else `close` could give the number to a stranger before the write
                if self._writes >= 0:
                    try:
                        os.write(self._writes, b"\0")
                    except BlockingIOError:
                        pass  # full of wake-ups: one of them will do

        def _told(self) -> None:
            try:
                while os.read(self._reads, 4096):
                    pass
            except BlockingIOError:
                pass
            while self._ended:
                pid, mark = self._ended.popleft()
                found = self._watched.get(pid)
                if found is not None and found[0] is mark:
                    del self._watched[pid]
                    self._on_exit(found[1])

        def forget(self, process: Watched) -> None:
            self._watched.pop(process.pid, None)

        def close(self) -> None:
            if self._reads < 0:
                return
            self._watched.clear()
            self._selector.unregister(self._reads)
            with self._lock:
                os.close(self._reads)
                os.close(self._writes)
                self._reads = self._writes = -1

    class ExitWatcher(Generic[T]):
        """Calls `on_exit(token)` once for each watched process, when its exit can be observed."""

        def __init__(self, selector: BaseSelector, on_exit: Callable[[T], object]) -> None:
            self._selector = selector
            self._on_exit = on_exit
            self._pidfds = PidfdExits(selector, on_exit)
            self._threads: ThreadExits[T] | None = None  # a pipe nobody needs, as a rule

        def watch(self, process: Watched, token: T) -> None:
            """Tell of this exit, also if it has happened already; replaces an earlier `watch`.

            The process must stay unreaped until its exit was told, or until `forget`.
            """
            if process.pidfd is not None:
                self._pidfds.watch(process, token)
                return
            if self._threads is None:
                self._threads = ThreadExits(self._selector, self._on_exit)
            self._threads.watch(process, token)

        def forget(self, process: Watched) -> None:
            """Do not tell any more. Idempotent; due before a watched handle is closed."""
            self._pidfds.forget(process)
            if self._threads is not None:
                self._threads.forget(process)

        def close(self) -> None:
            """Forget all, and leave the selector without a trace. Idempotent."""
            self._pidfds.close()
            if self._threads is not None:
                self._threads.close()

else:

    class ExitWatcher(Generic[T]):
        """As elsewhere, but that the trees themselves tell of ends (`crowd`): what remains are
        those that came before anybody listened."""

        def __init__(self, selector: BaseSelector, on_exit: Callable[[T], object]) -> None:
            self._on_exit = on_exit

        def watch(self, process: Handle, token: T) -> None:
            if process.poll_exit() is not None:
                self._on_exit(token)

        def forget(self, process: Handle) -> None:
            """Nothing is remembered."""

        def close(self) -> None:
            """Nothing is held."""
