"""A fleet told line by line, as `story` tells one replica."""

from __future__ import annotations

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.status import ExitStatus
from procession.spec import Check, Dependency, FileProbe, Project, Restart, Task

CHECK = Check((FileProbe("/there"),))
ALWAYS = Restart("always", 3.0)


def task(name: str, *needs: str | Dependency, **fields: object) -> Task:
    """`needs`: names mean `ready`, as in a file; `db:started` another condition."""
    return Task(name, name, depends_on=tuple(map(_dependency, needs)), **fields)


def _dependency(need: str | Dependency) -> Dependency:
    if isinstance(need, Dependency):
        return need
    on, _, condition = need.partition(":")
    return Dependency(on, condition or "ready")


class Crew:
    """After each verb `said` has the changes in words, `began` and `asked` who was spawned and who
    was asked to end, in order; `transitions` has the states that all went from and to so far."""

    def __init__(self, *tasks: Task, draw: float = 0.0, **project: object) -> None:
        self.fleet = Fleet(Project("demo", "/", tasks, **project), lambda: draw)
        self.now = 100.0
        self.actions: list[act.Action] = []
        self.timers: dict[str, act.SetTimer] = {}
        self.transitions: set[tuple[str, str]] = set()

    def tell(self, *events: Happening) -> Crew:
        self.actions = []
        for event in events:
            self.actions += self.fleet.handle(event, self.now)
        for action in self.actions:
            if isinstance(action, act.SetTimer):
                self.timers[action.replica] = action
            elif isinstance(action, act.Changed) and action.old != action.new:
                self.transitions.add((action.old, action.new))
        return self

    @property
    def said(self) -> list[str]:
        return [f"{a.replica} {a.new}: {a.why}" for a in self.actions if isinstance(a, act.Changed)]

    @property
    def began(self) -> list[str]:
        return [a.replica for a in self.actions if isinstance(a, act.Spawn)]

    @property
    def asked(self) -> list[str]:
        return [a.replica for a in self.actions if isinstance(a, act.SignalTree)]

    @property
    def killed(self) -> list[str]:
        return [a.replica for a in self.actions if isinstance(a, act.KillTree)]

    @property
    def finish(self) -> tuple[int, str] | None:
        last = self.actions[-1] if self.actions else None
        return (last.status, last.reason) if isinstance(last, act.Finish) else None

    def name(self, replica: str) -> str:
        return self.fleet.replicas[replica].phase.name

    def why(self, replica: str) -> str:
        return self.fleet.replicas[replica].why

    def run(self, replica: str) -> int:
        return self.fleet.replicas[replica].run

    def passes(self, seconds: float) -> Crew:
        self.now += seconds
        return self

    def begins(self) -> Crew:
        return self.tell(ev.BeginAll())

    def spawned(self, *names: str) -> Crew:
        return self.tell(*(ev.Spawned(n, self.run(n), 7) for n in names))

    def cannot_start(self, name: str) -> Crew:
        return self.tell(ev.SpawnFailed(name, self.run(name), "no such program", 127))

    def ready(self, *names: str) -> Crew:
        return self.tell(*(ev.CheckPassed(n, self.run(n), ev.READY) for n in names))

    def healthy(self, name: str) -> Crew:
        return self.tell(ev.CheckPassed(name, self.run(name), ev.HEALTH))

    def unhealthy(self, name: str) -> Crew:
        return self.tell(ev.CheckFailed(name, self.run(name), ev.HEALTH, "tcp 8000: refused"))

    def exits(self, name: str, code: int = 0) -> Crew:
        return self.tell(ev.LeaderExited(name, self.run(name), ExitStatus(code), 0))

    def ends(self, name: str, code: int = 0) -> Crew:
        """Its leader exits, and its tree is empty."""
        run = self.run(name)
        return self.tell(ev.LeaderExited(name, run, ExitStatus(code), 0), ev.TreeEmpty(name, run))

    def rings(self, name: str) -> Crew:
        self.now = max(self.now, self.timers[name].at)
        return self.tell(ev.TimerFired(name, self.timers[name].timer))

    def start(self, name: str) -> Crew:
        return self.tell(ev.StartAsked(name, "Ann starts it"))

    def stop(self, name: str) -> Crew:
        return self.tell(ev.StopAsked(name, "Ann stops it"))

    def restart(self, name: str) -> Crew:
        return self.tell(ev.RestartAsked(name, "Ann restarts it"))

    def stop_all(self) -> Crew:
        return self.tell(ev.StopAllAsked("Ctrl-C"))

    def up(self) -> Crew:
        """Begin, and answer every spawn and every check until nothing more begins."""
        self.begins()
        while names := self.began:
            self.spawned(*names)
            began = self.began
            checked = [n for n in names if self.fleet.replicas[n].task.ready is not None]
            self.ready(*checked)
            self.actions += [act.Spawn(n, self.run(n)) for n in began]
        return self
