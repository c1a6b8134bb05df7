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

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.status import ExitStatus
from tests.support.world_model import Behaviour, Descendant, History, Process, Tree
from tests.support.world_rules import Rules

__all__ = ["Behaviour", "Descendant", "History", "World"]

REPEATABLE = (
    ev.TreeGrew,
    ev.CheckPassed,
    ev.CheckFailed,
    ev.CheckTold,
    ev.StatusTold,
    ev.ExtendAsked,
)
TO_RUNS = (
    act.SignalTree, act.KillTree, act.Release, act.BeginCheck, act.EndChecks, act.RunCommand,
    act.EndCommand,
)  # fmt: skip
FACT, REPORT, TIMER, ASK = range(4)  # kinds of happenings; a history says who is first in a tie


class World:
    """One project, its fleet, and everything the fleet believes to be outside."""

    def __init__(self, history: History, *, budget: int = 4000) -> None:
        self.history = history
        self.fleet = Fleet(history.project, lambda: history.chance)
        self.now = 0.0
        self.events = 0
        self.actions: list[act.Action] = []
        self.trees: dict[str, list[Tree]] = {name: [] for name in self.fleet.replicas}
        self.timers: dict[str, tuple[int, float]] = {}
        scripts = dict(zip((t.name for t in history.project.tasks), history.scripts, strict=True))
        self._scripts = {r.name: scripts[r.task.name] for r in history.project.replicas()}
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
        self.rules.settled(actions)
        # a birth seen twice is no contradiction, nor is what somebody says more than once
        once = isinstance(event, ev.RunEvent | ev.TimerFired) and not isinstance(event, REPEATABLE)
        if once and not echoed and self.history.echo is not None:
            later = self.now + self.history.echo
            self._at(later, REPORT, lambda: self.tell(event, echoed=True))
        return actions

    def _is_stale(self, event: Happening) -> bool:
        if isinstance(event, ev.TimerFired):
            current = self.timers.get(event.replica)
            return current is None or current[0] != event.timer
        if not isinstance(event, ev.RunEvent):
            return False
        tree = self.trees[event.replica][event.run - 1]
        if tree.over or tree.released or tree is not self.trees[event.replica][-1]:
            return True
        if isinstance(event, ev.CheckPassed | ev.CheckFailed | ev.CheckTold):
            return event.which not in tree.checking
        return isinstance(event, ev.CommandEnded) and event.rung != tree.command

    def _note(self, event: Happening) -> None:
        if isinstance(event, ev.TimerFired):
            del self.timers[event.replica]
        elif isinstance(event, ev.RunEvent):
            tree = self.trees[event.replica][-1]
            tree.answered = True
            tree.leader_told = tree.leader_told or isinstance(event, ev.LeaderExited)
            tree.over = isinstance(event, ev.TreeEmpty | ev.SpawnFailed)
            if isinstance(event, ev.CheckPassed | ev.CheckFailed) and event.which == ev.READY:
                del tree.checking[ev.READY]
            elif isinstance(event, ev.CommandEnded):
                tree.command = None

    # --- carrying out --------------------------------------------------------------------------

    def _perform(self, action: act.Action) -> None:
        if isinstance(action, act.Spawn):
            self._spawn(action)
        elif isinstance(action, act.SetTimer):
            self._set_timer(action)
        elif isinstance(action, TO_RUNS):
            tree = self.trees[action.replica][action.run - 1]
            if isinstance(action, act.SignalTree):
                self._signal(tree, action)
            elif isinstance(action, act.KillTree):
                self._kill(tree)
            elif isinstance(action, act.Release):
                tree.released = True
            elif isinstance(action, act.BeginCheck):
                self._begin_check(tree, action.which)
            elif isinstance(action, act.EndChecks):
                tree.checking.clear()
            elif isinstance(action, act.RunCommand):
                self._run_command(tree, action.rung)
            else:
                tree.command = None

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

        for after, said in behaviour.says:
            self._at(self.now + after, FACT, lambda said=said: self._says(tree, said))

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

    # --- checks and commands -------------------------------------------------------------------

    def _begin_check(self, tree: Tree, which: str) -> None:
        self._count += 1
        number = tree.checking[which] = self._count
        answers = tree.behaviour.ready if which == ev.READY else tree.behaviour.health
        for after, answer in answers:
            self._at(
                self.now + after,
                REPORT,
                lambda answer=answer: self._answer(tree, which, number, answer),
            )

    def _answer(self, tree: Tree, which: str, number: int, answer: bool | str) -> None:
        if tree.checking.get(which) != number and not self.history.late_timers:
            return
        names = (tree.replica, tree.number, which)
        if answer is True:
            self.tell(ev.CheckPassed(*names))
        elif answer is False:
            self.tell(ev.CheckFailed(*names, "tcp 8000: refused"))
        else:
            self.tell(ev.CheckTold(*names, answer))

    def _run_command(self, tree: Tree, rung: int) -> None:
        tree.command = rung
        takes, ok = tree.behaviour.command_takes, tree.behaviour.command_ok
        if takes is None:
            return

        def ended() -> None:
            if tree.command != rung and not self.history.late_timers:
                return
            if ok and tree.behaviour.command_stops and tree.command == rung:
                for process in tree.alive():
                    if process.is_leader:
                        status = tree.behaviour.exit_heeded
                        self._dies_after(process.heeds, tree, process, status)
            self.tell(ev.CommandEnded(tree.replica, tree.number, rung, ok, "exited with 1"))

        self._at(self.now + takes, REPORT, ended)

    def _says(self, tree: Tree, said: str | float | None) -> None:
        """What the leader says of itself by sd_notify(3), if it lives and was seen to be there."""
        if not tree.answered or not any(p.is_leader for p in tree.alive()):
            return
        names = (tree.replica, tree.number)
        if said is None:
            self._report(tree, 0.0, lambda: ev.StoppingTold(*names))
        elif isinstance(said, str):
            self._report(tree, 0.0, lambda: ev.StatusTold(*names, said))
        else:
            self._report(tree, 0.0, lambda: ev.ExtendAsked(*names, said))

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
