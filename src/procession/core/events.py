"""What may happen, as values. Every event of a run carries its number: late ones are dropped."""

from __future__ import annotations

from procession._record import Record
from procession.core.status import ExitStatus


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


class StopAllAsked(Record):
    """Somebody wants the whole project down."""

    reason: str


class ForceAllAsked(Record):
    """Somebody wants the whole project down without waiting any longer."""

    reason: str


class BeginAll(Record):
    """The project starts."""


REPLICA_EVENTS: tuple[type[Event], ...] = (
    Begin, StartAsked, StopAsked, ForceAsked, TimerFired,
    Spawned, SpawnFailed, LeaderExited, TreeGrew, TreeEmpty,
)  # fmt: skip
