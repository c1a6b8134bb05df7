"""The loop of `run` on Windows: one command, its job, its console. See `single_course`.

It sleeps until the job's port tells of an end, somebody asks us to stop, or
a deadline passes. What asks us is heard as in any hosted program (`procession.shutdown`): WM_CLOSE,
the end of the session, the console. There is no guardian: our own job object ends with us whatever
lives then.

On a console the command shares ours, so it hears by itself what is typed there; otherwise it has
one of its own that nobody sees.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32", "for Windows only"

from queue import Empty, SimpleQueue

from procession.core import single as core
from procession.process import _win32 as win
from procession.process._tree_windows import WindowsTrees, own_job
from procession.process.spawn import spawn
from procession.shutdown._windows import WindowsEar
from procession.supervisor.single_course import RUN, SingleCourse

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Mapping

    from procession.core.stop import Ask
    from procession.process._handle_windows import WindowsHandle
    from procession.process._tree_windows import WindowsTree
    from procession.process.command import Command
    from procession.spec import Stop

_CHANGED = "changed"  # something of the tree ended; every other word in the inbox is a request
_TYPED = ("CTRL_C_EVENT", "CTRL_BREAK_EVENT")


class Single(SingleCourse):
    """See `SingleCourse`. `was_interrupted` stays False: no status tells a Ctrl-C from what a
    program exits with."""

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
        super().__init__(command, environ, stop=stop, timeout=timeout, say=say)
        self._on_console = on_console
        self._inbox: SimpleQueue[str] = SimpleQueue()
        self._handle: WindowsHandle
        self._tree: WindowsTree

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
        own = own_job()
        ear = WindowsEar(self)  # type: ignore[arg-type]  # of a session it only calls `heard`
        ear.open()
        ear.listen()
        trees = WindowsTrees(lambda _: self._inbox.put(_CHANGED))
        try:
            win.heed_ctrl_c()  # who leads a console group ignores it, and so would the command
            self._start(trees)
            self._keep()
        finally:
            trees.close()
            ear.close()
            # Only now: until here a crash of ours would have taken everything along.
            win.let_live(own)
        return core.end(self.course)

    def _start(self, trees: WindowsTrees) -> None:
        _, nested, env = self._marked()
        self.course = self.course.replace(began=self._clock())
        handle = spawn(self._command.replace(env=env, session=not self._on_console))
        self._handle = handle  # type: ignore[assignment]  # what this platform's spawn gives
        self._tree = trees.plant(RUN, nested, handle)
        self.pid = handle.pid
        self._inbox.put(_CHANGED)  # it may be over: the port tells of ends after the planting

    # --- the world, as it comes in -----------------------------------------------------------

    def _listen(self, seconds: float) -> None:
        try:
            word = self._inbox.get(timeout=seconds)
        except Empty:
            word = _CHANGED  # not each word of a job need arrive at its port
        if word == _CHANGED:
            self._look()
        else:
            self._asked(word)

    def _asked(self, reason: str) -> None:
        if reason not in _TYPED or not self._on_console:
            self._bring_down(f"{reason} was sent to procession")
        elif self.course.climb is not None:
            self._ctrl_c()
        # else the command, which shares our console, has heard it as well, and does what it likes

    def _look(self) -> None:
        self._tree.rest()
        status = self._handle.poll_exit()
        if status is not None and self.course.exit is None:
            self._leader_ended(status)
        if status is not None and self._is_empty():
            self._over = True
            self.usage = self._tree.finish()

    def _is_empty(self) -> bool:
        return self._tree.is_empty()

    # --- the ladder --------------------------------------------------------------------------

    def _ask(self, move: Ask, number: int) -> None:
        sent = self._tree.signal(number, to=move.to, only_new=move.unheard)
        self._note(f"{move.signal} to the {move.to}", sent)
        if not sent.pids and not move.unheard:
            # it has no window, and no console of its own: no use to wait for what it cannot do
            self._say("nothing can ask it to end: it is ended")
            self._take(core.force(self.course, self._clock()))

    def _kill(self) -> None:
        self._note("TerminateJobObject", self._tree.kill())

    def _give_up(self) -> tuple[str, ...]:
        return tuple(map(str, self._tree.members()))
