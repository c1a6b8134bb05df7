"""`await handle`: in trio's loop if one runs here, else in asyncio's. Imports neither by itself."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.executor._handle import ExecHandle
    from procession.executor._values import Result


async def result(handle: ExecHandle) -> Result:
    """`handle.result()` without blocking the loop."""
    if not handle.done:
        trio: Any = sys.modules.get("trio")
        token = None
        if trio is not None:
            try:
                token = trio.lowlevel.current_trio_token()
            except RuntimeError:
                pass  # trio is imported, and it is not its loop that runs here
        if token is not None:
            await _in_trio(handle, trio, token)
        else:
            await _in_asyncio(handle)
    return handle.result()


async def _in_asyncio(handle: ExecHandle) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def tell(_: object) -> None:
        try:
            loop.call_soon_threadsafe(told.set)
        except RuntimeError:
            if not loop.is_closed():
                raise  # a closed one has nobody left who waits

    handle.add_done_callback(tell)
    try:
        await told.wait()
    finally:
        handle.remove_done_callback(tell)


async def _in_trio(handle: ExecHandle, trio: Any, token: Any) -> None:
    told = trio.Event()

    def tell(_: object) -> None:
        try:
            token.run_sync_soon(told.set)
        except trio.RunFinishedError:
            pass  # that loop is over, nobody waits there any more

    handle.add_done_callback(tell)
    try:
        await told.wait()
    finally:
        handle.remove_done_callback(tell)
