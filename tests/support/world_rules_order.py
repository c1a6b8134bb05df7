"""The rules of dependencies: who waits, who is skipped, who restarts with whom, who stops first.

After every event all of it is worked out anew from the replicas as they are; the core counts.
"""

from __future__ import annotations

from procession.core import actions as act
from procession.core import events as ev
from procession.core.states import (
    ORDER,
    Completed,
    End,
    Failed,
    Pending,
    ReplicaState,
    Running,
    Skipped,
)
from tests.support.world_book import ENDS, UP, Book

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.world_rules import Rules


def holds(state: ReplicaState, condition: str) -> bool | None:
    """None: not now, and never by itself."""
    phase, asks_health = state.phase, state.task.health or state.task.watchdog is not None
    if isinstance(phase, Running):
        if phase.planned is not None or condition.startswith("completed"):
            return False
        if condition == "started":
            return phase.exit is None
        return state.healthy is True if condition == "healthy" and asks_health else state.ready
    if isinstance(phase, Completed):
        return True if condition not in ("ready", "healthy") or state.been_ready else None
    if isinstance(phase, End):
        return True if isinstance(phase, Failed) and condition == "completed" else None
    return False


class OrderRules:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.world = rules.world
        self.books = rules.books
        self.of_task: dict[str, list[str]] = {}
        for name, book in self.books.items():
            self.of_task.setdefault(book.task.name, []).append(name)
        needs = {t.name: [d.task for d in t.depends_on] for t in self.world.history.project.tasks}
        self.followers: dict[str, list[str]] = {task: [] for task in needs}
        self.above: dict[str, set[str]] = {task: set() for task in needs}
        for task in self.world.history.project.tasks:
            for dependency in task.depends_on:
                if dependency.restart:
                    self.followers[dependency.task] += self.of_task[task.name]
            below = [d.task for d in task.depends_on]
            while below:
                under = below.pop()
                if not self.above[under].issuperset(self.of_task[task.name]):
                    self.above[under].update(self.of_task[task.name])
                    below += needs[under]
        self.depending = [name for name, book in self.books.items() if book.task.depends_on]
        self.on_task: dict[str, set[str]] = {task: set() for task in needs}
        for name in self.depending:
            for dependency in self.books[name].task.depends_on:
                self.on_task[dependency.task].add(name)
        self.first: dict[str, set[str]] = {task: set() for task in needs}
        self.unmet_since: dict[tuple[str, int], float] = {
            (name, n): 0.0
            for name in self.depending
            for n in range(len(self.books[name].task.depends_on))
        }
        self.began: dict[str, float] = {}
        self.skipped: dict[str, str] = {}
        self.spawned: list[str] = []

    def state(self, name: str) -> ReplicaState:
        return self.world.fleet.replicas[name]

    # --- before, and as it is done -----------------------------------------------------------

    def asked(self, event: ev.StartAsked | ev.RestartAsked) -> None:
        """Who is wanted up wants up what it needs; who restarts takes others along."""
        for name in self._missing(event.replica, set()):
            book = self.books[name]
            if not book.gave_up:
                self.rules.asked_up(book)
        if isinstance(event, ev.RestartAsked) and not self.books[event.replica].gave_up:
            self._takes_along(self.books[event.replica].task.name)

    def _missing(self, name: str, seen: set[str]) -> set[str]:
        for dependency in self.books[name].task.depends_on:
            for need in self.of_task[dependency.task]:
                state = self.state(need)
                lasts = not dependency.condition.startswith("completed")
                if not state.ended:
                    missing = not state.wanted or state.phase == Pending()
                elif holds(state, dependency.condition):
                    missing = lasts and not state.task.completes
                else:
                    missing = True
                if missing and need not in seen:
                    seen.add(need)
                    self._missing(need, seen)
        return seen

    def _takes_along(self, task: str) -> None:
        for name in self.followers[task]:
            book = self.books[name]
            if book.state not in UP:
                continue
            self.first[task].add(name)
            if book.state != "stopping" and book.wanted and not book.restart_due:
                book.restart_due = True
                self._takes_along(book.task.name)

    def changed(self, change: act.Changed, book: Book) -> None:
        name = change.replica
        if change.new == "pending":
            self.began[name] = self.world.now
        if change.new == change.old:
            if change.new == "skipped":
                self.skipped[name] = "never"
            return
        if change.new not in UP:
            for first in self.first.values():
                first.discard(name)
        if change.new == "backoff" and self.rules.stop_all_at is None:
            self._takes_along(book.task.name)
        if change.new == "stopping" and change.why.startswith("the project stops"):
            late = self.rules.forced_all or all(
                self.books[n].state in ENDS for n in self.above[book.task.name]
            )
            self.rules.check(late, "it stops before what depends on it is down", change)
        if change.new == "skipped":
            late = change.old == "pending" and self.rules.is_timer_of(name)
            self.skipped[name] = "late" if late else "never"
            due = self._due(name) if late else 0.0
            over = due is not None and due <= self.world.now
            self.rules.check(over, "it may be waited for longer", change)
        elif change.old == "skipped":
            del self.skipped[name]

    def spawn(self, name: str) -> None:
        book = self.books[name]
        first = self.first[book.task.name]
        self.rules.check(not first, f"{name} began before {first} were down")
        self.spawned.append(name)

    # --- at rest again -----------------------------------------------------------------------

    def settled(self, touched: list[str]) -> None:
        spawned, self.spawned = self.spawned, []
        if self.rules.stop_all_at is not None:
            if not self.rules.forced_all:
                self._stops_in_turn()
            return
        for name in spawned:
            unmet = self._unmet(name, False) | self._unmet(name, None)
            self.rules.check(not unmet, f"{name} began, and {unmet} do not hold")
        tasks = {self.books[name].task.name for name in touched}
        concerned = set(touched).intersection(self.depending)
        for task in tasks:
            concerned.update(self.on_task[task])
        for name in sorted(concerned):
            self._waits(name)

    def _unmet(self, name: str, which: bool | None) -> set[int]:
        """Which of its dependencies are so (False: not now; None: never)."""
        found = set()
        for n, dependency in enumerate(self.books[name].task.depends_on):
            truths = [
                holds(self.state(r), dependency.condition) for r in self.of_task[dependency.task]
            ]
            whole = None if None in truths else all(truths)
            if whole is which:
                found.add(n)
        return found

    def _waits(self, name: str) -> None:
        never = self._unmet(name, None)
        unmet = self._unmet(name, False) | never
        for n in range(len(self.books[name].task.depends_on)):
            if n not in unmet:
                self.unmet_since.pop((name, n), None)
            else:
                self.unmet_since.setdefault((name, n), self.world.now)
        state, first = self.state(name), self.first[self.books[name].task.name]
        hold, phase = state.hold, state.phase
        self.rules.check(
            (hold is not None) == bool(unmet or first), f"{name} is held, or not", hold
        )
        if hold is not None:
            self.rules.check(bool(hold.never) == bool(never), f"{name} may never start", hold)
            self.rules.check(hold.first == bool(first), f"{first} have to be down", hold)
        if isinstance(phase, Pending) and phase.for_ == ORDER:
            self.rules.check(hold is not None, f"{name} waits for nothing")
            self.rules.check(not never, f"{name} waits for what will never be")
            self.rules.check(phase.began == self.began[name], f"{name} began to wait then")
            due = self._due(name)
            same = phase.due == (None if due is None else max(due, self.world.now))
            self.rules.check(same or phase.due == due, f"{name} waits until {due}", phase)
        if isinstance(phase, Skipped) and self.skipped[name] == "never" and state.wanted:
            self.rules.check(never, f"{name} is skipped, and could be started")

    def _due(self, name: str) -> float | None:
        """When the first of what it waits for has taken too long."""
        dues = [
            max(self.began[name], self.unmet_since[name, n]) + dependency.timeout
            for n, dependency in enumerate(self.books[name].task.depends_on)
            if dependency.timeout is not None and (name, n) in self.unmet_since
        ]
        return min(dues, default=None)

    def _stops_in_turn(self) -> None:
        for name, book in self.books.items():
            if book.state in ("pending", "backoff"):
                self.rules.check(False, f"{name} is {book.state}, and will never begin")
            turn = all(self.books[n].state in ENDS for n in self.above[book.task.name])
            if turn and book.state in ("starting", "running"):
                self.rules.check(False, f"{name} is {book.state}, and it is its turn to stop")
