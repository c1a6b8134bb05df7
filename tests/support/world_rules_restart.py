"""The rules of restarts: whether an ended run is followed by another, after which pause."""

from __future__ import annotations

from procession.core import actions as act
from procession.core.status import ExitStatus
from tests.support.world_book import Book
from tests.support.world_model import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.support.world_rules import Rules


class RestartRules:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.world = rules.world

    def goes_on(self, book: Book, change: act.Changed, tree: Tree | None) -> None:
        """From one run to the next without an end between the two."""
        if change.new == "running" or book.start_due or book.restart_due:
            return
        status, good, again = self._outcome(book, tree)
        self.rules.check(again, "its policy says otherwise", change)
        self.rules.check(self._pause(book, tree) == 0, "a run began without its pause", change)
        book.owed = 0 if good else status or 1

    def ended(self, book: Book, change: act.Changed, tree: Tree | None) -> int | None:
        """It ended by itself: its status, if it was the last run; else None."""
        self.rules.check(book.wanted, "its end was asked for", change)
        status, good, again = self._outcome(book, tree)
        state = self.world.fleet.replicas[book.name]
        if state.survivors:
            self.rules.check(change.new == "failed", "what it left could not be killed", change)
            status = status or 1
        else:
            due = book.start_due or book.restart_due
            self.rules.check(not due, "a new run was asked for", change)
            self._keep_count(book)
            gives_up = again and self._spent(book)
            expected = "backoff" if again else "completed" if good else "failed"
            expected = "failed" if gives_up else expected
            self.rules.check(change.new == expected, f"{expected} by its policy", change)
            self.rules.check(not gives_up or "gave up" in change.why, "does not say why", change)
        if change.new == "backoff":
            book.restarts.append(self.world.now)
            book.pause = self._next_pause(book, tree)
            book.owed = 0 if good else status or 1
            return None
        return status or 1 if change.new == "failed" else status

    def _outcome(self, book: Book, tree: Tree | None) -> tuple[int, bool, bool]:
        """What a shell would say of the run, whether that is success, and whether another is to
        follow; from the world's truth."""
        restart = book.task.restart
        assert tree is not None
        exit_: ExitStatus | None = None
        if book.failing or tree.behaviour.spawn_fails:
            status, good = 1 if book.failing else tree.behaviour.spawn_fails, False
        else:
            exit_ = tree.exit if tree.leader_told and tree.exit is not None else ExitStatus()
            status, good = exit_.shell_status, exit_.code in book.task.success_exit_codes
        again = restart.policy == "always" or (restart.policy == "on-failure" and not good)
        for rule in restart.rules if exit_ is not None else ():
            if exit_.code == rule.code and exit_.signal == rule.signal:
                again = rule.again
                break
        return status, good, again

    def _keep_count(self, book: Book) -> None:
        """To be called once for each run that ended by itself."""
        wait = book.task.leftover == "wait" and not book.failing
        lasted = (self.world.now if wait else book.exit_at) - book.spawned_at
        stable = lasted >= book.task.restart.stable_after
        book.quick = 1 if stable else book.quick + 1

    def _spent(self, book: Book) -> bool:
        """Its restarts are used up."""
        limit, window = book.task.restart.limit, book.task.restart.window
        if limit is None:
            return False
        recent = [at for at in book.restarts if at > self.world.now - window]
        return len(recent) >= limit

    def _pause(self, book: Book, tree: Tree | None) -> float:
        """As `_next_pause`, of a run whose end was not told."""
        self._keep_count(book)
        self.rules.check(not self._spent(book), "its restarts are used up")
        book.restarts.append(self.world.now)
        return self._next_pause(book, tree)

    def _next_pause(self, book: Book, tree: Tree | None) -> float:
        restart = book.task.restart
        assert tree is not None
        pause = restart.delay
        if pause is None:
            grown = restart.first * restart.factor ** min(book.quick - 1, 50)
            pause = min(restart.longest, grown)
            pause += pause * restart.jitter * self.world.history.chance
        return 1.0 if pause == 0 and tree.behaviour.spawn_fails else pause
