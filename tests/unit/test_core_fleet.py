"""All replicas together: the exit status of the whole, and what is asked of all at once."""

from __future__ import annotations

import pytest

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.status import ExitStatus
from procession.core.stop import KILL_WAIT
from procession.spec import Project, Restart, Stop, Task
from tests.support.world import Behaviour, Descendant, History, World

pytestmark = pytest.mark.quick

Part = tuple[Task, tuple[Behaviour, ...]]
CTRL_C = ev.StopAllAsked("Ctrl-C")
DEAF = Descendant(heeds=None)


def part(name: str, *runs: Behaviour, policy: str = "no", **task: object) -> Part:
    return Task(name, name, restart=Restart(policy), **task), runs or (Behaviour(),)


def quits(name: str, *runs: Behaviour, **task: object) -> Part:
    return part(name, *runs, quit_on_terminate=True, **task)


def ends(after: float, code: int | None = 0, **behaviour: object) -> Behaviour:
    return Behaviour(lives=after, exit=ExitStatus(code), **behaviour)


def killed(after: float, signal: int) -> Behaviour:
    return Behaviour(lives=after, exit=ExitStatus(signal=signal))


def cannot(status: int) -> Behaviour:
    return Behaviour(spawn_fails=status)


def play(parts: list[Part], *asks: tuple[float, Happening]) -> World:
    project = Project("demo", "/", tuple(task for task, _ in parts))
    scripts = tuple(runs for _, runs in parts)
    return World(History(project, scripts, tuple(asks), horizon=500.0)).play()


SERVER = part("server")

CASES: dict[str, tuple[list[Part], list[tuple[float, Happening]], int, str]] = {
    "all ended well": (
        [part("a", ends(1)), part("b", ends(2))],
        [],
        0,
        "all tasks ended",
    ),
    "a stop was asked for": ([SERVER, part("a", ends(1))], [(5, CTRL_C)], 0, "Ctrl-C"),
    "a stop was asked for, and forced": (
        [part("a", Behaviour(heeds=None))],
        [(5, CTRL_C), (6, ev.ForceAllAsked("Ctrl-C again"))],
        0,
        "Ctrl-C",
    ),
    "forced at once": (
        [part("a", Behaviour(heeds=None))],
        [(5, ev.ForceAllAsked("enough"))],
        0,
        "enough",
    ),
    "a stop that had to kill": ([part("a", Behaviour(heeds=None))], [(5, CTRL_C)], 0, "Ctrl-C"),
    "a stop that could not kill": (
        [part("a", Behaviour(heeds=None, unkillable=True))],
        [(5, CTRL_C)],
        0,
        "Ctrl-C",
    ),
    "a stop after a failure": ([SERVER, part("a", ends(1, 4))], [(5, CTRL_C)], 0, "Ctrl-C"),
    "a stop before anything began": (
        [part("a", start_delay=9.0)],
        [(1, CTRL_C)],
        0,
        "Ctrl-C",
    ),
    "quit, with a code": (
        [SERVER, quits("a", ends(1, 3))],
        [],
        3,
        "a ended: exited with 3 after 1.0 s",
    ),
    "quit, with success": (
        [SERVER, quits("a", ends(1))],
        [],
        0,
        "a ended: exited with 0 after 1.0 s",
    ),
    "quit, by a signal": (
        [SERVER, quits("a", killed(1, 9))],
        [],
        137,
        (
            "a ended: killed by SIGKILL after 1.0 s "
            "(not by us: by another process, or for lack of memory)"
        ),
    ),
    "quit, nobody knows how": (
        [SERVER, quits("a", ends(1, None))],
        [],
        1,
        "a ended: status unknown after 1.0 s",
    ),
    "quit, not found": (
        [SERVER, quits("a", cannot(127))],
        [],
        127,
        "a ended: could not start: no such program",
    ),
    "quit, cannot start": (
        [SERVER, quits("a", cannot(126))],
        [],
        126,
        "a ended: could not start: no such program",
    ),
    "quit, with a code that counts as success": (
        [SERVER, quits("a", ends(1, 3), success_exit_codes=(0, 3))],
        [],
        3,
        "a ended: exited with 3 after 1.0 s",
    ),
    "quit, with a 0 that does not": (
        [SERVER, quits("a", ends(1), success_exit_codes=(3,))],
        [],
        1,
        "a ended: exited with 0 after 1.0 s",
    ),
    "quit, only when it has given up": (
        [SERVER, quits("a", ends(1, 4), ends(1, 0), policy="on-failure")],
        [],
        0,
        "a ended: exited with 0 after 1.0 s",
    ),
    "several quit: the first to end": (
        [SERVER, quits("a", ends(3, 4)), quits("b", ends(2, 5)), quits("c", ends(2.5, 6))],
        [],
        5,
        "b ended: exited with 5 after 2.0 s",
    ),
    "quit: its tree is its end": (
        [
            quits("a", ends(1, 4, descendants=(DEAF,)), stop=Stop(timeout=3.0)),
            quits("b", ends(2, 5)),
        ],
        [],
        5,
        "b ended: exited with 5 after 2.0 s",
    ),
    "quit after another's failure": (
        [part("a", ends(1, 4)), quits("b", ends(2, 0))],
        [],
        0,
        "b ended: exited with 0 after 2.0 s",
    ),
    "quit, and a stop asked for while it goes down": (
        [part("slow", Behaviour(heeds=3.0)), quits("a", ends(1, 4))],
        [(2, CTRL_C), (3, ev.ForceAllAsked("Ctrl-C again"))],
        4,
        "a ended: exited with 4 after 1.0 s",
    ),
    "a stop, and a quit while it goes down": (
        [quits("a", Behaviour(heeds=1.0, exit_heeded=ExitStatus(4)))],
        [(2, CTRL_C)],
        0,
        "Ctrl-C",
    ),
    "a stop while what a quit left is cleared away": (
        [SERVER, quits("a", ends(1, 4, descendants=(DEAF,)))],
        [(2, CTRL_C)],
        0,
        "Ctrl-C",
    ),
    "a quit stopped by a person is no quit": (
        [part("a", ends(9)), quits("b")],
        [(2, ev.StopAsked("b", "Ann stops it"))],
        0,
        "all tasks ended",
    ),
    "quit, and what it left cannot be killed": (
        [SERVER, quits("a", ends(1, 0, unkillable=True, descendants=(DEAF,)))],
        [],
        1,
        "a ended: exited with 0, and what it left could not be killed",
    ),
    "all ended, some failed: the first": (
        [part("a", ends(3, 4)), part("b", ends(1, 0)), part("c", ends(2, 5))],
        [],
        5,
        "c failed: exited with 5 after 2.0 s",
    ),
    "all ended, one could not start": (
        [part("a", ends(3, 0)), part("b", cannot(127))],
        [],
        127,
        "b failed: could not start: no such program",
    ),
    "all ended, one by a signal": (
        [part("a", killed(1, 11))],
        [],
        139,
        "a failed: killed by SIGSEGV (segmentation fault) after 1.0 s",
    ),
    "all ended, one with a 0 that is no success": (
        [part("a", ends(1, 0), success_exit_codes=(3,))],
        [],
        1,
        "a failed: exited with 0 after 1.0 s",
    ),
    "all ended, and what failed was mended": (
        [part("a", ends(9)), part("b", ends(1, 4), ends(1, 0))],
        [(5, ev.StartAsked("b", "Ann mended it"))],
        0,
        "all tasks ended",
    ),
    "all ended, and mending did not help": (
        [part("a", ends(9)), part("b", ends(1, 4), ends(1, 6)), part("c", ends(2, 5))],
        [(5, ev.StartAsked("b", "Ann mended it"))],
        5,
        "c failed: exited with 5 after 2.0 s",
    ),
    "all were stopped one by one": (
        [part("a"), part("b")],
        [(2, ev.StopAsked("a", "Ann")), (3, ev.StopAsked("b", "Ann"))],
        0,
        "all tasks ended",
    ),
    "nothing to do": ([], [], 0, "all tasks ended"),
}


@pytest.mark.parametrize(("parts", "asks", "status", "reason"), CASES.values(), ids=CASES)
def test_exit_status(
    parts: list[Part], asks: list[tuple[float, Happening]], status: int, reason: str
) -> None:
    world = play(parts, *asks)
    assert world.actions[-1] == act.Finish(status, reason)


def test_tasks_begin_in_the_order_of_the_file_and_stop_all_at_once() -> None:
    names = ["c", "a", "b"]
    world = play([part(name, Behaviour(heeds=2.0)) for name in names], (5, CTRL_C))
    spawned = [a.replica for a in world.actions if isinstance(a, act.Spawn)]
    asked = [a.replica for a in world.actions if isinstance(a, act.SignalTree)]
    assert (spawned, asked) == (names, names)
    assert world.rules.finished_at == 7, "and nobody waits for another"


def test_a_stop_is_told_before_what_it_does_and_after_what_caused_it() -> None:
    world = play([SERVER, quits("a", ends(1, 3))])
    words = [
        f"{a.replica} {a.new}" if isinstance(a, act.Changed) else type(a).__name__
        for a in world.actions
    ]
    assert words[-7:] == [
        "a failed",
        "StopBegan",
        "server stopping",
        "SignalTree",
        "SetTimer",
        "server stopped",
        "Finish",
    ]


def test_a_stop_asked_for_again_and_again_is_told_once() -> None:
    again = [(2 + n / 4, CTRL_C) for n in range(8)]
    world = play([part("a", Behaviour(heeds=None))], *again)
    assert [a for a in world.actions if isinstance(a, act.StopBegan)] == [
        act.StopBegan("Ctrl-C", forced=False)
    ]
    assert len([a for a in world.actions if isinstance(a, act.SignalTree)]) == 1
    assert world.rules.finished_at == 12, "and it is never taken for a wish to force"


def test_forcing_is_told_once_and_done_each_time() -> None:
    forced = ev.ForceAllAsked("Ctrl-C again")
    stuck = part("a", Behaviour(unkillable=True, heeds=None))
    world = play([stuck], (2, CTRL_C), (3, forced), (4, forced))
    assert [a for a in world.actions if isinstance(a, act.StopBegan)] == [
        act.StopBegan("Ctrl-C", forced=False),
        act.StopBegan("Ctrl-C again", forced=True),
    ]
    assert len([a for a in world.actions if isinstance(a, act.KillTree)]) == 2
    assert world.rules.finished_at == 3 + KILL_WAIT, "from the first on"


def test_nothing_starts_once_the_whole_project_goes_down() -> None:
    slow = part("a", Behaviour(heeds=5.0), policy="always")
    asks: list[tuple[float, Happening]] = [
        (2, ev.StopAsked("b", "Ann")),
        (3, CTRL_C),
        (4, ev.StartAsked("a", "Bob")),
        (4, ev.StartAsked("b", "Bob")),
        (4, ev.BeginAll()),
    ]
    world = play([slow, part("b")], *asks)
    assert len([a for a in world.actions if isinstance(a, act.Spawn)]) == 2
    assert world.actions[-1] == act.Finish(0, "Ctrl-C")


def test_after_finish_nothing_is_said_or_done() -> None:
    fleet = Fleet(Project("demo", "/", (Task("a", "a"),)))
    assert not fleet.stopping
    actions = fleet.handle(CTRL_C, 0.0)
    assert [type(a).__name__ for a in actions] == ["StopBegan", "Changed", "Finish"]
    assert fleet.stopping
    for event in (ev.BeginAll(), CTRL_C, ev.StartAsked("a", "Ann"), ev.ForceAllAsked("x")):
        assert fleet.handle(event, 1.0) == []


def test_who_was_stopped_before_the_project_began_stays_so() -> None:
    fleet = Fleet(Project("demo", "/", (Task("a", "a"), Task("b", "b"))))
    fleet.handle(ev.StopAsked("a", "Ann"), 0.0)
    spawned = [a for a in fleet.handle(ev.BeginAll(), 1.0) if isinstance(a, act.Spawn)]
    assert spawned == [act.Spawn("b", 1)]


def test_a_replica_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Fleet(Project("demo", "/", ())).handle(ev.StartAsked("nobody", "Ann"), 0.0)


def test_tasks_that_end_keep_restarting_tasks_up() -> None:
    world = play([part("a", ends(1, 3), policy="always"), part("b", ends(1, 0))], (120, CTRL_C))
    runs = [a for a in world.actions if isinstance(a, act.Spawn) and a.replica == "a"]
    # up for 1 s at 0, 2, 5, 10, 19, 36, 67 and 98: pauses of 1, 2, 4, 8, 16, 30, 30 s
    assert len(runs) == 8
    assert world.fleet.replicas["a"].restarts == 7
    assert world.actions[-1] == act.Finish(0, "Ctrl-C")


def test_a_fleet_that_stays_ends_when_all_is_asked_to_or_all_ended_by_themselves() -> None:
    def handle(fleet: Fleet, *happenings: Happening) -> list[act.Action]:
        return [action for one in happenings for action in fleet.handle(one, 0.0)]

    project = Project("demo", "/", (Task("a", "a"), Task("b", "b", autostart=False)))
    for stays in (True, False):
        fleet = Fleet(project, stays=stays)
        begun = (ev.BeginAll(), ev.Spawned("a", 1, 7), ev.StopAsked("a", "somebody asked"))
        over = (ev.LeaderExited("a", 1, ExitStatus(0), 0), ev.TreeEmpty("a", 1))
        done = handle(fleet, *begun, *over)
        assert any(isinstance(action, act.Finish) for action in done) is not stays
    fleet = Fleet(project, stays=True)
    handle(fleet, *begun, *over)
    started = handle(fleet, ev.StartAsked("a", "asked again"))
    assert any(isinstance(action, act.Spawn) for action in started)
    handle(fleet, ev.Spawned("a", 2, 8), ev.StopAsked("a", "once more"))
    handle(fleet, ev.LeaderExited("a", 2, ExitStatus(0), 0), ev.TreeEmpty("a", 2))
    assert any(isinstance(action, act.Finish) for action in handle(fleet, CTRL_C))
    # nothing that somebody stopped: all have ended
    alone = Fleet(Project("demo", "/", (Task("a", "a"),)), stays=True)
    done = handle(alone, ev.BeginAll(), ev.Spawned("a", 1, 7), *over)
    assert done[-1] == act.Finish(0, "all tasks ended")
