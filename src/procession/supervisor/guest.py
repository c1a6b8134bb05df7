"""The loop of a project that runs in a thread of somebody's application. POSIX; see `course`.

Nothing of the process is ours here, so nothing of it is touched: no signal handler, no wakeup
descriptor, no SIGCHLD, no subreaper, no limit, no descriptor under a chosen number. What tells of
ends are pidfds: the leaders' own, and one of somebody who outlived a leader. Orphans are found in
/proc (`process.crowd`). In the guardian's place is a sentinel, which ends what a killed application
leaves.
"""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

import errno
import os
import selectors
import time
from _thread import allocate_lock

from procession.core import actions as act
from procession.core.stop import KILL_WAIT
from procession.process.crowd import application_trees
from procession.process.spare import NO_ROOM
from procession.supervisor.engine import PosixCourse
from procession.supervisor.outlived import Outlived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from typing import TypeVar

    from procession.lookup import Launch
    from procession.spec import Project
    from procession.supervisor.output import Output
    from procession.supervisor.runs import LiveRun, RunKey

    T = TypeVar("T")

ASK_AGAIN = 0.1  # seconds, about processes whose ends nothing tells
_LINGERING = "? lingering"  # an alarm's key
# What may be done between two signals without their order being another.
_OF_NO_TREE = (
    *(act.Changed, act.ReadyChanged, act.HealthChanged),
    *(act.EndChecks, act.SetTimer, act.StopBegan),
)


class Guest(PosixCourse):
    """Runs one project from its first spawn to the end of its last tree, in any thread."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
    ) -> None:
        token = os.urandom(8).hex()
        self._lock = allocate_lock()  # of the descriptor that other threads write to
        self._lingering: dict[RunKey, int] = {}  # pidfds of those that outlived their leader
        self._signals: list[act.SignalTree] = []  # to be sent when all is settled
        self._kills: list[act.KillTree] = []
        self._outlived = Outlived(token, self, self._say_of_sentinel)
        trees = application_trees((), lambda run: None, leave=False)
        trees.prepare()
        super().__init__(
            project,
            launches,
            trees=trees,
            link=self._outlived,
            make_output=make_output,
            environ=environ,
            owner=token,
        )

    def _say_of_sentinel(self, text: str) -> None:
        self._output.say(text)

    def run(self) -> int:
        """The project's exit status. When it raises, nothing of the project is left running, as
        far as that can be had."""
        try:
            self._selector.register(self._wake_r, selectors.EVENT_READ, self._woken)
            self._outlived.begin()
            self._keep()
            status = self._close(self._performer.survivors)
            self._output.close()
        except BaseException:
            self._abort()
            self._output.abandon()
            raise
        finally:
            self._give_back()
        return status

    # --- the world, as it comes in -----------------------------------------------------------

    def _wake(self) -> None:
        with self._lock:  # else its number could be somebody else's, after our end
            if self._wake_w >= 0:
                super()._wake()

    def _woken(self) -> None:
        try:
            os.read(self._wake_r, 4096)
        except BlockingIOError:
            return

    def put(self, places: Mapping[int, int], spawn: Callable[[], T]) -> T:
        raise OSError(
            errno.EOPNOTSUPP, "a descriptor of a number of its own: only `procession up` has it"
        )

    def _grew(self, key: Hashable) -> None:
        """These trees tell at each look of all that have not heard the last signal: of a run that
        was never told anything, of everybody. It is news where somebody is to hear it."""
        live = self._performer.live.get(key)  # type: ignore[call-overload]  # of any kind
        if live is None:
            return
        state = self._fleet.replicas[live.replica]
        left = live.leader_told and state.task.leftover != "wait"
        if left or state.phase.name == "stopping":
            super()._grew(key)

    def _look_at_trees(self) -> None:
        super()._look_at_trees()
        try:
            self._watch_who_lingers()
        except OSError as e:
            self._look_later([], e)

    def _watch_who_lingers(self) -> None:
        """Who outlived a leader is nobody's child here, but a pidfd tells of its end: that of one
        of them, then of another."""
        blind = False
        live_runs = self._performer.live
        for key in [key for key in self._lingering if key not in live_runs]:
            self._forget(key)
        for key, live in live_runs.items():
            if live.leader_told and not live.ending and key not in self._lingering:
                blind = not self._watch_one(live) or blind
        if blind:
            self.alarm(_LINGERING, ASK_AGAIN, self._look_soon)

    def _watch_one(self, live: LiveRun) -> bool:
        for member in live.tree.members():
            if sys.platform != "linux":
                return False
            try:
                fd = os.pidfd_open(member.pid)
            except OSError:
                continue  # it has just ended; or this host has no pidfds, or no descriptor left
            self._lingering[live.key] = fd
            self._selector.register(fd, selectors.EVENT_READ, lambda: self._one_ended(live.key))
            return True
        return False

    def _one_ended(self, key: RunKey) -> None:
        self._forget(key)
        self._look = True

    def _forget(self, key: RunKey) -> None:
        fd = self._lingering.pop(key)
        self._selector.unregister(fd)
        os.close(fd)

    # --- out, in one go ----------------------------------------------------------------------

    def _perform(self, action: act.Action) -> None:
        """A look at trees is a reading of all /proc: a wave of stops is one."""
        if isinstance(action, act.SignalTree):
            self._signals.append(action)
        elif isinstance(action, act.KillTree):
            self._beside.perform(action)
            self._kills.append(action)
        else:
            if not isinstance(action, _OF_NO_TREE):
                self._tell_trees()
            super()._perform(action)

    def _settle(self) -> None:
        super()._settle()
        self._tell_trees()

    def _tell_trees(self) -> None:
        signals, self._signals = self._signals, []
        kills, self._kills = self._kills, []
        try:
            if signals:
                self._performer.signal_many(signals)
                signals = []
            if kills:
                self._performer.kill_many(kills)
                self.killed()
        except OSError as e:
            self._send_later((*signals, *kills), e)

    # --- the end -----------------------------------------------------------------------------

    def abandon(self) -> None:
        """It never ran: give back what it has."""
        self._output.abandon()
        self._give_back()

    def _abort(self) -> None:
        """Something of ours failed: no task is to outlive that, graceful or not."""
        lost = list(self._performer.live.values())
        until = time.monotonic() + KILL_WAIT
        while lost and time.monotonic() < until:
            try:
                for live in lost:
                    live.tree.kill()
            except OSError as e:
                _only_for_now(e)
            time.sleep(ASK_AGAIN / 10)  # what was killed is on its way
            try:
                self._trees.scan()
                for live in [live for live in lost if live.tree.is_empty()]:
                    lost.remove(live)
                    self._performer.bury(live)
            except OSError as e:
                _only_for_now(e)
        self._beside.close()
        if self._steering is not None:
            self._steering.end()

    def _give_back(self) -> None:
        for key in list(self._lingering):
            self._forget(key)
        self._outlived.end(orderly=not self._performer.live)
        self._watcher.close()
        self._trees.close()
        with self._lock:
            self.close_loop()


def _only_for_now(e: OSError) -> None:
    """Raises it, unless it is for want of descriptors or memory."""
    if e.errno not in NO_ROOM:
        raise e
