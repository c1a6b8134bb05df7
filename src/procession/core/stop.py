"""The ladder: how one tree is brought down. Pure, and the only one there is.

A rung is a signal or a command, and the time until the next. After the last rung what is left is
killed, waited for, and given up with a report after that. Supervisor, executor, guardian and
sentinel all climb this one.
"""

from __future__ import annotations

from procession._record import Record
from procession.spec import COMMAND_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.spec import Stop

KILL_WAIT = 5.0  # seconds a killed tree may take to vanish before it is reported as surviving


class Step(Record):
    """One rung: a signal, who hears it, and how long (seconds) it may take."""

    signal: str
    to: str
    wait: float


class CommandStep(Record):
    """One rung: a command, and how long (seconds) it may take. `lasts`: the rung takes that long,
    also when the command ended well before: what it began may take its time."""

    command: tuple[str, ...]
    wait: float
    lasts: bool = False


class Ladder(Record):
    """The rungs, in order. After the last, the tree is killed and waited for `kill_wait` s."""

    steps: tuple[Step | CommandStep, ...]
    kill_wait: float = KILL_WAIT


class Ask(Record):
    """Send this signal. `unheard`: to those who did not get it in this stop yet."""

    signal: str
    to: str
    unheard: bool = False


class Run(Record):
    """Run this command. `command_ended` says what follows; what else moves the climb on ends it."""

    command: tuple[str, ...]


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
    running: bool = False  # a command, that of this rung
    extended: float = 0.0  # seconds that were given beyond the ladder's own

    @property
    def killing(self) -> bool:
        return self.rung >= len(self.ladder.steps)


Move = Ask | Run | Kill | GiveUp


def ladder_of(stop: Stop, *, to: str | None = None) -> Ladder:
    """The ladder a task's `stop` describes.

    `to` speaks to somebody else than the task says: the leader is gone, and what it left is
    cleared away. Commands are left out then: they speak to the leader.
    """
    steps: list[Step | CommandStep] = []
    if stop.command and to is None:
        steps.append(CommandStep(stop.command, COMMAND_TIMEOUT))
    for step in stop.steps:
        if not step.command:
            wait = stop.timeout if step.wait is None else step.wait
            steps.append(Step(step.signal or stop.signal, to or step.to, wait))
        elif to is None:
            wait = COMMAND_TIMEOUT if step.wait is None else step.wait
            steps.append(CommandStep(step.command, wait, lasts=step.wait is not None))
    if not stop.steps or (to is not None and not steps):
        steps.append(Step(stop.signal, to or stop.to, stop.timeout))
    return Ladder(tuple(steps))


def outline(ladder: Ladder) -> tuple[str | None, float]:
    """For who can do no more than signal once, and wait before the kill: guardian and sentinel.
    The first signal (None: it kills at once), and how long all of it may take."""
    signals = [step.signal for step in ladder.steps if isinstance(step, Step)]
    return (signals[0] if signals else None), sum(step.wait for step in ladder.steps)


def begin(ladder: Ladder, now: float) -> tuple[Climb, Move]:
    """Set foot on the first rung. A ladder without steps kills at once."""
    return _on(Climb(ladder, 0, now, now), now)


def expired(climb: Climb, now: float, *, leader_lives: bool = True) -> tuple[Climb, Move]:
    """The deadline passed and the tree is not empty. Without the leader the whole tree hears what
    is said next: its group may be gone with it."""
    if climb.killing:
        return climb, GiveUp()
    climb, move = _on(climb.replace(rung=climb.rung + 1), now)
    if isinstance(move, Ask) and not leader_lives:
        move = move.replace(to="tree")
    return climb, move


def force(climb: Climb, now: float) -> tuple[Climb, Move]:
    """Kill now. Forcing again kills again, but never extends the time it may take."""
    if climb.killing:
        return climb, Kill()
    return _on(climb.replace(rung=len(climb.ladder.steps), forced=True), now)


def grown(climb: Climb, *, leader_lives: bool) -> Move | None:
    """Somebody who did not hear of this stop came to light: tell them too, or kill them.

    None while the leader lives and the rung speaks to it or its group: a shell that hears the
    signal starts the programs of its own clean-up, and these must not be signalled away. None too
    where nobody was told anything yet.
    """
    if climb.killing:
        return Kill()
    for step in reversed(climb.ladder.steps[: climb.rung + 1]):
        if isinstance(step, Step):
            if leader_lives and step.to != "tree":
                return None
            return Ask(step.signal, "tree", unheard=True)
    return None


def command_ended(
    climb: Climb, rung: int, ok: bool, now: float, *, leader_lives: bool = True
) -> tuple[Climb, Move | None]:
    """The command of that rung ended; one that failed leads on at once."""
    if climb.rung != rung or not climb.running:
        return climb, None  # the stop went on without it
    step = climb.ladder.steps[rung]
    assert isinstance(step, CommandStep)
    climb = climb.replace(running=False)
    if ok and step.lasts:
        return climb, None
    return expired(climb, now, leader_lives=leader_lives)


def extend(climb: Climb, seconds: float, cap: float, now: float) -> Climb:
    """The rung under way ends `seconds` from now at the earliest; all that is given so is at most
    `cap` seconds. Killing takes no longer for anybody's wish."""
    given = min(now + seconds - climb.deadline, cap - climb.extended)
    if climb.killing or not given > 0:
        return climb
    return climb.replace(deadline=climb.deadline + given, extended=climb.extended + given)


def _on(climb: Climb, now: float) -> tuple[Climb, Move]:
    if climb.killing:
        return climb.replace(deadline=now + climb.ladder.kill_wait, running=False), Kill()
    step = climb.ladder.steps[climb.rung]
    climb = climb.replace(deadline=now + step.wait, running=isinstance(step, CommandStep))
    if isinstance(step, CommandStep):
        return climb, Run(step.command)
    return climb, Ask(step.signal, step.to)
