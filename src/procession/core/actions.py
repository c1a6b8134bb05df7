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


class RunCommand(Action):
    """Run the command of the stop's step `rung`, in the task's environment and folder, with
    PROCESSION_PID. Answered by CommandEnded, also where it could not be started."""

    replica: str
    run: int
    rung: int
    command: tuple[str, ...]


class EndCommand(Action):
    """The stop goes on without its command: end that. No answer is awaited any more."""

    replica: str
    run: int


class BeginCheck(Action):
    """Begin to probe whether the run is ready, or healthy (`which`: events.READY, HEALTH).

    Answered by CheckPassed and CheckFailed; a watchdog is a part of HEALTH. READY is over with
    either answer, HEALTH goes on until EndChecks.
    """

    replica: str
    run: int
    which: str


class EndChecks(Action):
    """Stop probing the run. At the latest when its stop begins, or its leader has ended."""

    replica: str
    run: int


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


class ReadyChanged(Action):
    """The run is ready, or no longer. Only of tasks that have to say so, by a check or by
    completing: any other is ready as soon as it runs."""

    replica: str
    run: int
    ready: bool
    why: str


class HealthChanged(Action):
    """The run is healthy, or no longer; a run that is over is neither, and that is not told."""

    replica: str
    run: int
    healthy: bool
    why: str


class StopBegan(Action):
    """The whole project is going down, and why, in words."""

    reason: str
    forced: bool


class Finish(Action):
    """Nothing lives and nothing is wanted: the project's exit status, and why, in words."""

    status: int
    reason: str
