"""What the shell is told to do, as values. An action never fails the core: failures come back
as events."""

from __future__ import annotations

from procession._record import Record


class Action(Record):
    """Base of everything the core asks for."""


class Spawn(Action):
    """Start run `run` of the replica. Answered by Spawned or SpawnFailed."""

    replica: str
    run: int


class SignalTree(Action):
    """Send a signal by name to the run's leader, group or tree.

    `unheard`: only to those members of the tree that did not get it in this stop yet.
    """

    replica: str
    run: int
    signal: str
    to: str
    unheard: bool = False


class KillTree(Action):
    """SIGKILL everything of the run, again whenever it grows. Answered by TreeEmpty in the end."""

    replica: str
    run: int


class Release(Action):
    """Stop watching the run's tree: its `leftover` is `leave`, or what is left cannot be killed."""

    replica: str
    run: int
    survivors: bool  # True: it was not our wish; what is left has to be reported by name


class SetTimer(Action):
    """Send TimerFired(replica, timer) at `at` (seconds of the injected clock).

    A replica has one timer; setting it again replaces it.
    """

    replica: str
    timer: int
    at: float


class Changed(Action):
    """For logs, terminal and watchers: the replica's state changed, and why, in words.

    `old` and `new` are the same where the reason alone is new: a leader ended, and the run waits
    for what it left; or a replica waits for its delay.
    """

    replica: str
    run: int
    old: str
    new: str
    why: str


class StopBegan(Action):
    """The whole project is going down, and why, in words."""

    reason: str
    forced: bool


class Finish(Action):
    """Nothing lives and nothing is wanted: the project's exit status, and why, in words."""

    status: int
    reason: str
