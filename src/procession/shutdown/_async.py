"""The awaitable form, and telling a loop from another thread. Imports no loop by itself."""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from ._core import Session
    from ._request import Request


async def wait(session: Session, timeout: float | None) -> Request | None:
    """`session.wait` in whatever loop runs here: trio's if one runs, else asyncio's."""
    try:
        session.ear.listen()
    except RuntimeError:
        return await _look_in_steps(session, timeout)  # see `Session.wait`
    token = trio_token()
    if token is not None:
        await _wait_trio(session, timeout, token)
    else:
        await _wait_asyncio(session, timeout)
    return session.look()


async def _look_in_steps(session: Session, timeout: float | None) -> Request | None:
    """Where no thread can be started that would tell."""
    from ._core import LOOK

    end = None if timeout is None else time.monotonic() + timeout
    while (request := session.look()) is None:
        left = LOOK if end is None else min(LOOK, end - time.monotonic())
        if left <= 0:
            break
        if trio_token() is not None:
            await sys.modules["trio"].sleep(left)
        else:
            import asyncio

            await asyncio.sleep(left)
    return request


async def _wait_asyncio(session: Session, timeout: float | None) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    wish = session.add_listener(lambda: tell_loop(loop, told.set))
    try:
        async with asyncio.timeout(timeout):
            await told.wait()
    except TimeoutError:
        pass  # None then, as `wait_exit` answers
    finally:
        wish.cancel()


async def _wait_trio(session: Session, timeout: float | None, token: Any) -> None:
    trio: Any = sys.modules["trio"]
    told = trio.Event()

    def tell() -> None:
        try:
            token.run_sync_soon(told.set)
        except trio.RunFinishedError:
            pass  # that loop is over, nobody waits there any more

    wish = session.add_listener(tell)
    try:
        with trio.move_on_after(float("inf") if timeout is None else max(timeout, 0)):
            await told.wait()
    finally:
        wish.cancel()


def trio_token() -> Any:
    """Of the trio loop this coroutine runs in, or None. A program without trio pays nothing.

    That a loop of trio is there is not enough: it may be the guest of asyncio's, or its host.
    """
    trio: Any = sys.modules.get("trio")
    if trio is None or _is_asyncio_task():
        return None
    try:
        trio.lowlevel.current_task()
        return trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None


def _is_asyncio_task() -> bool:
    asyncio: Any = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.current_task() is not None
    except RuntimeError:
        return False


def tell_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """`call` in the loop's thread, soon. A loop that is not running keeps it for its first round;
    a closed one is left alone."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        if not loop.is_closed():
            raise


async def told(
    add: Callable[[Callable[..., object]], object],
    remove: Callable[[Callable[..., object]], object],
    timeout: float | None = None,
) -> None:
    """Until what was added is called, in whatever thread, or `timeout` s later. Under asyncio or
    trio (and so anyio); elsewhere RuntimeError."""
    token = trio_token()
    if token is not None:
        await _told_trio(add, remove, timeout, token)
        return
    asyncio: Any = sys.modules.get("asyncio")
    try:
        loop = asyncio.get_running_loop()
    except (AttributeError, RuntimeError):  # the first: nobody has imported it
        raise RuntimeError("neither asyncio nor trio runs this coroutine") from None
    come = asyncio.Event()

    def tell(*_: object) -> None:
        tell_loop(loop, come.set)

    add(tell)
    try:
        async with asyncio.timeout(timeout):
            await come.wait()
    except TimeoutError:
        pass  # the caller looks
    finally:
        remove(tell)


async def _told_trio(
    add: Callable[[Callable[..., object]], object],
    remove: Callable[[Callable[..., object]], object],
    timeout: float | None,
    token: Any,
) -> None:
    trio: Any = sys.modules["trio"]
    come = trio.Event()

    def tell(*_: object) -> None:
        try:
            token.run_sync_soon(come.set)
        except trio.RunFinishedError:
            pass  # that loop is over, nobody waits there any more

    add(tell)
    try:
        with trio.move_on_after(float("inf") if timeout is None else max(timeout, 0)):
            await come.wait()
    finally:
        remove(tell)
