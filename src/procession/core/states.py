"""The states of a replica. A state carries its data; what is wanted, and why, stand beside it."""

from __future__ import annotations

from procession._record import Record
from procession.core.events import Hold
from procession.core.status import ExitStatus
from procession.core.stop import Climb
from procession.spec import Task


class Phase(Record):
    """Base of the states; a state is called by its class's name in lower case."""

    @property
    def name(self) -> str:
        return type(self).__name__.lower()


class Pending(Phase):
    """Waits for its turn: a delay, later a dependency or a time."""


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


class Backoff(Phase):
    """The next run is due later; `cause` is how the last one ended, in words."""

    cause: str


class Stopping(Phase):
    """The tree is being brought down.

    `climb` is None while the spawn is not answered yet; `asked` is False where nobody wanted the
    stop: the leader ended by itself and this clears away what it left. `again` is the reason in
    words where a new run was asked for meanwhile.
    """

    pid: int | None
    since: float
    climb: Climb | None
    asked: bool
    exit: ExitStatus | None = None
    exit_at: float | None = None
    forced: bool = False
    again: str | None = None


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
    """Never ran, and never will: a dependency cannot be met."""


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

    @property
    def ended(self) -> bool:
        return isinstance(self.phase, End)
