"""The loop of `procession up` on Windows. Decides nothing: what happens goes through the core.

It sleeps on one queue: the job's port posts every end, the capture thread what was read to its end,
the ear (`procession.shutdown`) what asks us to stop. There is no guardian; our own job object ends
with us, and takes along whatever lives then.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32", "for Windows only"

import os
from queue import Empty, SimpleQueue

from procession.core import events as ev
from procession.process import _win32 as win
from procession.process._tree_windows import WindowsTrees, own_job
from procession.shutdown._windows import WindowsEar
from procession.supervisor.course import REMINDER, Course
from procession.supervisor.perform import Performer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Hashable, Mapping

    from procession.core.fleet import Happening
    from procession.lookup import Launch
    from procession.spec import Project
    from procession.supervisor.output import Output

_TYPED = "CTRL_C_EVENT"


class NoGuardian:
    """Whom the performer tells of runs, and whom it asks to watch them: the port does that, and
    our own job needs to know nothing."""

    def begins(self, cookie: str, signal: int, grace: float) -> None: ...
    def started(self, cookie: str, pid: int, outputs: object = ()) -> None: ...
    def ended(self, cookie: str) -> None: ...
    def leaves(self, cookie: str) -> None: ...
    def spares(self, cookie: str, pid: int, start_time: int) -> None: ...
    def watch(self, process: object, token: object) -> None: ...
    def forget(self, process: object) -> None: ...


class Engine(Course):
    """Runs one project from its first spawn to the end of its last tree. As `engine.Engine`."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
    ) -> None:
        super().__init__(project)
        self._inbox: SimpleQueue[Callable[[], object]] = SimpleQueue()  # from any thread
        self._happenings: list[Happening] = []
        self._trees = WindowsTrees(lambda run: self._inbox.put(lambda: self._look_at(run)))
        self._output = make_output(
            lambda run: self._inbox.put(lambda: self._happenings.append(ev.TreeEmpty(*run)))  # type: ignore[misc]  # a run's key is (replica, number)
        )
        self._typed = False
        nobody = NoGuardian()
        self._performer = Performer(
            project,
            launches,
            trees=self._trees,
            output=self._output,
            link=nobody,
            environ=environ,
            post=self._happenings.append,
            watcher=nobody,
        )

    def heard(
        self,
        source: str,
        reason: str,
        lane: str,
        signal: _signal.Signals | None = None,
        grace: float | None = None,
    ) -> None:
        """For the ear: a request came. In any thread."""
        self._inbox.put(lambda: self._asked(reason))

    def run(self) -> int:
        """The project's exit status. Call in the main thread: it takes the process's signals."""
        own = own_job()
        ear = WindowsEar(self)  # type: ignore[arg-type]  # of a session it only calls `heard`
        ear.open()
        ear.listen()
        win.heed_ctrl_c()
        try:
            self._happenings.append(ev.BeginAll())
            self._settle()
            self._output.start()
            self._output.event(f"{self._project.name}: supervisor {os.getpid()} began")
            while self._finish is None:
                self._turn()
            status = self._close(self._performer.survivors)
            self._output.close()
            return status
        finally:
            self._trees.close()
            ear.close()
            # what was left on purpose lives on; a crash of ours would have taken it along
            win.let_live(own)

    def _turn(self) -> None:
        self._output.flush()
        try:
            self._inbox.get(timeout=self._sleep())()
            while True:
                self._inbox.get_nowait()()
        except Empty:
            pass
        for replica, number in self._timers.due(self._clock()):
            if replica == REMINDER:
                self._remind()
            else:
                self._happenings.append(ev.TimerFired(replica, number))
        self._settle()

    def _asked(self, reason: str) -> None:
        if reason == _TYPED and self._typed:
            self._happenings.append(ev.ForceAllAsked("Ctrl-C again"))
            return
        self._typed |= reason == _TYPED
        if not self._fleet.stopping:
            words = "Ctrl-C" if reason == _TYPED else f"{reason} received"
            self._happenings.append(ev.StopAllAsked(words))
        elif reason == _TYPED:
            self._output.say("already stopping; Ctrl-C again kills what is left")

    def _look_at(self, run: Hashable) -> None:
        """Something of it ended: its leader, somebody else, or the last one."""
        live = self._performer.live.get(run)  # type: ignore[call-overload]
        if live is None or live.ending:
            return
        live.tree.rest()
        status = live.handle.poll_exit()
        if status is not None and not live.leader_told:
            live.leader_told = True
            left = 0 if live.tree.is_empty() else len(live.tree.members())
            self._happenings.append(ev.LeaderExited(live.replica, live.number, status, left))
        if live.leader_told and live.tree.is_empty():
            self._settle()  # the end of the leader first, which may be news
            self._performer.over(live)
            self._timers.drop(live.replica)

    def _settle(self) -> None:
        """Each happening through the core, its actions carried out at once."""
        while self._happenings:
            for action in self._fleet.handle(self._happenings.pop(0), self._clock()):
                self._perform(action)
        self._performer.watch()
