"""trio runs as the guest of asyncio, and coroutines of both wait for a process. Says both codes."""

import asyncio

import trio

from procession.executor import Executor
from procession.shutdown._async import trio_token

ex = Executor()
ex.start()


async def guest():
    assert trio_token() is not None
    return await ex.create_process(["sh", "-c", "sleep 0.05; exit 5"]).wait_async()


async def host():
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    trio.lowlevel.start_guest_run(
        guest,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        done_callback=done.set_result,
    )
    await asyncio.sleep(0)
    assert trio_token() is None
    own = await ex.create_process(["sh", "-c", "sleep 0.05; exit 6"]).wait_async()
    return (await done).unwrap(), own


print(*asyncio.run(host()))
ex.stop()
ex.join()
