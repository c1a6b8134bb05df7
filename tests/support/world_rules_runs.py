"""The rules of one run: what its checks and its own words come to, and how its stop climbs."""

from __future__ import annotations

from procession.core import actions as act
from procession.core import events as ev
from procession.core.states import Completed, Pending, Running, Stopping
from procession.core.stop import KILL_WAIT, CommandStep
from tests.support.world_book import Book
from tests.support.world_model import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.world_rules import Rules


class CheckRules:
    """Ready, healthy, and what a run says of itself."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.world = rules.world

    def told(self, book: Book, event: ev.RunEvent, tree: Tree) -> None:
        """An event of the current run comes in that is not too late."""
        now = self.world.now
        runs = book.state == "running" and not tree.leader_told
        if isinstance(event, ev.Spawned):
            if book.state == "starting" and book.asks_ready and book.wanted:
                book.due = now + book.task.ready_timeout
                book.latest = book.due + book.task.stop.extend
        elif isinstance(event, ev.LeaderExited):
            book.due = None
        elif isinstance(event, ev.CheckPassed) and runs:
            if event.which == ev.HEALTH:
                book.healthy = True
            else:
                book.passed, book.due = True, None
        elif isinstance(event, ev.CheckFailed) and runs:
            book.healthy = False if event.which == ev.HEALTH else book.healthy
            health = book.task.health
            marks = event.which == ev.HEALTH and health is not None and not health.restarts
            if book.wanted and not marks:
                book.failing, book.exit_at, book.due = True, now, None
        elif isinstance(event, ev.CheckTold) and runs and event.which == ev.READY:
            book.words = event.why
        elif isinstance(event, ev.StatusTold) and book.state in ("running", "stopping"):
            book.status_text = event.text
        elif isinstance(event, ev.StoppingTold) and runs and not book.said_stopping:
            book.said_stopping = True
            book.due = now + book.task.stop.timeout
            book.latest = book.due + book.task.stop.extend
        elif isinstance(event, ev.ExtendAsked) and runs and book.due is not None:
            book.due = max(book.due, min(now + event.seconds, book.latest))

    def too_late(self, book: Book) -> None:
        """A timer fires: is it the run's own, that it is not ready or has not ended?"""
        if book.state == "running" and book.wanted and book.due is not None:
            self.rules.check(self.world.now >= book.due, f"{book.name}: it has until {book.due}")
            book.late = not book.said_stopping
            book.failing, book.exit_at, book.due = True, self.world.now, None

    def action(self, action: act.Action, book: Book, tree: Tree) -> None:
        check = self.rules.check
        if isinstance(action, act.BeginCheck):
            check(tree.answered and not tree.leader_told, "nothing to be probed", action)
            check(action.which not in tree.checking, "it is probed already", action)
            if action.which == ev.READY:
                check(book.asks_ready and not book.passed, "nobody asks for that", action)
            else:
                check(book.asks_health, "nobody asks for that", action)
                check(book.passed or not book.asks_ready, "before it is ready", action)
        elif isinstance(action, act.ReadyChanged):
            check(action.ready is not book.told_ready, "that is no change", action)
            check(action.why or self.rules.wordless, "does not say why", action)
            book.told_ready = action.ready
        elif isinstance(action, act.HealthChanged):
            check(action.healthy is not book.told_health, "that is no change", action)
            check(action.why, "does not say why", action)
            book.told_health = action.healthy

    def settled(self, book: Book, tree: Tree | None) -> None:
        state, check = self.world.fleet.replicas[book.name], self.rules.check
        phase, task = state.phase, book.task
        runs = isinstance(phase, Running) and tree is not None and not tree.leader_told
        ready = isinstance(phase, Completed) and task.completes
        if runs and not task.completes and not book.said_stopping:
            ready = book.passed if book.asks_ready else True
        check(state.ready is ready, f"{book.name} is ready, or not", state.ready)
        if task.completes or task.ready is not None:
            check(book.told_ready is ready, f"{book.name}: told otherwise")
        if runs:
            check(state.healthy is book.healthy, f"{book.name}: healthy, or not", state.healthy)
            check(book.told_health is book.healthy, f"{book.name}: told otherwise")
        elif not isinstance(phase, Stopping):
            check(state.healthy is None, f"{book.name}: nothing of it is healthy, or not")
        check(state.status_text == book.status_text, f"{book.name} says", state.status_text)
        check(state.since == book.since, f"{book.name} is so since {book.since}", state.since)
        exit_ = tree.exit if tree is not None and tree.leader_told else None
        if exit_ is not None:
            check(state.exit == exit_, f"{book.name} ended so", state.exit)
        if tree is None or tree.released or tree.over:
            return
        asked = set()
        if runs and state.wanted and not book.said_stopping:
            if book.asks_ready and not book.passed:
                asked.add(ev.READY)
            elif book.asks_health:
                asked.add(ev.HEALTH)
        if asked or not runs or book.said_stopping:
            check(set(tree.checking) == asked, f"{book.name}: probed", tree.checking)
        if runs and state.wanted and book.due is not None:
            timer = self.world.timers.get(book.name)
            check(timer == (state.timer, book.due), f"{book.name} has until {book.due}", timer)
        if book.failing:
            failed = not isinstance(phase, Running | Pending)
            check(failed, f"{book.name} failed its check, and goes on")


class LadderRules:
    """Each step of a stop in its turn, and for as long as it may take."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.world = rules.world

    def told(self, book: Book, event: ev.RunEvent, tree: Tree) -> None:
        if book.state != "stopping" or book.rungs is None:
            return
        if isinstance(event, ev.CommandEnded):
            step = book.command()
            assert step is not None
            if not event.ok or not step.lasts:
                book.rung_due = self.world.now  # the next step follows
        elif isinstance(event, ev.ExtendAsked) and book.rung < len(book.rungs.steps):
            wanted = self.world.now + event.seconds - book.rung_due
            given = max(0.0, min(wanted, book.task.stop.extend - book.given))
            book.given += given
            book.rung_due += given
            assert book.stop_due is not None
            book.stop_due += given

    def action(self, action: act.Action, book: Book, tree: Tree) -> None:
        check = self.rules.check
        check(tree.number == action.run, "not this run's", action)  # type: ignore[attr-defined]
        check(tree.answered, "the spawn has not been answered", action)
        check(not tree.over and not tree.released, "the run is over", action)
        if isinstance(action, act.Release):
            self._release(action, book, tree)
            return
        check(book.rungs is not None, "it is not being stopped", action)
        assert book.rungs is not None
        if isinstance(action, act.EndCommand):
            check(tree.command is not None, "no command runs", action)
        elif isinstance(action, act.KillTree):
            if book.rung < len(book.rungs.steps):
                last = book.rung == len(book.rungs.steps) - 1
                over = last and self.world.now >= book.rung_due
                check(book.forced or over, "killed before its grace was over")
                book.rung, book.rung_due = len(book.rungs.steps), self.world.now + KILL_WAIT
        elif isinstance(action, act.SignalTree) and action.unheard:
            check(book.rung < len(book.rungs.steps), "killed, and signalled", action)
        else:
            self._next(action, book, tree)

    def _next(self, action: act.Action, book: Book, tree: Tree) -> None:
        check, rungs = self.rules.check, book.rungs
        assert rungs is not None
        in_time = book.rung < 0 or self.world.now >= book.rung_due
        check(in_time, f"the step before has until {book.rung_due}", action)
        check(book.rung + 1 < len(rungs.steps), "no such step", action)
        book.rung += 1
        step = rungs.steps[book.rung]
        book.rung_due = self.world.now + step.wait
        if isinstance(step, CommandStep):
            meant = isinstance(action, act.RunCommand) and action.command == step.command
            check(meant and action.rung == book.rung, "not this step", action)  # type: ignore[attr-defined]
        else:
            meant = isinstance(action, act.SignalTree) and action.signal == step.signal
            check(meant, "not this step", action)
            to = "tree" if tree.leader_told else step.to
            check(action.to == to, f"the {to} should hear", action)  # type: ignore[attr-defined]

    def _release(self, action: act.Release, book: Book, tree: Tree) -> None:
        if action.survivors:
            self.rules.check(tree.killed, "gave up without killing", action)
            book.gave_up = True
            book.start_due = book.restart_due = False
        else:
            self.rules.check(book.task.leftover == "leave", "the task says otherwise", action)

    def settled(self, book: Book, tree: Tree | None) -> None:
        check, state = self.rules.check, self.world.fleet.replicas[book.name]
        phase = state.phase
        if book.stop_due is not None:
            due = book.stop_due
            check(self.world.now <= due, f"{book.name} should have been down by {due}")
        if tree is None or tree.over or tree.released or not isinstance(phase, Stopping):
            return
        if phase.climb is not None:
            assert book.rungs is not None
            check(phase.climb.deadline == book.rung_due, f"{book.name} has until {book.rung_due}")
            step = book.command()
            if tree.command is not None:
                check(step and tree.command == book.rung, f"{book.name}: a command goes on")
