"""One command, from its start until its tree is empty: what is decided for `procession run`. Pure.

A run has one life here: no restarts, no dependencies, nothing beside it. What is left is when the
one ladder (`core.stop`) is climbed, why, and what the end means.
"""

from __future__ import annotations

from procession._record import Record
from procession.core import stop as ladder
from procession.core.status import ExitStatus
from procession.spec import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.stop import Climb, Move

    Outcome = tuple["Course", Move | None]

TIMED_OUT = 124  # as timeout(1) of GNU exits
OWN_FAILURE = 125  # as env(1), nohup(1) and timeout(1) exit for what is not the command's doing

# Why a tree is brought down.
ASKED, TIME_IS_UP, LEFT = "asked", "timed out", "left by its leader"


class Course(Record):
    """Where the one run stands. Times are seconds of the injected clock."""

    stop: Stop
    began: float
    timeout: float | None = None  # of the leader's life
    exit: ExitStatus | None = None  # how the leader ended
    climb: Climb | None = None  # its tree is being brought down
    cause: str = ""  # why; the first that there was
    survivors: tuple[str, ...] = ()  # what could not be killed, by name

    @property
    def due(self) -> float | None:
        """When `expired` has to be told; None: never."""
        if self.climb is not None:
            return self.climb.deadline
        if self.timeout is None or self.exit is not None:
            return None
        return self.began + self.timeout


class End(Record):
    """What the end means. `status`: what `procession run` exits with."""

    status: int
    reason: str  # exited, signalled, stopped, forced, timed out, status unknown


def asked(course: Course, now: float) -> Outcome:
    """Somebody wants it down. Asked again, nothing changes: some managers resend."""
    return _bring_down(course, ASKED, now)


def leader_ended(course: Course, status: ExitStatus, left: bool, now: float) -> Outcome:
    """The leader ended; `left`: something of its tree lives, and is stopped."""
    course = course.replace(exit=status)
    return grew(course, now) if left else (course, None)


def grew(course: Course, now: float) -> Outcome:
    """Somebody came to light who did not hear of a stop yet, if there was one."""
    if course.climb is not None:
        return course, ladder.grown(course.climb, leader_lives=course.exit is None)
    if course.exit is None:
        return course, None
    return _bring_down(course, LEFT, now)


def expired(course: Course, now: float) -> Outcome:
    """The time that `due` told has come."""
    if course.climb is None:
        return _bring_down(course, TIME_IS_UP, now)
    climb, move = ladder.expired(course.climb, now)
    return course.replace(climb=climb), move


def force(course: Course, now: float) -> Outcome:
    """Somebody does not want to wait any longer for the stop that is under way."""
    if course.climb is None:
        return course, None
    climb, move = ladder.force(course.climb, now)
    return course.replace(climb=climb), move


def end(course: Course) -> End:
    """The tree is empty, or what is left of it cannot be killed."""
    status = course.exit or ExitStatus()
    code = OWN_FAILURE if status.unknown else status.shell_status
    if course.cause == TIME_IS_UP:
        code = TIMED_OUT
    if course.survivors:  # nothing left at the end is what was promised
        code = OWN_FAILURE
    return End(code, _reason(course, status))


def _reason(course: Course, status: ExitStatus) -> str:
    if course.cause == TIME_IS_UP:
        return "timed out"
    if course.cause == ASKED:
        assert course.climb is not None
        return "forced" if course.climb.killing else "stopped"
    if status.unknown:
        return "status unknown"
    return "exited" if status.signal is None else "signalled"


def _bring_down(course: Course, cause: str, now: float) -> Outcome:
    if course.climb is not None:
        return course, None
    # with the leader gone nobody would pass on what the group hears
    to = "tree" if course.exit is not None else None
    climb, move = ladder.begin(ladder.ladder_of(course.stop, to=to), now)
    return course.replace(climb=climb, cause=cause), move
