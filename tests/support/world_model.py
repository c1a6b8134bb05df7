"""What a history of the simulated world is made of, and what really is there while it plays."""

from __future__ import annotations

from procession._record import Record
from procession.core.fleet import Happening
from procession.core.status import ExitStatus
from procession.spec import Project


class Descendant(Record):
    """A process of a tree that is not its leader. Times are seconds; None means never."""

    after: float = 0.0  # when it comes to be, counted from the spawn, if anybody is left to fork
    lives: float | None = None  # ends by itself after this long
    heeds: float | None = None  # ends this long after the stop signal; None: deaf
    in_group: bool = True


class Behaviour(Record):
    """What one run does. Reports of a run keep their order, however long each takes."""

    spawn_takes: float = 0.0
    spawn_fails: int = 0  # 127, 126: no process comes to be
    lives: float | None = None
    exit: ExitStatus = ExitStatus(0)
    heeds: float | None = 0.0
    exit_heeded: ExitStatus = ExitStatus(signal=15)
    descendants: tuple[Descendant, ...] = ()
    helpers: tuple[Descendant, ...] = ()  # what the leader starts when it hears the stop signal
    dies_in: float = 0.0  # from SIGKILL to the end of each process
    unkillable: bool = False
    report_takes: float = 0.0  # until an end or a birth is seen
    drain_takes: float = 0.0  # until the output has been read to the end
    ready: tuple[tuple[float, bool | str], ...] = ((0.0, True),)  # see `health`
    # Answers of a check: seconds after it began; passed or failed, or words of a try that failed.
    health: tuple[tuple[float, bool | str], ...] = ((0.0, True),)
    says: tuple[tuple[float, str | float | None], ...] = ()
    # Seconds after the spawn; its STATUS, or how much longer it needs, or None: that it is ending.
    command_takes: float | None = 0.0  # that of a step of its stop; None: never ends by itself
    command_ok: bool = True
    command_stops: bool = False  # the leader heeds the command when that ends well


class History(Record):
    """Everything that makes one play differ from another."""

    project: Project
    scripts: tuple[tuple[Behaviour, ...], ...]  # one a task; run n plays n-1, over and over
    asks: tuple[tuple[float, Happening], ...] = ()  # beside BeginAll at 0
    horizon: float = 20.0  # a stop of all is asked for then
    ties: tuple[int, int, int, int] = (0, 1, 2, 3)
    echo: float | None = None  # every event of a run, and every timer, comes again so much later
    late_timers: bool = (
        False  # timers that were replaced, and answers nobody awaits, come all the same
    )
    chance: float = 0.0  # what is drawn, each time


class Process:
    __slots__ = ("alive", "heard", "heeds", "in_group", "is_leader", "sentenced")

    def __init__(self, *, leader: bool, heeds: float | None, in_group: bool) -> None:
        self.alive = True
        self.is_leader = leader
        self.heeds = heeds
        self.in_group = in_group
        self.heard = False
        self.sentenced = False  # SIGKILL was sent


class Tree:
    """One run as it is (`processes`) and as far as the core was told (the flags)."""

    def __init__(self, replica: str, number: int, behaviour: Behaviour) -> None:
        self.replica = replica
        self.number = number
        self.behaviour = behaviour
        self.processes: list[Process] = []
        self.exit: ExitStatus | None = None
        self.report_due = 0.0
        self.answered = False  # Spawned or SpawnFailed was told
        self.leader_told = False
        self.over = False  # TreeEmpty or SpawnFailed was told
        self.released = False
        self.killed = False
        self.checking: dict[
            str, int
        ] = {}  # which checks are under way, each by a number of its own
        self.command: int | None = None  # the rung whose command runs

    def alive(self) -> list[Process]:
        return [p for p in self.processes if p.alive]
