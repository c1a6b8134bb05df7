"""Forked children: they hear for themselves, and the parent hears nothing of theirs."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.os.test_shutdown_signals import hosted

pytestmark = pytest.mark.quick


def _child(output: bytes) -> int:
    found = re.search(rb"child (?:ready )?(\d+)\n", output)
    assert found
    return int(found[1])


@pytest.mark.parametrize("how", ["hears", "object"])
@pytest.mark.parametrize("where", ["main", "worker"])
def test_a_signal_to_a_child_that_waits_is_heard_by_the_child_alone(where: str, how: str) -> None:
    with hosted("forks", where, how) as program:
        os.kill(_child(program.expect(b"child ")), signal.SIGTERM)
        program.expect(b"parent: None\n")
        assert b"child hears SIGTERM\nchild ended with 3\n" in program.output
        program.signal(signal.SIGINT)
        assert program.wait() == 0
        assert program.output.endswith(b"callback in %d\n" % program.pid)
        assert program.output.count(b"callback") == 1


@pytest.mark.parametrize("where", ["main", "worker"])
def test_a_child_that_never_asks_is_not_deaf(where: str) -> None:
    with hosted("forks", where, "deaf") as program:
        os.kill(_child(program.expect(b"child ")), signal.SIGTERM)
        program.expect(b"child ended with -15\n")
        program.expect(b"parent: None\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output.count(b"callback") == 1


def test_a_signal_between_the_fork_and_the_hook_is_the_childs_own() -> None:
    with hosted("forks_in_the_gap") as program:
        assert program.wait() == 0
        assert program.output == b"child ended with -15\nparent: None\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_child_waits(method: str) -> None:
    with hosted("multiprocessing", method, "waits") as program:
        os.kill(_child(program.expect(b"\n")), signal.SIGTERM)
        assert program.wait() == 0
        assert program.output.endswith(b"child heard SIGTERM\nchild ended with 0 - parent: None\n")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_multiprocessing_child_finishes_its_callback(method: str, tmp_path: Path) -> None:
    """Such children run no atexit hook before 3.13, and end by os._exit."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with hosted("multiprocessing", method, "called", env={"GATE": str(gate)}) as program:
        os.kill(_child(program.expect(b"\n")), signal.SIGTERM)
        program.expect(b"begin\n")
        program.expect(b"main of child returns\n")
        gate.write_bytes(b"")
        assert program.wait() == 0
        assert program.output.endswith(b"end\nchild ended with 0 - parent: None\n")


def test_a_pool_can_end_its_workers() -> None:
    with hosted("pool") as program:
        assert program.wait() == 0
        assert program.output == b"[1, 2]\nparent: None\n"
