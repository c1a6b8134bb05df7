"""Coroutines of uvloop, which keeps a pipe for the life of its process, wait for processes."""

import asyncio
import signal

import uvloop

from procession.executor import Executor

ex = Executor()
ex.start()


async def main():
    code = await ex.create_process(["sh", "-c", "sleep 0.05; exit 5"]).wait_async()
    sleeper = ex.create_process(["sleep", "60"])
    try:
        async with asyncio.timeout(0.05):
            await sleeper.wait_async()
    except TimeoutError:
        await sleeper.kill_async()
    result = await sleeper
    return code, result.reason, signal.Signals(result.signal).name


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    print(*runner.run(main()))
ex.stop()
ex.join()
