"""The rules' own books: what is known of each replica without asking the core."""

from __future__ import annotations

from procession.core import events as ev
from procession.core.stop import KILL_WAIT, CommandStep, Ladder, ladder_of
from procession.spec import Task

UP = ("starting", "running", "stopping")  # something of it may live
ENDS = ("stopped", "completed", "failed", "skipped")
ASKED_DOWN = (ev.StopAsked, ev.ForceAsked)
ASKED_ALL_DOWN = (ev.StopAllAsked, ev.ForceAllAsked)


class Book:
    """One replica. Times are the world's."""

    def __init__(self, name: str, task: Task) -> None:
        self.name = name
        self.task = task
        self.state = "pending"  # as told by Changed
        self.since: float | None = None  # when it came into that
        self.wanted = True  # what was asked last
        self.start_due = False  # a start was asked for, and no run has begun since
        self.restart_due = False  # what it depends on gets a new run, and so shall it
        self.forced = False  # this run may be killed before its grace is over
        self.gave_up = False
        self.timer = 0
        self.quick = 0  # ends in a row of runs that were not stable
        self.restarts: list[float] = []  # when one was granted, for the limit
        self.pause: float | None = None  # what the next timer has to say
        self.owed = 0  # the status of its last run, if that failed and is to be followed by another
        self.spawned_at = self.exit_at = 0.0
        self.failing = False  # this run failed a check
        self.stop_due: float | None = None  # when the stop under way has to be over
        # of the stop of this run
        self.rungs: Ladder | None = None
        self.rung = -1
        self.rung_due = 0.0
        self.given = 0.0  # seconds beyond the ladder's own
        # of this run, as the core was told
        self.passed = False  # it is ready by its check
        self.said_stopping = False
        self.due: float | None = None  # when it has to be ready, or to have ended as it said
        self.latest = 0.0
        self.words = ""  # of the probe that failed last
        self.late = False  # it was not ready in time
        self.healthy: bool | None = None
        self.status_text = ""
        self.told_ready = False
        self.told_health: bool | None = None

    @property
    def asks_ready(self) -> bool:
        return self.task.ready is not None and not self.task.completes

    @property
    def asks_health(self) -> bool:
        return self.task.health is not None or self.task.watchdog is not None

    def begins_run(self) -> None:
        """A spawn was asked for."""
        self.start_due = self.restart_due = self.forced = self.failing = False
        self.passed = self.said_stopping = self.late = False
        self.due = self.stop_due = self.healthy = self.told_health = self.rungs = None
        self.status_text = self.words = ""
        self.given, self.owed = 0.0, 0

    def stop_begins(self, now: float, *, leader_told: bool) -> None:
        """Its ladder is climbed from now on."""
        ladder = ladder_of(self.task.stop, to="tree" if leader_told else None)
        self.rungs = Ladder(()) if self.forced else ladder
        self.rung = -1
        self.stop_due = now + sum(step.wait for step in self.rungs.steps) + KILL_WAIT

    def command(self) -> CommandStep | None:
        """The step under way, if that is a command."""
        assert self.rungs is not None
        step = self.rungs.steps[self.rung] if self.rung < len(self.rungs.steps) else None
        return step if isinstance(step, CommandStep) else None
