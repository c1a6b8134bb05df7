"""The pure core at scale: random histories under the rules, and what one event costs as tasks grow.

Two bars; the status is 1 where one is missed:

- every one of 20,000 random histories of up to 30 tasks (tests/support/world.py) keeps the rules;
- an event of a project of 10,000 tasks costs less than twice what one of 100 tasks costs, in a
  life of three parts: all start; 30 % crash at once and all come again; all are stopped. Once
  without dependencies, once in a graph five deep, where each task says when it is ready and
  needs up to three of those below, and every tenth restarts with what it needs.

What is timed is the core alone: events go in, actions come out and are answered; nothing is
spawned, and no shell is asked. BeginAll and StopAllAsked count as one event for each replica.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from random import Random

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

from _support import Samples, arguments, interleaved, table

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.status import ExitStatus
from procession.spec import Check, Dependency, FileProbe, Project, Restart, Task
from tests.support.world import World
from tests.support.world_draw import draw_history

SIZES = (100, 1_000, 10_000)
PARTS = ("start", "crash storm", "stop")
DEPTH = 5
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
    rows, kept = [], True
    for shape, tasks_of in SHAPES.items():
        for part, by_size in _measured(tasks_of, rounds).items():
            ratio = by_size[SIZES[-1]].over(by_size[SIZES[0]])
            kept = kept and ratio.median < BAR
            costs = [by_size[n].show(1, 1e6) for n in SIZES]
            verdict = "yes" if ratio.median < BAR else "NO"
            rows.append((shape, part, *costs, ratio.show(), verdict))
    sizes = (f"{n:,} tasks" for n in SIZES)
    head = ["shape", "part", *sizes, "largest / smallest", f"under {BAR:g}"]
    table("Microseconds (of processor time) of the core for each event", head, rows)
    return kept


def _measured(tasks_of: Callable[[int], list[Task]], rounds: int) -> dict[str, dict[int, Samples]]:
    figures: dict[str, dict[int, list[float]]] = {part: {n: [] for n in SIZES} for part in PARTS}

    def life(size: int) -> float:
        spent: Counter[str] = Counter()
        told: Counter[str] = Counter()
        for _ in range(SIZES[-1] // size):  # as many events for each size
            project = _Life(tasks_of(size))
            project.live()
            spent.update(project.spent)
            told.update(project.told)
        for part in PARTS:
            figures[part][size].append(spent[part] / told[part])
        return sum(spent.values()) / sum(told.values())

    whole = interleaved({str(n): lambda n=n: life(n) for n in SIZES}, rounds, warm_up=1)
    samples = {part: {n: Samples(figures[part][n][1:]) for n in SIZES} for part in PARTS}
    samples["all of it"] = {n: whole[str(n)] for n in SIZES}
    return samples


def _flat(size: int) -> list[Task]:
    return [Task(f"t{n}", "true", restart=Restart("always")) for n in range(size)]


def _deep(size: int) -> list[Task]:
    """As many in each layer; who needs whom is left to a chance that is always the same."""
    rng = Random(size)
    width, tasks = size // DEPTH, []
    ready = Check((FileProbe("/there"),))
    for n, task in enumerate(_flat(size)):
        below = range((n // width - 1) * width, n // width * width) if n >= width else ()
        needs = rng.sample(below, rng.randint(1, 3)) if below else ()
        together = n % 10 == 0
        depends_on = tuple(Dependency(f"t{need}", restart=together) for need in needs)
        tasks.append(task.replace(depends_on=depends_on, ready=ready))
    return tasks


SHAPES = {"flat": _flat, f"{DEPTH} deep": _deep}


class _Life:
    """One project from its beginning to its end; counts events and seconds of each part."""

    def __init__(self, tasks: list[Task]) -> None:
        self.fleet = Fleet(Project("bench", "/", tuple(tasks)))
        self.names = list(self.fleet.replicas)
        self.timers: dict[str, int] = {}
        self.backed_off: list[str] = []
        self.due: deque[Happening] = deque()
        self.events = 0
        self.now = 0.0
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
            up = sum(state.ready for state in self.fleet.replicas.values())
            if up != (0 if part == "stop" else len(self.names)):
                raise AssertionError(f"{part}: {up} of {len(self.names)} are ready")
        if not self.finished:
            raise AssertionError("the project did not finish: this was no whole life")

    def _play(self) -> None:
        """Until nothing follows any more; every answer is the obvious one, and comes at once."""
        while self.due:
            event = self.due.popleft()
            self.events += 1
            self.now += 0.001
            for action in self.fleet.handle(event, self.now):
                self._answer(action)

    def _answer(self, action: act.Action) -> None:
        kind = type(action)
        if kind is act.Spawn:
            self.due.append(ev.Spawned(action.replica, action.run, 1))
        elif kind is act.BeginCheck:
            self.due.append(ev.CheckPassed(action.replica, action.run, action.which))
        elif kind is act.SignalTree:
            self._ends(action.replica, action.run, ExitStatus(signal=15))
        elif kind is act.SetTimer:
            self.timers[action.replica] = action.timer
        elif kind is act.Changed:
            if action.new == "backoff":
                self.backed_off.append(action.replica)
        elif kind is act.Finish:
            self.finished = True

    def _ends(self, name: str, run: int, status: ExitStatus) -> None:
        self.due.append(ev.LeaderExited(name, run, status, 0))
        self.due.append(ev.TreeEmpty(name, run))

    def _start(self) -> None:
        self.due.append(ev.BeginAll())
        self.events += len(self.names) - 1
        self._play()

    def _crash(self) -> None:
        crashing = Random(0).sample(self.names, int(len(self.names) * CRASHING))
        for name in crashing:
            self._ends(name, self.fleet.replicas[name].run, ExitStatus(1))
        self._play()
        self.now += 60.0
        for name in self.backed_off:
            self.due.append(ev.TimerFired(name, self.timers[name]))
        self._play()

    def _stop(self) -> None:
        self.due.append(ev.StopAllAsked("the bench ends"))
        self.events += len(self.names) - 1
        self._play()


if __name__ == "__main__":
    raise SystemExit(main())
