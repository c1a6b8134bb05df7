"""The core in a simulated world: whatever happens, and in whatever order, the rules hold.

`World.play` checks them after every event (tests/support/world_rules.py): never two live runs of
one replica; no run begins while anything of the last is known, or not known not, to live; what
was asked last is what is done; a stop ends in time; every state waits for something that will
come; what comes late or twice changes nothing; no action for a run after its end; the pauses
between runs; who waits for whom, restarts with whom and stops before whom; what checks come to;
each step of a stop in its time; Finish once, last, with the right status. That the rules can be
broken is shown in test_core_rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from procession.core import actions as act
from procession.core import events as ev
from procession.core.fleet import Fleet, Happening
from procession.core.states import End
from procession.core.status import ExitStatus
from procession.core.stop import KILL_WAIT
from procession.spec import (
    LEFTOVERS,
    POLICIES,
    Check,
    Dependency,
    FileProbe,
    Project,
    Restart,
    Stop,
    Task,
)
from tests.support.world import Behaviour, Descendant, History, World
from tests.support.world_draw import draw_history

# a history is large by nature, and a machine with other work draws it slowly
LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large]


@st.composite
def histories(draw: st.DrawFn, *, most: int) -> History:
    tasks = draw(st.integers(1, most))
    return draw_history(draw(st.randoms(use_true_random=False)), tasks=tasks)


PARTS = pytest.mark.parametrize("part", range(10))
"""Many histories in parts that each keep the time limit of a test, on a busy machine as well."""


def every_history(histories: st.SearchStrategy[History], count: int) -> None:
    @settings(max_examples=count, suppress_health_check=LARGE)
    @given(histories)
    def keeps_the_rules(history: History) -> None:
        World(history).play()

    keeps_the_rules()


@PARTS
def test_the_rules_hold_for_small_projects(part: int) -> None:
    every_history(histories(most=2), 50)


@st.composite
def large_histories(draw: st.DrawFn) -> History:
    """Of thirty tasks, each made by one number: what hypothesis can look over, and make smaller."""
    seeds = draw(st.lists(st.integers(0, 2**16), min_size=30, max_size=30))
    rng = draw(st.randoms(use_true_random=False))
    return draw_history(rng, tasks=len(seeds), of=lambda n: Random(seeds[n]))


@PARTS
def test_the_rules_hold_for_thirty_tasks(part: int) -> None:
    every_history(large_histories(), 50)


@pytest.mark.quick
@pytest.mark.parametrize("block", range(4))
def test_the_rules_hold_for_many_seeds(block: int) -> None:
    """Without hypothesis's own work a hundred times as many histories fit in the same time."""
    for seed in range(block * 500, (block + 1) * 500):
        rng = Random(seed)
        World(draw_history(rng, tasks=rng.choice((1, 2, 3, 10)))).play()


def test_the_same_history_plays_the_same_way() -> None:
    for seed in range(20):
        first, second = (World(draw_history(Random(seed), tasks=4)).play() for _ in range(2))
        assert first.actions == second.actions
        assert first.now == second.now


RARE = (
    "survivors", "left", "unheard", "kill", "late spawn", "again", "forced", "echo", "waits",
    "skipped", "too late", "revived", "restarts with", "after others", "gave up", "by a rule",
    "not ready", "unhealthy", "marked", "command", "command failed", "command given up",
    "says it stops", "time is up", "one-shot",
)  # fmt: skip


def test_the_histories_have_what_they_should() -> None:
    """The rules say nothing of what never happens: each rare thing has to occur."""
    seen = dict.fromkeys(RARE, 0)
    for seed in range(800):
        rng = Random(seed)
        world = World(draw_history(rng, tasks=rng.randint(1, 6))).play()
        for action in world.actions:
            for rare in _rare(action):
                seen[rare] += 1
        seen["echo"] += world.history.echo is not None
    assert not {rare: count for rare, count in seen.items() if count < 5}


def _rare(action: act.Action) -> Iterator[str]:
    if isinstance(action, act.Release):
        yield "survivors" if action.survivors else "left"
    elif isinstance(action, act.SignalTree) and action.unheard:
        yield "unheard"
    elif isinstance(action, act.KillTree):
        yield "kill"
    elif isinstance(action, act.StopBegan) and action.forced:
        yield "forced"
        if action.reason.startswith("the stop took longer"):
            yield "time is up"
    elif isinstance(action, act.RunCommand):
        yield "command"
    elif isinstance(action, act.EndCommand):
        yield "command given up"
    elif isinstance(action, act.HealthChanged) and not action.healthy:
        yield "marked"
    elif isinstance(action, act.ReadyChanged) and action.why == "ready: it completed":
        yield "one-shot"
    elif isinstance(action, act.Changed):
        yield from _rare_change(action)


def _rare_change(change: act.Changed) -> Iterator[str]:
    turns = {
        ("starting", "stopping"): "late spawn",
        ("stopping", "starting"): "again",
        ("skipped", "pending"): "revived",
        ("stopping", "stopping"): "command failed",
    }
    if (turn := turns.get((change.old, change.new))) is not None:
        yield turn
    if change.new == "skipped":
        yield "too late" if " within " in change.why else "skipped"
    words = {
        "waits for": "waits",
        "restarts with": "restarts with",
        "what depends on it first": "after others",
        "gave up": "gave up",
        "by the rule": "by a rule",
        "not ready": "not ready",
        "unhealthy": "unhealthy",
        "it says that it is stopping": "says it stops",
    }
    yield from (rare for part, rare in words.items() if part in change.why)


small = st.integers(0, 4)
statuses = st.builds(ExitStatus, st.sampled_from([0, 1, None]))
whom = st.sampled_from(["t", "u-1", "u-2"])
which = st.sampled_from([ev.READY, ev.HEALTH])
wishes = st.sampled_from(
    [ev.StartAsked, ev.StopAsked, ev.ForceAsked, ev.RestartAsked, ev.RestartWith, ev.StopPlanned]
)
anything = st.one_of(
    st.sampled_from([ev.BeginAll(), ev.StopAllAsked("x"), ev.ForceAllAsked("x")]),
    st.builds(lambda wish, name: wish(name, "x"), wishes, whom),
    st.builds(ev.Begin, whom),
    st.builds(ev.Held, whom, st.sampled_from([None, ev.Hold("x"), ev.Hold("x", first=True)])),
    st.builds(ev.TimerFired, whom | st.just(ev.PROJECT), small),
    st.builds(ev.Spawned, whom, small, st.just(7)),
    st.builds(ev.SpawnFailed, whom, small, st.just("x"), st.sampled_from([126, 127])),
    st.builds(ev.LeaderExited, whom, small, statuses, st.integers(0, 2)),
    st.builds(ev.TreeGrew, whom, small),
    st.builds(ev.TreeEmpty, whom, small),
    st.builds(ev.CheckPassed, whom, small, which),
    st.builds(ev.CheckFailed, whom, small, which, st.just("x")),
    st.builds(ev.CheckTold, whom, small, which, st.just("x")),
    st.builds(ev.StatusTold, whom, small, st.just("x")),
    st.builds(ev.ExtendAsked, whom, small, st.floats()),
    st.builds(ev.StoppingTold, whom, small),
    st.builds(ev.CommandEnded, whom, small, small, st.booleans()),
)
CHECK = Check((FileProbe("/there"),))
odd_tasks = st.builds(
    Task,
    st.just("t"),
    st.just("true"),
    restart=st.builds(Restart, st.sampled_from(POLICIES), st.sampled_from([None, 0.0])),
    leftover=st.sampled_from(LEFTOVERS),
    start_delay=st.sampled_from([0.0, 1.0]),
    stop=st.sampled_from([Stop(), Stop(command=("quit",))]),
    depends_on=st.sampled_from([(), (Dependency("u", restart=True, timeout=1.0),)]),
    ready=st.sampled_from([None, CHECK]),
    health=st.sampled_from([None, CHECK]),
    completes=st.booleans(),
)


@settings(max_examples=400)
@given(odd_tasks, odd_tasks, st.lists(anything, max_size=40))
def test_no_event_is_an_error_in_whatever_order(
    one: Task, other: Task, events: list[Happening]
) -> None:
    """Not even such that no shell should send: the core stays what it is, and says how it ends."""
    two = other.replace(name="u", replicas=2, depends_on=())
    fleet = Fleet(Project("demo", "/", (one, two), stop_timeout=1.0))
    finishes, runs = 0, dict.fromkeys(fleet.replicas, 0)
    for event in events:
        for action in fleet.handle(event, 0.0):
            finishes += isinstance(action, act.Finish)
            if isinstance(action, act.Spawn):
                runs[action.replica] += 1
                assert action.run == runs[action.replica]
    assert finishes == all(state.ended for state in fleet.replicas.values())
    assert all(state.run == runs[name] for name, state in fleet.replicas.items())


# --- a few long stories, told in full ----------------------------------------------------------


def one(task: Task, *runs: Behaviour, **history: object) -> World:
    return World(History(Project("demo", "/", (task,)), (runs,), **history))


def test_a_tree_that_grows_while_it_is_stopped_is_killed_to_the_last() -> None:
    """Deaf children of deaf children, each found later than the last was killed."""
    late = tuple(Descendant(after=9.0 + n / 2, heeds=None) for n in range(8))
    web = Task("web", "web", stop=Stop(timeout=10.0))
    deaf = Behaviour(heeds=None, descendants=late, dies_in=0.5, report_takes=0.25)
    world = one(web, deaf, asks=((1.0, ev.StopAllAsked("Ctrl-C")),), horizon=100.0).play()
    kills = [a for a in world.actions if isinstance(a, act.KillTree)]
    assert len(kills) > 1
    assert world.trees["web"][0].alive() == []
    assert 11 < world.rules.finished_at < 11 + KILL_WAIT


def test_a_crash_loop_that_leaves_deaf_processes_behind_slows_down() -> None:
    """Each run leaves something that takes 20 s to clear away; no run was stable for that."""
    web = Task("web", "web", restart=Restart("always"), stop=Stop(timeout=20.0))
    crash = Behaviour(lives=1.0, exit=ExitStatus(1), descendants=(Descendant(heeds=None),))
    world = one(web, crash, horizon=600.0).play()
    pauses = [
        a.why.rsplit(" in ", 1)[1]
        for a in world.actions
        if isinstance(a, act.Changed) and a.new == "backoff"
    ]
    assert pauses[:7] == ["1 s", "2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]


def test_thousands_of_quick_ends_overflow_nothing() -> None:
    web = Task("web", "web", restart=Restart("always"))
    crash = Behaviour(lives=0.25, exit=ExitStatus(1))
    world = World(History(Project("demo", "/", (web,)), ((crash,),), horizon=1e9), budget=12_000)
    world.play()
    assert world.fleet.replicas["web"].restarts > 2_000
    assert world.actions[-1] == act.Finish(0, "the history ends")


def test_what_cannot_be_killed_does_not_hold_up_the_others() -> None:
    stuck = Behaviour(heeds=None, unkillable=True)
    tasks = (Task("stuck", "x", stop=Stop(timeout=1.0)), Task("fine", "y"))
    project = Project("demo", "/", tasks)
    stop = ((2.0, ev.StopAllAsked("Ctrl-C")),)
    world = World(History(project, ((stuck,), (Behaviour(),)), stop, horizon=60.0)).play()
    assert world.rules.finished_at == 2 + 1 + KILL_WAIT
    assert act.Release("stuck", 1, survivors=True) in world.actions
    assert world.fleet.replicas["fine"].why == "the project stops, killed by SIGTERM"


@pytest.mark.parametrize("wishes", ["start stop", "stop start", "start stop start", "force start"])
def test_the_last_of_many_wishes_is_what_becomes_true(wishes: str) -> None:
    """While the spawn, the stop and the reports are all under way."""
    kinds = {"start": ev.StartAsked, "stop": ev.StopAsked, "force": ev.ForceAsked}
    slow = Behaviour(spawn_takes=2.0, heeds=2.0, report_takes=1.0, drain_takes=1.0)
    words = wishes.split()
    for first in range(40):
        asks = tuple((first / 4 + n / 4, kinds[w]("web", w)) for n, w in enumerate(words))
        world = one(Task("web", "web"), slow, asks=asks).until(30.0)
        state = world.fleet.replicas["web"]
        up = words[-1] == "start"
        assert isinstance(state.phase, End) is not up, (first, state)
        assert state.wanted is up
