"""Awaits the request in a loop of the kind of the first argument, after an await that times out."""

import asyncio
import sys

from procession import shutdown


async def main() -> None:
    stop = shutdown.Shutdown()
    assert await shutdown.wait_exit_async(0.01) is None
    assert await stop.wait_async(0) is None
    print("ready", flush=True)
    request = await shutdown.wait_exit_async()
    assert request is not None
    assert await stop.wait_async() == request
    print("heard", request.reason, flush=True)


if sys.argv[1] == "trio":
    import trio

    shutdown.install(wakeup_fd=False)
    trio.run(main)
elif sys.argv[1] == "uvloop":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
else:
    asyncio.run(main())
