"""The states of a replica. A state carries its data; what is wanted, and why, stand beside it."""

from __future__ import annotations

from procession._record import Record
from procession.core.events import Hold, Limit
from procession.core.status import ExitStatus
from procession.core.stop import Climb
from procession.spec import Task

ORDER, DELAY = "order", "delay"  # what a pending replica waits for


class Phase(Record):
    """Base of the states; a state is called by its class's name in lower case."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()


class Pending(Phase):
    """Waits for its turn: `for_` is ORDER where something holds it, DELAY for its start-delay,
    and empty before the project begins it."""

    for_: str = ""
    cause: str = ""  # what the start follows, in words; empty: the project's own begin
    began: float = 0.0  # when it began to wait
    delay: float = 0.0  # seconds that have to pass once nothing holds it
    again: bool = False  # it is a restart that nobody asked for
    status: int = 0  # of its last run where that failed, for the case that this was the last
    due: float | None = None  # when its timer fires
    late: Limit | None = None  # the one that is over then


class Starting(Phase):
    """A spawn was asked for and has not been answered."""


class Running(Phase):
    """The leader lives; or it ended, and the run waits for its descendants (`leftover: wait`) or
    for the end of its output. `again` is the reason in words where a new run was asked for since.
    """

    pid: int
    since: float
    exit: ExitStatus | None = None
    exit_at: float | None = None  # when the end of the leader was heard of
    again: str | None = None
    checked: bool = False  # a probe looks at it
    ready_by: float | None = None  # when it has to be ready
    told: str = ""  # how the probe that failed last did so, while it is not ready or not healthy
    ends_by: float | None = None  # it said that it is ending, and has to have by then
    latest: float = 0.0  # how far either of the two can be put off
    planned: str | None = None  # why it will be restarted, once what has to go first is down


class Backoff(Phase):
    """The next run is due later; `cause` is how the last one ended, in words."""

    cause: str
    status: int = 0  # what a shell would say of that run; 0 where it was a success


class Stopping(Phase):
    """The tree is being brought down.

    `climb` is None while the spawn is not answered yet; `asked` is False where nobody wanted the
    stop: the leader ended by itself and this clears away what it left, or the run failed a check
    (`failing` says which). `again` is the reason in words where a new run was asked for meanwhile.
    """

    pid: int | None
    since: float
    climb: Climb | None
    asked: bool
    exit: ExitStatus | None = None
    exit_at: float | None = None  # when the run ceased to do its job
    forced: bool = False
    again: str | None = None
    failing: str = ""


class End(Phase):
    """Base of the ends: nothing of it lives, nothing of it is due."""


class Stopped(End):
    """Asked to."""


class Completed(End):
    """Ended by itself, with success."""

    exit: ExitStatus


class Failed(End):
    """Gave up. `status` is what a shell would say of the last run."""

    status: int


class Skipped(End):
    """Will not run: a dependency cannot be met. It is still wanted, and begins to wait anew when
    somebody starts what was missing."""

    status: int = 0  # of its last run where that failed; 1: nobody failed, it took too long
    cause: str = ""  # what happened to the dependency
    path: tuple[str, ...] = ()  # tasks from what it needs itself to that one


PHASES: tuple[type[Phase], ...] = (
    Pending, Starting, Running, Backoff, Stopping, Stopped, Completed, Failed, Skipped,
)  # fmt: skip


class ReplicaState(Record):
    """All that is known of one replica. `run` numbers its latest run, 0 before the first."""

    replica: str
    task: Task
    phase: Phase = Pending()
    wanted: bool = True
    why: str = "not started yet"
    run: int = 0
    timer: int = 0  # the number of the timer set last; others are stale
    quick: int = 0  # quick ends in a row, see core.restart
    restarts: int = 0  # runs that followed another without anybody asking
    survivors: bool = False  # what its latest run left could not be killed: no run beside that
    index: int = 1  # which copy of its task
    since: float | None = None  # when it came into this state; None: it was made in it
    ready: bool = False
    healthy: bool | None = None  # None: nobody asked, or no answer yet
    exit: ExitStatus | None = None  # how the leader of its latest run ended
    status_text: str = ""  # what its latest run says of itself
    hold: Hold | None = None  # what keeps it from starting
    been_ready: bool = False  # its latest run was, at some time
    leads: bool = False  # others restart with it
    times: tuple[float, ...] = ()  # of its latest restarts, where their number is limited
    chance: float = 0.0  # what was drawn for the next pause

    @property
    def ended(self) -> bool:
        return isinstance(self.phase, End)
