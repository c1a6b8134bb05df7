"""The table is total, what it does is legal everywhere, and the page in docs says the same."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from tools import state_diagram as diagram

from procession.core import actions as act
from procession.core import events as ev
from procession.core.states import (
    ORDER,
    PHASES,
    Backoff,
    Completed,
    Pending,
    Phase,
    ReplicaState,
    Running,
    Skipped,
    Stopping,
)
from procession.core.table import ROWS, TABLE, step
from procession.spec import Dependency, Restart
from tests.support.crew import ALWAYS, CHECK, Crew, task
from tests.support.world import World
from tests.support.world_draw import draw_history

PAIRS = [(phase, event) for phase in PHASES for event in ev.REPLICA_EVENTS]
RUN_ACTIONS = (
    act.SignalTree, act.KillTree, act.Release, act.RunCommand, act.EndCommand, act.BeginCheck,
    act.EndChecks,
)  # fmt: skip


@pytest.mark.quick
def test_every_pair_of_state_and_event_has_a_row() -> None:
    assert set(TABLE) == set(PAIRS)
    assert set(ROWS) == set(PHASES)


@pytest.mark.quick
def test_every_event_and_state_of_the_core_is_in_the_table() -> None:
    events = {e for e in _leaves(ev.Event) if e.__module__ == ev.__name__}
    assert events == set(ev.REPLICA_EVENTS)
    phases = {p for p in _leaves(Phase) if p.__module__ == Phase.__module__}
    assert phases == set(PHASES)


def _leaves(cls: type) -> set[type]:
    below = cls.__subclasses__()
    return {cls} if not below else {leaf for sub in below for leaf in _leaves(sub)}


@pytest.mark.parametrize(
    ("phase", "event"), PAIRS, ids=[f"{p.__name__}-{e.__name__}" for p, e in PAIRS]
)
def test_whatever_happens_the_next_state_is_a_legal_one(
    phase: type[Phase], event: type[ev.Event]
) -> None:
    seen = 0
    for example in diagram.tasks():
        for before in diagram.samples(phase, example):
            for happening in diagram.happenings(event, before):
                after, actions = step(before, happening, diagram.NOW)
                _legal(before, happening, after, actions)
                assert step(before, happening, diagram.NOW) == (after, actions), "it is a value"
                seen += 1
    assert seen >= 108


def _legal(
    before: ReplicaState, happening: ev.Event, after: ReplicaState, actions: list[act.Action]
) -> None:
    told = [a for a in actions if isinstance(a, act.Changed) and a.old != a.new]
    assert len(told) == (type(after.phase) is not type(before.phase))
    timers = [a for a in actions if isinstance(a, act.SetTimer)]
    spawns = [a for a in actions if isinstance(a, act.Spawn)]
    assert all(a.timer == after.timer and a.at >= diagram.NOW for a in timers)
    assert len(timers) + len(spawns) <= 1
    assert after.run == before.run + len(spawns)
    assert after.timer >= before.timer
    assert after.task is before.task
    assert after.why
    assert all(a.run == before.run for a in actions if isinstance(a, RUN_ACTIONS))
    if spawns:
        assert after.phase.name == "starting"
        assert not before.survivors
        assert after.hold is None, "it began though something holds it"
    climbs = isinstance(after.phase, Stopping) and after.phase.climb is not None
    if isinstance(after.phase, Backoff) or climbs:
        kept = after.timer == before.timer and isinstance(before.phase, type(after.phase))
        assert timers or kept, "a state that waits for nothing"
    if isinstance(after.phase, Pending):
        held = after.phase.for_ == ORDER and after.hold is not None
        assert timers or held or after.phase == before.phase
    if isinstance(after.phase, Running):
        assert after.wanted or not before.wanted or isinstance(happening, ev.StopPlanned)
    if isinstance(after.phase, Skipped):
        assert after.wanted or not before.wanted or not told
    if isinstance(after.phase, Stopping):
        phase = after.phase
        assert not after.wanted or not phase.asked or phase.again is not None
        assert phase.asked or phase.exit is not None or phase.failing, (
            "nobody asked, and the leader lives"
        )
    if after.ready:
        assert isinstance(after.phase, Running | Completed)
    flips = [a.ready for a in actions if isinstance(a, act.ReadyChanged)]
    tells = after.task.ready is not None or after.task.completes
    assert flips == [after.ready] * (tells and after.ready is not before.ready)


@pytest.mark.quick
def test_every_handler_has_an_example() -> None:
    """In test_core_task*: a test is called by its handler, two underlines, and what it shows."""
    source = "".join(p.read_text() for p in Path(__file__).parent.glob("test_core_task*.py"))
    examples = set(re.findall(r"^def test_(\w+?)__", source, re.MULTILINE))
    handlers = {handler.__name__ for handler in TABLE.values()}
    assert handlers <= examples, handlers - examples
    assert not examples - handlers, "examples of handlers that are gone"


def test_the_page_of_states_is_what_the_table_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "states.md"
    assert page.read_text("utf-8") == diagram.page(), "run make docs"


def _ended(end: str) -> Crew:
    """`web`, which needs `db`, has ended this way; `db` is down for good."""
    crew = Crew(task("web", "db"), task("db"), task("other")).up()
    if end == "stopped":
        crew.stop("web")
    return crew.ends("web", 1 if end == "failed" else 0).stop("db").rings("db").rings("db")


# Ways that drawn histories take once in thousands.
RARE = {
    ("failed", "skipped"): lambda: _ended("failed").start("web"),
    ("completed", "skipped"): lambda: _ended("completed").start("web"),
    ("stopped", "skipped"): lambda: _ended("stopped").start("web"),
    ("starting", "stopped"): lambda: (
        Crew(task("web", "db"), task("db", restart=ALWAYS))
        .up()
        .ends("db")
        .rings("db")
        .stop_all()
        .cannot_start("db")
    ),
    ("skipped", "starting"): lambda: (
        Crew(task("web", Dependency("db", timeout=1.0)), task("db", ready=CHECK))
        .begins()
        .spawned("db")
        .rings("web")
        .ready("db")
        .start("web")
    ),
    ("running", "pending"): lambda: (
        Crew(task("web", "db", restart=Restart("always", 0.0)), task("db", restart=ALWAYS))
        .up()
        .ends("db")
        .ends("web")
    ),
}


def test_histories_go_where_the_diagram_goes_and_everywhere_it_goes() -> None:
    seen: set[tuple[str, str]] = set()
    for seed in range(800):
        rng = Random(seed)
        seen |= World(draw_history(rng, tasks=rng.randint(1, 4))).play().rules.transitions
    for way, story in RARE.items():
        taken = story().transitions
        assert way in taken, way
        seen |= taken
    assert seen == set(diagram.edges())
