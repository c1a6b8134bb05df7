"""One replica's life told line by line: what happens to it, what it does, what it says."""

from __future__ import annotations

from procession.core import actions as act
from procession.core import events as ev
from procession.core.states import ReplicaState
from procession.core.status import ExitStatus
from procession.core.table import step
from procession.spec import Restart, Task


class Story:
    """A replica called `web` and a clock that stands still unless told otherwise.

    Each verb is an event. After it, `did` has the actions without Changed, and `said` the change
    in words (`old -> new: why`), or "" where the state stayed.
    """

    def __init__(self, *, policy: str = "no", delay: float | None = None, **task: object) -> None:
        task = {"restart": Restart(policy, delay), **task}
        self.state = ReplicaState("web", Task("web", "web", **task))
        self.now = 100.0
        self.did: list[act.Action] = []
        self.said = ""
        self.due: act.SetTimer | None = None

    @property
    def name(self) -> str:
        return self.state.phase.name

    def tell(self, event: ev.Event) -> Story:
        self.state, actions = step(self.state, event, self.now)
        changes = [a for a in actions if isinstance(a, act.Changed)]
        assert len(changes) <= 1
        assert actions[: len(changes)] == changes, "the change is told first"
        self.said = "".join(f"{c.old} -> {c.new}: {c.why}" for c in changes)
        self.did = [a for a in actions if not isinstance(a, act.Changed)]
        for action in actions:
            if isinstance(action, act.SetTimer):
                self.due = action
        return self

    def passes(self, seconds: float) -> Story:
        self.now += seconds
        return self

    def begins(self) -> Story:
        return self.tell(ev.Begin("web"))

    def start(self, reason: str = "Ann starts it") -> Story:
        return self.tell(ev.StartAsked("web", reason))

    def stop(self, reason: str = "Ann stops it") -> Story:
        return self.tell(ev.StopAsked("web", reason))

    def force(self, reason: str = "Ann forces it") -> Story:
        return self.tell(ev.ForceAsked("web", reason))

    def restart(self, reason: str = "Ann restarts it") -> Story:
        return self.tell(ev.RestartAsked("web", reason))

    def restarts_with_db(self) -> Story:
        return self.tell(ev.RestartWith("web", "restarts with db"))

    def stop_planned(self) -> Story:
        return self.tell(ev.StopPlanned("web", "the project stops"))

    def held(self, by: str = "db to be ready", **hold: object) -> Story:
        return self.tell(ev.Held("web", ev.Hold(by, **hold)))

    def free(self) -> Story:
        return self.tell(ev.Held("web", None))

    def passes_check(self, which: str) -> Story:
        return self.tell(ev.CheckPassed("web", self.state.run, which))

    def fails_check(self, which: str, why: str = "tcp 8000: refused") -> Story:
        return self.tell(ev.CheckFailed("web", self.state.run, which, why))

    def tells_of(self, which: str, why: str) -> Story:
        return self.tell(ev.CheckTold("web", self.state.run, which, why))

    def says(self, text: str) -> Story:
        return self.tell(ev.StatusTold("web", self.state.run, text))

    def needs(self, seconds: float) -> Story:
        return self.tell(ev.ExtendAsked("web", self.state.run, seconds))

    def says_stopping(self) -> Story:
        return self.tell(ev.StoppingTold("web", self.state.run))

    def command_ends(self, rung: int = 0, *, ok: bool = True) -> Story:
        words = "" if ok else "exited with 1"
        return self.tell(ev.CommandEnded("web", self.state.run, rung, ok, words))

    def rings(self) -> Story:
        """The timer set last runs out."""
        assert self.due is not None, "no timer was set"
        self.now = self.due.at
        return self.tell(ev.TimerFired("web", self.due.timer))

    def spawned(self, pid: int = 7) -> Story:
        return self.tell(ev.Spawned("web", self.state.run, pid))

    def cannot_start(self, status: int = 127) -> Story:
        return self.tell(ev.SpawnFailed("web", self.state.run, "no such program", status))

    def exits(self, code: int | None = 0, *, signal: int | None = None, left: int = 0) -> Story:
        status = ExitStatus(None if signal else code, signal)
        return self.tell(ev.LeaderExited("web", self.state.run, status, left))

    def grows(self) -> Story:
        return self.tell(ev.TreeGrew("web", self.state.run))

    def is_empty(self) -> Story:
        return self.tell(ev.TreeEmpty("web", self.state.run))

    def runs(self) -> Story:
        """Begin, and be spawned."""
        return self.begins().spawned()


def spawn(run: int) -> act.Spawn:
    return act.Spawn("web", run)


def signal(
    to: str, *, run: int = 1, unheard: bool = False, name: str = "SIGTERM"
) -> act.SignalTree:
    return act.SignalTree("web", run, name, to, unheard)


def kill(run: int = 1) -> act.KillTree:
    return act.KillTree("web", run)


def timer(number: int, at: float) -> act.SetTimer:
    return act.SetTimer("web", number, at)
