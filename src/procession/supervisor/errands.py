"""Small processes beside a run: the commands of its probes, and of its stop.

Each has a tree of its own, in the run's folder and environment. When its leader has ended what is
left of that tree is killed, so nothing of an errand outlives it; and no run is over before its
errands are. The guardian knows of each as it knows of runs.
"""

from __future__ import annotations

from procession.core.stop import KILL_WAIT
from procession.errors import quoted
from procession.lookup import LookupProblem, program_of
from procession.supervisor.injected import PID
from procession.supervisor.probes.log import Tail
from procession.supervisor.runs import LiveRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.core.status import ExitStatus
    from procession.supervisor.loop import Loop
    from procession.supervisor.perform import Performer
    from procession.supervisor.probes.kinds import Done
    from procession.supervisor.runs import RunKey

COMMAND_GRACE = 1.0  # seconds that a stop's command may outlive all it was to stop


class Errand:
    """One of them, as who asked for it has it. `done` is called once, unless it is cancelled."""

    def __init__(self, errands: Errands, words: str, done: Done) -> None:
        self.done: Done | None = done
        self.live: LiveRun | None = None
        self.tail: Tail | None = None  # None: what it writes goes to the logs
        self.status: ExitStatus | None = None
        self.why = ""  # what it failed of, other than by its status
        self.words = words
        self.stuck = False  # it could not be killed
        self._errands = errands

    def cancel(self) -> None:
        """Kill it, and tell nothing of it."""
        self.done = None
        self._errands.kill(self)

    def outlives(self) -> None:
        """It has had its time."""
        self._errands.kill(self, "it outlived all that it was to stop")

    def told(self) -> str:
        """How it failed, in words; empty where it did not."""
        if self.why:
            return self.why
        assert self.status is not None
        if self.status.succeeded():
            return ""
        last = self.tail.last_line() if self.tail is not None else ""
        return f"{self.status}" + (f": {last}" if last else "")


class Errands:
    """All errands of one supervisor. The loop's thread."""

    def __init__(self, performer: Performer, loop: Loop) -> None:
        self._performer = performer
        self._loop = loop
        self._count = 0
        self._all: dict[RunKey, Errand] = {}  # until their output is read to the end
        self._commands: dict[RunKey, Errand] = {}  # the running command of a run's stop

    def start(
        self,
        owner: LiveRun,
        command: tuple[str, ...],
        done: Done,
        *,
        timeout: float | None = None,
        extra: dict[str, str] | None = None,
        logged: bool = False,
    ) -> Errand:
        """`done(words, ours)` is called later, in any case: no words mean that it exited with 0,
        `ours` that it could not be started. `logged`: what it writes is the run's output; else
        only its last line is kept, for the words."""
        errand = Errand(self, quoted(" ".join(command)), done)
        self._count += 1
        try:
            executable = program_of(command[0], owner.launch.env, owner.launch.cwd)
            errand.tail = None if logged else Tail()
            errand.live = live = self._performer.start_errand(
                owner, self._count, command, executable, extra or {}, errand.tail
            )
        except LookupProblem as e:
            self._failed(errand, "; ".join(trouble.what for trouble in e.troubles), ours=False)
        except OSError as e:
            self._failed(errand, (e.strerror or str(e)).lower(), ours=True)
        except ValueError as e:
            self._failed(errand, str(e), ours=False)
        else:
            self._all[live.key] = errand
            if timeout is not None:
                late = f"it took longer than {timeout:g} s"
                self._loop.alarm(_key(live), timeout, lambda: self.kill(errand, late))
        return errand

    def _failed(self, errand: Errand, words: str, *, ours: bool) -> None:
        self._loop.call(lambda: errand.done(words, ours) if errand.done is not None else None)

    # --- commands of stops -------------------------------------------------------------------

    def command(self, owner: LiveRun, command: tuple[str, ...], done: Done) -> None:
        """Of a stop's step; one at a time for each run."""
        self.end_command(owner.key)
        talk = owner.outfit.talk if owner.outfit is not None else None
        pid = owner.handle.pid
        if talk is not None and talk.main_pid is not None and owner.tree.holds(talk.main_pid):
            pid = talk.main_pid
        errand = self.start(owner, command, done, extra={PID: str(pid)}, logged=True)
        if errand.live is not None:
            self._commands[owner.key] = errand
            self._loop.note(f"{owner.replica} run {owner.number}: {errand.words} is to stop it")

    def end_command(self, run: RunKey) -> None:
        errand = self._commands.pop(run, None)
        if errand is not None:
            errand.cancel()

    # --- ends --------------------------------------------------------------------------------

    def kill(self, errand: Errand, why: str = "it was killed") -> None:
        """What lives of it, and tell why it failed."""
        live = errand.live
        if live is not None and not live.killed and self._lives(live):
            errand.why = errand.why or why
            self._strike(errand, live)

    def _strike(self, errand: Errand, live: LiveRun) -> None:
        live.killed = True
        live.tree.kill()
        self._loop.alarm(_key(live), KILL_WAIT, lambda: self._abandon(errand, live))
        self._loop.killed()

    def _lives(self, live: LiveRun) -> bool:
        return not live.ending and live.key in self._performer.live

    def _abandon(self, errand: Errand, live: LiveRun) -> None:
        """What cannot be killed holds up nobody."""
        errand.stuck = True
        errand.why = "it could not be killed"
        self._performer.abandon(live)
        self._loop.killed()  # its run may be over by now

    def are_beside(self, run: RunKey) -> bool:
        """Is anything of that run's errands not over?"""
        return any(key[:2] == run for key in self._all)

    def hurry(self, run: RunKey) -> None:
        """All of that run has ended: its errands are to end. The command of its stop may wait for
        just that, and tidy up: it has a moment."""
        for errand in [errand for key, errand in self._all.items() if key[:2] == run]:
            live = errand.live
            assert live is not None
            if errand is not self._commands.get(run):
                self.kill(errand)
            elif not live.killed and self._lives(live):
                self._loop.alarm(_key(live), COMMAND_GRACE, errand.outlives)

    def leader_ended(self, live: LiveRun) -> None:
        """Of an errand: what it left is killed."""
        errand = self._all[live.key]
        errand.status = live.handle.poll_exit()
        if not live.tree.is_empty():
            self._strike(errand, live)

    def drained(self, key: RunKey) -> None:
        """All of it is over, and its output read."""
        errand = self._all.pop(key)
        assert errand.live is not None
        self._loop.disarm(_key(errand.live))
        if self._commands.get(errand.live.run) is errand:
            del self._commands[errand.live.run]
        done, errand.done = errand.done, None
        if done is not None:
            done(errand.told(), False)


def _key(live: LiveRun) -> str:
    return f"? {live.cookie}"  # no replica is called so
