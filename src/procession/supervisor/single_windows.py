"""The loop of `procession run` on Windows: one command, its job, its console.

`core.single` decides. It sleeps until the job's port tells of an end, somebody asks us to stop, or
a deadline passes. What asks us is heard as in any hosted program (`procession.shutdown`): WM_CLOSE,
the end of the session, the console. There is no guardian: our own job object ends with us whatever
lives then.

On a console the command shares ours, so it hears by itself what is typed there; otherwise it has
one of its own that nobody sees.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32", "for Windows only"

import os
import time
from queue import Empty, SimpleQueue

from procession.core import single as core
from procession.core import stop as ladder
from procession.process import _win32 as win
from procession.process._signals_windows import signal_number
from procession.process._tree_windows import WindowsTrees, own_job
from procession.process.spawn import spawn
from procession.process.tree import COOKIE
from procession.shutdown._windows import WindowsEar

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Mapping

    from procession.core.status import ExitStatus
    from procession.process._handle_windows import WindowsHandle
    from procession.process._tree_windows import WindowsTree
    from procession.process.command import Command
    from procession.process.handle import Usage
    from procession.process.tree import Sent
    from procession.spec import Stop

_RUN = "run"
_CHANGED = "changed"  # something of the tree ended; every other word in the inbox is a request
_TYPED = ("CTRL_C_EVENT", "CTRL_BREAK_EVENT")
_LONGEST_SLEEP = 86_400.0  # seconds


class Single:
    """Runs one command to the end of its tree. In the main thread. As `single.Single`."""

    was_interrupted = False  # no status tells a Ctrl-C from what a program exits with

    def __init__(
        self,
        command: Command,
        environ: Mapping[str, str],
        *,
        stop: Stop,
        timeout: float | None,
        on_console: bool,
        say: Callable[[str], object],
    ) -> None:
        self._command = command
        self._environ = environ
        self._on_console = on_console
        self._say = say
        self._clock = time.monotonic
        self._inbox: SimpleQueue[str] = SimpleQueue()
        self._handle: WindowsHandle
        self._tree: WindowsTree
        self._over = False
        self._forced_once = False
        self.course = core.Course(stop, 0.0, timeout)
        self.pid = 0
        self.usage: Usage | None = None  # of the leader alone
        self.lasted = 0.0  # seconds from the start to the leader's end
        self.asked_by = ""
        self.steps: list[tuple[float, str, int, tuple[str, ...]]] = []  # at, what, reached, refused

    def heard(
        self,
        source: str,
        reason: str,
        lane: str,
        signal: _signal.Signals | None = None,
        grace: float | None = None,
    ) -> None:
        """For the ear: a request came. In any thread. Each window that gets one tells of it."""
        self._inbox.put(reason)

    def run(self) -> core.End:
        """Start it, and stay until nothing of it lives. Raises what `spawn` raises."""
        own = own_job()
        ear = WindowsEar(self)  # type: ignore[arg-type]  # of a session it only calls `heard`
        ear.open()
        ear.listen()
        trees = WindowsTrees(lambda _: self._inbox.put(_CHANGED))
        try:
            win.heed_ctrl_c()  # who leads a console group ignores it, and so would the command
            self._start(trees)
            while not self._over:
                self._turn()
        finally:
            trees.close()
            ear.close()
            # Only now: until here a crash of ours would have taken everything along.
            win.let_live(own)
        return core.end(self.course)

    def _start(self, trees: WindowsTrees) -> None:
        cookie = f"{os.urandom(8).hex()}.{_RUN}.1"
        env = {**self._environ, COOKIE: cookie}
        self.course = self.course.replace(began=self._clock())
        handle = spawn(self._command.replace(env=env, session=not self._on_console))
        self._handle = handle  # type: ignore[assignment]  # what this platform's spawn gives
        self._tree = trees.plant(_RUN, cookie, handle)
        self.pid = handle.pid
        self._inbox.put(_CHANGED)  # it may be over: the port tells of ends after the planting

    # --- the world, as it comes in -----------------------------------------------------------

    def _turn(self) -> None:
        due = self.course.due
        left = _LONGEST_SLEEP if due is None else min(due - self._clock(), _LONGEST_SLEEP)
        try:
            word = self._inbox.get(timeout=max(0.0, left))
        except Empty:
            word = ""
        if word == _CHANGED:
            self._look()
        elif word:
            self._asked(word)
        due = self.course.due
        if not self._over and due is not None and self._clock() >= due:
            if self.course.climb is None:
                self.asked_by = "its time is up"
            self._take(core.expired(self.course, self._clock()))

    def _asked(self, reason: str) -> None:
        if reason in _TYPED and self._on_console:
            # The command, which shares our console, has heard it as well and does what it likes.
            if self.course.climb is None:
                return
            if self._forced_once:
                self._take(core.force(self.course, self._clock()))
            else:
                self._forced_once = True
                self._say("stopping what is left; Ctrl-C again kills it")
            return
        if self.course.climb is None:
            self.asked_by = f"{reason} was sent to procession"
        self._take(core.asked(self.course, self._clock()))

    def _look(self) -> None:
        self._tree.rest()
        status = self._handle.poll_exit()
        if status is not None and self.course.exit is None:
            self._leader_ended(status)
        if status is not None and self._tree.is_empty():
            self._over = True
            self.usage = self._tree.finish()

    def _leader_ended(self, status: ExitStatus) -> None:
        self.lasted = self._clock() - self.course.began
        left = not self._tree.is_empty()
        if left and self.course.climb is None:
            self.asked_by = f"its leader {status}"
        self._take(core.leader_ended(self.course, status, left, self._clock()))

    # --- the ladder --------------------------------------------------------------------------

    def _take(self, outcome: tuple[core.Course, ladder.Move | None]) -> None:
        self.course, move = outcome
        if isinstance(move, ladder.Ask):
            number = signal_number(move.signal)
            sent = self._tree.signal(number, to=move.to, only_new=move.unheard)
            self._note(f"{move.signal} to the {move.to}", sent)
            if not sent.pids and not move.unheard:
                # it has no window, and no console of its own: no use to wait for what it cannot do
                self._say("nothing can ask it to end: it is ended")
                self._take(core.force(self.course, self._clock()))
        elif isinstance(move, ladder.Kill):
            self._note("TerminateJobObject", self._tree.kill())
        elif isinstance(move, ladder.GiveUp):
            self._over = True
            members = self._tree.members()
            self.course = self.course.replace(survivors=tuple(map(str, members)))

    def _note(self, what: str, sent: Sent) -> None:
        if not sent.pids and not sent.refused:
            return
        refused = tuple(map(str, sent.refused))
        self.steps.append((self._clock() - self.course.began, what, len(sent.pids), refused))
        if refused:
            self._say(f"may not ask {', '.join(refused)}")
