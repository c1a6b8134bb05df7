"""Random histories for the simulated world: from hypothesis's source of choices or a seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from procession.core import events as ev
from procession.core.status import ExitStatus
from procession.spec import (
    CONDITIONS,
    LEFTOVERS,
    POLICIES,
    TARGETS,
    Check,
    Dependency,
    FileProbe,
    Project,
    Restart,
    RestartRule,
    Stop,
    StopStep,
    Task,
)
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


CHECK = Check((FileProbe("/there"),))
SOME_RULES = (RestartRule(True, code=3), RestartRule(False, signal=11))
RULES = ((), (), SOME_RULES, SOME_RULES)


def draw_history(rng: Random, *, tasks: int, of: Callable[[int], Random] | None = None) -> History:
    """A history of `tasks` tasks; asks, echoes and ties included. Half of them know nothing but
    runs and restarts; in the others tasks depend on each other, are checked, and stop by ladders.
    `of` gives the chance that makes one task, by its number, where that is another than `rng`.
    """
    rich = rng.choice((False, True))
    chances = [rng if of is None else of(n) for n in range(tasks)]
    names = [f"t{n}" for n in range(1, tasks + 1)]
    # histories that one task or one person ends early say little of all the others
    quits = rng.choice((False, False, True))
    made = [_task(c, name, quits, rich) for c, name in zip(chances, names, strict=True)]
    scripts = [tuple(_behaviour(c, rich) for _ in range(c.choice((1, 1, 2, 3)))) for c in chances]
    project = Project("p", "/", tuple(made))
    if rich:
        project = _connected(rng, project)
    of_task = dict(zip(names, scripts, strict=True))
    replicas = [r.name for r in project.replicas()]
    asks = [(_when(rng), _ask(rng, replicas)) for _ in range(rng.choice((0, 2, 4, 12)))]
    for kind in (ev.StopAllAsked, ev.StopAllAsked, ev.ForceAllAsked):
        if rng.choice((False, False, False, True)):
            asks.append((_when(rng), kind(_reason(rng))))
    return History(
        project,
        tuple(of_task[task.name] for task in project.tasks),
        tuple(sorted(asks, key=lambda ask: ask[0])),
        horizon=rng.choice((20.0, 5.0, 60.0)),
        ties=rng.choice(TIES),
        echo=rng.choice((None, 0.0, 0.25, 3.0)),
        late_timers=rng.choice((False, True)),
        chance=rng.choice((0.0, 0.5)) if rich else 0.0,
    )


def _connected(rng: Random, project: Project) -> Project:
    """Tasks that depend on each other; which of them come first in the file is left to chance."""
    done: list[Task] = []
    for task in project.tasks:
        needs = rng.sample(done, min(len(done), rng.choice((0, 1, 1, 2, 3))))
        depends_on = tuple(_dependency(rng, need) for need in needs)
        done.append(task.replace(depends_on=depends_on))
    rng.shuffle(done)
    return project.replace(
        tasks=tuple(done),
        exit_code_from=rng.choice((None, None, None, done[0].name)),
        abort_on_failure=rng.choice((False, False, False, True)),
        stop_timeout=rng.choice((None, None, 0.0, 2.0, 30.0)),
    )


def _dependency(rng: Random, need: Task) -> Dependency:
    lasts = rng.choice((True, True, not need.completes))
    fitting = CONDITIONS[:3] if lasts else CONDITIONS
    return Dependency(
        need.name,
        rng.choice(fitting),
        restart=rng.choice((False, True)),
        timeout=rng.choice((None, None, None, 0.5, 5.0)),
    )


def _when(rng: Random) -> float:
    return rng.randrange(80) / 4


def _reason(rng: Random) -> str:
    return rng.choice(("asked", "asked", "asked", ""))


def _ask(rng: Random, names: list[str]) -> ev.Event:
    kind = rng.choice(
        (ev.StartAsked, ev.StopAsked, ev.StartAsked, ev.StopAsked, ev.ForceAsked, ev.RestartAsked)
    )
    return kind(rng.choice(names), _reason(rng))


def _task(rng: Random, name: str, quits: bool, rich: bool) -> Task:
    plain = Task(
        name,
        "true",
        start_delay=rng.choice((0.0, 0.0, 0.5, 2.0)),
        restart=Restart(rng.choice(POLICIES), rng.choice(DELAYS)),
        quit_on_terminate=quits and rng.choice((False, True)),
        stop=Stop("SIGTERM", rng.choice(TARGETS), rng.choice(TIMEOUTS)),
        leftover=rng.choice(LEFTOVERS),
        success_exit_codes=rng.choice(((0,), (0,), (0, 3), (3,))),
    )
    if not rich:
        return plain
    return plain.replace(
        restart=plain.restart.replace(
            limit=rng.choice((None, None, 0, 2)),
            window=rng.choice((60.0, 5.0)),
            stable_after=rng.choice((10.0, 1.0)),
            rules=rng.choice(RULES),
        ),
        stop=_stop(rng, plain.stop),
        ready=rng.choice((None, CHECK)),
        ready_timeout=rng.choice((60.0, 1.0, 3.0)),
        health=rng.choice((None, None, CHECK, CHECK.replace(restarts=False))),
        watchdog=rng.choice((None, None, None, 5.0)),
        replicas=rng.choice((1, 1, 1, 2)),
        autostart=rng.choice((True, True, True, False)),
        completes=rng.choice((False, False, False, True)),
    )


def _stop(rng: Random, plain: Stop) -> Stop:
    steps = tuple(_step(rng) for _ in range(rng.choice((0, 0, 1, 2, 3))))
    command = rng.choice(((), (), ("quit", "-s")))
    return plain.replace(steps=steps, command=command, extend=rng.choice((0.0, 1.0, 5.0)))


def _step(rng: Random) -> StopStep:
    wait = rng.choice((None, 0.5, 2.0))
    if rng.choice((False, True)):
        return StopStep(command=("ask", "it"), wait=wait)
    return StopStep(rng.choice(("SIGTERM", "SIGINT")), rng.choice(TARGETS), wait=wait)


def _behaviour(rng: Random, rich: bool) -> Behaviour:
    plain = Behaviour(
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
    if not rich:
        return plain
    return plain.replace(
        ready=_answers(rng),
        health=_answers(rng),
        says=tuple(_says(rng) for _ in range(rng.choice((0, 0, 1, 3)))),
        command_takes=rng.choice((0.0, 0.5, 1.0, 20.0, None)),
        command_ok=rng.choice((True, True, False)),
        command_stops=rng.choice((False, True)),
    )


def _answers(rng: Random) -> tuple[tuple[float, bool | str], ...]:
    """The first is what most are about; a check goes on after it, or not, as the core says."""
    first = rng.choice((True, True, True, False, "no route to it"))
    more = [rng.choice((True, False, "refused")) for _ in range(rng.choice((0, 0, 1, 3)))]
    at, answers = 0.0, []
    for answer in (first, *more):
        at += rng.choice((0.0, 0.25, 1.0, 4.0))
        answers.append((at, answer))
    return tuple(answers)


def _says(rng: Random) -> tuple[float, str | float | None]:
    said = rng.choice(("loading", "serving", 0.5, 3.0, 100.0, None))
    return rng.choice((*SHORT, 5.0)), said


def _descendant(rng: Random) -> Descendant:
    return Descendant(
        after=rng.choice((*SHORT, 5.0)),
        lives=rng.choice(LIVES),
        heeds=rng.choice(HEEDS),
        in_group=rng.choice((True, False)),
    )
