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
    Backoff,
    End,
    Pending,
    ReplicaState,
    Running,
    Starting,
    Stopping,
)
from procession.core.status import ExitStatus
from procession.core.stop import KILL_WAIT
from procession.spec import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.world import Tree, World

ENDS = ("stopped", "completed", "failed", "skipped")
ASKED_DOWN = (ev.StopAsked, ev.ForceAsked)
ASKED_ALL_DOWN = (ev.StopAllAsked, ev.ForceAllAsked)


class Book:
    """What is known of one replica without asking the core."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.state = "pending"  # as told by Changed
        self.wanted = True  # what was asked last
        self.start_due = False  # a start was asked for, and no run has begun since
        self.forced = False  # this run may be killed before its grace is over
        self.signalled = False  # this run was asked to end
        self.gave_up = False
        self.timer = 0
        self.quick = 0  # ends in a row of runs that lasted less than 10 s
        self.pause: float | None = None  # what the next timer has to say
        self.spawned_at = self.exit_at = 0.0
        self.asked_at: float | None = None  # when this run was first asked to end
        self.stop_due: float | None = None  # when the stop under way has to be over


class Rules:
    def __init__(self, world: World) -> None:
        self.world = world
        self.books = {t.name: Book(t) for t in world.history.project.tasks}
        self.transitions: set[tuple[str, str]] = set()
        self.finish: act.Finish | None = None
        self.finished_at = 0.0
        self.stop_all_at: float | None = None
        self._event: Happening = ev.BeginAll()
        self._not_begun = True
        self._stale = False
        self._all_touched = True  # by this event, and not one replica alone
        self._old: ReplicaState | None = None
        self._verdict: int | None = None
        self._failures: dict[str, int] = {}
        self._forced_all = False
        self._wordless = any(getattr(e, "reason", "-") == "" for _, e in world.history.asks)

    def _check(self, holds: object, rule: str, about: object = None) -> None:
        if not holds:  # words are made for the broken rule only: nearly all are kept
            shown = rule if about is None else f"{about!r}: {rule}"
            raise AssertionError(f"at {self.world.now:g} s, {self._event!r}: {shown}")

    def _tree(self, replica: str) -> Tree | None:
        trees = self.world.trees[replica]
        return trees[-1] if trees else None

    # --- an event comes in ---------------------------------------------------------------------

    def before(self, event: Happening, stale: bool) -> None:
        self._event, self._stale = event, stale
        self._all_touched = not isinstance(event, ev.Event)
        self._old = None
        if isinstance(event, ev.Event):
            self._old = self.world.fleet.replicas[event.replica]
        if isinstance(event, ev.BeginAll):
            self._not_begun = False
        if self.finish is not None:
            return
        if isinstance(event, ASKED_ALL_DOWN):
            self._all_asked_down(forced=isinstance(event, ev.ForceAllAsked), status=0)
        elif isinstance(event, ev.Event):
            book = self.books[event.replica]
            if isinstance(event, ASKED_DOWN):
                self._asked_down(book, forced=isinstance(event, ev.ForceAsked))
            elif isinstance(event, ev.StartAsked) and self._verdict is None and not book.gave_up:
                book.wanted = True
                tree = self._tree(event.replica)
                up = book.state == "starting" or (
                    book.state == "running" and tree is not None and not tree.leader_told
                )
                book.start_due = not up
                book.quick = book.quick if up else 0
            elif isinstance(event, ev.RunEvent) and not stale:
                self._told(book, event)

    def _told(self, book: Book, event: ev.RunEvent) -> None:
        if isinstance(event, ev.Spawned | ev.SpawnFailed):
            book.spawned_at = book.exit_at = self.world.now
            if isinstance(event, ev.Spawned) and book.state == "stopping":
                self._stop_is_bounded(book)
        elif isinstance(event, ev.LeaderExited):
            book.exit_at = self.world.now

    def _all_asked_down(self, *, forced: bool, status: int) -> None:
        self._all_touched = True
        if self._verdict is None:
            self._verdict = status
            self.stop_all_at = self.world.now
        self._forced_all = self._forced_all or forced
        for book in self.books.values():
            self._asked_down(book, forced=forced)

    def _asked_down(self, book: Book, *, forced: bool) -> None:
        book.wanted = book.start_due = False
        if book.asked_at is None:
            book.asked_at = self.world.now
        if forced:
            book.forced = True
            if book.state == "stopping" and book.stop_due is not None:
                book.stop_due = min(book.stop_due, self.world.now + KILL_WAIT)

    def _stop_is_bounded(self, book: Book) -> None:
        grace = 0.0 if book.forced else book.task.stop.timeout
        book.stop_due = self.world.now + grace + KILL_WAIT
        book.asked_at = self.world.now

    # --- actions come out ----------------------------------------------------------------------

    def answered(self, actions: list[act.Action]) -> None:
        self._check(self.finish is None or not actions, "something came after Finish", actions)
        if self._stale and self._old is not None:
            self._check(not actions, "a late or doubled event was answered", actions)
            self._check(
                self.world.fleet.replicas[self._old.replica] == self._old,
                "a late or doubled event changed the state",
            )
        finishes = [a for a in actions if isinstance(a, act.Finish)]
        self._check(finishes in ([], actions[-1:]), "Finish is not the last", actions)

    def action(self, action: act.Action) -> None:
        if isinstance(action, act.Changed):
            self._changed(action)
        elif isinstance(action, act.Spawn):
            self._spawn(action)
        elif isinstance(action, act.SetTimer):
            self._set_timer(action)
        elif isinstance(action, act.SignalTree | act.KillTree | act.Release):
            self._to_tree(action)
        elif isinstance(action, act.StopBegan):
            self._check(action.forced == self._forced_all, "forced, or not, and says otherwise")
        elif isinstance(action, act.Finish):
            self._finish(action)

    def _spawn(self, action: act.Spawn) -> None:
        book, tree = self.books[action.replica], self._tree(action.replica)
        self._check(book.wanted, "a run began that nobody wants")
        self._check(not book.gave_up, "a run began beside what could not be killed")
        number = 0 if tree is None else tree.number
        self._check(action.run == number + 1, f"run {action.run} follows run {number}")
        if tree is not None and not tree.released:
            self._check(tree.over, "a run began before the end of the last was known")
            self._check(not tree.alive(), "a run began while one lives")
        asked = book.start_due or isinstance(
            self._event, ev.StartAsked | ev.BeginAll | ev.TimerFired
        )
        if tree is not None and not asked:
            self._check(self._pause(book, tree) == 0, "a run began without its pause")
        book.start_due = book.forced = book.signalled = False
        book.asked_at = book.stop_due = None

    def _set_timer(self, action: act.SetTimer) -> None:
        book = self.books[action.replica]
        self._check(action.timer > book.timer, "a timer's number was used before")
        self._check(action.at >= self.world.now, "a timer was set for the past")
        book.timer = action.timer
        if book.pause is not None:
            after = action.at - self.world.now
            self._check(after == book.pause, f"the pause is {after:g} s, not {book.pause:g} s")
            book.pause = None

    def _to_tree(self, action: act.SignalTree | act.KillTree | act.Release) -> None:
        book, tree = self.books[action.replica], self._tree(action.replica)
        self._check(tree is not None and tree.number == action.run, "not this run's", action)
        self._check(tree.answered, "the spawn has not been answered", action)
        self._check(not tree.over and not tree.released, "the run is over", action)
        if isinstance(action, act.KillTree):
            asked_at = self.world.now if book.asked_at is None else book.asked_at
            early = self.world.now < asked_at + book.task.stop.timeout
            self._check(book.forced or not early, "killed before its grace was over")
            self._check(book.forced or book.signalled, "killed without being asked to end")
        elif isinstance(action, act.SignalTree):
            allowed = tree.leader_told or action.to == book.task.stop.to
            self._check(allowed, "its leader lives, and only that should hear", action)
            book.signalled = True
        elif action.survivors:
            self._check(tree.killed, "gave up without killing", action)
            book.gave_up = True
            book.start_due = False
        else:
            self._check(book.task.leftover == "leave", "the task says otherwise", action)

    def _finish(self, action: act.Finish) -> None:
        self.finish, self.finished_at = action, self.world.now
        for name, book in self.books.items():
            self._check(book.state in ENDS, f"finished, and {name} is {book.state}")
            tree = self._tree(name)
            if tree is not None and not tree.released:
                self._check(tree.over and not tree.alive(), f"finished, and {name} lives")
        expected = self._verdict
        if expected is None:
            expected = next(iter(self._failures.values()), 0)
        self._check(action.status == expected, f"the status should be {expected}", action)

    # --- a state is told -----------------------------------------------------------------------

    def _changed(self, change: act.Changed) -> None:
        book = self.books[change.replica]
        self._check(change.old == book.state, f"it was {book.state}", change)
        if change.new == change.old:  # the reason alone is new
            tree = change.old == "running" and "waits for" in change.why
            delay = change.old == "pending" and change.why.startswith("waits ")
            self._check(tree or delay, "that is no change", change)
            return
        self._check(change.why or self._wordless, "does not say why", change)
        self.transitions.add((change.old, change.new))
        book.state = change.new
        if change.new == "starting":
            self._failures.pop(change.replica, None)
            self._check(
                change.old not in ENDS or isinstance(self._event, ev.StartAsked),
                "nobody asked for it",
                change,
            )
        elif change.new == "stopping":
            tree = self._tree(change.replica)
            book.asked_at = self.world.now
            if tree is not None and tree.answered:
                self._stop_is_bounded(book)
        elif change.new == "stopped":
            self._check(not book.wanted, "it is wanted", change)
        elif change.new in ("backoff", "completed", "failed"):
            self._ended_by_itself(book, change)
        if change.new in ENDS or change.new == "backoff":
            book.stop_due = None

    def _ended_by_itself(self, book: Book, change: act.Changed) -> None:
        self._check(book.wanted, "its end was asked for", change)
        tree = self._tree(change.replica)
        status, good = _outcome(tree, book.task)
        policy = book.task.restart.policy
        again = policy == "always" or (policy == "on-failure" and not good)
        state = self.world.fleet.replicas[change.replica]
        if state.survivors:
            self._check(change.new == "failed", "what it left could not be killed", change)
            status = status or 1
        else:
            self._check(not book.start_due, "a new run was asked for", change)
            expected = "backoff" if again else "completed" if good else "failed"
            self._check(change.new == expected, f"{expected} by its policy", change)
        if change.new == "backoff":
            book.pause = self._pause(book, tree)
        if change.new == "backoff" or self._verdict is not None:
            return
        if change.new == "failed":
            status = status or 1
        if book.task.quit_on_terminate:
            self._all_asked_down(forced=False, status=status)
        elif change.new == "failed":
            self._failures[change.replica] = status

    def _pause(self, book: Book, tree: Tree) -> float:
        """How long the next run has to wait; to be asked once for each run that ended."""
        until = self.world.now if book.task.leftover == "wait" else book.exit_at
        book.quick = 1 if until - book.spawned_at >= 10 else book.quick + 1
        fixed = book.task.restart.delay
        if fixed is None:
            return float(min(30, 2 ** (book.quick - 1)))
        return 1.0 if fixed == 0 and tree.behaviour.spawn_fails else fixed

    # --- and the world is at rest again --------------------------------------------------------

    def settled(self) -> None:
        if isinstance(self._event, ev.Event):
            self._settled(self._event.replica)
            self._leftovers(self._event)
        if self._all_touched:
            for name in self.books:
                self._settled(name)

    def _settled(self, replica: str) -> None:
        state, book, tree = self.world.fleet.replicas[replica], self.books[replica], None
        phase, tree, now = state.phase, self._tree(replica), self.world.now
        self._check(phase.name == book.state, f"{replica} is {phase.name}, told was {book.state}")
        if not book.wanted:
            down = isinstance(phase, Stopping | End)
            self._check(down, f"{replica} is {phase.name} and should be on its way down")
            self._check(not state.wanted, f"{replica} was asked to end and says it is wanted")
        if book.start_due:
            waits = isinstance(phase, Running | Stopping)
            self._check(waits, f"{replica} is {phase.name}: the start asked for was lost")
        if isinstance(phase, Starting):
            self._check(tree is not None and not tree.answered, f"{replica} waits for nothing")
        elif isinstance(phase, Running):
            self._check(tree is not None and not tree.over, f"{replica} waits for nothing")
        elif isinstance(phase, Backoff | Pending) or (
            isinstance(phase, Stopping) and phase.climb is not None
        ):
            timer = self.world.timers.get(replica)
            live = timer is not None and timer[0] == state.timer and timer[1] >= now
            self._check(live or self._not_begun, f"{replica} is {phase.name} without a timer")
        elif isinstance(phase, Stopping):
            self._check(tree is not None and not tree.answered, f"{replica} waits for nothing")
        if book.stop_due is not None:
            self._check(now <= book.stop_due, f"{replica} should have been down by {book.stop_due}")

    def _leftovers(self, event: ev.Event) -> None:
        """Who was just seen to be left, or to have come, hears of a stop; or one begins."""
        seen = isinstance(event, ev.TreeGrew) or (isinstance(event, ev.LeaderExited) and event.left)
        book, tree = self.books[event.replica], self._tree(event.replica)
        if not seen or self._stale or tree is None or tree.released:
            return
        if book.state == "stopping" and (tree.leader_told or book.task.stop.to == "tree"):
            told = all(p.heard or p.sentenced for p in tree.alive())
            self._check(told, f"{event.replica}: somebody was left out of the stop")
        elif tree.leader_told and book.state == "running":
            waits = book.task.leftover == "wait"
            self._check(waits, f"{event.replica} outlives its leader, and nobody minds")

    def at_end(self) -> None:
        self._check(self.finish is not None, "the project never finished")
        if self.stop_all_at is None:
            return
        spawn = max(
            (t.behaviour.spawn_takes for ts in self.world.trees.values() for t in ts), default=0.0
        )
        timeout = max((b.task.stop.timeout for b in self.books.values()), default=0.0)
        bound = self.stop_all_at + spawn + timeout + KILL_WAIT
        self._check(self.finished_at <= bound, f"finished only at {self.finished_at:g} s")


def _outcome(tree: Tree | None, task: Task) -> tuple[int, bool]:
    """What a shell would say of the run, and whether that is success; from the world's truth."""
    assert tree is not None
    if tree.behaviour.spawn_fails:
        return tree.behaviour.spawn_fails, False
    exit_ = tree.exit if tree.leader_told and tree.exit is not None else ExitStatus()
    return exit_.shell_status, exit_.code in task.success_exit_codes
