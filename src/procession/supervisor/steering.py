"""What others may see of a running project, and wish of it: from their threads to the loop's.

Loaded where somebody may ask. The loop itself does no more than count what has changed.
"""

from __future__ import annotations

import threading

from procession.core import events as ev
from procession.core.view import row
from procession.process.latch import Latch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.supervisor.course import Course

    Rows = list[dict[str, object]]
    Look = Callable[[Rows, bool], bool]

ANSWER_WITHIN = 5.0  # seconds for the loop to tell its state
_WISHES = {"start": ev.StartAsked, "stop": ev.StopAsked, "restart": ev.RestartAsked}


class Steering:
    """Of one loop. `changed` and `end` in the loop's thread, all else in any other."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._version = 0
        self._waiters = 0
        self._news = threading.Condition()
        self._asking = threading.Lock()
        self._asked: set[Latch] = set()  # questions that wait for the loop
        self._ended = False
        self._looks: list[Look] = []  # under the lock of `_asking`
        self._looking = False

    # --- in the loop's thread ----------------------------------------------------------------

    def changed(self) -> None:
        """Something that a row shows is new."""
        self._version += 1
        if self._looks:
            self._look_soon()
        if self._waiters:
            with self._news:
                self._news.notify_all()

    def end(self) -> None:
        """The loop turns no more."""
        with self._asking:
            self._ended = True
        self._version += 1
        with self._news:
            self._news.notify_all()
        with self._asking:
            for done in self._asked:
                done.fall()
        self._tell_looks()

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            self._course.ask(self._tell_looks)

    def _tell_looks(self) -> None:
        """Show what is new to those who watch, and have not seen enough."""
        self._looking = False
        with self._asking:
            looks = list(self._looks)
        if not looks:
            return
        rows = self._look()[2]
        seen = [look for look in looks if look(rows, self._ended) or self._ended]
        with self._asking:
            self._looks = [look for look in self._looks if look not in seen]

    # --- in others ---------------------------------------------------------------------------

    def rows(self) -> tuple[int, bool, list[dict[str, object]]]:
        """(version, whether the whole project stops, all replicas as `core.view.Row`'s fields).

        After the end of the loop: as it was then. Raises TimeoutError when it does not answer.
        """
        told: list[tuple[int, bool, list[dict[str, object]]]] = []
        done = Latch()

        def look() -> None:
            told.append(self._look())
            done.fall()

        if not self._ended:
            self._course.ask(look)
            with self._asking:
                self._asked.add(done)
            if self._ended:  # it may have ended before it saw the question
                done.fall()
            in_time = done.wait(ANSWER_WITHIN)
            with self._asking:
                self._asked.discard(done)
            if not in_time:
                raise TimeoutError
        return told[0] if told else self._look()

    def _look(self) -> tuple[int, bool, list[dict[str, object]]]:
        fleet, now = self._course.fleet, self._course.now()
        rows = [dict(row(state, now).__dict__) for state in fleet.replicas.values()]
        return self._version, fleet.stopping, rows

    def watch(self, look: Look) -> None:
        """Have `look(rows, ended)` called in the loop's thread with the replicas as they are now,
        and after each change, until it answers True; a last time when the loop has `ended`. Where
        that is so already, in this thread. It must not block or raise."""
        with self._asking:
            if not self._ended:
                self._looks.append(look)
                self._course.call(self._look_soon)
                return
        look(self._look()[2], True)

    def unwatch(self, look: Look) -> None:
        """It is not to be called any more, but for a call that is under way. Idempotent."""
        with self._asking:
            if look in self._looks:
                self._looks.remove(look)

    @property
    def version(self) -> int:
        """Of the state; the latest."""
        return self._version

    @property
    def stopping(self) -> bool:
        """Is the whole project on its way down?"""
        return self._course.fleet.stopping

    def newer(self, version: int, within: float) -> None:
        """Return once something changed after `version`, the loop ended, or `within` s later."""
        with self._news:
            self._waiters += 1  # before the look: `changed` may come without the lock
            try:
                self._news.wait_for(lambda: self._version > version or self._ended, within)
            finally:
                self._waiters -= 1

    def wish(self, verb: str, names: list[str], who: str) -> None:
        """`start`, `stop` or `restart` these replicas; `who`: `asked for by …`."""
        for name in names:
            self._course.post(_WISHES[verb](name, f"{verb} {who}"))

    def down(self, force: bool, who: str) -> None:
        """The whole project, gracefully or (`force`) at once."""
        reason = f"stop {who}"
        self._course.post(ev.ForceAllAsked(reason) if force else ev.StopAllAsked(reason))
