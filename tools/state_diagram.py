"""Prints docs/states.md from the core's own table: `python tools/state_diagram.py >docs/states.md`.

Where an event leads is not written down anywhere, it is tried: every handler meets every kind of
replica that its state can be in (`samples`), and what becomes of them is drawn.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from functools import cache

from procession.core import events as ev
from procession.core import stop
from procession.core.begin import ignore
from procession.core.states import (
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
    Stopped,
    Stopping,
)
from procession.core.status import ExitStatus
from procession.core.parts import Handler
from procession.core.table import ROWS, TABLE, step
from procession.spec import LEFTOVERS, POLICIES, TARGETS, Restart, Stop, Task

NOW = 100.0
RUN, TIMER = 3, 5  # what the samples are at
EXITS = (ExitStatus(0), ExitStatus(1))


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


def samples(phase: type[Phase], task: Task) -> Iterator[ReplicaState]:
    """Every kind of replica that can be in this state."""
    for made in _phases(phase, task):
        wanted = not isinstance(made, Stopped)
        if isinstance(made, Stopping):
            wanted = not made.asked or made.again is not None
        first = isinstance(made, Pending | Skipped)
        state = ReplicaState(
            "web", task, made, wanted, "because", 0 if first else RUN, TIMER, quick=1
        )
        yield state
        if isinstance(made, Stopped | Failed):
            yield state.replace(survivors=True)


def _phases(phase: type[Phase], task: Task) -> Iterator[Phase]:
    if phase is Running:
        yield Running(7, NOW - 1)
        for status, again in itertools.product(EXITS, (None, "asked for")):
            yield Running(7, NOW - 1, status, NOW, again)
    elif phase is Stopping:
        yield from _stoppings(task)
    elif phase is Backoff:
        yield Backoff("exited with 1")
    elif phase is Completed:
        yield Completed(EXITS[0])
    elif phase is Failed:
        yield Failed(1)
    else:
        yield phase()


def _stoppings(task: Task) -> Iterator[Phase]:
    for forced, again in itertools.product((False, True), (None, "asked for")):
        yield Stopping(None, NOW, None, True, forced=forced, again=again)
    asking, _ = stop.begin(stop.ladder_of(task.stop), NOW - 1)
    killing, _ = stop.expired(asking, NOW)
    for climb, again in itertools.product((asking, killing), (None, "asked for")):
        common = {"forced": climb.killing, "again": again}
        yield Stopping(7, NOW - 2, climb, True, **common)
        for status in EXITS:
            yield Stopping(7, NOW - 2, climb, True, status, NOW - 1, **common)
            if again is None:
                yield Stopping(7, NOW - 2, climb, False, status, NOW - 1, **common)


def happenings(event: type[ev.Event], state: ReplicaState) -> Iterator[ev.Event]:
    """Every kind of this event that is not too late for the replica."""
    run = state.run
    if event in (ev.StartAsked, ev.StopAsked, ev.ForceAsked):
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

A replica is in one of these states. *Wanted*, *why* and how many quick ends it had stand beside
the state; the state itself carries what only it knows (a pid, how far a stop has come). Events of
an earlier run, and timers that were replaced, are dropped before the table is asked.

"""

FULL = """
## The full table

Which handler of `core/task.py` answers which event in which state. `·` is an explicit `ignore`:
the event means nothing there.

"""

CELLS = """
## Where each event leads

Every handler was tried with every kind of replica its state can be in: each restart policy,
leftover, target of a stop, with and without delays, before and after the leader's end.
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
    yield "The ends lead on only where a person asks for a start.\n"
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
