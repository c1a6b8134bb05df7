"""What must hold in every history of the simulated world, whatever the core does.

The rules keep books of their own: who was asked what last, what each run came to, which failure
stands. They compare the core with these and with what really lives. AssertionError with the time
and the event is a broken rule.
"""

from __future__ import annotations

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Happening
from procession.core.states import (
    ORDER,
    Backoff,
    End,
    Pending,
    ReplicaState,
    Running,
    Skipped,
    Starting,
    Stopping,
)
from procession.core.stop import KILL_WAIT, ladder_of
from tests.support.world_book import ASKED_ALL_DOWN, ASKED_DOWN, ENDS, UP, Book
from tests.support.world_rules_order import OrderRules
from tests.support.world_rules_restart import RestartRules
from tests.support.world_rules_runs import CheckRules, LadderRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.world import World
    from tests.support.world_model import Tree


EVERYBODY = 16  # every so many events all replicas are looked at, not those alone that changed


class Rules:
    def __init__(self, world: World) -> None:
        self.world = world
        self.project = world.history.project
        self.books = {r.name: Book(r.name, r.task) for r in self.project.replicas()}
        self.transitions: set[tuple[str, str]] = set()
        self.finish: act.Finish | None = None
        self.finished_at = 0.0
        self.stop_all_at: float | None = None
        self.forced_all = False
        self.forced_at: float | None = None
        self.wordless = any(getattr(e, "reason", "-") == "" for _, e in world.history.asks)
        self._event: Happening = ev.BeginAll()
        self._not_begun = True
        self._stale = False
        self._seen: dict[str, ReplicaState] = dict(world.fleet.replicas)
        self._old: ReplicaState | None = None
        self._verdict: int | None = None
        self._failures: dict[str, int] = {}
        self.order = OrderRules(self)
        self._checks = CheckRules(self)
        self._ladders = LadderRules(self)
        self._restarts = RestartRules(self)

    def check(self, holds: object, rule: str, about: object = None) -> None:
        if not holds:  # words are made for the broken rule only: nearly all are kept
            shown = rule if about is None else f"{about!r}: {rule}"
            raise AssertionError(f"at {self.world.now:g} s, {self._event!r}: {shown}")

    def is_timer_of(self, replica: str) -> bool:
        return isinstance(self._event, ev.TimerFired) and self._event.replica == replica

    def _tree(self, replica: str) -> Tree | None:
        trees = self.world.trees[replica]
        return trees[-1] if trees else None

    # --- an event comes in ---------------------------------------------------------------------

    def before(self, event: Happening, stale: bool) -> None:
        self._event, self._stale = event, stale
        self._old = None
        if isinstance(event, ev.Event) and event.replica != ev.PROJECT:
            self._old = self.world.fleet.replicas[event.replica]
        if self.finish is not None:
            return
        if isinstance(event, ev.BeginAll):
            if self._not_begun and self._verdict is None:
                self._begins()
            self._not_begun = False
        elif isinstance(event, ASKED_ALL_DOWN):
            self._all_asked_down(forced=isinstance(event, ev.ForceAllAsked), status=0)
        elif not isinstance(event, ev.Event) or stale:
            pass
        elif event.replica == ev.PROJECT:
            self._all_asked_down(forced=True, status=0)
        elif isinstance(event, ASKED_DOWN):
            book = self.books[event.replica]
            self._asked_down(book, forced=isinstance(event, ev.ForceAsked))
        elif isinstance(event, ev.StartAsked | ev.RestartAsked):
            if self._verdict is None:
                self._wanted_up(event)
        else:
            self._told(self.books[event.replica], event)

    def _begins(self) -> None:
        needs = {t.name: [d.task for d in t.depends_on] for t in self.project.tasks}
        needed: set[str] = set()
        more = [t.name for t in self.project.tasks if t.autostart]
        while more:
            name = more.pop()
            if name not in needed:
                needed.add(name)
                more += needs[name]
        for name, book in self.books.items():
            untouched = self.world.fleet.replicas[name].phase == Pending()
            if book.task.name not in needed and untouched:
                book.wanted = False

    def _wanted_up(self, event: ev.StartAsked | ev.RestartAsked) -> None:
        book = self.books[event.replica]
        self.order.asked(event)
        if book.gave_up:
            return
        again = isinstance(event, ev.RestartAsked)
        self.asked_up(book, again=again)

    def asked_up(self, book: Book, *, again: bool = False) -> None:
        tree = self._tree(book.name)
        book.wanted = True
        up = book.state == "starting" or (
            book.state == "running" and tree is not None and not tree.leader_told
        )
        book.start_due = again or not up or book.start_due
        if again or not up:
            book.quick, book.restarts, book.owed = 0, [], 0

    def _told(self, book: Book, event: ev.Event) -> None:
        if isinstance(event, ev.TimerFired):
            self._checks.too_late(book)
            return
        assert isinstance(event, ev.RunEvent)
        tree = self._tree(event.replica)
        assert tree is not None
        self._checks.told(book, event, tree)
        self._ladders.told(book, event, tree)
        if isinstance(event, ev.Spawned | ev.SpawnFailed):
            book.spawned_at = book.exit_at = self.world.now
            if isinstance(event, ev.Spawned) and book.state == "stopping":
                book.stop_begins(self.world.now, leader_told=False)
        elif isinstance(event, ev.LeaderExited) and not book.failing:
            book.exit_at = self.world.now

    def _all_asked_down(self, *, forced: bool, status: int) -> None:
        if self._verdict is None:
            self._verdict = status
            self.stop_all_at = self.world.now
        if forced and self.forced_at is None:
            self.forced_at = self.world.now
        self.forced_all = self.forced_all or forced
        for book in self.books.values():
            self._asked_down(book, forced=forced)

    def _asked_down(self, book: Book, *, forced: bool) -> None:
        book.wanted = book.start_due = book.restart_due = False
        book.owed = 0
        if forced:
            book.forced = True
            if book.state == "stopping" and book.stop_due is not None:
                book.stop_due = min(book.stop_due, self.world.now + KILL_WAIT)

    # --- actions come out ----------------------------------------------------------------------

    def answered(self, actions: list[act.Action]) -> None:
        self.check(self.finish is None or not actions, "something came after Finish", actions)
        if self._stale and self._old is not None:
            self.check(not actions, "a late or doubled event was answered", actions)
            self.check(
                self.world.fleet.replicas[self._old.replica] == self._old,
                "a late or doubled event changed the state",
            )
        finishes = [a for a in actions if isinstance(a, act.Finish)]
        self.check(finishes in ([], actions[-1:]), "Finish is not the last", actions)

    def action(self, action: act.Action) -> None:
        if isinstance(action, act.StopBegan):
            self.check(action.forced == self.forced_all, "forced, or not, and says otherwise")
            return
        if isinstance(action, act.Finish):
            self._finish(action)
            return
        name = action.replica  # type: ignore[attr-defined]
        if name == ev.PROJECT:
            self.check(self.project.stop_timeout is not None, "it has no time limit", action)
            return
        book, tree = self.books[name], self._tree(name)
        if isinstance(action, act.Changed):
            self._changed(action, book)
        elif isinstance(action, act.Spawn):
            self._spawn(action, book)
        elif isinstance(action, act.SetTimer):
            self._set_timer(action)
        elif isinstance(action, act.ReadyChanged | act.HealthChanged | act.BeginCheck):
            self._checks.action(action, book, tree)
        elif not isinstance(action, act.EndChecks):
            self.check(tree is not None, "there is no run", action)
            self._ladders.action(action, book, tree)

    def _spawn(self, action: act.Spawn, book: Book) -> None:
        tree = self._tree(action.replica)
        self.check(book.wanted, "a run began that nobody wants")
        self.check(not book.gave_up, "a run began beside what could not be killed")
        number = 0 if tree is None else tree.number
        self.check(action.run == number + 1, f"run {action.run} follows run {number}")
        if tree is not None and not tree.released:
            self.check(tree.over, "a run began before the end of the last was known")
            self.check(not tree.alive(), "a run began while one lives")
        self.order.spawn(action.replica)
        book.begins_run()

    def _set_timer(self, action: act.SetTimer) -> None:
        book = self.books[action.replica]
        self.check(action.timer > book.timer, "a timer's number was used before")
        self.check(action.at >= self.world.now, "a timer was set for the past")
        book.timer = action.timer
        if book.pause is not None:
            after = action.at - self.world.now
            right = abs(after - book.pause) < 1e-9
            self.check(right, f"the pause is {after:g} s, not {book.pause:g} s")
            book.pause = None

    def _finish(self, action: act.Finish) -> None:
        self.finish, self.finished_at = action, self.world.now
        for name, book in self.books.items():
            self.check(book.state in ENDS, f"finished, and {name} is {book.state}")
            tree = self._tree(name)
            if tree is not None and not tree.released:
                self.check(tree.over and not tree.alive(), f"finished, and {name} lives")
        expected = self._verdict
        if expected is None:
            expected = next(iter(self._failures.values()), 0)
        self.check(action.status == expected, f"the status should be {expected}", action)

    # --- a state is told -----------------------------------------------------------------------

    def _changed(self, change: act.Changed, book: Book) -> None:
        self.check(change.old == book.state, f"it was {book.state}", change)
        self.check(change.why or self.wordless, "does not say why", change)
        tree = self._tree(change.replica)
        if change.new == change.old:  # the reason alone is new
            words = {
                "running": ("waits for", "stopping"),
                "pending": ("waits ",),
                "stopping": ("failed",),
                "skipped": ("",),
            }.get(change.new, ())
            self.check(any(w in change.why for w in words), "that is no change", change)
            self.order.changed(change, book)
            if change.new == "skipped":  # at a new wish, which forgets what came before
                self._failures.pop(change.replica, None)
                self._skipped(book, change)
            return
        self.transitions.add((change.old, change.new))
        was, book.state, book.since = book.state, change.new, self.world.now
        self.order.changed(change, book)
        if was in ENDS:
            self._failures.pop(change.replica, None)
        if change.new == "stopping":
            told = not book.late or book.words in change.why
            self.check(told, f"does not say that {book.words}", change)
            if tree is not None and tree.answered:
                book.stop_begins(self.world.now, leader_told=tree.leader_told)
        elif change.new == "stopped":
            self.check(not book.wanted, "it is wanted", change)
        elif change.new in ("backoff", "completed", "failed"):
            status = self._restarts.ended(book, change, tree)
            if status is not None and self._verdict is None:
                self._over(book, status)
        elif was in UP and change.new != "stopping":
            self._restarts.goes_on(book, change, tree)
        if change.new == "skipped":
            self._skipped(book, change)
        if change.new not in UP:
            book.stop_due = book.rungs = book.due = None

    def _skipped(self, book: Book, change: act.Changed) -> None:
        status = book.owed
        if self.order.skipped[book.name] == "late":
            status = book.owed = status or 1
        if self._verdict is None:
            self._over(book, status, skipped=True)

    def _over(self, book: Book, status: int, *, skipped: bool = False) -> None:
        """It ended for good; what that means for the project."""
        task, failed = book.task, book.state == "failed" or (skipped and status != 0)
        if task.quit_on_terminate or task.name == self.project.exit_code_from:
            if skipped and status == 0:
                status = next(iter(self._failures.values()), 1)
            self._all_asked_down(forced=False, status=status)
        elif failed:
            self._failures[book.name] = status
            if self.project.abort_on_failure:
                self._all_asked_down(forced=False, status=status)

    # --- and the world is at rest again --------------------------------------------------------

    def settled(self, actions: list[act.Action]) -> None:
        if self.finish is not None:
            return
        touched = self._touched(actions)
        for name in touched:
            self._settled(name)
            book, tree = self.books[name], self._tree(name)
            self._checks.settled(book, tree)
            self._ladders.settled(book, tree)
        self.order.settled(touched)
        if isinstance(self._event, ev.RunEvent):
            self._leftovers(self._event)

    def _touched(self, actions: list[act.Action]) -> list[str]:
        """Whose state is another than when it was looked at last; now and then everybody."""
        replicas = self.world.fleet.replicas
        if self.world.events % EVERYBODY == 0 or not isinstance(self._event, ev.Event):
            touched = list(replicas)
        else:
            named = {getattr(action, "replica", None) for action in actions}
            named.add(self._event.replica)
            touched = [
                n for n, state in replicas.items() if n in named or self._seen[n] is not state
            ]
        for name in touched:
            self._seen[name] = replicas[name]
        return touched

    def _settled(self, replica: str) -> None:
        state, book, tree = self.world.fleet.replicas[replica], self.books[replica], None
        phase, tree, now = state.phase, self._tree(replica), self.world.now
        self.check(phase.name == book.state, f"{replica} is {phase.name}, told was {book.state}")
        self.check(state.wanted is book.wanted, f"{replica} is wanted, or not", state.wanted)
        if not book.wanted and self.stop_all_at is None:
            down = isinstance(phase, Stopping | End)
            self.check(down, f"{replica} is {phase.name} and should be on its way down")
        if book.start_due:
            planned = isinstance(phase, Running) and (
                phase.planned is not None or phase.again is not None
            )
            waits = isinstance(phase, Stopping | Skipped) or planned
            waits = waits or (isinstance(phase, Pending) and phase.for_ == ORDER)
            self.check(waits, f"{replica} is {phase.name}: the start asked for was lost")
        if book.restart_due and isinstance(phase, Running):
            planned = phase.planned is not None or phase.again is not None
            self.check(planned, f"{replica} should restart with another")
        timer = self.world.timers.get(replica)
        live = timer is not None and timer[0] == state.timer and timer[1] >= now
        if isinstance(phase, Starting):
            self.check(tree is not None and not tree.answered, f"{replica} waits for nothing")
        elif isinstance(phase, Running):
            self.check(tree is not None and not tree.over, f"{replica} waits for nothing")
        elif isinstance(phase, Pending):
            waits = live or phase.for_ == ORDER or self._not_begun
            self.check(waits, f"{replica} is pending without a timer")
        elif isinstance(phase, Backoff) or (
            isinstance(phase, Stopping) and phase.climb is not None
        ):
            self.check(live, f"{replica} is {phase.name} without a timer")
        elif isinstance(phase, Stopping):
            self.check(tree is not None and not tree.answered, f"{replica} waits for nothing")

    def _leftovers(self, event: ev.RunEvent) -> None:
        """Who was just seen to be left, or to have come, hears of a stop; or one begins."""
        seen = isinstance(event, ev.TreeGrew) or (isinstance(event, ev.LeaderExited) and event.left)
        book, tree = self.books[event.replica], self._tree(event.replica)
        if not seen or self._stale or tree is None or tree.released:
            return
        if book.state == "stopping" and book.rungs is not None:
            told = [s for s in book.rungs.steps[: book.rung + 1] if hasattr(s, "signal")]
            killing = book.rung >= len(book.rungs.steps)
            if killing or (told and (tree.leader_told or told[-1].to == "tree")):
                heard = all(p.heard or p.sentenced for p in tree.alive())
                self.check(heard, f"{event.replica}: somebody was left out of the stop")
        elif tree.leader_told and book.state == "running":
            waits = book.task.leftover == "wait"
            self.check(waits, f"{event.replica} outlives its leader, and nobody minds")

    def at_end(self) -> None:
        self.check(self.finish is not None, "the project never finished")
        if self.stop_all_at is None:
            return
        spawn = max(
            (t.behaviour.spawn_takes for ts in self.world.trees.values() for t in ts), default=0.0
        )
        longest = 0.0
        for book in self.books.values():
            ladder = ladder_of(book.task.stop)
            most = sum(step.wait for step in ladder.steps) + book.task.stop.extend
            longest = max(longest, most)
        waves = 1 + max((len(above) for above in self.order.above.values()), default=0)
        bound = self.stop_all_at + waves * (spawn + longest + KILL_WAIT)
        if self.project.stop_timeout is not None:
            limit = self.stop_all_at + self.project.stop_timeout + spawn + KILL_WAIT
            bound = min(bound, limit)
        if self.forced_at is not None:
            bound = min(bound, self.forced_at + spawn + KILL_WAIT)
        self.check(self.finished_at <= bound, f"finished only at {self.finished_at:g} s")
