"""A simulated world for the core: it carries out actions and answers with events, in virtual time.

`World(history).play()` plays one history: who is asked what and when, how long each spawn takes,
who heeds a signal, who leaves what behind, which timers and reports come late or twice. What
really lives is known here and nowhere else, so `tests.support.world_rules` can tell a core that
only believes that a tree is empty from one that waited for it.

Everything is decided by the history: the same one always plays the same way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from procession._record import Record
from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.status import ExitStatus
from procession.spec import Project
from tests.support.world_rules import Rules

FACT, REPORT, TIMER, ASK = range(4)  # kinds of happenings; a history says who is first in a tie


class Descendant(Record):
    """A process of a tree that is not its leader. Times are seconds; None means never."""

    after: float = 0.0  # when it comes to be, counted from the spawn, if anybody is left to fork
    lives: float | None = None  # ends by itself after this long
    heeds: float | None = None  # ends this long after the stop signal; None: deaf
    in_group: bool = True


class Behaviour(Record):
    """What one run does. Reports of a run keep their order, however long each takes."""

    spawn_takes: float = 0.0
    spawn_fails: int = 0  # 127, 126: no process comes to be
    lives: float | None = None
    exit: ExitStatus = ExitStatus(0)
    heeds: float | None = 0.0
    exit_heeded: ExitStatus = ExitStatus(signal=15)
    descendants: tuple[Descendant, ...] = ()
    helpers: tuple[Descendant, ...] = ()  # what the leader starts when it hears the stop signal
    dies_in: float = 0.0  # from SIGKILL to the end of each process
    unkillable: bool = False
    report_takes: float = 0.0  # until an end or a birth is seen
    drain_takes: float = 0.0  # until the output has been read to the end


class History(Record):
    """Everything that makes one play differ from another."""

    project: Project
    scripts: tuple[tuple[Behaviour, ...], ...]  # one a task; run n plays n-1, over and over
    asks: tuple[tuple[float, Happening], ...] = ()  # beside BeginAll at 0
    horizon: float = 20.0  # a stop of all is asked for then
    ties: tuple[int, int, int, int] = (0, 1, 2, 3)
    echo: float | None = None  # every event of a run, and every timer, comes again so much later
    late_timers: bool = False  # timers that were replaced fire all the same


class Process:
    __slots__ = ("alive", "heard", "heeds", "in_group", "is_leader", "sentenced")

    def __init__(self, *, leader: bool, heeds: float | None, in_group: bool) -> None:
        self.alive = True
        self.is_leader = leader
        self.heeds = heeds
        self.in_group = in_group
        self.heard = False
        self.sentenced = False  # SIGKILL was sent


class Tree:
    """One run as it is (`processes`) and as far as the core was told (the flags)."""

    def __init__(self, replica: str, number: int, behaviour: Behaviour) -> None:
        self.replica = replica
        self.number = number
        self.behaviour = behaviour
        self.processes: list[Process] = []
        self.exit: ExitStatus | None = None
        self.report_due = 0.0
        self.answered = False  # Spawned or SpawnFailed was told
        self.leader_told = False
        self.over = False  # TreeEmpty or SpawnFailed was told
        self.released = False
        self.killed = False

    def alive(self) -> list[Process]:
        return [p for p in self.processes if p.alive]


class World:
    """One project, its fleet, and everything the fleet believes to be outside."""

    def __init__(self, history: History, *, budget: int = 4000) -> None:
        self.history = history
        self.fleet = Fleet(history.project)
        self.now = 0.0
        self.events = 0
        self.actions: list[act.Action] = []
        self.trees: dict[str, list[Tree]] = {t.name: [] for t in history.project.tasks}
        self.timers: dict[str, tuple[int, float]] = {}
        self._scripts = {
            t.name: s for t, s in zip(history.project.tasks, history.scripts, strict=True)
        }
        self._budget = budget
        self._heap: list[tuple[float, int, int, Callable[[], None]]] = []
        self._count = 0
        self.rules = Rules(self)

    def play(self) -> World:
        """Play it to its end: until nothing is due any more. AssertionError names a broken rule."""
        self.until(self.history.horizon)
        # an endless restart loop is not a history that ends: it is asked to
        self._at(self.now, ASK, lambda: self.tell(ev.StopAllAsked("the history ends")))
        self._run(None)
        self.rules.at_end()
        return self

    def until(self, horizon: float) -> World:
        """Play it from its beginning until this time, or until there is too much of it."""
        self._at(0.0, ASK, lambda: self.tell(ev.BeginAll()))
        for at, event in self.history.asks:
            self._at(at, ASK, lambda event=event: self.tell(event))
        self._run(horizon)
        return self

    def _run(self, horizon: float | None) -> None:
        while self._heap and (
            horizon is None or (self._heap[0][0] <= horizon and self.events < self._budget)
        ):
            self.now, _, _, happening = heapq.heappop(self._heap)
            happening()
            assert self.events < self._budget * 2, "this history never ends"
        if horizon is not None and self.events < self._budget:
            self.now = horizon

    def _at(self, at: float, kind: int, happening: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self.history.ties[kind], self._count, happening))

    # --- telling the core ----------------------------------------------------------------------

    def tell(self, event: Happening, *, echoed: bool = False) -> list[act.Action]:
        """Let the core handle one event now, and carry out what it asks for."""
        self.events += 1
        stale = echoed or self._is_stale(event)
        if not stale:
            self._note(event)
        self.rules.before(event, stale)
        actions = self.fleet.handle(event, self.now)
        self.rules.answered(actions)
        for action in actions:
            self.rules.action(action)
            self._perform(action)
        self.actions += actions
        self.rules.settled()
        # a birth seen twice is no contradiction: whoever it was is told, or killed, again
        once = isinstance(event, ev.RunEvent | ev.TimerFired) and not isinstance(event, ev.TreeGrew)
        if once and not echoed and self.history.echo is not None:
            later = self.now + self.history.echo
            self._at(later, REPORT, lambda: self.tell(event, echoed=True))
        return actions

    def _is_stale(self, event: Happening) -> bool:
        if isinstance(event, ev.TimerFired):
            current = self.timers.get(event.replica)
            return current is None or current[0] != event.timer
        if isinstance(event, ev.RunEvent):
            tree = self.trees[event.replica][event.run - 1]
            return tree.over or tree.released or tree is not self.trees[event.replica][-1]
        return False

    def _note(self, event: Happening) -> None:
        if isinstance(event, ev.TimerFired):
            del self.timers[event.replica]
        elif isinstance(event, ev.RunEvent):
            tree = self.trees[event.replica][-1]
            tree.answered = True
            tree.leader_told = tree.leader_told or isinstance(event, ev.LeaderExited)
            tree.over = isinstance(event, ev.TreeEmpty | ev.SpawnFailed)

    # --- carrying out --------------------------------------------------------------------------

    def _perform(self, action: act.Action) -> None:
        if isinstance(action, act.Spawn):
            self._spawn(action)
        elif isinstance(action, act.SetTimer):
            self._set_timer(action)
        elif isinstance(action, act.SignalTree | act.KillTree | act.Release):
            tree = self.trees[action.replica][action.run - 1]
            if isinstance(action, act.SignalTree):
                self._signal(tree, action)
            elif isinstance(action, act.KillTree):
                self._kill(tree)
            else:
                tree.released = True

    def _spawn(self, action: act.Spawn) -> None:
        script = self._scripts[action.replica]
        behaviour = script[(action.run - 1) % len(script)]
        tree = Tree(action.replica, action.run, behaviour)
        self.trees[action.replica].append(tree)
        names = (action.replica, action.run)
        if behaviour.spawn_fails:
            failed = ev.SpawnFailed(*names, "no such program", behaviour.spawn_fails)
            self._report(tree, behaviour.spawn_takes, lambda: failed)
            return
        self._report(tree, behaviour.spawn_takes, lambda: ev.Spawned(*names, 1000 + action.run))
        leader = Process(leader=True, heeds=behaviour.heeds, in_group=True)
        tree.processes.append(leader)
        self._dies_after(behaviour.lives, tree, leader, behaviour.exit)
        for child in behaviour.descendants:
            if child.after == 0:
                self._born(tree, child)
            else:
                self._at(self.now + child.after, FACT, lambda child=child: self._comes(tree, child))

    def _set_timer(self, action: act.SetTimer) -> None:
        self.timers[action.replica] = (action.timer, action.at)

        def fire() -> None:
            current = self.timers.get(action.replica, (0, 0.0))[0] == action.timer
            if current or self.history.late_timers:
                self.tell(ev.TimerFired(action.replica, action.timer))

        self._at(action.at, TIMER, fire)

    def _signal(self, tree: Tree, action: act.SignalTree) -> None:
        for process in tree.alive():
            if action.to == "leader" and not process.is_leader:
                continue
            if action.to == "group" and not process.in_group:
                continue
            if action.unheard and process.heard:
                continue
            first = not process.heard
            process.heard = True
            self._dies_after(process.heeds, tree, process, tree.behaviour.exit_heeded)
            if process.is_leader and first:
                for helper in tree.behaviour.helpers:
                    self._comes(tree, helper)

    def _kill(self, tree: Tree) -> None:
        tree.killed = True
        for process in tree.alive():
            process.sentenced = True
            if not tree.behaviour.unkillable:
                self._dies_after(tree.behaviour.dies_in, tree, process, ExitStatus(signal=9))

    # --- what happens by itself ----------------------------------------------------------------

    def _born(self, tree: Tree, child: Descendant) -> None:
        process = Process(leader=False, heeds=child.heeds, in_group=child.in_group)
        tree.processes.append(process)
        self._dies_after(child.lives, tree, process, ExitStatus(0))

    def _comes(self, tree: Tree, child: Descendant) -> None:
        if tree.alive():
            self._born(tree, child)
            grew = ev.TreeGrew(tree.replica, tree.number)
            self._report(tree, tree.behaviour.report_takes, lambda: grew)

    def _dies_after(
        self, seconds: float | None, tree: Tree, process: Process, status: ExitStatus
    ) -> None:
        if seconds is not None:
            self._at(self.now + seconds, FACT, lambda: self._dies(tree, process, status))

    def _dies(self, tree: Tree, process: Process, status: ExitStatus) -> None:
        if not process.alive:
            return
        process.alive = False
        names = (tree.replica, tree.number)
        if process.is_leader:
            tree.exit = status
            self._report(
                tree,
                tree.behaviour.report_takes,
                lambda: ev.LeaderExited(*names, status, len(tree.alive())),
            )
        if not tree.alive():
            self._report(tree, tree.behaviour.drain_takes, lambda: ev.TreeEmpty(*names))

    def _report(self, tree: Tree, takes: float, make: Callable[[], ev.RunEvent]) -> None:
        tree.report_due = max(tree.report_due, self.now + takes)
        self._at(tree.report_due, REPORT, lambda: self.tell(make()))
