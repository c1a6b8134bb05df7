"""A loop of the kind of the first argument runs in the main thread and owns the wakeup descriptor.

Ours is installed "before" it or "within" it. The main thread never calls us again.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from procession import shutdown

kind, when = sys.argv[1:]


def install() -> None:
    shutdown.wait_exit_callback(lambda: os.write(1, b"callback\n"))


async def asyncio_main() -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, done.set)  # here asyncio takes the descriptor
    if when == "within":
        install()
    os.write(1, b"ready\n")
    await done.wait()
    os.write(1, b"the loop heard SIGUSR1\n")


async def trio_main(trio: Any) -> None:
    with trio.open_signal_receiver(signal.SIGUSR1) as signals:
        if when == "within":
            install()
        os.write(1, b"ready\n")
        async for _ in signals:
            break
    os.write(1, b"the loop heard SIGUSR1\n")


if when == "before":
    shutdown.install(wakeup_fd=kind != "trio")  # trio warns, here an error
    install()
if kind == "asyncio":
    asyncio.run(asyncio_main())
elif kind == "uvloop":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio_main())
else:
    import trio

    trio.run(trio_main, trio)
shutdown.wait_exit()
