"""What may happen, as values. Every event of a run carries its number: late ones are dropped."""

from __future__ import annotations

from procession._record import Record
from procession.core.status import ExitStatus

PROJECT = "*"  # whose timer the whole project's is; no replica is called so

READY, HEALTH = "ready", "health"  # which of a run's two checks is meant


class Limit(Record):
    """How long one dependency may be waited for: `timeout` s, from `since` at the earliest."""

    task: str
    since: float
    timeout: float
    words: str  # what is said of it when the time is over


class Hold(Record):
    """What keeps a replica from starting, in words: `db to be ready`."""

    by: str
    first: bool = False  # some that restart with it live: its own stop waits for them as well
    never: str = ""  # what happened, so that it can never start; empty: it may
    path: tuple[str, ...] = ()  # tasks from what it needs itself to the one that `never` is about
    limits: tuple[Limit, ...] = ()


class Event(Record):
    """Base of what happens to one replica."""

    replica: str


class RunEvent(Event):
    """Something about one run; another number than the replica's current one means: too late."""

    run: int


class Begin(Event):
    """The project starts this replica; its start-delay counts from here."""


class StartAsked(Event):
    """A person (or a program in their name) wants it up, now."""

    reason: str


class StopAsked(Event):
    """It is wanted down, gracefully."""

    reason: str


class ForceAsked(Event):
    """It is wanted down at once: what is left of its tree is killed."""

    reason: str


class RestartAsked(Event):
    """It is wanted up by a new run: what runs is stopped gracefully first."""

    reason: str


class RestartWith(Event):
    """What it depends on gets a new run, and so does this one, if it is up: it is stopped
    gracefully, and started again once nothing holds it any more."""

    reason: str


class StopPlanned(Event):
    """It is wanted down; its stop begins, by StopAsked, when what depends on it is down."""

    reason: str


class Held(Event):
    """What keeps it from starting is this from now on; None: nothing."""

    hold: Hold | None


class TimerFired(Event):
    """The timer set last has run out; `timer` is the number the core gave it."""

    timer: int


class Spawned(RunEvent):
    pid: int


class SpawnFailed(RunEvent):
    """No process came to be. `status` is what a shell would say: 127 not found, 126 otherwise."""

    error: str
    status: int


class LeaderExited(RunEvent):
    """The leader ended; `left` processes of its tree were seen alive in the same moment."""

    status: ExitStatus
    left: int


class TreeGrew(RunEvent):
    """A descendant came to light that was not known when the tree was last signalled."""


class TreeEmpty(RunEvent):
    """The end of the run: nothing of its tree lives, and its output has been read to the end."""


class CheckPassed(RunEvent):
    """The whole check holds: it is ready, or healthy (again). `which`: READY or HEALTH."""

    which: str


class CheckFailed(RunEvent):
    """It will not become ready, or it is unhealthy; `why` says which probe failed last, and how:
    `tcp 127.0.0.1:8000: connection refused`."""

    which: str
    why: str


class CheckTold(RunEvent):
    """How the last try that failed did so, where the words are new."""

    which: str
    why: str


class StatusTold(RunEvent):
    """What the run says of itself (STATUS= of sd_notify(3))."""

    text: str


class ExtendAsked(RunEvent):
    """It needs `seconds` more, from now, to become ready or to end (EXTEND_TIMEOUT_USEC)."""

    seconds: float


class StoppingTold(RunEvent):
    """It is ending by itself (STOPPING=1)."""


class CommandEnded(RunEvent):
    """The command of the ladder's step `rung` ended: with success, or as `words` say."""

    rung: int
    ok: bool
    words: str = ""


class StopAllAsked(Record):
    """Somebody wants the whole project down."""

    reason: str


class ForceAllAsked(Record):
    """Somebody wants the whole project down without waiting any longer."""

    reason: str


class BeginAll(Record):
    """The project starts."""


REPLICA_EVENTS: tuple[type[Event], ...] = (
    Begin, StartAsked, StopAsked, ForceAsked, RestartAsked,
    RestartWith, StopPlanned, Held, TimerFired,
    Spawned, SpawnFailed, LeaderExited, TreeGrew, TreeEmpty,
    CheckPassed, CheckFailed, CheckTold, StatusTold, ExtendAsked, StoppingTold, CommandEnded,
)  # fmt: skip
