"""The pure core at scale: random histories under the rules, and what one event costs as tasks grow.

Two bars; the status is 1 where one is missed:

- every one of 20,000 random histories of up to 30 tasks (tests/support/world.py) keeps the rules;
- an event of a project of 10,000 tasks costs less than twice what one of 100 tasks costs, in a
  life of three parts: all start; 30 % crash at once and come again; all are stopped.

What is timed is the core alone: events go in, actions come out and are looked at; nothing is
spawned, and no shell is asked. BeginAll and StopAllAsked count as one event for each replica.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from random import Random

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from _support import Samples, arguments, interleaved, table

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.status import ExitStatus
from procession.spec import Project, Restart, Task
from tests.support.world import World
from tests.support.world_draw import draw_history

SIZES = (100, 1_000, 10_000)
PARTS = ("start", "crash storm", "stop")
CRASHING = 0.3  # of all tasks
MOST_TASKS = 30
BAR = 2.0


def main() -> int:
    parser = arguments(__doc__ or "", rounds=5)
    parser.add_argument(
        "--histories", type=int, default=20_000, metavar="N", help="how many (default: 20000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first history")
    options = parser.parse_args()
    kept = _histories(options.histories, options.seed)
    cheap = _costs(options.rounds)
    return 0 if kept and cheap else 1


def _histories(count: int, first: int) -> bool:
    """Play them all; a broken rule is told with the seed that breaks it again."""
    totals: Counter[str] = Counter()
    broken = []
    began = time.perf_counter()
    for seed in range(first, first + count):
        rng = Random(seed)
        world = World(draw_history(rng, tasks=rng.randint(1, MOST_TASKS)))
        try:
            world.play()
        except AssertionError as e:
            broken.append(seed)
            print(f"seed {seed}: {e}", file=sys.stderr)
        totals["tasks"] += len(world.trees)
        totals["events"] += world.events
        totals["runs"] += sum(map(len, world.trees.values()))
        totals["actions"] += len(world.actions)
    took = time.perf_counter() - began
    rows = [("histories", count), *totals.items(), ("broken rules", len(broken))]
    rows.append(("seconds", f"{took:.1f}"))
    table("Random histories of the core in a simulated world", ["", ""], rows)
    return not broken


def _costs(rounds: int) -> bool:
    figures: dict[str, dict[int, list[float]]] = {part: {n: [] for n in SIZES} for part in PARTS}

    def life(size: int) -> float:
        spent: Counter[str] = Counter()
        told: Counter[str] = Counter()
        for _ in range(SIZES[-1] // size):  # as many events for each size
            project = _Life(size)
            project.live()
            spent.update(project.spent)
            told.update(project.told)
        for part in PARTS:
            figures[part][size].append(spent[part] / told[part])
        return sum(spent.values()) / sum(told.values())

    whole = interleaved({str(n): lambda n=n: life(n) for n in SIZES}, rounds, warm_up=1)
    samples = {part: {n: Samples(figures[part][n][1:]) for n in SIZES} for part in PARTS}
    samples["all of it"] = {n: whole[str(n)] for n in SIZES}
    rows, kept = [], True
    for part, by_size in samples.items():
        ratio = by_size[SIZES[-1]].over(by_size[SIZES[0]])
        kept = kept and ratio.median < BAR
        costs = [by_size[n].show(1, 1e6) for n in SIZES]
        rows.append((part, *costs, ratio.show(), "yes" if ratio.median < BAR else "NO"))
    head = ["part", *(f"{n:,} tasks" for n in SIZES), "largest / smallest", f"under {BAR:g}"]
    table("Microseconds (of processor time) of the core for each event", head, rows)
    return kept


class _Life:
    """One project from its beginning to its end; counts events and seconds of each part."""

    def __init__(self, size: int) -> None:
        self.names = [f"t{n}" for n in range(size)]
        tasks = tuple(Task(name, "true", restart=Restart("always")) for name in self.names)
        self.fleet = Fleet(Project("bench", "/", tasks))
        self.timers: dict[str, int] = {}
        self.run = dict.fromkeys(self.names, 0)
        self.now = 0.0
        self.events = 0
        self.finished = False
        self.spent: dict[str, float] = {}
        self.told: dict[str, int] = {}

    def live(self) -> None:
        for part, play in zip(PARTS, (self._start, self._crash, self._stop), strict=True):
            self.events = 0
            # not the wall's: other work on the machine says nothing of the core
            began = time.process_time()
            play()
            self.spent[part] = time.process_time() - began
            self.told[part] = self.events
        if not self.finished:
            raise AssertionError("the project did not finish: this was no whole life")

    def _tell(self, event: Happening) -> None:
        self.events += 1
        for action in self.fleet.handle(event, self.now):
            if isinstance(action, act.Spawn):
                self.run[action.replica] = action.run
            elif isinstance(action, act.SetTimer):
                self.timers[action.replica] = action.timer
            elif isinstance(action, act.Finish):
                self.finished = True

    def _start(self) -> None:
        self._tell(ev.BeginAll())
        self.events += len(self.names) - 1
        for name in self.names:
            self._tell(ev.Spawned(name, self.run[name], 1))

    def _crash(self) -> None:
        crashing = self.names[: int(len(self.names) * CRASHING)]
        self._end(crashing, ExitStatus(1))
        self.now += 60.0
        for name in crashing:
            self._tell(ev.TimerFired(name, self.timers[name]))
            self._tell(ev.Spawned(name, self.run[name], 1))

    def _stop(self) -> None:
        self._tell(ev.StopAllAsked("the bench ends"))
        self.events += len(self.names) - 1
        self._end(self.names, ExitStatus(signal=15))

    def _end(self, names: list[str], status: ExitStatus) -> None:
        for name in names:
            self._tell(ev.LeaderExited(name, self.run[name], status, 0))
            self._tell(ev.TreeEmpty(name, self.run[name]))


if __name__ == "__main__":
    raise SystemExit(main())
