"""The same tasks under procession, supervisor, circus and honcho: start, rest, stop, who is left.

Each is run in the foreground, with its own defaults, from a file that somebody would write for it;
all but honcho restart what fails and write a log file for each stream. They are installed from the
package index into `build/others` (versions: requirements/others.txt). Who is left is seen by the
program it runs, a copy of sleep(1), whatever its parent, session and environment are; this script
ends these in the end. Linux. Needs a C compiler.
"""

from __future__ import annotations

import math
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _support import Samples, arguments, interleaved, table
from _tools import ALL, Commands, Tool, install
from _up import BOUND, Start, Tasks

COUNT = 100
SETTLED = 2.0  # seconds after a start: two of them never stop when they are told right after it
REST = 10.0  # seconds over which idleness is measured
AFTER = 5.0  # seconds after a crash, or after the end of the tool, until it is counted who lives
PATIENCE = 45.0  # seconds for a stop: the longest grace of them is 30
TICKS = os.sysconf("SC_CLK_TCK")

# `{}` is a program that sleeps; how many of it there are
HARD = {
    "a background child": ("{} 1000 & exec {} 1000", 2),
    "a daemon in a session of its own": ("setsid {} 1000 & exec {} 1000", 2),
    "a daemon by a double fork": ("(setsid {} 1000 &); exec {} 1000", 2),
    "the same with an empty environment": ("(setsid env -i {} 1000 &); exec {} 1000", 2),
    "a task that ignores SIGTERM": ("trap '' TERM; exec {} 1000", 1),
}


class Sleepers:
    """A program that nobody else runs, and those who do."""

    def __init__(self, folder: Path) -> None:
        self.program = str(folder / "sleeps")
        shutil.copy(shutil.which("sleep") or "/bin/sleep", self.program)

    def alive(self) -> list[int]:
        return [pid for pid in pids() if program(pid) == self.program]

    def until(self, count: int, seconds: float) -> int:
        """How many there are, as soon as these are so many, or when the time is over."""
        end = time.monotonic() + seconds
        while (found := len(self.alive())) != count and time.monotonic() < end:
            time.sleep(0.02)
        return found

    def end(self) -> None:
        for pid in self.alive():
            pidfd = os.pidfd_open(pid)
            try:
                if program(pid) == self.program:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def program(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def own_processes(root: int, task: str) -> list[int]:
    """The tool's: what descends from it, but for tasks."""
    parents = {}
    for pid in pids():
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                parents[pid] = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return [pid for pid in found if program(pid) != task]


def ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12])


def proportional(pid: int) -> int:
    """PSS in KiB: what several share is counted once."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))


# ---- start, rest, stop of many


def lives(tool: Tool, tasks: Tasks, facts: dict[str, list[float]], *, rest: bool) -> float:
    """One life of all tasks; seconds of the start. The others go to `facts`."""
    run = {
        f"t{n:03}": [tasks.program, str(tasks.pid_file(n)), str(tasks.fifo)] for n in range(COUNT)
    }
    with tempfile.TemporaryDirectory() as folder:
        with Start(tasks, tool.command(Path(folder), run)) as start:
            time.sleep(SETTLED)
            if rest:
                own = own_processes(start.process.pid, tasks.program)
                before = sum(map(ticks, own))
                time.sleep(REST)
                facts["idle"].append((sum(map(ticks, own)) - before) / TICKS / REST)
                facts["memory"].append(sum(map(proportional, own)) / 1024)
                facts["processes"].append(len(own))
            began = time.perf_counter()
            start.process.send_signal(signal.SIGTERM)
            gone = select.select([start.stage], [], [], PATIENCE)[0]
            facts["stop"].append(time.perf_counter() - began if gone else math.inf)
            if not gone:
                for pid in own_processes(start.process.pid, ""):
                    os.kill(pid, signal.SIGKILL)
            start.process.wait(PATIENCE)
        return start.took


def many(folder: Path, rounds: int) -> None:
    tasks = Tasks(folder, COUNT)
    facts: dict[str, dict[str, list[float]]] = {
        tool.name: {"stop": [], "idle": [], "memory": [], "processes": []} for tool in ALL
    }
    for tool in ALL:
        lives(tool, tasks, facts[tool.name], rest=True)
    for of in facts.values():
        of["stop"].clear()

    def case(tool: Tool) -> Callable[[], float]:
        return lambda: lives(tool, tasks, facts[tool.name], rest=False)

    figures = interleaved({tool.name: case(tool) for tool in ALL}, rounds, warm_up=0)
    rows = [
        ("start of all, ms", *(figures[tool.name].show(0, 1000) for tool in ALL)),
        ("stop of all, ms", *(stops(facts[tool.name]["stop"]) for tool in ALL)),
        ("idle, % of a core", *(f"{facts[tool.name]['idle'][0] * 100:.2f}" for tool in ALL)),
        ("memory of its own, MB", *(f"{facts[tool.name]['memory'][0]:.0f}" for tool in ALL)),
        ("processes of its own", *(f"{facts[tool.name]['processes'][0]:.0f}" for tool in ALL)),
    ]
    head = [f"{COUNT} tasks, {rounds} rounds", *(tool.title() for tool in ALL)]
    table("Obedient C programs, until the last has begun, and until the last is gone", head, rows)


def stops(figures: list[float]) -> str:
    well = [figure for figure in figures if figure < PATIENCE]
    lost = len(figures) - len(well)
    said = Samples(well).show(0, 1000) if well else "-"
    return f"{said}; {lost} of {len(figures)} not in {PATIENCE:.0f} s" if lost else said


# ---- who is left


@contextmanager
def running(tool: Tool, folder: Path, tasks: Commands) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    command = tool.command(folder, tasks)
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def crash(tool: Tool, sleepers: Sleepers) -> str:
    """Ten tasks with a background child each; the process that was typed is killed."""
    script = HARD["a background child"][0].format(sleepers.program, sleepers.program)
    tasks = {f"t{n}": ["/bin/sh", "-c", script] for n in range(10)}
    with tempfile.TemporaryDirectory() as folder, running(tool, Path(folder), tasks) as process:
        begun = sleepers.until(20, BOUND)
        assert begun == 20, f"{tool.name}: {begun} of 20 came to be"
        process.kill()
        left = sleepers.until(0, AFTER)
        sleepers.end()
    return f"{left} of 20"


def stop(tool: Tool, kind: str, sleepers: Sleepers) -> str:
    script, count = HARD[kind]
    tasks = {"t": ["/bin/sh", "-c", script.replace("{}", sleepers.program)]}
    with tempfile.TemporaryDirectory() as folder, running(tool, Path(folder), tasks) as process:
        begun = sleepers.until(count, BOUND)
        assert begun == count, f"{tool.name}, {kind}: {begun} of {count} came to be"
        time.sleep(SETTLED)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
            took = f"{time.monotonic() - began:.1f} s"
        except subprocess.TimeoutExpired:
            took = f"{tool.name} has not ended in {PATIENCE:.0f} s"
        left = sleepers.until(0, AFTER)
        sleepers.end()
    return f"lives on ({took})" if left else f"gone ({took})"


def left(folder: Path) -> None:
    sleepers = Sleepers(folder)
    rows = [("alive after kill -9 of the tool", *(crash(tool, sleepers) for tool in ALL))]
    rows += [(kind, *(stop(tool, kind, sleepers) for tool in ALL)) for kind in HARD]
    head = ["what a stop leaves, and how long it took", *(tool.title() for tool in ALL)]
    table(f"Who lives {AFTER:.0f} s later", head, rows)


def main() -> int:
    options = arguments(__doc__ or "", rounds=7).parse_args()
    install()
    with tempfile.TemporaryDirectory() as folder:
        many(Path(folder), options.rounds)
        left(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
