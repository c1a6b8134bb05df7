"""The loop of `up`: what the world says goes into the inbox, through the core, and out as actions.

Here is all that is the same on every platform. How the world comes in, and how a loop sleeps until
it does, is each platform's own: `engine`, `engine_windows`.
"""

from __future__ import annotations

import os
import time
from collections import deque

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet
from procession.core.view import waiting
from procession.supervisor.beside import Beside
from procession.supervisor.perform import Performer
from procession.supervisor.timers import Timers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping
    from typing import TypeVar

    from procession.core.fleet import Happening
    from procession.lookup import Launch
    from procession.process._tree import Trees
    from procession.spec import Project, Task
    from procession.supervisor.output import Output
    from procession.supervisor.perform import Told, Watcher
    from procession.supervisor.probes.outfit import Outfit
    from procession.supervisor.runs import LiveRun
    from procession.supervisor.steering import Steering

    T = TypeVar("T")

LONGEST_SLEEP = 86_400.0  # seconds: what counts milliseconds in an int takes no month
REMINDER = ""  # a timer's key; no replica is called so
ALARM = "? "  # what the keys of alarms begin with
REMIND_AFTER, REMIND_EVERY = 1.0, 5.0  # seconds of a stop until it says whom it waits for


def chance() -> float:
    """A number from 0 up to 1. (`random` costs an import of 6 ms.)"""
    return int.from_bytes(os.urandom(4), "little") / (1 << 32)


class Course:
    """One running project, from its first spawn to the end of its last tree.

    One thread owns all of it, the one that is in `run`; the others call `post`, and nothing else.
    """

    def __init__(
        self,
        project: Project,
        launches: Mapping[str, Launch | None],
        *,
        trees: Trees,
        link: Told,
        watcher: Watcher,
        make_output: Callable[[Callable[[Hashable], None]], Output],
        environ: Mapping[str, str],
        owner: str = "",
    ) -> None:
        """`owner`: of a project inside an application: by which the processes of all its runs are
        known. It goes on when the last task was stopped by a wish."""
        self._clock = time.monotonic
        self._project = project
        self._fleet = Fleet(project, chance, stays=bool(owner))
        self._inbox: deque[Happening] = deque()
        self._todo: deque[Callable[[], object]] = deque()  # from any thread
        self._questions: deque[Callable[[], object]] = deque()  # the same, about the state
        self._timers = Timers()
        # What is done when one of our own is due; every other key is a replica's.
        self._own_timers: dict[str, Callable[[], object]] = {REMINDER: self._remind}
        self._alarms: dict[str, tuple[int, Callable[[], object]]] = {}
        self._alarm_number = 0
        self._link = link
        self._output = make_output(self._drained)
        self._finish: act.Finish | None = None
        self._stop_began: float | None = None
        self._steering: Steering | None = None
        # Called in the loop's thread when the first tasks were started: may have others steer.
        self.on_started: Callable[[Course], Steering | None] = lambda course: None
        self._performer = Performer(
            project,
            launches,
            trees=trees,
            output=self._output,
            link=link,
            environ=environ,
            post=self._inbox.append,
            watcher=watcher,
            equip=self._equip,
            owner=owner,
        )
        self._beside = Beside(self, self._performer, link.makes)

    def _equip(self, task: Task, uid: int | None) -> Outfit | None:
        return self._beside.equip(task, uid)

    # --- for any thread ----------------------------------------------------------------------

    def post(self, happening: Happening) -> None:
        """Have it go through the core, soon. Any thread; never waits."""
        self._inbox.append(happening)
        self._wake()

    def call(self, action: Callable[[], object]) -> None:
        """Have it done in the loop's thread, soon, in order. Any thread; never waits."""
        self._todo.append(action)
        self._wake()

    def ask(self, question: Callable[[], object]) -> None:
        """Have it called in the loop's thread, once all that was posted before has gone through
        the core: it sees what came of that. Any thread; never waits. It must not raise."""
        self._questions.append(question)
        self._wake()

    def when_written(self, then: Callable[[], None]) -> None:
        """`then` is called, in another thread, when all that tasks wrote so far, as far as it was
        read, is in the logs; never, once the loop has ended. Any thread; never waits."""
        self.call(lambda: self._output.when_written(then))

    def _wake(self) -> None:
        """End the sleep of the loop, or its next one. Any thread; never waits."""
        raise NotImplementedError

    def _drained(self, run: Hashable) -> None:
        """From the capture thread: the run's output has been read to its end."""
        assert isinstance(run, tuple)
        self.call(lambda: self._beside.drained(run))

    # --- for who works in the loop's thread (`loop.Loop`) --------------------------------------

    def tell(self, event: ev.Event) -> None:
        self._inbox.append(event)

    def note(self, text: str) -> None:
        self._output.event(text)

    def say(self, text: str) -> None:
        """For people: on the terminal and in the event log."""
        self._output.say(text)

    def alarm(self, key: str, seconds: float, action: Callable[[], object]) -> None:
        self._alarm_number += 1
        self._alarms[key] = self._alarm_number, action
        self._timers.set(key, self._alarm_number, self._clock() + seconds)

    def disarm(self, key: str) -> None:
        if self._alarms.pop(key, None) is not None:
            self._timers.drop(key)

    def _goes_off(self, key: str, number: int) -> bool:
        """Is, or was, this timer an alarm? What went off before it in the same moment may have
        disarmed it, or set it anew."""
        found, action = self._alarms.get(key, (0, None))
        if action is not None and found == number:
            del self._alarms[key]
            action()
        return key.startswith(ALARM)

    def listen(self, fd: int, readable: Callable[[], object]) -> None:
        raise NotImplementedError

    def unlisten(self, fd: int) -> None:
        raise NotImplementedError

    def put(self, places: Mapping[int, int], spawn: Callable[[], T]) -> T:
        raise NotImplementedError

    def killed(self) -> None:
        """Something was killed: its end may have to be asked for."""

    # --- the loop ----------------------------------------------------------------------------

    def _keep(self) -> None:
        """From the first spawn until nothing lives and nothing is wanted."""
        self._inbox.append(ev.BeginAll())
        self._settle()
        self._output.start()
        if self._output.folder is not None:
            self._link.logs_in(self._output.folder)
        self._output.event(f"{self._project.name}: supervisor {os.getpid()} began")
        self._steering = self.on_started(self)
        while self._finish is None:
            self._output.flush()
            self._listen(self._sleep())
            self._fire()
            self._settle()

    def _listen(self, seconds: float | None) -> None:
        """Sleep until the world says something, at most so long; None: until it does. What it
        said is in the inbox then."""
        raise NotImplementedError

    def _sleep(self) -> float | None:
        """Seconds until the next timer is due, in parts; None: there is none."""
        at = self._timers.next()
        return None if at is None else min(LONGEST_SLEEP, max(0.0, at - self._clock()))

    def _fire(self) -> None:
        """What is due: our own timers at once, those of replicas into the inbox."""
        for key, number in self._timers.due(self._clock()):
            if key in self._own_timers:
                self._own_timers[key]()
            elif not self._goes_off(key, number):
                self._inbox.append(ev.TimerFired(key, number))

    def _settle(self) -> None:
        """Empty the inbox: each happening through the core, its actions carried out at once."""
        while self._todo:
            self._todo.popleft()()
        while self._inbox:
            for action in self._fleet.handle(self._inbox.popleft(), self._clock()):
                self._perform(action)
        while self._questions:
            self._questions.popleft()()
        if blind := self._performer.watch():
            self._ask_again(blind)

    def _ask_again(self, blind: list[LiveRun]) -> None:
        """These were started, and nothing tells of their ends."""
        raise NotImplementedError

    def _perform(self, action: act.Action) -> None:
        if isinstance(action, act.Changed):
            self._output.changed(action)
            self._changed()
        elif isinstance(action, act.SetTimer):
            self._timers.set(action.replica, action.timer, action.at)
        elif isinstance(action, act.StopBegan):
            if self._stop_began is None:
                self._stop_began = self._clock()
                self._timers.set(REMINDER, 0, self._stop_began + REMIND_AFTER)
                self._stop_begins()
            self._output.stop_began(action.reason, forced=action.forced)
        elif isinstance(action, act.ReadyChanged | act.HealthChanged):
            # where it is brought down for it, or completed by it, that was told in its own words
            told = self._fleet.replicas[action.replica].phase.name in ("stopping", "completed")
            self._output.checked(action, show=not told)
            self._changed()
        elif isinstance(action, act.Finish):
            self._finish = action
        elif not self._beside.perform(action):
            self._performer.perform(action)

    # --- for those who steer, in the loop's thread -------------------------------------------

    @property
    def fleet(self) -> Fleet:
        return self._fleet

    @property
    def logs(self) -> str | None:
        """The folder with the log files of this supervisor; None: there are none."""
        return self._output.folder

    def now(self) -> float:
        """The clock that the core is told its events with."""
        return self._clock()

    def _changed(self) -> None:
        if self._steering is not None:
            self._steering.changed()

    # --- what the world says -----------------------------------------------------------------

    def _leader_ended(self, live: LiveRun) -> None:
        """It was seen to have ended; what it left is counted."""
        status = live.handle.poll_exit()
        assert status is not None
        live.leader_told = True
        if live.owner is not None:
            self._beside.leader_ended(live)
            return
        left = 0 if live.tree.is_empty() else len(live.tree.members())
        self._inbox.append(ev.LeaderExited(live.replica, live.number, status, left))

    def _grew(self, key: Hashable) -> None:
        """Processes of that run came to light that did not hear the last signal to its tree."""
        assert isinstance(key, tuple)
        if len(key) == 2:  # an errand's are killed with it, or when its leader has ended
            self._inbox.append(ev.TreeGrew(*key))

    def _end_if_empty(self, live: LiveRun) -> None:
        """The run is over when nothing of its tree lives, and what is beside it has ended too."""
        if live.leader_told and live.tree.is_empty():
            self._performer.over(live)
            if live.owner is None:
                # nothing is left to be killed: the reading of the output has a bound of its own,
                # and so have the errands
                self._timers.drop(live.replica)
                self._beside.over(live)

    def _stop(self, reason: str) -> None:
        if not self._fleet.stopping:
            self._inbox.append(ev.StopAllAsked(reason))

    def _ctrl_c(self, *, again: bool) -> None:
        """A person typed it; `again`: not for the first time."""
        if again:
            self._inbox.append(ev.ForceAllAsked("Ctrl-C again"))
        elif self._fleet.stopping:
            self._output.say("already stopping; Ctrl-C again kills what is left")
        else:
            self._stop("Ctrl-C")

    # --- the stop of it all ------------------------------------------------------------------

    def _stop_begins(self) -> None:
        """The stop of the whole project: once, before any task hears of it."""

    def _remind(self) -> None:
        """A stop that lasts says whom it waits for: nobody should have to guess, or to kill us."""
        now = self._clock()
        words = waiting(self._fleet.replicas.values(), now)
        if words is not None:
            self._output.say(words)
        self._timers.set(REMINDER, 0, now + REMIND_EVERY)

    def _close(self, survivors: Iterable[str]) -> int:
        """Say how it all ended; the project's exit status."""
        assert self._finish is not None
        if self._steering is not None:
            self._steering.end()
        self._beside.close()
        found = False
        for name in survivors:
            found = True
            self._output.say(f"could not be killed: {name}")
        how = "ended"
        if self._stop_began is not None:
            how = f"stopped in {self._clock() - self._stop_began:.1f} s"
        status = self._finish.status or (1 if found else 0)
        self._output.closing(f"{self._project.name} {how}, status {status}: {self._finish.reason}")
        return status
