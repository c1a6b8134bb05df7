"""What starting one process costs by each mechanism, to its reaping.

The child is a static C program that does nothing, or `/bin/true` where there is no C compiler. Of
ours each gets a session, a pidfd and an exit that is seen before it is reaped; `subprocess.Popen`
is measured with the options that come nearest. The decision that rests on it: docs/decisions/0005.
"""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _support import arguments, interleaved, table
from _up import compiled

from procession.process import _spawn_posix
from procession.process.command import Command


def ours(spawn: str, program: str, count: int) -> tuple[float, float]:
    """Seconds in the calls, and in all, for `count` processes one after the other."""
    start = getattr(_spawn_posix, spawn)
    command = Command((program,), program)
    calls = 0.0
    began = time.perf_counter()
    for _ in range(count):
        called = time.perf_counter()
        handle = start(command)
        calls += time.perf_counter() - called
        select.select([handle.pidfd], [], [])
        handle.poll_exit()
        handle.reap()
        handle.close()
    return calls, time.perf_counter() - began


def popen(program: str, count: int) -> tuple[float, float]:
    """The same with `subprocess.Popen` and the options that ours gives every child."""
    null = subprocess.DEVNULL
    calls = 0.0
    began = time.perf_counter()
    for _ in range(count):
        called = time.perf_counter()
        process = subprocess.Popen(
            [program], stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        calls += time.perf_counter() - called
        process.wait()
    return calls, time.perf_counter() - began


def bare(program: str, count: int) -> tuple[float, float]:
    """`Popen(...).wait()` without any option: less is done, and the child shares our terminal."""
    calls = 0.0
    began = time.perf_counter()
    for _ in range(count):
        called = time.perf_counter()
        process = subprocess.Popen([program])
        calls += time.perf_counter() - called
        process.wait()
    return calls, time.perf_counter() - began


def measure(program: str, count: int, rounds: int, ballast: int) -> None:
    held = bytearray(b"\1") * (ballast << 20)
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "subprocess.Popen, same options": lambda: popen(program, count),
        "subprocess.Popen, bare": lambda: bare(program, count),
        "our spawn, fork_exec": lambda: ours("spawn_fork_exec", program, count),
        "our spawn, Popen": lambda: ours("spawn_popen", program, count),
    }
    for number, what in enumerate(("the call", "call, run, exit and reaping")):
        figures = interleaved(
            {name: lambda way=way, number=number: way()[number] for name, way in ways.items()},
            rounds,
        )
        base = figures["subprocess.Popen, same options"]
        table(
            f"{count} of {program}, one after the other, {len(held) >> 20} MB held: {what}",
            ["", "ms each", "times Popen, same options"],
            [
                (name, figure.show(3, 1000 / count), figure.over(base).show())
                for name, figure in figures.items()
            ],
        )


def main() -> None:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--count", type=int, default=100, help="processes a round (default: 100)")
    parser.add_argument("--ballast", type=int, default=0, metavar="MB", help="memory to hold")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("nothing", Path(folder)) if shutil.which("cc") else "/bin/true"
        measure(program, options.count, options.rounds, options.ballast)


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/spawn.py: the mechanisms are compared on Linux")
    main()
