"""Who waits for whom: what the tasks of a project depend on, counted as their replicas change.

Each condition that somebody depends on is a count over the replicas of a task, so that a change
costs what it means to those who depend on it, and nothing to all others. No clock.
"""

from __future__ import annotations

from itertools import islice

from procession.core import events as ev
from procession.core import graph
from procession.core.parts import seconds
from procession.core.states import (
    Completed,
    Failed,
    Pending,
    ReplicaState,
    Running,
    Skipped,
    Starting,
    Stopped,
    Stopping,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from procession.spec import Dependency, Task

MET, OPEN, NEVER = "met", "open", "never"

_LOST = (Failed, Stopped, Skipped)
_UP = (Starting, Running, Stopping)  # something of it may live
_NAMED = 3  # of what is waited for, and of the ends of a long path
_WORDS = {
    "started": "to be started",
    "ready": "to be ready",
    "healthy": "to be healthy",
    "completed": "to complete",
    "completed-successfully": "to complete successfully",
}
_LATE_WORDS = {
    "started": "was not started",
    "ready": "was not ready",
    "healthy": "was not healthy",
    "completed": "did not complete",
    "completed-successfully": "did not complete successfully",
}


def truth(s: ReplicaState, condition: str) -> str:
    """Does the condition hold of this replica: MET, OPEN, or NEVER unless somebody starts it.

    One that completed was started, and is as ready and healthy as it was: what a short task did
    before others began to wait for it is not undone by its end.
    """
    phase = s.phase
    if isinstance(phase, Running):
        if phase.planned is not None:
            met = False  # this run makes way for another
        elif condition == "started":
            met = phase.exit is None
        elif condition == "ready" or (condition == "healthy" and not _has_health(s.task)):
            met = s.ready
        else:
            met = condition == "healthy" and s.healthy is True
        return MET if met else OPEN
    if isinstance(phase, Completed):
        asks = condition in ("ready", "healthy")
        return NEVER if asks and not s.been_ready else MET
    if isinstance(phase, Failed) and condition == "completed":
        return MET
    return NEVER if isinstance(phase, _LOST) else OPEN


class _Condition:
    """One condition of one task, over all its replicas."""

    __slots__ = ("dependants", "met", "name", "never", "truth")

    def __init__(self, name: str) -> None:
        self.name = name
        self.met = self.never = 0
        self.truth = OPEN
        self.dependants: list[tuple[str, int]] = []  # replicas, and which of their dependencies


class _Node:
    """One task."""

    __slots__ = (
        "conditions", "first", "followers", "leaders", "live", "needs", "replicas", "task",
        "unfinished",
    )  # fmt: skip

    def __init__(self, task: Task) -> None:
        self.task = task
        self.replicas: list[str] = []
        self.needs: dict[_Node, None] = {}
        self.followers: dict[_Node, None] = {}  # those that restart with it
        self.leaders: dict[_Node, None] = {}  # those of `needs` that it restarts with
        self.conditions: list[_Condition] = []
        self.first: dict[str, None] = {}  # replicas that have to be down before it restarts
        self.live = 0  # during the stop of all: replicas that have not ended,
        self.unfinished = 0  # and dependants that hold up its stop


class Order:
    """The dependencies of one project. Owned by its fleet, whose replicas it is told of.

    Raises ValueError for a circle, and for a dependency on a task that is not there.
    """

    def __init__(self, tasks: Iterable[Task], replicas: dict[str, ReplicaState]) -> None:
        self._replicas = replicas
        self._nodes = {task.name: _Node(task) for task in tasks}
        self._of: dict[str, _Node] = {}
        self._edges = graph.edges_of(node.task for node in self._nodes.values())
        self._turn = {name: n for n, name in enumerate(graph.order(self._edges))}
        # Of each replica that depends on something: what does not hold, by its place in
        # `depends_on`, and since when; and of these what never will, why, and by which path.
        self._unmet: dict[str, dict[int, float]] = {}
        self._never: dict[str, dict[int, tuple[str, tuple[str, ...]]]] = {}
        for name, state in replicas.items():
            node = self._of[name] = self._nodes[state.task.name]
            node.replicas.append(name)
        self._connect()

    def _connect(self) -> None:
        found: dict[tuple[str, str], _Condition] = {}
        for name, state in self._replicas.items():
            depends_on = state.task.depends_on
            if not depends_on:
                continue
            node = self._of[name]
            for place, dependency in enumerate(depends_on):
                need = self._nodes.get(dependency.task)
                if need is None:
                    raise ValueError(f"{name} depends on {dependency.task}, which is no task")
                node.needs[need] = None
                if dependency.restart:
                    need.followers[node] = None
                    node.leaders[need] = None
                key = (dependency.task, dependency.condition)
                if key not in found:
                    found[key] = _Condition(dependency.condition)
                    need.conditions.append(found[key])
                found[key].dependants.append((name, place))
            self._unmet[name] = dict.fromkeys(range(len(depends_on)), 0.0)
            self._never[name] = {}
        for name, state in self._replicas.items():
            leads = bool(self._of[name].followers)
            if leads or name in self._unmet:
                self._replicas[name] = state.replace(hold=self._hold(name), leads=leads)

    # --- what keeps a replica from starting --------------------------------------------------

    def changed(self, before: ReplicaState, after: ReplicaState, now: float) -> list[ev.Event]:
        """What those that depend on a replica have to hear of its change. What holds them is not
        in it: it may be another when they hear of it (`held`)."""
        node = self._of[after.replica]
        events: list[ev.Event] = []
        if node.conditions and not _same(before, after):
            for condition in node.conditions:
                was, now_is = truth(before, condition.name), truth(after, condition.name)
                if was != now_is:
                    self._count(node, condition, was, now_is, after, now, events)
        if node.leaders and isinstance(before.phase, _UP) and not isinstance(after.phase, _UP):
            for leader in node.leaders:
                if after.replica in leader.first:
                    del leader.first[after.replica]
                    if not leader.first:
                        events += [ev.Held(name, None) for name in leader.replicas]
        return events

    def _count(
        self,
        node: _Node,
        condition: _Condition,
        was: str,
        now_is: str,
        after: ReplicaState,
        now: float,
        events: list[ev.Event],
    ) -> None:
        condition.met += (now_is == MET) - (was == MET)
        condition.never += (now_is == NEVER) - (was == NEVER)
        whole = MET if condition.met == len(node.replicas) else OPEN
        if condition.never:
            whole = NEVER
        if whole == condition.truth:
            return
        condition.truth = whole
        reason = _why_never(after) if whole == NEVER else None
        for name, place in condition.dependants:
            if whole == MET:
                del self._unmet[name][place]
            else:
                self._unmet[name].setdefault(place, now)
            if reason is not None:
                self._never[name][place] = reason
            else:
                self._never[name].pop(place, None)
            events.append(ev.Held(name, None))

    def held(self, name: str) -> ev.Held:
        """What holds it now."""
        return ev.Held(name, self._hold(name))

    def _hold(self, name: str) -> ev.Hold | None:
        node, unmet = self._of[name], self._unmet.get(name, {})
        if not unmet and not node.first:
            return None
        depends_on = self._replicas[name].task.depends_on
        words = [f"{follower} to be down" for follower in islice(node.first, _NAMED)]
        for place in islice(unmet, _NAMED):
            words.append(f"{depends_on[place].task} {_WORDS[depends_on[place].condition]}")
        count = len(unmet) + len(node.first)
        by = ", ".join(words[:_NAMED])
        by = f"{by} and {count - _NAMED} more" if count > _NAMED else by
        never, path = next(iter(self._never.get(name, {}).values()), ("", ()))
        limits = tuple(
            _limit(depends_on[place], since)
            for place, since in unmet.items()
            if depends_on[place].timeout is not None
        )
        return ev.Hold(by, bool(node.first), never, path, limits)

    # --- starts and restarts -----------------------------------------------------------------

    def needed(self, tasks: Iterable[str]) -> dict[str, None]:
        """These tasks, and all that they depend on."""
        return graph.closure(self._edges, tasks)

    def missing(self, name: str) -> list[str]:
        """Replicas that have to be started for this one to be, each after those that it needs
        itself: what is down, or on its way there, and not for having done its part."""
        found: dict[str, None] = {}
        more = [name]
        while more:
            for need in self._down_for(more.pop()):
                if need not in found:
                    found[need] = None
                    more.append(need)
        return sorted(found, key=lambda need: self._turn[self._of[need].task.name])

    def _down_for(self, name: str) -> Iterable[str]:
        for dependency in self._replicas[name].task.depends_on:
            for replica in self._nodes[dependency.task].replicas:
                if _is_missing(self._replicas[replica], dependency.condition):
                    yield replica

    def leads(self, state: ReplicaState) -> list[ev.Event]:
        """It is going to have another run: what those have to hear that restart with it and are
        up, and before that its own replicas, which wait until these are down."""
        node = self._of[state.replica]
        up = [
            name
            for follower in node.followers
            for name in follower.replicas
            if isinstance(self._replicas[name].phase, _UP)
        ]
        if not up:
            return []
        node.first.update(dict.fromkeys(up))
        reason = f"restarts with {state.task.name}"
        held = [self.held(name) for name in node.replicas]
        return [*held, *(ev.RestartWith(name, reason) for name in up)]

    # --- the stop of all ---------------------------------------------------------------------

    def begin_stop(self) -> set[str]:
        """The whole project is to stop. Which replicas wait for others to be down first."""
        for node in self._nodes.values():
            node.live = sum(not self._replicas[name].ended for name in node.replicas)
            node.unfinished = 0
        waiting: set[str] = set()
        for task in reversed(self._turn):  # dependants first
            node = self._nodes[task]
            if node.unfinished:
                waiting.update(node.replicas)
            if node.live or node.unfinished:
                for need in node.needs:
                    need.unfinished += 1
        return waiting

    def ended(self, name: str) -> list[str]:
        """During the stop of all a replica ended: whose turn it is now."""
        node = self._of[name]
        node.live -= 1
        turn: list[str] = []
        gone = [node] if not node.live and not node.unfinished else []
        while gone:
            for need in gone.pop().needs:
                need.unfinished -= 1
                if need.unfinished:
                    continue
                if need.live:
                    turn += need.replicas
                else:
                    gone.append(need)
        return turn


def _same(before: ReplicaState, after: ReplicaState) -> bool:
    """Nothing that a condition asks for has changed."""
    return (
        before.phase is after.phase
        and before.ready is after.ready
        and before.healthy is after.healthy
    )


def _has_health(task: Task) -> bool:
    return task.health is not None or task.watchdog is not None


def _is_missing(s: ReplicaState, condition: str) -> bool:
    if not s.ended:
        # what goes down for good does not come back by itself, nor comes what has not begun yet
        # and may not start with the project
        return not s.wanted or (isinstance(s.phase, Pending) and not s.phase.for_)
    if truth(s, condition) != MET:
        return True
    # it ended well: that will do for what is meant to end, and where no more is asked for
    return condition in ("started", "ready", "healthy") and not s.task.completes


def _why_never(s: ReplicaState) -> tuple[str, tuple[str, ...]]:
    phase, name = s.phase, s.task.name
    if isinstance(phase, Skipped):
        path = (name, *phase.path)
        if len(path) > 2 * _NAMED + 1:  # what a long chain says stays readable, and small
            path = (*path[:_NAMED], "...", *path[-_NAMED:])
        return phase.cause, path
    if isinstance(phase, Failed):
        return f"{s.replica} failed: {s.why}", (name,)
    if isinstance(phase, Completed):
        return f"{s.replica} ended without having been ready: {s.why}", (name,)
    return f"{s.replica} was stopped: {s.why}", (name,)


def _limit(dependency: Dependency, since: float) -> ev.Limit:
    assert dependency.timeout is not None
    late = _LATE_WORDS[dependency.condition]
    words = f"{dependency.task} {late} within {seconds(dependency.timeout)}"
    return ev.Limit(dependency.task, since, dependency.timeout, words)
