"""What supervision costs, on real processes: order, restarts, a crash storm, and doing nothing.

Four bars; the status is 1 where one is missed:

- 400 tasks in a graph four deep have all begun within 1.5 times what the same take without order;
- the supervisor of 400 tasks that are up uses less than 0.1 % of a core;
- a static program that is killed runs again within 3 times what its bare spawn takes;
- while 50 programs that end at once are started again for 30 s, without a pause and without end,
  `procession ps` answers within a second each time, nothing is left open, no memory is held, and
  who else wants a core gets one.

Needs Linux and a C compiler.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _support import Samples, arguments, interleaved, table
from _up import BOUND, COMMAND, Start, Tasks, compiled, wait_for

from tests.support.up import children, until_logged

COUNT, DEPTH = 400, 4
CRASHERS = 50
PS_APART = 0.25  # seconds between two questions

# a thread of a process of its own that computes all the time: how much of a core it gets
BUSY = """
import sys, threading, time
def work():
    while not over: pass
over = False
thread = threading.Thread(target=work)
began, used = time.monotonic(), time.process_time()
thread.start(); sys.stdin.read(); over = True; thread.join()
print((time.process_time() - used) / (time.monotonic() - began))
"""


def main() -> int:
    parser = arguments(__doc__ or "", rounds=7)
    parser.add_argument("--idle", type=float, default=20.0, metavar="S", help="(default: 20)")
    parser.add_argument("--storm", type=float, default=30.0, metavar="S", help="(default: 30)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        kept = [
            in_order(path, options.rounds),
            doing_nothing(path, options.idle),
            killed(path, 4 * options.rounds),
            crash_storm(path, options.storm),
        ]
    return 0 if all(kept) else 1


def bar(what: str, figure: float, limit: float, unit: str = "") -> bool:
    met = figure <= limit
    print(f"bar, {what}: {'met' if met else 'MISSED'} with {figure:.3g}{unit} of {limit:g}{unit}")
    return met


# --- order -------------------------------------------------------------------------------------


class Deep(Tasks):
    """In layers: each task needs two of the layer below to be ready."""

    def __init__(self, folder: Path, count: int, depth: int) -> None:
        folder.mkdir()
        super().__init__(folder, count)
        layer = count // depth
        lines = self.file.read_text().splitlines()
        for number in range(count - 1, layer - 1, -1):
            below = {number - layer, number - layer + (1 if (number + 1) % layer else 1 - layer)}
            needs = ", ".join(f"task-{n:03}" for n in sorted(below))
            lines.insert(1 + 4 * number + 4, f"    depends-on: [{needs}]")
        self.file.write_text("\n".join(lines) + "\n")


def in_order(folder: Path, rounds: int) -> bool:
    flat, deep = Tasks(folder, COUNT), Deep(folder / "deep", COUNT, DEPTH)

    def once(tasks: Tasks) -> float:
        with Start(tasks, tasks.up("--quiet")) as start:
            return start.took

    figures = interleaved({"flat": lambda: once(flat), "four deep": lambda: once(deep)}, rounds)
    ratio = figures["four deep"].over(figures["flat"])
    rows = [(name, f.show(1, 1000), f.over(figures["flat"]).show()) for name, f in figures.items()]
    title = f"{COUNT} tasks, {rounds} rounds: command line to the last pid file"
    table(title, ["", "ms", "times flat"], rows)
    return bar("four deep", ratio.median, 1.5, " x")


# --- doing nothing -----------------------------------------------------------------------------


def ran(pid: int) -> float:
    """Seconds of CPU of all threads of a process, from the scheduler: stat counts in 10 ms."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def doing_nothing(folder: Path, length: float) -> bool:
    home = folder / "idle"
    home.mkdir()
    tasks = Tasks(home, COUNT)
    with Start(tasks, tasks.up("--quiet")) as start:
        last = f"task-{COUNT - 1:03} run 1: starting -> running"
        if not until_logged(tasks.logs, last):
            raise SystemExit(f"never logged: {last}")
        (supervisor,) = children(start.process.pid)
        pids = (start.process.pid, supervisor)
        time.sleep(2.0)  # the page cache of the log, the server of the control plane
        before, began = [ran(pid) for pid in pids], time.monotonic()
        time.sleep(length)
        took = time.monotonic() - began
        used = [(ran(pid) - b) / took * 100 for pid, b in zip(pids, before, strict=True)]
    rows = [(name, f"{u:.4f}") for name, u in zip(("guardian", "supervisor"), used, strict=True)]
    table(f"{COUNT} tasks that are up, {length:g} s", ["", "% of a core"], rows)
    return bar("doing nothing", sum(used), 0.1, " %")


# --- a restart ---------------------------------------------------------------------------------


def killed(folder: Path, rounds: int) -> bool:
    program, home = compiled("obedient", folder), folder / "killed"
    home.mkdir()
    fifo, pid_file = home / "stage", home / "pid"
    os.mkfifo(fifo)
    restart = "{policy: always, delay: 0s}"
    (home / "procession.yaml").write_text(
        f"tasks:\n  one:\n    program: {program}\n"
        f"    args: [{pid_file}, {fifo}]\n    restart: {restart}\n"
    )
    stage = os.open(fifo, os.O_RDWR)
    quiet = subprocess.DEVNULL
    up = [*COMMAND, "-f", str(home / "procession.yaml"), "--quiet"]
    process = subprocess.Popen(up, stdin=quiet, stdout=quiet, stderr=quiet)

    def began() -> None:
        wait_for(stage, "nothing began")
        os.read(stage, 1)

    def again() -> float:
        number = int(pid_file.read_text())
        at = time.perf_counter()
        os.kill(number, signal.SIGKILL)
        began()
        return time.perf_counter() - at

    def bare() -> float:
        at = time.perf_counter()
        child = subprocess.Popen([program, str(home / "bare"), str(fifo)], stdin=quiet)
        began()
        took = time.perf_counter() - at
        child.kill()
        child.wait()
        return took

    try:
        began()
        figures = interleaved({"bare spawn": bare, "killed, and up again": again}, rounds)
    finally:
        process.terminate()
        process.wait(BOUND)
        os.close(stage)
    ratio = figures["killed, and up again"].over(figures["bare spawn"])
    rows = [(n, f.show(2, 1000), f.over(figures["bare spawn"]).show()) for n, f in figures.items()]
    table(f"{rounds} rounds: to the first thing it does", ["", "ms", "times the spawn"], rows)
    return bar("a restart", ratio.median, 3.0, " x")


# --- a crash storm -----------------------------------------------------------------------------


def crash_storm(folder: Path, length: float) -> bool:
    program, home = compiled("nothing", folder), folder / "storm"
    home.mkdir()
    restart = "{policy: always, delay: 0s}"
    (home / "procession.yaml").write_text(
        "tasks:\n"
        + "".join(
            f"  task-{n:02}:\n    program: {program}\n    restart: {restart}\n"
            for n in range(CRASHERS)
        )
    )
    file, quiet = str(home / "procession.yaml"), subprocess.DEVNULL
    words = ["-f", file, "--quiet", "--log-dir", str(home / "logs")]
    up = subprocess.Popen([*COMMAND, *words], stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        if not until_logged(home / "logs", "task-00 run 2"):
            raise SystemExit("nothing was started again")
        (supervisor,) = children(up.pid)
        busy = subprocess.Popen(
            [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        answers, sizes, cpu, began = [], [], ran(supervisor), time.monotonic()
        while time.monotonic() - began < length:
            at = time.perf_counter()
            said = subprocess.run(
                [sys.executable, COMMAND[1], "ps", "-f", file, "--json"],
                capture_output=True,
                check=True,
                timeout=BOUND,
            )
            answers.append(time.perf_counter() - at)
            sizes.append(size_of(supervisor))
            time.sleep(PS_APART)
        took = time.monotonic() - began
        cpu = (ran(supervisor) - cpu) / took
        share = float(busy.communicate()[0])
        runs = sum(one["run"] for one in json.loads(said.stdout))
    finally:
        up.terminate()
        up.wait(BOUND)
    half = len(sizes) // 2
    grown = sizes[-1][0] - sizes[half][0]
    told = Samples(answers)
    rows = [
        ("ps, ms (median and quartiles)", told.show(0, 1000)),
        ("ps, slowest, ms", f"{max(answers) * 1000:.0f}"),
        ("starts of a program, a second", f"{runs / took:.0f}"),
        ("the supervisor, of a core", f"{cpu:.2f}"),
        ("another that computes, of a core", f"{share:.2f}"),
        (
            "resident memory, MB, at half time and at the end",
            f"{sizes[half][0]:.1f}, {sizes[-1][0]:.1f}",
        ),
        ("descriptors, most in each half", f"{most(sizes[:half])}, {most(sizes[half:])}"),
    ]
    table(f"{CRASHERS} programs that end at once, {took:.0f} s", ["", ""], rows)
    kept = [
        bar("ps in a crash storm", max(answers), 1.0, " s"),
        bar("memory in the second half", grown, 2.0, " MB"),
        bar("descriptors more than before", most(sizes[half:]) - most(sizes[:half]), 10.0),
        bar("a core less what another gets", 1 - share, 0.2),
    ]
    return all(kept)


def size_of(pid: int) -> tuple[float, int]:
    """Resident megabytes, and open descriptors."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir(f"/proc/{pid}/fd"))


def most(sizes: list[tuple[float, int]]) -> int:
    return max(count for _, count in sizes)


if __name__ == "__main__":
    sys.exit(main())
