"""The handle's face for coroutines. Imports no loop by itself: asyncio and trio are found running,
and anyio's are one of these two."""

from __future__ import annotations

from procession.executor._stopping import GRACE, as_ladder, default_ladder
from procession.shutdown._async import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any

    from procession.core.stop import Ladder, Step
    from procession.executor._request import Request
    from procession.executor._values import Result

    Listen = Callable[[Callable[[object], object]], None]


class Awaited:
    """A part of `ExecHandle`. Works under asyncio, uvloop, trio and anyio; elsewhere RuntimeError.

    To cancel one of these stops the waiting alone: a process lives on, a stop goes on.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # what it is a part of has these
        poll: Callable[[], int | None]
        result: Callable[[], Result]
        add_done_callback: Listen
        remove_done_callback: Listen
        _on_exit: Listen
        _not_on_exit: Listen
        _begin_stop: Callable[[Ladder, float | None], None]
        _request: Request

        @property
        def done(self) -> bool: ...

    def __await__(self) -> Generator[Any, Any, Result]:
        """`result()` for a coroutine."""
        return self.result_async().__await__()

    async def wait_async(self) -> int:
        """`wait()` for a coroutine: until the process has ended; its `returncode`."""
        code = self.poll()
        if code is None:
            await told(self._on_exit, self._not_on_exit)
            code = self.poll()
            assert code is not None, "it was told"
        return code

    async def result_async(self) -> Result:
        """`result()` for a coroutine, the same as `await handle`."""
        if not self.done:
            await told(self.add_done_callback, self.remove_done_callback)
        return self.result()

    async def kill_async(self, grace: float = GRACE) -> None:
        """`kill()` for a coroutine."""
        self._begin_stop(default_ladder(grace), grace)
        await self.result_async()

    async def stop_async(self, ladder: Ladder | Step | Iterable[Step] | None = None) -> None:
        """`stop()` for a coroutine."""
        self._begin_stop(self._request.stop if ladder is None else as_ladder(ladder), None)
        await self.result_async()
