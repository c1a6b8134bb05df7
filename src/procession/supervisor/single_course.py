"""One command of `run`, from its start to the end of its tree. `core.single` decides.

Here is all that is the same on every platform. How the world comes in, and how a loop sleeps until
it does, is each platform's own: `single`, `single_windows`.
"""

from __future__ import annotations

import os
import sys
import time

from procession.core import single as core
from procession.core import stop as ladder
from procession.process.tree import COOKIE

if sys.platform == "win32":
    from procession.process._signals_windows import signal_number
else:
    from procession.process.handle import signal_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from procession.core.status import ExitStatus
    from procession.process.command import Command
    from procession.process.handle import Usage
    from procession.process.tree import Sent
    from procession.spec import Stop

RUN = "run"  # what its tree is called
_LONGEST_SLEEP = 86_400.0  # seconds: poll counts milliseconds in an int


class SingleCourse:
    """Runs one command to the end of its tree. In the main thread: it takes the signals.

    The attributes without an underscore tell of it afterwards; times in seconds.
    """

    def __init__(
        self,
        command: Command,
        environ: Mapping[str, str],
        *,
        stop: Stop,
        timeout: float | None,
        say: Callable[[str], object],
    ) -> None:
        self._command = command
        self._environ = environ
        self._say = say
        self._clock = time.monotonic
        self._typed = False  # Ctrl-C, during a stop
        self._over = False
        self.course = core.Course(stop, 0.0, timeout)
        self.pid = 0
        self.usage: Usage | None = None  # of the leader, and on POSIX of those it waited for
        self.lasted = 0.0  # from the start to the leader's end
        self.asked_by = ""  # who wanted the stop, in words
        self.steps: list[tuple[float, str, int, tuple[str, ...]]] = []  # at, what, reached, refused

    @property
    def was_interrupted(self) -> bool:
        """Did a Ctrl-C kill it, typed at the terminal that it had?"""
        return False

    # --- what each platform has of its own ---------------------------------------------------

    def run(self) -> core.End:
        """Start it, and stay until nothing of it lives.

        Raises what `spawn` raises where it could not be started, and StoppedBeforeError where it
        was not to be any more: then nothing was.
        """
        raise NotImplementedError

    def _listen(self, seconds: float) -> None:
        """Sleep until the world says something, at most so long, and act on what it said."""
        raise NotImplementedError

    def _is_empty(self) -> bool:
        raise NotImplementedError

    def _ask(self, move: ladder.Ask, number: int) -> None:
        """Ask it to end."""
        raise NotImplementedError

    def _kill(self) -> None:
        raise NotImplementedError

    def _give_up(self) -> tuple[str, ...]:
        """What could not be killed, by name, is let go of."""
        raise NotImplementedError

    # --- what they share ---------------------------------------------------------------------

    def _marked(self) -> tuple[str, str, dict[str, str]]:
        """A new cookie; the same with those of supervisors above us; the environment with it."""
        # unguessable, so that no other's processes are ever taken for ours
        cookie = f"{os.urandom(8).hex()}.{RUN}.1"
        outer = self._environ.get(COOKIE)
        nested = f"{outer}:{cookie}" if outer else cookie
        return cookie, nested, {**self._environ, COOKIE: nested}

    def _keep(self) -> None:
        """Until nothing of it lives, or what does cannot be killed."""
        while not self._over:
            due = self.course.due
            left = _LONGEST_SLEEP if due is None else max(0.0, due - self._clock())
            self._listen(min(left, _LONGEST_SLEEP))
            due = self.course.due
            if not self._over and due is not None and self._clock() >= due:
                if self.course.climb is None:
                    self.asked_by = "its time is up"
                self._take(core.expired(self.course, self._clock()))

    def _leader_ended(self, status: ExitStatus) -> None:
        self.lasted = self._clock() - self.course.began
        left = not self._is_empty()
        if left and self.course.climb is None:
            self.asked_by = f"its leader {status}"
        self._take(core.leader_ended(self.course, status, left, self._clock()))

    def _bring_down(self, why: str) -> None:
        if self.course.climb is None:
            self.asked_by = why
        self._take(core.asked(self.course, self._clock()))

    def _ctrl_c(self) -> None:
        """A person typed it, and the stop is under way."""
        if self._typed:
            self._take(core.force(self.course, self._clock()))
        else:
            self._typed = True
            self._say("stopping what is left; Ctrl-C again kills it")

    def _take(self, outcome: tuple[core.Course, ladder.Move | None]) -> None:
        self.course, move = outcome
        if isinstance(move, ladder.Ask):
            self._ask(move, signal_number(move.signal))
        elif isinstance(move, ladder.Kill):
            self._kill()
        elif isinstance(move, ladder.GiveUp):
            self._over = True
            self.course = self.course.replace(survivors=self._give_up())

    def _note(self, what: str, sent: Sent) -> None:
        """A step of the ladder, for the result."""
        if not sent.pids and not sent.refused:
            return
        refused = tuple(map(str, sent.refused))
        self.steps.append((self._clock() - self.course.began, what, len(sent.pids), refused))
        if refused and "SIGKILL" not in what:
            self._say(f"may not signal {', '.join(refused)}")
