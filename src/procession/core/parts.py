"""What the handlers of every state share: timers, moves of a stop, words. Pure."""

from __future__ import annotations

from procession.core import stop
from procession.core.actions import (
    Action,
    Changed,
    EndCommand,
    KillTree,
    RunCommand,
    SetTimer,
    SignalTree,
)
from procession.core.states import ReplicaState, Stopping

_READABLE = 1000.0  # seconds; more are told in larger units
_YEAR = 365.25  # days

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Outcome = tuple[ReplicaState, list[Action]]
    Handler = Callable[[ReplicaState, Any, float], Outcome]


def alarm(s: ReplicaState, at: float) -> Outcome:
    """Whatever timer was set is stale from now on."""
    s = s.replace(timer=s.timer + 1)
    return s, [SetTimer(s.replica, s.timer, at)]


def put(actions: list[Action], action: Action) -> None:
    """In front of the others, but for the change that they come of."""
    actions.insert(1 if actions and isinstance(actions[0], Changed) else 0, action)


def with_phase(s: ReplicaState, **changes: object) -> ReplicaState:
    return s.replace(phase=s.phase.replace(**changes))


def climb_on(s: ReplicaState, climb: stop.Climb, move: stop.Move | None, now: float) -> Outcome:
    """A stop took its next step."""
    assert isinstance(s.phase, Stopping)
    last = s.phase.climb
    ended: list[Action] = []
    if last is not None and last.running and last.rung != climb.rung:
        ended.append(EndCommand(s.replica, s.run))
    s, timer = alarm(s.replace(phase=s.phase.replace(climb=climb)), climb.deadline)
    return s, [*ended, *moves(s, climb.rung, move), *timer]


def moves(s: ReplicaState, rung: int, move: stop.Move | None) -> list[Action]:
    if move is None:
        return []
    if isinstance(move, stop.Ask):
        return [SignalTree(s.replica, s.run, move.signal, move.to, move.unheard)]
    if isinstance(move, stop.Run):
        return [RunCommand(s.replica, s.run, rung, move.command)]
    return [KillTree(s.replica, s.run)]


def seconds(value: float) -> str:
    """As it was said, where that can be read: `2.5 s`, `90 s`; `2 h` for 7200."""
    return f"{value:g} s" if value < _READABLE else duration(value)


def duration(value: float) -> str:
    """`0.3 s`, `42 s`, `12 min`, `3 h 20 min`, `5 days`, `91 years`: as exact as somebody wants to
    know it."""
    if value < 59.5:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    minutes = int(value / 60 + 0.5)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    if days < 10:
        return f"{days} days {hours} h" if hours else f"{days} days"
    return f"{days} days" if days < 2 * _YEAR else f"{days / _YEAR:.0f} years"


def processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
