"""The loop of `up` on POSIX. Decides nothing: what happens goes through the core, see `course`.

It sleeps until a leader ends, the guardian speaks, a timer is due, another thread posts, or a
signal comes; there is no tick. SIGCHLD is no more than a hint that our own children should be
looked at (this is our own process, never somebody's application): orphans that came to us are
seen, and reaped pid by pid, when it comes.

`PosixCourse` has what a loop needs that turns in a thread of somebody's application, too (`guest`).
"""

from __future__ import annotations

import sys

assert sys.platform != "win32", "for POSIX only"

import os
import selectors
import signal

from procession.core import actions as act
from procession.core import events as ev
from procession.core.stop import KILL_WAIT
from procession.process import spare
from procession.process.exits import ExitWatcher
from procession.process.link import GuardianGone
from procession.process.spare import NO_ROOM, NO_ROOM_PAUSE
from procession.process.spawn import clean_signals
from procession.spec import FdProbe
from procession.supervisor.course import Course

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from typing import TypeVar

    from procession.lookup import Launch
    from procession.process._places_posix import Places
    from procession.process._tree import Trees
    from procession.process.link import Link
    from procession.spec import Project
    from procession.supervisor.output import Output
    from procession.supervisor.perform import Told
    from procession.supervisor.runs import LiveRun

    T = TypeVar("T")

STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
SWEEP_GRACE = 1.0  # seconds for what belongs to no run to end after its SIGTERM
HELD_PAUSE = 0.05  # seconds between two questions for a leader whose end a tracer holds back
HELD = "?"  # a timer's key; no replica is called so
FORCE_GAP = 1.0  # seconds between two Ctrl-C where the host cannot tell a typed one


class PosixCourse(Course):
    """Sleeps in a selector, and looks at trees once for a whole wave of exits."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        trees: Trees,
        link: Told,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
        owner: str = "",
    ) -> None:
        self._has_spare = False
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._ended: list[LiveRun] = []  # leaders seen to have ended, not told to the core yet
        self._watcher = ExitWatcher(self._selector, self._ended.append)
        try:
            super().__init__(
                project,
                launches,
                trees=trees,
                link=link,
                watcher=self._watcher,
                make_output=make_output,
                environ=environ,
                owner=owner,
            )
        except BaseException:
            self.close_loop()
            raise
        self._own_timers[HELD] = self._look_soon
        self._trees = trees
        self._held: list[LiveRun] = []  # of these a tracer, their real reaper's rival, knows first
        self._look = self._blind = False
        self._unsent: list[act.SignalTree | act.KillTree] = []

    def close_loop(self) -> None:
        """Give back what the loop sleeps by, and keeps. Idempotent."""
        if self._has_spare:
            self._has_spare = False
            spare.give_back()
        self._selector.close()
        fds, self._wake_r, self._wake_w = (self._wake_r, self._wake_w), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _listen(self, seconds: float | None) -> None:
        if not self._has_spare:  # the first time: what comes before is not to be short of it
            self._has_spare = True
            spare.keep()
        for key, _ in self._selector.select(0.0 if self._looks_now else seconds):
            key.data()
        if self._looks_now or self._ended:
            self._look_at_trees()

    @property
    def _looks_now(self) -> bool:
        """Without waiting for anything. (While nobody can look, a timer says when.)"""
        return self._look or (self._trees.again and not self._blind)

    def _wake(self) -> None:
        try:
            os.write(self._wake_w, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups: one of them will do

    def _look_soon(self) -> None:
        self._look = True

    def _look_at_trees(self) -> None:
        """One look for a whole wave of exits: who left what, and whose tree is empty now."""
        self._look = False
        unsent, self._unsent = self._unsent, []
        for action in unsent:
            self._perform(action)
        # A pidfd is readable as soon as its process is a zombie, but a traced one's status is the
        # tracer's first: until that lets go the kernel tells us nothing (ptrace(2)). It is asked
        # again; to watch the pidfd again would spin.
        ended: list[LiveRun] = []
        held: list[LiveRun] = []
        for live in (*self._held, *self._ended):
            if live.key not in self._performer.live:
                continue  # released meanwhile
            if live.killed:
                live.handle.forsake()
            (held if live.handle.poll_exit() is None else ended).append(live)
        self._ended.clear()
        self._held = held
        if held:
            self._timers.set(HELD, 0, self._clock() + HELD_PAUSE)
        try:
            self._tell_of_trees(ended)
        except OSError as e:
            self._look_later(ended, e)
        # Of a killed orphan's end its tracer hears first, and we by nothing but asking.
        if any(live.killed for live in self._performer.live.values()):
            self._timers.set(HELD, 0, self._clock() + HELD_PAUSE)

    def _tell_of_trees(self, ended: list[LiveRun]) -> None:
        """Of leaders that have ended, what they left, and whose tree is empty. Raises OSError."""
        grown = self._trees.scan([live.tree for live in ended])
        for live in ended:
            self._leader_ended(live)
        for run in grown:
            self._grew(run)
        for live in list(self._performer.live.values()):
            self._end_if_empty(live)
        self._blind = False
        spare.renew()

    def _look_later(self, ended: list[LiveRun], why: OSError) -> None:
        """Nobody can look now, for want of descriptors or memory: a little later it is all asked
        anew. (What of it was told already is stale for the core then.)"""
        self._tell_blind(why)
        self._held += [live for live in ended if live not in self._held]
        self._timers.set(HELD, 0, self._clock() + NO_ROOM_PAUSE)

    def _tell_blind(self, why: OSError) -> None:
        """Once in a row. Raises what is something else."""
        if why.errno not in NO_ROOM:
            raise why
        if not self._blind:
            self._blind = True
            self._output.say(f"processes cannot be looked at now, and are later: {why}")

    # --- through the core, and out -----------------------------------------------------------

    def _ask_again(self, blind: list[LiveRun]) -> None:
        self._held += blind
        self._timers.set(HELD, 0, self._clock() + HELD_PAUSE)

    def _perform(self, action: act.Action) -> None:
        try:
            super()._perform(action)
        except OSError as e:
            if not isinstance(action, act.SignalTree | act.KillTree):
                raise
            self._send_later((action,), e)
        if isinstance(action, act.KillTree):
            self.killed()

    def _send_later(self, actions: Iterable[act.SignalTree | act.KillTree], why: OSError) -> None:
        """Who is in these trees cannot be seen now. Later only those are told who were not yet."""
        self._look_later([], why)
        for action in actions:
            asks = isinstance(action, act.SignalTree)
            self._unsent.append(action.replace(unheard=True) if asks else action)

    def killed(self) -> None:
        self._timers.set(HELD, 0, self._clock() + HELD_PAUSE)

    def listen(self, fd: int, readable: Callable[[], object]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, readable)

    def unlisten(self, fd: int) -> None:
        try:
            self._selector.unregister(fd)
        except KeyError:
            pass  # it is not listened to now

    def _remind(self) -> None:
        super()._remind()
        self._look = True


class Engine(PosixCourse):
    """Runs one project from its first spawn to the end of its last tree."""

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        trees: Trees,
        link: Link,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
    ) -> None:
        self._places = _places(project)
        super().__init__(
            project,
            launches,
            trees=trees,
            link=link,
            make_output=make_output,
            environ=environ,
        )
        self._guardian = link
        self._stop_signals: set[int] = set()
        self._interrupted_at: float | None = None
        self._asked = 0  # how often we were told to stop

    def run(self) -> int:
        """The project's exit status. Call in the main thread: it takes the process's signals."""
        self._take_signals()
        self._keep()
        status = self._end()
        self._wait_for_terminal()
        self._output.close()
        if self._places is not None:
            self._places.close()
        return status

    # --- the world, as it comes in -----------------------------------------------------------

    def _take_signals(self) -> None:
        self._selector.register(self._wake_r, selectors.EVENT_READ, self._woken)
        self._selector.register(self._guardian.fd, selectors.EVENT_READ, self._guardian_spoke)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        for name in (*STOP_SIGNALS, "SIGCHLD"):
            number = getattr(signal, name, None)
            if number is not None:
                # the wakeup descriptor carries the number; a handler, not SIG_IGN: exec resets it
                signal.signal(number, lambda *_: None)
                if number != signal.SIGCHLD:
                    self._stop_signals.add(number)
        self._guardian.listening()
        clean_signals()  # unblocks them, and leaves nothing ignored for the tasks to inherit

    def _woken(self) -> None:
        try:
            numbers = os.read(self._wake_r, 4096)
        except BlockingIOError:
            return
        for number in set(numbers) - {0}:
            if number == signal.SIGCHLD:
                self._look = True
            elif number in self._stop_signals:
                name = signal.Signals(number).name
                self._stop(f"{name} was sent to the supervisor")
            # any other was ignored when we began, and has a handler only so that no task inherits
            # that: it means as little to us as before

    def _guardian_spoke(self) -> None:
        for heard in self._guardian.read():
            if isinstance(heard, GuardianGone):
                self._selector.unregister(self._guardian.fd)
                self._stop("the guardian was killed")
                continue
            if heard.signal == signal.SIGTSTP:
                self._output.mute()
                self._guardian.muted()
                continue
            if heard.signal == signal.SIGCONT:
                self._output.unmute()
                continue
            name = signal.Signals(heard.signal).name
            if heard.signal != signal.SIGINT:
                self._stop(f"{name} received")
            elif self._forces(heard.typed, heard.time):
                self._ctrl_c(again=True)
            elif heard.typed:
                self._ctrl_c(again=False)
            else:
                self._stop(f"{name} received")

    def _forces(self, typed: bool | None, at: float) -> bool:
        """Is this SIGINT a second one that a person typed?"""
        first, self._interrupted_at = self._interrupted_at, at
        if typed is None:  # the host cannot tell: nobody resends only once, and so late
            return first is not None and at - first > FORCE_GAP
        if not typed:
            self._interrupted_at = first
        return typed and first is not None

    def _stop(self, reason: str) -> None:
        self._asked += 1
        super()._stop(reason)

    def put(self, places: Mapping[int, int], spawn: Callable[[], T]) -> T:
        return self._places.put(places, spawn) if self._places is not None else spawn()

    # --- the end, and who belongs to no run --------------------------------------------------

    def _stop_begins(self) -> None:
        try:
            for run in self._trees.scan():  # daemons that came to us while nobody died
                self._grew(run)
            self._signal_unclaimed(signal.SIGTERM)
        except OSError as e:  # who is in no run hears at the end
            self._look_later([], e)

    def _end(self) -> int:
        """Sweep what belongs to no run, and say how it all ended."""
        survivors = [*self._performer.survivors, *self._sweep()]
        self._performer.spare_what_was_left()  # it may have grown since
        return self._close(survivors)

    @property
    def _forced(self) -> bool:
        """Also by what came when nothing is settled any more."""
        return self._fleet.forced or any(isinstance(e, ev.ForceAllAsked) for e in self._inbox)

    def _wait_for_terminal(self) -> None:
        """Stopped by Ctrl-Z when all has ended, our last words wait for `fg`; logs have them.

        Not when somebody wants us to end: the guardian was killed, or we are told so.
        """
        self._output.flush()
        asked = self._asked
        while self._output.muted and self._asked == asked:
            for key, _ in self._selector.select():
                key.data()

    def _sweep(self) -> list[str]:
        """End what nothing ties to a run; who is left, by name."""
        for number, seconds in ((signal.SIGTERM, SWEEP_GRACE), (signal.SIGKILL, KILL_WAIT)):
            until = self._clock() + seconds
            told = False
            while number == signal.SIGKILL or not self._forced:
                pause = until - self._clock()
                try:
                    # Looked at anew each time: who died since has left its children to us.
                    self._trees.scan()
                    if not self._trees.unclaimed() and not self._trees.again:
                        return []
                    if number == signal.SIGKILL or not told:
                        # SIGTERM went out when the stop began: only who came since has not heard
                        self._signal_unclaimed(number, only_new=number == signal.SIGTERM)
                        told = True
                    if self._trees.again:
                        pause = 0.0
                except OSError as e:
                    self._tell_blind(e)
                    pause = min(NO_ROOM_PAUSE, pause)
                if self._clock() >= until:
                    break
                # a death is told by SIGCHLD, and that by the wakeup pipe
                for key, _ in self._selector.select(max(0.0, pause)):
                    key.data()
        try:
            return [str(member) for member in self._trees.unclaimed()]
        except OSError as e:
            self._tell_blind(e)
            return ["what nothing ties to a task, if there is any: it could not be looked at"]

    def _signal_unclaimed(self, number: int, *, only_new: bool = False) -> None:
        """And log to whom: somebody may wonder why that process ended."""
        names = {member.pid: str(member) for member in self._trees.unclaimed()}
        sent = self._trees.sweep_unclaimed(number, only_new=only_new)
        for pid in sent.pids:
            name = names.get(pid, str(pid))
            self._output.event(
                f"{signal.Signals(number).name} to {name}: nothing ties it to a task"
            )


def _places(project: Project) -> Places | None:
    """The numbers of descriptors that tasks are to be given, kept free while we are alone."""
    checks = [c for r in project.replicas() for c in (r.task.ready, r.task.health) if c is not None]
    numbers = {p.fd for check in checks for p in check.probes if isinstance(p, FdProbe)}
    if not numbers:
        return None
    from procession.process._places_posix import Places

    places = Places()
    places.reserve(sorted(numbers))
    return places
