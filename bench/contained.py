"""What it costs to have each process of an executor in a control group of its own.

Creating and waiting for a static no-op (`/bin/true` where there is no C compiler) by one thread and
by many: `Executor(containment="group")`, the executor as it is by default, and
`subprocess.Popen(...).wait()` with the same options (own session, null streams). `Popen` against
itself is the spread. Then a single start after a rest, where the kernel makes the move of a process
dear (docs/decisions/0009): until `create_process` returns, and until the no-op was waited for. Root
makes a group for it; anybody else has to be in one of their own. The bar, 0.45 times the rate of
Popen, is checked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _support import Samples, arguments, interleaved, table
from _up import compiled
from executor import in_threads, popen_alike

from procession.executor import Executor
from procession.process._delegation_linux import divisible
from tests.support import groups

BAR = 0.45  # times the rate of Popen with the same options


@contextmanager
def in_group() -> Iterator[None]:
    """In a group that is ours to divide."""
    if divisible() is not None:
        yield
        return
    if os.geteuid() != 0:
        print("not measured: this process is in no control group that is ours to divide")
        return
    made = groups.make(owner=None)
    (made.folder / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (groups.hierarchy() / "cgroup.procs").write_text("0")
        made.close()


def rates(
    executors: dict[str, Executor], program: str, threads: int, count: int, rounds: int
) -> bool:
    """Print them; is the bar met?"""
    each = max(1, count // threads)
    total = each * threads

    def many(one: Callable[[], object]) -> Callable[[], float]:
        return lambda: in_threads(threads, lambda: [one() for _ in range(each)])

    cases = {
        "Popen, same options": many(lambda: popen_alike(program)),
        "Popen, same options, again": many(lambda: popen_alike(program)),
    }
    for name, ex in executors.items():
        cases[name] = many(lambda ex=ex: ex.create_process([program]).wait())
    found = interleaved(cases, rounds)
    base = found["Popen, same options"]
    table(
        f"{total} of {program} by {threads} threads: create and wait",
        ["", "us each", "its rate over that of Popen"],
        [(name, f.show(0, 1e6 / total), base.over(f).show()) for name, f in found.items()],
    )
    return base.over(found["executor, control groups"]).median >= BAR


def rested(
    executors: dict[str, Executor], program: str, count: int, rounds: int, rest: float
) -> None:
    """Of one start, after a rest, in milliseconds: until it returned, until it was waited for."""
    waited: dict[str, list[float]] = {name: [] for name in (*executors, "Popen, same options")}

    def measured(name: str, start: Callable[[], subprocess.Popen[bytes]]) -> float:
        took = ended = 0.0
        for _ in range(count):
            time.sleep(rest)
            began = time.perf_counter()
            process = start()
            took += time.perf_counter() - began
            process.wait()
            ended += time.perf_counter() - began
        waited[name].append(ended)
        return took

    def popen() -> subprocess.Popen[bytes]:
        null = subprocess.DEVNULL
        return subprocess.Popen(
            [program], stdin=null, stdout=null, stderr=null, start_new_session=True
        )

    cases: dict[str, Callable[[], float]] = {
        "Popen, same options": lambda: measured("Popen, same options", popen)
    }
    for name, ex in executors.items():
        cases[name] = lambda name=name, ex=ex: measured(name, lambda: ex.create_process([program]))
    found = interleaved(cases, rounds)
    table(
        f"one start after {rest:g} s of rest",
        ["", "ms until started", "ms until waited for"],
        [
            (name, f.show(2, 1e3 / count), Samples(waited[name][1:]).show(2, 1e3 / count))
            for name, f in found.items()
        ],
    )


def main() -> None:
    parser = arguments(__doc__ or "", rounds=15)
    parser.add_argument("--count", type=int, default=320, help="processes a round (default: 320)")
    parser.add_argument("--rested", type=int, default=4, help="starts after a rest, a round")
    parser.add_argument("--rest", type=float, default=0.1, metavar="SECONDS", help="before each")
    options = parser.parse_args()
    well = True
    with tempfile.TemporaryDirectory() as folder, in_group():
        program = compiled("nothing", Path(folder)) if shutil.which("cc") else "/bin/true"
        with Executor() as plain, Executor(containment="group") as grouped:
            executors = {"executor": plain, "executor, control groups": grouped}
            for threads in (1, 32):
                well = rates(executors, program, threads, options.count, options.rounds) and well
            rested(executors, program, options.rested, options.rounds, options.rest)
    if not well:
        sys.exit(f"bench/contained.py: less than {BAR} times the rate of Popen")


if __name__ == "__main__":
    if sys.platform != "linux":
        sys.exit("bench/contained.py: control groups are Linux's")
    main()
