"""Prints docs/states.md from the core's own table: `python tools/state_diagram.py >docs/states.md`.

Where an event leads is not written down anywhere, it is tried: every handler meets every kind of
replica that its state can be in (`samples`), and what becomes of them is drawn.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from procession.core import events as ev
from procession.core import stop
from procession.core.begin import ignore
from procession.core.states import (
    DELAY,
    ORDER,
    PHASES,
    Backoff,
    Completed,
    End,
    Failed,
    Pending,
    Phase,
    ReplicaState,
    Running,
    Skipped,
    Starting,
    Stopped,
    Stopping,
)
from procession.core.status import ExitStatus
from procession.core.table import ROWS, TABLE, step
from procession.spec import (
    LEFTOVERS,
    POLICIES,
    TARGETS,
    Check,
    Dependency,
    FileProbe,
    Restart,
    RestartRule,
    Stop,
    StopStep,
    Task,
)

NOW = 100.0
RUN, TIMER = 3, 5  # what the samples are at
EXITS = (ExitStatus(0), ExitStatus(1))

if TYPE_CHECKING:
    from procession.core.parts import Handler

REASONED = (
    ev.StartAsked,
    ev.StopAsked,
    ev.ForceAsked,
    ev.RestartAsked,
    ev.RestartWith,
    ev.StopPlanned,
)
CHECK = Check((FileProbe("/there"),))
LIMIT = ev.Limit("db", NOW - 9, 5.0, "db was not ready within 5 s")
HOLDS = (
    None,
    ev.Hold("db to be ready"),
    ev.Hold("db to be ready", limits=(LIMIT,)),
    ev.Hold("db to be ready", never="db failed: exited with 1", path=("db",)),
    ev.Hold("web to be down", first=True),
)
COMMANDS = (StopStep(command=("quit",)), StopStep("SIGTERM"), StopStep(command=("ask",), wait=1.0))


def tasks() -> Iterator[Task]:
    """Every kind of task that makes a difference to the core."""
    for policy, delay, leftover, to, wait in itertools.product(
        POLICIES, (None, 0.0), LEFTOVERS, TARGETS, (0.0, 1.0)
    ):
        yield Task(
            "web",
            "web",
            restart=Restart(policy, delay),
            leftover=leftover,
            stop=Stop("SIGTERM", to),
            start_delay=wait,
        )
    for policy, delay in itertools.product(POLICIES, (None, 0.0)):
        plain = Task("web", "web", restart=Restart(policy, delay))
        depends_on = (Dependency("db"),)
        yield plain.replace(depends_on=depends_on)
        yield plain.replace(depends_on=depends_on, start_delay=1.0)
        yield plain.replace(ready=CHECK)
        yield plain.replace(health=CHECK)
        yield plain.replace(health=CHECK.replace(restarts=False))
        yield plain.replace(ready=CHECK, watchdog=5.0)
        yield plain.replace(completes=True, health=CHECK)
        yield plain.replace(stop=Stop(steps=COMMANDS))
        yield plain.replace(restart=plain.restart.replace(limit=0))
        yield plain.replace(restart=plain.restart.replace(rules=(RestartRule(True, code=1),)))


def samples(phase: type[Phase], task: Task) -> Iterator[ReplicaState]:
    """Every kind of replica that can be in this state."""
    for made in _phases(phase, task):
        wanted = not isinstance(made, Stopped)
        if isinstance(made, Stopping):
            wanted = not made.asked or made.again is not None
        first = isinstance(made, Pending | Skipped)
        lives = isinstance(made, Running) and made.exit is None
        ready = lives and not task.completes and (task.ready is None or made.ready_by is None)
        state = ReplicaState(
            "web",
            task,
            made,
            wanted,
            "because",
            0 if first else RUN,
            TIMER,
            quick=1,
            ready=ready,
            been_ready=ready,
        )
        yield from (state.replace(hold=hold) for hold in _holds(made, task))
        if isinstance(made, Stopped | Failed):
            yield state.replace(survivors=True)
        if isinstance(made, Starting | Running):  # the project stops, and others do first
            yield state.replace(wanted=False)
        if isinstance(made, Running | Stopping):
            yield state.replace(leads=True)


def _holds(made: Phase, task: Task) -> Iterator[ev.Hold | None]:
    if isinstance(made, Pending) and made.for_ == ORDER:
        yield from (h for h in HOLDS if h is not None and not h.never)
    elif isinstance(made, Skipped):
        yield from HOLDS
    else:
        yield None
        if task.depends_on and not (isinstance(made, Pending) and made.for_):
            yield from HOLDS[1:]


def _phases(phase: type[Phase], task: Task) -> Iterator[Phase]:
    if phase is Pending:
        yield from _pendings(task)
    elif phase is Running:
        yield from _runnings(task)
    elif phase is Stopping:
        yield from _stoppings(task)
    elif phase is Backoff:
        yield Backoff("exited with 1", 1)
    elif phase is Completed:
        yield Completed(EXITS[0])
    elif phase is Failed:
        yield Failed(1)
    else:
        yield phase()


def _pendings(task: Task) -> Iterator[Phase]:
    yield Pending()
    if task.start_delay:
        yield Pending(DELAY, "", NOW - 1, task.start_delay)
    if task.depends_on:
        yield Pending(ORDER, "", NOW - 1, task.start_delay)
        yield Pending(ORDER, "exited with 1", NOW - 1, again=True, status=1)
        yield Pending(ORDER, "", NOW - 1, due=NOW, late=LIMIT)


def _runnings(task: Task) -> Iterator[Phase]:
    asked = task.health is not None or task.watchdog is not None
    lives = Running(7, NOW - 1, checked=asked)
    yield lives
    if task.ready is not None:
        late = lives.replace(checked=True, ready_by=NOW + 5, latest=NOW + 60)
        yield late
        yield late.replace(told="tcp 8000: refused")
    yield lives.replace(checked=False, ends_by=NOW + 9, latest=NOW + 60)
    if task.depends_on:
        yield lives.replace(planned="asked for")
    for status, again in itertools.product(EXITS, (None, "asked for")):
        yield Running(7, NOW - 1, status, NOW, again)


def _stoppings(task: Task) -> Iterator[Phase]:
    for forced, again in itertools.product((False, True), (None, "asked for")):
        yield Stopping(None, NOW, None, True, forced=forced, again=again)
    for climb, again in itertools.product(_climbs(task), (None, "asked for")):
        common = {"forced": climb.killing, "again": again}
        yield Stopping(7, NOW - 2, climb, True, **common)
        yield Stopping(7, NOW - 2, climb, False, exit_at=NOW - 1, failing="unhealthy", **common)
        for status in EXITS:
            yield Stopping(7, NOW - 2, climb, True, status, NOW - 1, **common)
            if again is None:
                yield Stopping(7, NOW - 2, climb, False, status, NOW - 1, **common)


def _climbs(task: Task) -> Iterator[stop.Climb]:
    """One for each step of the stop."""
    climb, _ = stop.begin(stop.ladder_of(task.stop), NOW - 1)
    yield climb
    while not climb.killing:
        climb, _ = stop.expired(climb, NOW)
        yield climb


def happenings(event: type[ev.Event], state: ReplicaState) -> Iterator[ev.Event]:
    """Every kind of this event that is not too late for the replica."""
    run = state.run
    if event in (ev.CheckPassed, ev.CheckFailed, ev.CheckTold):
        words = () if event is ev.CheckPassed else ("tcp 8000: refused",)
        yield from (event("web", run, which, *words) for which in (ev.READY, ev.HEALTH))
    elif event is ev.CommandEnded:
        for rung, ok in itertools.product((0, 1, 2), (True, False)):
            yield ev.CommandEnded("web", run, rung, ok, "exited with 1")
    elif event is ev.ExtendAsked:
        yield from (ev.ExtendAsked("web", run, seconds) for seconds in (0.0, 30.0, 9999.0))
    elif event is ev.StatusTold:
        yield ev.StatusTold("web", run, "loading")
    elif event is ev.Held:
        yield from (ev.Held("web", hold) for hold in HOLDS)
    elif event in REASONED:
        yield event("web", "asked for")
    elif event is ev.TimerFired:
        yield ev.TimerFired("web", state.timer)
    elif event is ev.Spawned:
        yield ev.Spawned("web", run, 7)
    elif event is ev.SpawnFailed:
        yield ev.SpawnFailed("web", run, "no such program", 127)
    elif event is ev.LeaderExited:
        for status, left in itertools.product(EXITS, (0, 2)):
            yield ev.LeaderExited("web", run, status, left)
    elif event is ev.Begin:
        yield ev.Begin("web")
    else:
        yield event("web", run)


@cache
def leads_to(phase: type[Phase], event: type[ev.Event]) -> frozenset[str]:
    """The names of the states that this event can lead to from this one, itself included."""
    return frozenset(
        step(state, happening, NOW)[0].phase.name
        for task in tasks()
        for state in samples(phase, task)
        for happening in happenings(event, state)
    )


def edges() -> dict[tuple[str, str], list[str]]:
    """(from, to) -> the events that lead there; staying is no edge."""
    found: dict[tuple[str, str], list[str]] = {}
    for phase, event in TABLE:
        for there in sorted(leads_to(phase, event) - {_name(phase)}):
            found.setdefault((_name(phase), there), []).append(event.__name__)
    return found


def _name(phase: type[Phase]) -> str:
    return phase.__name__.lower()


# --- the page --------------------------------------------------------------------------------

HEAD = """\
<!-- Written by tools/state_diagram.py from core/table.py. Do not edit: change the table. -->
# The states of a replica

A replica is in one of these states. *Wanted*, *ready*, *healthy*, *why* and what keeps it from
starting stand beside the state; the state itself carries what only it knows (a pid, how far a stop
has come). Events of an earlier run, and timers that were replaced, are dropped before the table is
asked.

"""

FULL = """
## The full table

Which handler of `core/begin.py`, `running.py`, `checked.py` and `stopping.py` answers which event
in which state. `·` is an explicit `ignore`: the event means nothing there.

"""

CELLS = """
## Where each event leads

Every handler was tried with every kind of replica its state can be in: each restart policy,
leftover, target of a stop, with and without delays, checks, dependencies and commands of a stop,
before and after the leader's end.
"""


def page() -> str:
    """The whole page."""
    return "".join([HEAD, *_diagram(), FULL, *_matrix(), CELLS, *_cells()])


def _diagram() -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2\n"
    yield f"    [*] --> {_name(Pending)}\n"
    for (here, there), names in edges().items():
        yield f"    {here} --> {there} : {', '.join(names)}\n"
    for phase in PHASES:
        if issubclass(phase, End):
            yield f"    {_name(phase)} --> [*]\n"
    yield "```\n\n"
    yield "The ends lead on only where a person asks for a start, of this one or of one that it\n"
    yield "needs.\n"
    unreached = {_name(p) for p in PHASES} - {there for _, there in edges()} - {_name(Pending)}
    for name in sorted(unreached):
        yield f"No event leads to `{name}` yet.\n"


def _matrix() -> Iterator[str]:
    yield "| event | " + " | ".join(_name(p) for p in ROWS) + " |\n"
    yield "|---" * (len(ROWS) + 1) + "|\n"
    for event in ev.REPLICA_EVENTS:
        cells = (_cell(TABLE[phase, event]) for phase in ROWS)
        yield f"| {event.__name__} | " + " | ".join(cells) + " |\n"


def _cell(handler: Handler) -> str:
    return "·" if handler is ignore else f"`{handler.__name__}`"


def _cells() -> Iterator[str]:
    for phase in ROWS:
        yield f"\n### {_name(phase)}\n\n{' '.join((phase.__doc__ or '').split())}\n\n"
        yield "| event | handler | leads to |\n|---|---|---|\n"
        for event in ev.REPLICA_EVENTS:
            handler = TABLE[phase, event]
            if handler is not ignore:
                there = ", ".join(sorted(leads_to(phase, event)))
                yield f"| {event.__name__} | `{handler.__name__}` | {there} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
