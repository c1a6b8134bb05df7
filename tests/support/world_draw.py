"""Random histories for the simulated world: from hypothesis's source of choices or a seed."""

from __future__ import annotations

from random import Random

from procession.core import events as ev
from procession.core.status import ExitStatus
from procession.spec import LEFTOVERS, POLICIES, TARGETS, Project, Restart, Stop, Task
from tests.support.world import Behaviour, Descendant, History

# Few values, all multiples of 1/4: much falls together, and nothing is rounded. The simplest
# come first, where hypothesis looks when it makes a failing history smaller.
SHORT = (0.0, 0.25, 0.5, 1.0, 2.0)
LIVES = (None, None, 0.25, 0.5, 1.0, 3.0, 12.0)
HEEDS = (0.0, 0.0, 0.25, 1.0, None)
EXITS = (ExitStatus(0), ExitStatus(1), ExitStatus(3), ExitStatus(signal=11), ExitStatus())
DELAYS = (None, 0.0, 0.5, 3.0)
TIMEOUTS = (1.0, 0.0, 0.5, 10.0)
TIES = ((0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1))


def draw_history(rng: Random, *, tasks: int) -> History:
    """A history of `tasks` tasks; asks, echoes and ties included."""
    names = [f"t{n}" for n in range(1, tasks + 1)]
    # histories that one task or one person ends early say little of all the others
    quits = rng.choice((False, False, True))
    asks = [(_when(rng), _ask(rng, names)) for _ in range(rng.choice((0, 2, 4, 8)))]
    for kind in (ev.StopAllAsked, ev.StopAllAsked, ev.ForceAllAsked):
        if rng.choice((False, False, False, True)):
            asks.append((_when(rng), kind(_reason(rng))))
    return History(
        Project("p", "/", tuple(_task(rng, name, quits) for name in names)),
        tuple(tuple(_behaviour(rng) for _ in range(rng.choice((1, 1, 2, 3)))) for _ in names),
        tuple(sorted(asks, key=lambda ask: ask[0])),
        horizon=rng.choice((20.0, 5.0, 60.0)),
        ties=rng.choice(TIES),
        echo=rng.choice((None, 0.0, 0.25, 3.0)),
        late_timers=rng.choice((False, True)),
    )


def _when(rng: Random) -> float:
    return rng.randrange(80) / 4


def _reason(rng: Random) -> str:
    return rng.choice(("asked", "asked", "asked", ""))


def _ask(rng: Random, names: list[str]) -> ev.Event:
    kind = rng.choice((ev.StartAsked, ev.StopAsked, ev.StartAsked, ev.StopAsked, ev.ForceAsked))
    return kind(rng.choice(names), _reason(rng))


def _task(rng: Random, name: str, quits: bool) -> Task:
    return Task(
        name,
        "true",
        start_delay=rng.choice((0.0, 0.0, 0.5, 2.0)),
        restart=Restart(rng.choice(POLICIES), rng.choice(DELAYS)),
        quit_on_terminate=quits and rng.choice((False, True)),
        stop=Stop("SIGTERM", rng.choice(TARGETS), rng.choice(TIMEOUTS)),
        leftover=rng.choice(LEFTOVERS),
        success_exit_codes=rng.choice(((0,), (0,), (0, 3), (3,))),
    )


def _behaviour(rng: Random) -> Behaviour:
    return Behaviour(
        spawn_takes=rng.choice(SHORT),
        spawn_fails=rng.choice((0, 0, 0, 0, 127, 126)),
        lives=rng.choice(LIVES),
        exit=rng.choice(EXITS),
        heeds=rng.choice(HEEDS),
        exit_heeded=rng.choice((ExitStatus(signal=15), ExitStatus(0), ExitStatus(1))),
        descendants=tuple(_descendant(rng) for _ in range(rng.choice((0, 0, 1, 3)))),
        helpers=tuple(_descendant(rng) for _ in range(rng.choice((0, 0, 0, 2)))),
        dies_in=rng.choice(SHORT),
        unkillable=rng.choice((False, False, False, False, False, True)),
        report_takes=rng.choice(SHORT),
        drain_takes=rng.choice(SHORT),
    )


def _descendant(rng: Random) -> Descendant:
    return Descendant(
        after=rng.choice((*SHORT, 5.0)),
        lives=rng.choice(LIVES),
        heeds=rng.choice(HEEDS),
        in_group=rng.choice((True, False)),
    )
