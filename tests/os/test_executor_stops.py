"""The executor, promise by promise, with real processes: stops, and what belongs to a tree."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from procession.executor import (
    ExecHandle,
    Executor,
    ExecutorStopped,
    Step,
    TimeoutExpired,
)
from tests.support.executor_kinds import ex, inside, lines
from tests.support.executors import in_thread, lives, parked, program
from tests.support.processes import BOUND
from tests.support.processes import Lines as SharedLines

__all__ = ["ex", "inside", "lines"]


# --- stop (C.19)


@pytest.mark.quick
def test_stop_before_run_and_anew_after() -> None:
    ex = Executor()
    ex.stop()
    with pytest.raises(ExecutorStopped):
        ex.create_process(["true"])
    ex.run()
    with pytest.raises(ExecutorStopped):
        ex.create_process(["true"])
    wait = in_thread(lambda: serve_one(ex))
    ex.run()
    assert wait() == 0


def serve_one(ex: Executor) -> int:
    until = time.monotonic() + BOUND
    while True:
        try:
            code = ex.create_process(["true"]).wait()
            break
        except ExecutorStopped:
            assert time.monotonic() < until
            os.sched_yield()
    ex.stop()
    return code


def test_stop_returns_at_once_and_stops_all_trees_at_the_same_time(lines: SharedLines) -> None:
    ex = Executor()
    ex.start()
    deaf = [
        ex.create_process(
            program("tree_ignores_term"), stdout=lines.fd, stop=Step("SIGTERM", "tree", 60)
        )
        for _ in range(3)
    ]
    for _ in deaf:
        lines.next()
    with parked(ex):
        began = time.monotonic()
        ex.stop(grace=0.3)
        assert all(lives(handle.pid) for handle in deaf)
        with pytest.raises(ExecutorStopped):
            ex.create_process(["true"])
    assert ex.join(BOUND)
    assert time.monotonic() - began >= 0.3
    assert [handle.result().reason for handle in deaf] == ["forced"] * 3
    assert not any(lives(handle.pid) for handle in deaf)


def test_a_second_stop_forces(lines: SharedLines) -> None:
    ex = Executor()
    ex.start()
    deaf = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    ex.stop(grace=60)
    ex.stop(grace=60)
    assert ex.join(BOUND)
    assert deaf.result().reason == "forced"


def test_stop_in_a_signal_handler(lines: SharedLines) -> None:
    ex = Executor()
    handle = ex.create_process(program("tree_obedient"), stdout=lines.fd)
    lines.next()
    before = signal.signal(signal.SIGUSR1, lambda *_: ex.stop())
    try:
        in_thread(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        ex.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not lives(handle.pid)


def interrupt_once_it_runs(ex: Executor) -> None:
    until = time.monotonic() + BOUND
    while not (ex._mode == "run" and ex._keeper.loop._asleep):
        assert time.monotonic() < until
        os.sched_yield()
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_in_run_stops_all_before_it_comes_out(lines: SharedLines) -> None:
    ex = Executor()
    handle = ex.create_process(program("tree_obedient"), stdout=lines.fd)
    lines.next()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        in_thread(lambda: interrupt_once_it_runs(ex))
        with pytest.raises(KeyboardInterrupt):
            ex.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not lives(handle.pid)
    assert handle.result().reason == "stopped"


@pytest.mark.parametrize("round_", range(5))
def test_many_threads_create_while_another_stops(round_: int) -> None:
    """Nothing outlives `run()`, nothing starts after, and all are told of."""
    ex = Executor()
    made: list[ExecHandle] = []
    begun = threading.Semaphore(0)

    def work() -> None:
        while True:
            try:
                made.append(ex.create_process(["sleep", "60"]))
            except ExecutorStopped:
                return
            finally:
                begun.release()

    threads = [threading.Thread(target=work) for _ in range(40)]

    def stop() -> None:
        for _ in range(20 * (round_ + 1)):
            begun.acquire()
        ex.stop()
        count = ex._keeper._number
        assert not begun.acquire(blocking=False) or ex._keeper._number == count

    stopper = in_thread(stop)
    for thread in threads:
        thread.start()
    ex.run()
    for thread in threads:
        thread.join(BOUND)
    stopper()
    assert ex.processes == ()
    assert len(made) == ex._keeper._number
    assert all(handle.done and not lives(handle.pid) for handle in made)


# --- trees


FAMILY = ("leader=deaf", "child=deaf", "daemon=deaf")


@pytest.mark.parametrize("way", ["kill", "stop", "executor"])
def test_the_whole_tree_ends(way: str, lines: SharedLines) -> None:
    """A child in the group and a daemon in a session of its own, all deaf to SIGTERM."""
    ex = Executor()
    ex.start()
    handle = ex.create_process(program("tree_family", *FAMILY), stdout=lines.fd)
    pids = lines.expect("leader", "child", "daemon")
    if way == "kill":
        handle.kill(grace=0.2)
    elif way == "stop":
        handle.stop([Step("SIGINT", "leader", 0.1), Step("SIGTERM", "group", 0.1)])
    else:
        ex.stop(grace=0.2)
    result = handle.result(BOUND)
    assert result.reason == "forced"
    assert result.survivors == ()
    assert not [name for name, pid in pids.items() if lives(pid)]
    assert result.stop_trace[-1][1] == "SIGKILL to the tree"
    ex.stop()
    assert ex.join(BOUND)


def test_an_obedient_tree_ends_without_force(ex: Executor, lines: SharedLines) -> None:
    handle = ex.create_process(
        program("tree_family", "child=obeys", "daemon=obeys"), stdout=lines.fd
    )
    pids = lines.expect("leader", "child", "daemon")
    handle.kill(grace=BOUND)
    assert handle.result().reason == "stopped"
    assert [text for _, text in handle.result().stop_trace] == ["SIGTERM to the tree"]
    assert not any(lives(pid) for pid in pids.values())


def test_kill_joins_a_stop_under_way(ex: Executor, lines: SharedLines) -> None:
    handle = ex.create_process(program("tree_ignores_term"), stdout=lines.fd)
    lines.next()
    slow = in_thread(lambda: handle.stop(Step("SIGTERM", "tree", 60.0)))
    began = time.monotonic()
    handle.kill(grace=0.2)
    assert time.monotonic() - began < BOUND
    slow()
    assert handle.result().reason == "forced"


def test_what_outlives_its_leader_keeps_it_in_the_trace(ex: Executor, lines: SharedLines) -> None:
    handle = ex.create_process(
        program("tree_family", "leader=leaves", "daemon=obeys"), stdout=lines.fd
    )
    pids = lines.expect("leader", "daemon")
    assert handle.wait(BOUND) == 0
    assert ex.processes == (handle,)
    with pytest.raises(TimeoutExpired):
        handle.result(0.2)
    os.kill(pids["daemon"], signal.SIGTERM)
    assert handle.result(BOUND).reason == "exited"
    assert ex.processes == ()


def test_leftovers_are_stopped_or_left(ex: Executor, lines: SharedLines) -> None:
    family = program("tree_family", "leader=leaves", "daemon=obeys")
    handle = ex.create_process(family, stdout=lines.fd, leftover="stop")
    stopped = lines.expect("leader", "daemon")
    assert handle.result(BOUND).reason == "exited"
    assert not lives(stopped["daemon"])
    handle = ex.create_process(family, stdout=lines.fd, leftover="leave")
    left = lines.expect("leader", "daemon")
    assert handle.result(BOUND).reason == "exited"
    assert lives(left["daemon"])
    assert ex.processes == ()
    os.kill(left["daemon"], signal.SIGKILL)
