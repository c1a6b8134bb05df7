"""The graceful stop of 100 and 400 obedient C programs, until all of them are gone.

From the signal to the guardian until guardian, supervisor and every task have ended, told by
pidfds and by the end of a FIFO that the tasks hold. Beside it what nobody can be faster than:
`kill` and `waitpid` of as many children of one's own. The bars: 0.15 s for 100, 0.4 s for 400.
Status 1 if one is missed. Needs a C compiler.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _support import arguments, interleaved, table
from _up import Start, Tasks, wait_for

from tests.support.up import children, until_logged

BARS = {100: 0.15, 400: 0.4}


def by_up(tasks: Tasks, number: signal.Signals) -> float:
    """Asked when the last start was written down: when the supervisor has nothing else to do."""
    with Start(tasks, tasks.up("--quiet")) as start:
        last = f"task-{tasks.count - 1:03} run 1: starting -> running"
        if not until_logged(tasks.logs, last):
            raise SystemExit(f"never logged: {last}")
        (supervisor,) = children(start.process.pid)
        halves = [os.pidfd_open(pid) for pid in (start.process.pid, supervisor)]
        began = time.perf_counter()
        start.process.send_signal(number)
        for pidfd in halves:
            wait_for(pidfd, "procession lives on")
        start.until_gone()
        took = time.perf_counter() - began
        for pidfd in halves:
            os.close(pidfd)
        if start.process.wait() != 0:
            raise SystemExit(f"procession ended with {start.process.returncode}")
    return took


def by_oneself(tasks: Tasks) -> float:
    stage = os.open(tasks.fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(stage, True)
    started = [
        subprocess.Popen([tasks.program, str(tasks.pid_file(n)), str(tasks.fifo)])
        for n in range(tasks.count)
    ]
    missing = tasks.count
    while missing:
        wait_for(stage, f"{missing} tasks have not begun")
        missing -= len(os.read(stage, missing))
    began = time.perf_counter()
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        process.wait()
    took = time.perf_counter() - began
    os.close(stage)
    tasks.forget()
    return took


def main() -> int:
    parser = arguments(__doc__ or "", rounds=7)
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 400], metavar="N")
    options = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for count in options.tasks:
            tasks = Tasks(Path(folder), count)
            figures = interleaved(
                {
                    "kill and waitpid by oneself": lambda tasks=tasks: by_oneself(tasks),
                    "SIGTERM": lambda tasks=tasks: by_up(tasks, signal.SIGTERM),
                    "SIGINT": lambda tasks=tasks: by_up(tasks, signal.SIGINT),
                },
                options.rounds,
            )
            oneself = figures["kill and waitpid by oneself"]
            rows = [
                (
                    name,
                    f.show(1, 1000),
                    f.minus(oneself).show(1, 1000),
                    f"{max(f.values) * 1000:.1f}",
                )
                for name, f in figures.items()
            ]
            title = f"{count} obedient tasks, {options.rounds} rounds: until all are gone"
            table(title, ["", "ms", "ms over oneself", "slowest"], rows)
            bar = BARS.get(count)
            worst = max(figures["SIGTERM"].median, figures["SIGINT"].median)
            if bar is not None:
                print(f"bar {bar} s: {'met' if worst <= bar else 'MISSED'} with {worst:.3f} s")
                missed |= worst > bar
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
