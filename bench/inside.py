"""A project inside a Python program: what starting, stopping and looking cost that program.

One and 100 sleeping tasks, beside as many children of one's own by `subprocess.Popen`, which are
neither kept nor logged; one restart, back to ready; the processor's share of 100 tasks at rest; and
how long `ps()` takes while 50 tasks end as fast as they start. No bars: a program is not a
supervisor of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from _support import Samples, arguments, interleaved, seconds, table

from procession import Running, Task, up

REST = 3.0  # seconds
STORM = 5.0


class Phases:
    """What one life of a project takes, phase by phase: asked in this order, in one round."""

    def __init__(self, count: int, logs: str) -> None:
        self.tasks = [Task(f"t{number}", "/bin/sleep", 600) for number in range(count)]
        self.logs = logs
        self.found: dict[str, list[float]] = {"up": [], "restart one": [], "down": []}

    def live(self) -> float:
        began = time.perf_counter()
        running = up(*self.tasks, log_dir=self.logs)
        running.ready()
        self.found["up"].append(time.perf_counter() - began)
        self.found["restart one"].append(seconds(lambda: running.restart("t0")))
        self.found["down"].append(seconds(running.down))
        return time.perf_counter() - began


class OfOnesOwn:
    def __init__(self, count: int) -> None:
        self.count = count
        self.found: dict[str, list[float]] = {"up": [], "down": []}

    def live(self) -> float:
        began = time.perf_counter()
        pipe = subprocess.PIPE
        started = [
            subprocess.Popen(["/bin/sleep", "600"], stdout=pipe, stderr=pipe)
            for _ in range(self.count)
        ]
        up_at = time.perf_counter()
        for one in started:
            one.terminate()
        for one in started:
            one.communicate()
        down_at = time.perf_counter()
        self.found["up"].append(up_at - began)
        self.found["down"].append(down_at - up_at)
        return down_at - began


def at_rest(running: Running) -> float:
    """The share of a core that the program takes while nothing happens."""
    running.ready()
    time.sleep(1.0)  # the logs of earlier runs are looked at first
    before = time.process_time()
    time.sleep(REST)
    return (time.process_time() - before) / REST


def in_a_storm(logs: str) -> tuple[Samples, float]:
    """How long each `ps()` took, and how many runs there were a second."""
    again = {"policy": "always", "delay": 0}
    took: list[float] = []
    with up(
        *(Task(f"t{number}", "/bin/true", restart=again) for number in range(50)), log_dir=logs
    ) as running:
        until = time.perf_counter() + STORM
        while time.perf_counter() < until:
            took.append(seconds(running.ps))
            time.sleep(0.05)
        runs = sum(row.run for row in running.ps())
    return Samples(took), runs / STORM


def main() -> int:
    options = arguments(__doc__ or "", rounds=7).parse_args()
    with tempfile.TemporaryDirectory() as logs:
        for count in (1, 100):
            inside, own = Phases(count, logs), OfOnesOwn(count)
            interleaved({"inside": inside.live, "own": own.live}, options.rounds)
            rows = []
            for name, values in inside.found.items():
                beside = own.found.get(name)
                shown = Samples(beside[1:]).show(1, 1000) if beside else ""
                rows.append((name, Samples(values[1:]).show(1, 1000), shown))
            title = f"{count} sleeping tasks, {options.rounds} rounds: milliseconds"
            table(title, ["", "inside a program", "Popen by oneself"], rows)
        with up(*(Task(f"t{n}", "/bin/sleep", 600) for n in range(100)), log_dir=logs) as running:
            print(f"\n100 tasks at rest: {100 * at_rest(running):.3f} % of a core")
        took, runs = in_a_storm(logs)
        worst = 1000 * max(took.values)
        print(f"a storm, {runs:.0f} runs a second: ps() {took.show(1, 1000)} ms, worst {worst:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
