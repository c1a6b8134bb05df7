"""The ladder: how one tree is brought down. Pure, and the only one there is.

Stop signal, wait until the tree is empty, kill what is left, wait until it is empty, and give up
with a report after that. Supervisor, executor, guardian and sentinel all climb this one.
"""

from __future__ import annotations

from procession._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import Stop

KILL_WAIT = 5.0  # seconds a killed tree may take to vanish before it is reported as surviving


class Step(Record):
    """One rung: a signal, who hears it, and how long (seconds) it may take."""

    signal: str
    to: str
    wait: float


class Ladder(Record):
    """The rungs, in order. After the last, the tree is killed and waited for `kill_wait` s."""

    steps: tuple[Step, ...]
    kill_wait: float = KILL_WAIT


class Ask(Record):
    """Send this signal. `unheard`: to those who did not get it in this stop yet."""

    signal: str
    to: str
    unheard: bool = False


class Kill(Record):
    """Kill all that is left of the tree."""


class GiveUp(Record):
    """What is left could not be killed in time: report it by name."""


class Climb(Record):
    """Where a stop stands. `rung` is the step under way; len(steps) means: killing."""

    ladder: Ladder
    rung: int
    began: float
    deadline: float
    forced: bool = False

    @property
    def killing(self) -> bool:
        return self.rung >= len(self.ladder.steps)


Move = Ask | Kill | GiveUp


def ladder_of(stop: Stop, *, to: str | None = None) -> Ladder:
    """The ladder a task's `stop` describes; `to` speaks to somebody else than the task says."""
    return Ladder((Step(stop.signal, to or stop.to, stop.timeout),))


def begin(ladder: Ladder, now: float) -> tuple[Climb, Move]:
    """Set foot on the first rung. A ladder without steps kills at once."""
    return _on(Climb(ladder, 0, now, now), now)


def expired(climb: Climb, now: float) -> tuple[Climb, Move]:
    """The deadline passed and the tree is not empty."""
    if climb.killing:
        return climb, GiveUp()
    return _on(climb.replace(rung=climb.rung + 1), now)


def force(climb: Climb, now: float) -> tuple[Climb, Move]:
    """Kill now. Forcing again kills again, but never extends the time it may take."""
    if climb.killing:
        return climb, Kill()
    return _on(climb.replace(rung=len(climb.ladder.steps), forced=True), now)


def grown(climb: Climb, *, leader_lives: bool) -> Move | None:
    """Somebody who did not hear of this stop came to light: tell them too, or kill them.

    None while the leader lives and the rung speaks to it or its group: a shell that hears the
    signal starts the programs of its own clean-up, and these must not be signalled away.
    """
    if climb.killing:
        return Kill()
    step = climb.ladder.steps[climb.rung]
    if leader_lives and step.to != "tree":
        return None
    return Ask(step.signal, "tree", unheard=True)


def _on(climb: Climb, now: float) -> tuple[Climb, Move]:
    if climb.killing:
        return climb.replace(deadline=now + climb.ladder.kill_wait), Kill()
    step = climb.ladder.steps[climb.rung]
    return climb.replace(deadline=now + step.wait), Ask(step.signal, step.to)
