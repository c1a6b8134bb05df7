"""Event loops: they own the wakeup descriptor, are stopped, and await."""

from __future__ import annotations

import signal

import pytest

from tests.os.test_shutdown_signals import hosted

LOOPS = ["asyncio", "uvloop", "trio"]


@pytest.mark.parametrize("when", ["before", "within"])
@pytest.mark.parametrize("kind", LOOPS)
def test_a_loop_that_owns_the_wakeup_descriptor_and_we_both_hear(kind: str, when: str) -> None:
    with hosted("owned_loop", kind, when) as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        program.expect(b"callback\n")
        program.signal(signal.SIGUSR1)
        program.expect(b"the loop heard SIGUSR1\n")
        assert program.wait() == 0
        assert program.errors == b""


@pytest.mark.parametrize("when", ["running", "later", "closed"])
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_loop_is_stopped_whatever_its_state(kind: str, when: str) -> None:
    with hosted("stops_loop", kind, when) as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output == b"ready\nstopped\n"
        assert program.errors == b""


@pytest.mark.parametrize("kind", LOOPS)
def test_the_request_can_be_awaited(kind: str) -> None:
    with hosted("awaits", kind) as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGINT)
        assert program.wait() == 0
        assert program.output == b"ready\nheard SIGINT\n"
        assert program.errors == b""
