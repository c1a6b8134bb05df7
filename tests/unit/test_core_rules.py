"""The rules of the simulated world can be broken: each mistake in the core is found by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Any

import pytest

from procession.core import begin, checked, order, parts, restart, running, stop, stopping, table
from procession.core import events as ev
from procession.core import fleet as fleet_module
from procession.core.states import Phase, Running, Stopped, Stopping
from tests.support.world import History, World
from tests.support.world_draw import draw_history

SEEDS = 2000

# Where `ignore` makes no difference: what is stopped is not wanted already.
EQUIVALENT = {(Stopped, ev.StopAsked), (Stopped, ev.ForceAsked), (Stopped, ev.StopPlanned)}
MEANT = [
    (phase, event)
    for (phase, event), handler in table.TABLE.items()
    if handler is not begin.ignore and (phase, event) not in EQUIVALENT
]

Row = tuple[type[Phase], type[ev.Event]]


def history(seed: int) -> History:
    rng = Random(seed)
    return draw_history(rng, tasks=rng.randint(1, 3))


@cache
def seeds_with(row: Row) -> list[int]:
    """Those of the histories in which the handler of this row has something to do."""
    return _seeds().get(row, [])


@cache
def _seeds() -> dict[Row, list[int]]:
    found: dict[Row, list[int]] = {}
    step = fleet_module.step
    for seed in range(SEEDS):
        met: set[Row] = set()

        def noted(state: Any, event: Any, now: float, met: set[Row] = met) -> Any:
            after, actions = step(state, event, now)
            if actions or after is not state:
                met.add((type(state.phase), type(event)))
            return after, actions

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fleet_module, "step", noted)
            World(history(seed)).play()
        for row in met:
            found.setdefault(row, []).append(seed)
    return found


def broken_rule(seeds: Iterable[int] = range(SEEDS)) -> str | None:
    """What the first history that breaks a rule has to say; None where all hold."""
    for seed in seeds:
        try:
            World(history(seed)).play()
        except AssertionError as e:
            return str(e)
    return None


@pytest.mark.parametrize(
    ("phase", "event"), MEANT, ids=[f"{p.__name__}-{e.__name__}" for p, e in MEANT]
)
def test_every_row_of_the_table_is_needed(
    phase: type[Phase], event: type[ev.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = seeds_with((phase, event))
    monkeypatch.setitem(table.TABLE, (phase, event), begin.ignore)
    assert broken_rule(seeds) is not None, f"not by {len(seeds)} histories that have it"


def _two_runs_at_once(state: Any, event: Any, now: float) -> Any:
    return begin.start(state, event, now)


def _never_kills(state: Any, event: Any, now: float) -> Any:
    climb = state.phase.climb.replace(deadline=now + 1)
    return parts.climb_on(state, climb, stop.Ask("SIGTERM", state.task.stop.to), now)


def _forgets_the_alarm(state: Any, event: Any, now: float) -> Any:
    state, actions = running.stop_running(state, event, now)
    return state, actions[:1]


def _forces_gently(state: Any, event: Any, now: float) -> Any:
    return running.stop_running(state, event, now)


def _keeps_an_older_wish(state: Any, event: Any, now: float) -> Any:
    return parts.with_phase(state.replace(wanted=True), asked=True), []


def _extends_the_stop(state: Any, event: Any, now: float) -> Any:
    state, _ = stopping.stop_stopping(state, event, now)
    if state.phase.climb is None:
        return state, []
    return parts.climb_on(state, *stop.begin(state.phase.climb.ladder, now), now)


def _believes_in_an_empty_tree(state: Any, event: Any, now: float) -> Any:
    state, _ = stopping.leader_exited_stopping(state, event, now)
    return stopping._down(state, now)


def _ready_too_soon(state: Any, event: Any, now: float) -> Any:
    return checked.check_passed(state, event.replace(which=ev.READY), now)


def _restarts_before_the_others(state: Any, event: Any, now: float) -> Any:
    return running.restart_running(state.replace(hold=None), event, now)


def _starts_whatever_holds_it(state: Any, event: Any, now: float) -> Any:
    return begin.start(state.replace(hold=None), event, now)


def _gives_all_the_time_asked_for(state: Any, event: Any, now: float) -> Any:
    climb = state.phase.climb
    if climb is None:
        return state, []
    return parts.climb_on(state, climb.replace(deadline=now + event.seconds), None, now)


def _minds_no_command(state: Any, event: Any, now: float) -> Any:
    return stopping.command_ended(state, event.replace(ok=True), now)


HANDLERS: dict[str, tuple[type[Phase], type[ev.Event], Callable[..., Any], str]] = {
    "two runs at once": (Stopping, ev.StartAsked, _two_runs_at_once, "a run began"),
    "never kills": (Stopping, ev.TimerFired, _never_kills, "no such step|has until"),
    "keeps an older wish": (Stopping, ev.StopAsked, _keeps_an_older_wish, "is wanted"),
    "extends a stop": (Stopping, ev.StopAsked, _extends_the_stop, "has until|no such step"),
    "the leader's end is the tree's": (
        Stopping,
        ev.LeaderExited,
        _believes_in_an_empty_tree,
        "lives|a run began|the run is over",
    ),
    "ready too soon": (Running, ev.CheckPassed, _ready_too_soon, "is ready, or not|healthy, or"),
    "restarts before the others": (
        Running,
        ev.RestartAsked,
        _restarts_before_the_others,
        "is held, or not|should restart|were down",
    ),
    "starts whatever holds it": (
        Stopped,
        ev.StartAsked,
        _starts_whatever_holds_it,
        "do not hold|is held, or not|were down",
    ),
    "gives all the time asked for": (
        Stopping,
        ev.ExtendAsked,
        _gives_all_the_time_asked_for,
        "has until",
    ),
    "minds no command that failed": (Stopping, ev.CommandEnded, _minds_no_command, "has until"),
    "forgets the alarm": (Running, ev.StopAsked, _forgets_the_alarm, "without a timer"),
    "forces gently": (Running, ev.ForceAsked, _forces_gently, "no such step"),
}


@pytest.mark.parametrize(("phase", "event", "wrong", "words"), HANDLERS.values(), ids=HANDLERS)
def test_a_wrong_handler_is_found(
    phase: type[Phase],
    event: type[ev.Event],
    wrong: Callable[..., Any],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seeds = seeds_with((phase, event))
    monkeypatch.setitem(table.TABLE, (phase, event), wrong)
    found = broken_rule(seeds)
    assert found is not None
    assert any(word in found for word in words.split("|")), found


def _takes_late_events(state: Any, event: Any, now: float) -> Any:
    late = isinstance(event, ev.RunEvent) and event.run != state.run
    if late or (isinstance(event, ev.TimerFired) and event.timer != state.timer):
        return table.TABLE[type(state.phase), type(event)](state, event, now)
    return table.step(state, event, now)


def _first_is_last(self: Any, replica: Any, now: float, actions: Any) -> None:
    self._failures.pop(replica.replica, None)
    _one_ended(self, replica, now, actions)
    self._failures = dict(reversed(self._failures.items()))


def _says(answer: Any) -> Callable[..., Any]:
    return lambda *_, **__: answer


_one_ended = fleet_module.Fleet._one_ended

PLACES: dict[str, tuple[object, str, object]] = {
    "late events": (fleet_module, "step", _takes_late_events),
    "the last failure's status": (fleet_module.Fleet, "_one_ended", _first_is_last),
    "every status is 0": (fleet_module, "_status_of", lambda phase: 0),
    "no back-off": (restart, "delay", lambda *_, **__: 0.0),
    "no chance": (fleet_module, "is_drawn", _says(False)),
    "no limit": (restart, "recent", _says(())),
    "no rule": (restart, "rule_for", _says(None)),
    "all is there": (order, "truth", _says(order.MET)),
    "never is only not now": (order, "_why_never", lambda s: ("", ())),
    "nobody is told": (order.Order, "changed", _says([])),
    "restarts alone": (order.Order, "leads", _says([])),
    "starts alone": (order.Order, "missing", _says([])),
    "starts alone with the project": (order.Order, "needed", lambda self, names: set(names)),
    "stops in any order": (order.Order, "begin_stop", _says(set())),
    "nobody's turn comes": (order.Order, "ended", _says([])),
    "commands that never end": (stop, "command_ended", lambda climb, *_, **__: (climb, None)),
    "more time than there is": (
        stop,
        "extend",
        lambda climb, seconds, cap, now: climb.replace(deadline=now + seconds),
    ),
    "no growing pause": (restart, "delay", lambda r, q, ran=True, chance=0.0: 1.0),
    "no forgiveness": (restart, "quick_ends", lambda r, before, lasted: before + 1),
    "restarts what succeeded": (
        restart,
        "wanted_again",
        lambda r, succeeded, ended=None: r.policy != "no",
    ),
    "never restarts": (restart, "wanted_again", lambda r, succeeded, ended=None: False),
    "disturbs the clean-up": (
        stop,
        "grown",
        lambda climb, leader_lives: stop.Ask("SIGTERM", "tree", unheard=True),
    ),
    "never gives up": (
        stop,
        "expired",
        lambda climb, now, leader_lives=True: stop._on(
            climb.replace(rung=len(climb.ladder.steps)), now
        ),
    ),
    "gives up at once": (
        stop,
        "expired",
        lambda climb, now, leader_lives=True: (climb, stop.GiveUp()),
    ),
}


@pytest.mark.parametrize(("place", "name", "wrong"), PLACES.values(), ids=PLACES)
def test_a_mistake_anywhere_is_found(
    place: object, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, wrong)
    assert broken_rule() is not None


def test_without_a_mistake_nothing_is_found() -> None:
    assert broken_rule() is None
