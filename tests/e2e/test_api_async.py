"""`from procession import up` beside an event loop: asyncio, trio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import trio

from procession import LateError, Running, Task, TaskFailedError, up_async
from tests.support.inside import Inside, task
from tests.support.puppets import Puppets
from tests.support.up import Project, actor, sh

LOOPS: list[Callable[[Callable[[], Coroutine[Any, Any, object]]], object]] = [
    lambda main: asyncio.run(main()),
    trio.run,
]


@pytest.mark.quick
@pytest.mark.parametrize("run_loop", LOOPS, ids=["asyncio", "trio"])
def test_a_coroutine_waits_and_steers(
    project: Project, inside: Inside, run_loop: Callable[[object], object]
) -> None:
    async def main() -> None:
        async with inside(task("one", actor("obedient", "one"))) as run:
            (row,) = await run.ready_async(timeout=20)
            assert row.state == "running"
            (row,) = await run.restart_async("one", timeout=20)
            assert row.run == 2
            (row,) = await run.stop_async("one", timeout=20)
            assert row.state == "stopped"
            (row,) = await run.start_async("one", timeout=20)
            assert row.run == 3
            with pytest.raises(LateError, match=r"after 0.1 s not ended: one"):
                await run.wait_async(timeout=0.1)
        assert run.status == 0

    run_loop(main)
    project.stage.gone(0.0)


def test_the_loop_goes_on_while_somebody_waits(
    project: Project, inside: Inside, puppets: Puppets
) -> None:
    puppet = puppets("slow")

    async def main() -> int:
        rounds = 0

        async def turn() -> None:
            nonlocal rounds
            while True:
                rounds += 1
                await asyncio.sleep(0)

        made = str(project.folder / "made")
        async with inside(task("slow", puppet.task(ready={"file": made}))) as run:
            turning = asyncio.create_task(turn())
            ready = asyncio.create_task(run.ready_async(timeout=20))
            await asyncio.to_thread(puppet.do, f"touch({made!r})")
            await ready
            turning.cancel()
        return rounds

    assert asyncio.run(main()) > 100
    project.stage.gone(0.0)


def test_a_cancelled_wait_takes_nothing_back_and_leaves_nobody_waiting(
    project: Project, inside: Inside
) -> None:
    async def main(run: Running) -> None:
        waiting = asyncio.create_task(run.ready_async(timeout=None))
        ending = asyncio.create_task(run.wait_async())
        await asyncio.to_thread(project.stage.ready, "one")
        for one in (waiting, ending):
            one.cancel()
        await asyncio.gather(waiting, ending, return_exceptions=True)
        assert waiting.cancelled()
        assert ending.cancelled()

    with inside(task("one", actor("obedient", "one", ready={"tcp": 1}))) as run:
        asyncio.run(main(run))
        assert run.ps()[0].state == "running"
        steering = run._steering
        assert steering is not None
        assert not steering._looks
    project.stage.gone(0.0)


def test_a_block_that_is_cancelled_leaves_nothing(project: Project, inside: Inside) -> None:
    async def main() -> None:
        began = asyncio.Event()

        async def block() -> None:
            async with inside(task("one", actor("obedient", "one"))) as run:
                await run.ready_async(timeout=20)
                began.set()
                await asyncio.Event().wait()

        under_way = asyncio.create_task(block())
        await began.wait()
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way

    asyncio.run(main())
    project.stage.gone(0.0)


def test_ready_fails_with_the_reason(inside: Inside) -> None:
    async def main() -> None:
        async with inside(task("bad", sh("echo why >&2; exit 4"))) as run:
            assert await run.wait_async(timeout=20) == 4
            with pytest.raises(TaskFailedError, match=r"bad failed: exited with 4.*\n  bad . why"):
                await run.ready_async(timeout=20)

    asyncio.run(main())


def test_up_for_a_coroutine(project: Project, tmp_path: Any) -> None:
    async def main() -> None:
        one = task("one", actor("obedient", "one"))
        environ = project.environment()
        async with await up_async(one, environ=environ, log_dir=tmp_path) as run:
            await run.ready_async(timeout=20)
        # cancelled before it can be told of: nothing stays
        late = asyncio.create_task(
            up_async(Task("two", "sleep", 600), environ=environ, log_dir=tmp_path)
        )
        await asyncio.sleep(0)
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late

    asyncio.run(main())
    project.stage.gone(0.0)
    for thread in threading.enumerate():
        if thread.name.startswith("procession-"):
            thread.join(20)
            assert not thread.is_alive()
