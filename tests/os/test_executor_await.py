"""The handle's face for coroutines: asyncio, uvloop, trio, anyio on either, and the two at once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
import trio

from procession.executor import Capture, CommandFailed, ExecHandle, Executor, Result, Step
from tests.support.executors import PY, program
from tests.support.processes import BOUND, PROGRAMS, Lines

Main = Callable[[], Awaitable[Any]]


LOOPS: dict[str, Callable[[Main], Any]] = {
    "asyncio": lambda main: asyncio.run(main()),  # type: ignore[arg-type]
    "trio": trio.run,
    "anyio on asyncio": lambda main: anyio.run(main, backend="asyncio"),
    "anyio on trio": lambda main: anyio.run(main, backend="trio"),
}
each_loop = pytest.mark.parametrize("loop", LOOPS)


@pytest.fixture
def ex() -> Iterator[Executor]:
    with Executor() as found:
        yield found


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    yield found
    found.close()


@pytest.mark.quick
@each_loop
def test_wait_async_is_about_the_leader_and_await_about_the_tree(
    ex: Executor, lines: Lines, loop: str
) -> None:
    family = program("tree_family", "leader=leaves", "daemon=obeys")

    async def main() -> tuple[int, bool, Result, Result]:
        handle = ex.create_process(family, stdout=lines.fd)
        code = await handle.wait_async()
        over = handle.done
        await handle.kill_async()
        return code, over, await handle, await handle.result_async()

    code, over, first, second = LOOPS[loop](main)
    assert (code, over) == (0, False), "the daemon lived on"
    assert first is second
    assert first.reason == "exited", "by itself, before anybody asked"


@each_loop
def test_the_end_wakes_whoever_waits(ex: Executor, loop: str) -> None:
    """Of one that runs when it is waited for; twice, and again when it has ended."""

    async def main() -> list[int]:
        handle = ex.create_process(["cat"], stdin=-1)
        assert handle.stdin is not None
        with handle.stdin:
            codes = []

            async def wait() -> None:
                codes.append(await handle.wait_async())

            if loop.endswith("trio"):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(wait)
                    nursery.start_soon(wait)
                    await trio.sleep(0.01)
                    assert codes == []
                    handle.stdin.close()
            else:
                tasks = [asyncio.ensure_future(wait()) for _ in range(2)]
                await asyncio.sleep(0.01)
                assert codes == []
                handle.stdin.close()
                await asyncio.gather(*tasks)
        return [*codes, await handle.wait_async()]

    assert LOOPS[loop](main) == [0, 0, 0]


@each_loop
def test_cancelling_stops_the_waiting_alone(ex: Executor, loop: str) -> None:
    async def main() -> ExecHandle:
        handle = ex.create_process(["sleep", "60"])
        for wait in (handle.wait_async, handle.result_async):
            if loop.endswith("trio"):
                with trio.move_on_after(0.02) as scope:
                    await wait()
                assert scope.cancelled_caught
            else:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await wait()
        assert handle._listeners == ()
        assert handle._callbacks == ()
        return handle

    handle: ExecHandle = LOOPS[loop](main)
    assert handle.poll() is None
    handle.kill_now()
    assert handle.wait(BOUND) == -signal.SIGKILL


@pytest.mark.quick
@each_loop
def test_stop_and_kill(ex: Executor, lines: Lines, loop: str) -> None:
    async def main() -> list[Result]:
        ends = []
        for how in ("kill", "stop", "own"):
            handle = ex.create_process(
                program("tree_ignores_term"), stdout=lines.fd, stop=Step("SIGTERM", "group", 0.1)
            )
            lines.next()
            if how == "kill":
                await handle.kill_async(grace=0.1)
            elif how == "stop":
                await handle.stop_async()
            else:
                await handle.stop_async([Step("SIGINT", "leader", 0.1)])
            assert handle.done
            ends.append(handle.result())
        return ends

    kill, stop, own = LOOPS[loop](main)
    assert {result.reason for result in (kill, stop, own)} == {"forced"}
    assert kill.stop_trace[0][1] == "SIGTERM to the tree"
    assert stop.stop_trace[0][1] == "SIGTERM to the group"
    assert own.stop_trace[0][1] == "SIGINT to the leader"


@each_loop
def test_commands(ex: Executor, loop: str) -> None:
    async def main() -> tuple[int, Result, CommandFailed]:
        code = await ex.run_command_async("sh -c 'exit 3'")
        well = await ex.run_command_or_fail_async(["echo", "a"], stdout=Capture())
        with pytest.raises(CommandFailed, match="no good") as failed:
            await ex.run_command_or_fail_async(["sh", "-c", "echo no good >&2; exit 4"])
        return code, well, failed.value

    code, well, failed = LOOPS[loop](main)
    assert code == 3
    assert well.stdout is not None
    assert well.stdout.text() == "a\n"
    assert failed.result.exit_code == 4


def test_a_loop_does_other_work_meanwhile(ex: Executor) -> None:
    """`kill` of a deaf one takes its grace, and the loop none of that."""

    async def main() -> float:
        code = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
        handle = ex.create_process([*PY, "-c", code], stdout=-1)
        assert handle.stdout is not None
        with handle.stdout:
            handle.stdout.readline()
            longest = 0.0
            killing = asyncio.ensure_future(handle.kill_async(2.0))
            while not killing.done():
                began = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - began)
        return longest

    assert asyncio.run(main()) < 1.5


@pytest.mark.parametrize(("name", "told"), [("guest", "5 6\n"), ("uvloop", "5 stopped SIGTERM\n")])
def test_loops_that_want_a_process_of_their_own(name: str, told: str) -> None:
    """trio as the guest of asyncio, where each coroutine waits in the loop that runs it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", PROGRAMS / f"executor_{name}.py"],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert (done.stdout, done.stderr) == (told, "")


@each_loop
def test_a_loop_that_is_over_when_the_process_ends(ex: Executor, loop: str) -> None:
    """What is told then reaches nobody, and is no error."""
    handle = ex.create_process(["sleep", "60"])
    tells: list[Any] = []

    async def main() -> None:
        if loop.endswith("trio"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(handle.result_async)
                await trio.sleep(0)
                await trio.sleep(0)
                tells.extend(handle._callbacks)
                nursery.cancel_scope.cancel()
        else:
            task = asyncio.ensure_future(handle.result_async())
            await asyncio.sleep(0)
            tells.extend(handle._callbacks)
            task.cancel()

    LOOPS[loop](main)
    handle.kill()
    (tell,) = tells
    tell(handle)


@pytest.mark.quick
def test_no_loop_at_all(ex: Executor) -> None:
    handle = ex.create_process(["sleep", "60"])
    coroutine = handle.wait_async()
    with pytest.raises(RuntimeError, match="neither asyncio nor trio"):
        coroutine.send(None)
    handle.kill_now()


@pytest.mark.quick
def test_none_of_the_loops_is_imported_by_itself() -> None:
    code = (
        "import sys\n"
        "from procession.executor import Executor\n"
        "with Executor() as ex:\n"
        "    handle = ex.create_process(['sleep', '60'])\n"
        "    try: handle.wait_async().send(None)\n"
        "    except RuntimeError as e: print(e)\n"
        "    handle.kill()\n"
        "print([name for name in ('asyncio', 'trio', 'anyio', 'sniffio') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
    )
    assert done.stdout.splitlines() == ["neither asyncio nor trio runs this coroutine", "[]"]
