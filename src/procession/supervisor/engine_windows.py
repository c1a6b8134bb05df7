"""The loop of `up` on Windows. Decides nothing: what happens goes through the core, see `course`.

It sleeps on one queue: the job's port posts every end, the capture thread what was read to its end,
the ear (`procession.shutdown`) what asks us to stop. There is no guardian; our own job object ends
with us, and takes along whatever lives then.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32", "for Windows only"

from queue import Empty, SimpleQueue

from procession.process import _win32 as win
from procession.process._console_windows import ConsoleOfBytes
from procession.process._tree_windows import WindowsTrees, own_job
from procession.shutdown._windows import WindowsEar
from procession.supervisor.course import Course

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Hashable, Mapping

    from procession.lookup import Launch
    from procession.spec import Project
    from procession.supervisor.output import Output
    from procession.supervisor.runs import LiveRun

_TYPED = "CTRL_C_EVENT"


class NoGuardian:
    """Whom the performer tells of runs, and whom it asks to watch them: the port does that, and
    our own job needs to know nothing."""

    def begins(self, cookie: str, signal: int, grace: float) -> None: ...
    def started(self, cookie: str, pid: int, outputs: object = ()) -> None: ...
    def ended(self, cookie: str) -> None: ...
    def leaves(self, cookie: str) -> None: ...
    def spares(self, cookie: str, pid: int, start_time: int) -> None: ...
    def logs_in(self, folder: str) -> None: ...
    def makes(self, folder: str) -> None: ...
    def watch(self, process: object, token: object) -> None: ...
    def forget(self, process: object) -> None: ...


class WindowsCourse(Course):
    """Sleeps on a queue, into which the ports of the jobs and other threads put what to do."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
        owner: str = "",
    ) -> None:
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()  # from any thread
        self._trees = WindowsTrees(lambda run: self._calls.put(lambda: self._look_at(run)))
        nobody = NoGuardian()
        super().__init__(
            project,
            launches,
            trees=self._trees,
            link=nobody,
            watcher=nobody,
            make_output=make_output,
            environ=environ,
            owner=owner,
        )

    def _listen(self, seconds: float | None) -> None:
        try:
            self._calls.get(timeout=seconds)()
            while True:
                self._calls.get_nowait()()
        except Empty:
            pass

    def _wake(self) -> None:
        self._calls.put(_nothing)

    def _look_at(self, run: Hashable) -> None:
        """Something of it ended: its leader, somebody else, or the last one."""
        live = self._performer.live.get(run)  # type: ignore[call-overload]
        if live is None or live.ending:
            return
        live.tree.rest()
        if not live.leader_told and live.handle.poll_exit() is not None:
            self._leader_ended(live)
        self._end_if_empty(live)

    def _remind(self) -> None:
        super()._remind()
        # The vendor does not promise that each word of a job arrives at its port
        # (https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_associate_completion_port).
        for key in list(self._performer.live):
            self._look_at(key)

    def _ask_again(self, blind: list[LiveRun]) -> None:
        raise AssertionError("the port tells of each end")


class Engine(WindowsCourse):
    """Runs one project from its first spawn to the end of its last tree. As `engine.Engine`."""

    _typed = False

    def heard(
        self,
        source: str,
        reason: str,
        lane: str,
        signal: _signal.Signals | None = None,
        grace: float | None = None,
    ) -> None:
        """For the ear: a request came. In any thread."""
        self._calls.put(lambda: self._asked(reason))

    def run(self) -> int:
        """The project's exit status. Call in the main thread: it takes the process's signals."""
        own = own_job()
        ear = WindowsEar(self)  # type: ignore[arg-type]  # of a session it only calls `heard`
        ear.open()
        ear.listen()
        win.heed_ctrl_c()
        try:
            with ConsoleOfBytes():
                self._keep()
                status = self._close(self._performer.survivors)
                self._output.close()
            return status
        finally:
            self._trees.close()
            ear.close()
            # what was left on purpose lives on; a crash of ours would have taken it along
            win.let_live(own)

    def _asked(self, reason: str) -> None:
        if reason == _TYPED:
            again, self._typed = self._typed, True
            self._ctrl_c(again=again)
        else:
            self._stop(f"{reason} received")


def _nothing() -> None:
    """To be woken by."""
