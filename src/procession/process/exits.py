"""How an exit is noticed: contract and two mechanisms. Noticed means observable, never reaped.

`PidfdExits` lives in the owner's `selectors` selector and costs no thread. `ThreadExits` has one
waiting thread for each process, where the host has no pidfd; the threads only call back.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import BaseSelector
    from typing import Protocol

    class Watched(Protocol):
        """What can be watched: a `Handle`, or a pinned process of a tree that is our child."""

        @property
        def pid(self) -> int: ...
        @property
        def pidfd(self) -> int | None: ...

    class ExitWatcher(Protocol):
        """Calls back once for each watched process, when its exit can be observed."""

        def watch(self, process: Watched, on_exit: Callable[[], object]) -> None:
            """Call `on_exit` once, at once if it has ended already. A second `watch` of the same
            pid replaces the first. The process must not be reaped before its exit was told, or
            before `forget`."""

        def forget(self, process: Watched) -> None:
            """No call any more. Idempotent; needed before `close` of a handle still watched."""

        def close(self) -> None:
            """Forget all."""


class PidfdExits:
    """Registers pidfds in `selector`, each with a function without arguments as `data`.

    The owner of the loop calls `key.data()` for what becomes readable. The pidfd is unregistered
    before `on_exit` is called: a zombie's pidfd stays readable, and would spin the loop. Not
    thread-safe, as the selector itself.
    """

    def __init__(self, selector: BaseSelector) -> None:
        self._selector = selector
        self._watched: dict[int, int] = {}  # pid -> registered pidfd

    def watch(self, process: Watched, on_exit: Callable[[], object]) -> None:
        self.forget(process)
        pid, pidfd = process.pid, process.pidfd
        if pidfd is None:
            raise ValueError(f"process {pid} has no pidfd: it needs a waiting thread")

        def told() -> None:
            if self._watched.get(pid) == pidfd:
                self._drop(pid)
                on_exit()

        self._selector.register(pidfd, 1, told)  # 1 is selectors.EVENT_READ
        self._watched[pid] = pidfd

    def forget(self, process: Watched) -> None:
        if process.pid in self._watched:
            self._drop(process.pid)

    def _drop(self, pid: int) -> None:
        self._selector.unregister(self._watched.pop(pid))

    def close(self) -> None:
        for pid in list(self._watched):
            self._drop(pid)


if sys.platform != "win32":
    from procession.process._waitid import waitid

    class ThreadExits:
        """One daemon thread for each process, blocked in waitid(WNOWAIT).

        `on_exit` runs in that thread, so it must only post. `forget` makes the thread silent; it
        ends with its process. Thread-safe.
        """

        def __init__(self) -> None:
            self._wanted: dict[int, object] = {}  # pid -> token of the thread that may speak

        def watch(self, process: Watched, on_exit: Callable[[], object]) -> None:
            import threading

            pid, token = process.pid, object()
            self._wanted[pid] = token

            def wait() -> None:
                try:
                    waitid(pid, None, block=True)
                except ChildProcessError:
                    pass  # somebody else reaped it: an exit all the same, with status unknown
                # dict.pop and get are atomic; only one thread ever holds this token.
                if self._wanted.get(pid) is token:
                    self._wanted.pop(pid, None)
                    on_exit()

            threading.Thread(target=wait, name=f"exit-of-{pid}", daemon=True).start()

        def forget(self, process: Watched) -> None:
            self._wanted.pop(process.pid, None)

        def close(self) -> None:
            self._wanted.clear()
