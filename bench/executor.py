"""What the executor adds to a process, from its start to its end, and what it holds afterwards.

Creating and waiting for a static no-op (`/bin/true` where there is no C compiler) by one thread and
by many, where a thread of the executor serves (`start()`) and where the main thread does (`run()`),
against `subprocess.Popen(...).wait()` with the same options (own session, null streams), against it
bare, and against asyncio one after the other. `Popen` against itself is the spread. With
`--ballast 500` the process holds 500 MB. Then short processes from 50 threads, and 200 threads that
create while another stops.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from _support import arguments, interleaved, table
from _up import compiled

from procession.executor import ExecHandle, Executor, ExecutorStopped

NULL = subprocess.DEVNULL


def in_threads(count: int, work: Callable[[], object]) -> float:
    """Seconds until all of them have done it."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def popen_alike(program: str) -> None:
    subprocess.Popen([program], stdin=NULL, stdout=NULL, stderr=NULL, start_new_session=True).wait()


def popen_bare(program: str) -> None:
    subprocess.Popen([program]).wait()


def by_asyncio(program: str, count: int) -> float:
    async def main() -> None:
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(program)
            await process.wait()

    began = time.perf_counter()
    asyncio.run(main())
    return time.perf_counter() - began


class Bar(NamedTuple):
    """What the executor's rate should be, over that of a case, by one thread and by 32."""

    one: float
    many: float


POPEN, ASYNCIO = "Popen, same options", "asyncio, one after the other"
START, RUN = "executor, start()", "executor, run()"
BARS = {POPEN: Bar(0.85, 0.9), ASYNCIO: Bar(1.3, 1.5)}


def rates(
    started: Executor,
    served: Executor,
    program: str,
    threads: int,
    count: int,
    rounds: int,
    mb: int,
) -> None:
    each = max(1, count // threads)
    total = each * threads

    def many(one: Callable[[], object]) -> Callable[[], float]:
        return lambda: in_threads(threads, lambda: [one() for _ in range(each)])

    cases = {
        POPEN: many(lambda: popen_alike(program)),
        POPEN + ", again": many(lambda: popen_alike(program)),
        "Popen, bare": many(lambda: popen_bare(program)),
        ASYNCIO: lambda: by_asyncio(program, total),
        START: many(lambda: started.create_process([program]).wait()),
        RUN: many(lambda: served.create_process([program]).wait()),
    }
    found = interleaved(cases, rounds)
    rows = []
    for name, figures in found.items():
        bar = BARS.get(name)
        wanted = "" if bar is None else f"{bar.one if threads == 1 else bar.many:g}"
        over = [figures.over(found[mode]).show() for mode in (START, RUN)]
        rows.append((name, figures.show(0, 1e6 / total), *over, wanted))
    table(
        f"{total} of {program} by {threads} threads, {mb} MB held: create and wait",
        ["", "us each", "the rate of start() over it", "that of run()", "bar"],
        rows,
    )


def rss() -> float:
    """MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def held(ex: Executor) -> tuple[int, int, int, float]:
    trace = len(ex.processes)  # first: who has ended is let go of then
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count(), trace, rss()


def flat(ex: Executor, program: str, count: int) -> bool:
    """Are descriptors, threads, trace and memory what they were?"""
    codes: list[int] = []

    def work(number: int) -> None:
        for _ in range(number):
            codes.append(ex.create_process([program]).wait())

    in_threads(50, lambda: work(10))
    codes.clear()
    before = held(ex)
    seconds = in_threads(50, lambda: work(count // 50))
    after = held(ex)
    names = ("descriptors", "threads", "trace", "RSS, MB")
    table(
        f"{len(codes)} short processes from 50 threads in {seconds:.1f} s",
        ["", "before", "after"],
        [(name, f"{a:g}", f"{b:g}") for name, a, b in zip(names, before, after, strict=True)],
    )
    well = before[:3] == after[:3] and after[3] - before[3] < 5
    return well and codes == [0] * (count // 50 * 50)


def stops(times: int) -> bool:
    """200 threads create while another one stops: does anything outlive, or start later?"""
    lost = 0
    for _ in range(times):
        ex = Executor()
        made: list[ExecHandle] = []

        def work(ex: Executor = ex, made: list[ExecHandle] = made) -> None:
            while True:
                try:
                    made.append(ex.create_process(["sleep", "60"]))
                except ExecutorStopped:
                    return

        def stop(ex: Executor = ex, made: list[ExecHandle] = made) -> None:
            while len(made) < 100:
                time.sleep(0.001)
            ex.stop()

        threads = [threading.Thread(target=work) for _ in range(200)]
        threads.append(threading.Thread(target=stop))
        for thread in threads:
            thread.start()
        ex.run()
        for thread in threads:
            thread.join()
        lost += sum(not handle.done for handle in made) + len(ex.processes)
        lost += ex._keeper._number - len(made)
    print(f"\n200 threads creating while another stops, {times} times: {lost} lost or late")
    return lost == 0


def all_rates(program: str, options: argparse.Namespace, mb: int) -> None:
    """This thread is the main one, and serves."""
    failed: list[BaseException] = []
    with Executor() as started:
        served = Executor()

        def work() -> None:
            try:
                for threads in (1, 32):
                    rates(started, served, program, threads, options.count, options.rounds, mb)
            except BaseException as e:  # noqa: BLE001 - raised in the main thread
                failed.append(e)
            finally:
                served.stop()

        worker = threading.Thread(target=work)
        worker.start()
        served.run()
        worker.join()
    if failed:
        raise failed[0]


def main() -> None:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--count", type=int, default=320, help="processes a round (default: 320)")
    parser.add_argument("--short", type=int, default=2000, help="for the look at what is held")
    parser.add_argument("--stops", type=int, default=5, help="how often all is stopped")
    parser.add_argument("--ballast", type=int, default=0, metavar="MB", help="memory to hold")
    options = parser.parse_args()
    ballast = bytearray(b"\1") * (options.ballast << 20)
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("nothing", Path(folder)) if shutil.which("cc") else "/bin/true"
        all_rates(program, options, len(ballast) >> 20)
        with Executor() as ex:
            well = flat(ex, program, options.short)
    well = stops(options.stops) and well
    if not well:
        sys.exit("bench/executor.py: something was lost, started late, or grew")


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/executor.py: what is held is read from /proc")
    main()
