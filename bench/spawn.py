"""What starting one process costs by each mechanism, to its reaping; `/bin/true` is the child.

The decision that rests on it: docs/decisions/0005.
"""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable

from _support import arguments, interleaved, table

from procession.process import _spawn_posix
from procession.process.command import Command

TRUE = "/bin/true"


def ours(spawn: str, count: int) -> tuple[float, float]:
    """Seconds in the calls, and in all, for `count` processes one after the other."""
    start = getattr(_spawn_posix, spawn)
    command = Command(("true",), TRUE)
    calls = 0.0
    began = time.perf_counter()
    for _ in range(count):
        called = time.perf_counter()
        handle = start(command)
        calls += time.perf_counter() - called
        select.select([handle.pidfd], [], [])
        handle.reap()
        handle.close()
    return calls, time.perf_counter() - began


def bare(count: int) -> tuple[float, float]:
    """The same with `subprocess.Popen` and the options that ours gives every child."""
    null = subprocess.DEVNULL
    calls = 0.0
    began = time.perf_counter()
    for _ in range(count):
        called = time.perf_counter()
        process = subprocess.Popen(
            [TRUE], stdin=null, stdout=null, stderr=null, start_new_session=True
        )
        calls += time.perf_counter() - called
        process.wait()
    return calls, time.perf_counter() - began


def main() -> None:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--count", type=int, default=100, help="processes a round (default: 100)")
    parser.add_argument("--ballast", type=int, default=0, metavar="MB", help="memory to hold")
    options = parser.parse_args()
    ballast = bytearray(b"\1") * (options.ballast << 20)
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "subprocess.Popen": lambda: bare(options.count),
        "our spawn, fork_exec": lambda: ours("spawn_fork_exec", options.count),
        "our spawn, Popen": lambda: ours("spawn_popen", options.count),
    }
    for number, what in enumerate(("the call", "call, run, exit and reaping")):
        figures = interleaved(
            {name: lambda way=way, number=number: way()[number] for name, way in ways.items()},
            options.rounds,
        )
        base = figures["subprocess.Popen"]
        table(
            f"{options.count} processes one after the other, {len(ballast) >> 20} MB held: {what}",
            ["", "ms each", "times subprocess.Popen"],
            [
                (name, figure.show(3, 1000 / options.count), figure.over(base).show())
                for name, figure in figures.items()
            ],
        )


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/spawn.py: the mechanisms are compared on Linux")
    main()
