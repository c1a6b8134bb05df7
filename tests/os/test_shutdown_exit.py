"""The end of the process: what is under way is finished, what is late neither runs nor kills."""

from __future__ import annotations

import signal

import pytest

from tests.os.test_shutdown_signals import hosted

pytestmark = pytest.mark.quick


def test_a_callback_under_way_is_finished_though_the_main_thread_has_returned() -> None:
    with hosted("main_returns") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        program.expect(b"begin\n")
        program.expect(b"main returns\n")
        program.signal(signal.SIGTERM)
        program.end_input()
        assert program.wait() == 0
        assert program.output.endswith(b"end\n")


def test_a_callback_runs_when_only_a_worker_thread_is_left() -> None:
    """From 3.12 on no thread starts then: it has to be there already."""
    with hosted("worker_lives") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output == b"ready\ncallback\nworker ends\n"
        assert program.errors == b""


@pytest.mark.parametrize("how", ["blocking", "async"])
def test_a_worker_thread_can_begin_to_wait_when_the_main_thread_has_returned(how: str) -> None:
    """From 3.12 on no thread starts then that could wait for it."""
    with hosted("worker_waits", how) as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output == b"ready\nworker hears SIGTERM\n"
        assert program.errors == b""


@pytest.mark.parametrize("when", ["early", "late", "never"])
def test_a_request_during_finalization_calls_nothing_and_does_not_kill(when: str) -> None:
    with hosted("asked_at_exit", when) as program:
        assert program.wait() == 0
        assert program.output == (b"" if when == "never" else f"asked {when}\n".encode())
        assert program.errors == b""


def test_a_signal_after_python_reset_its_handlers_does_not_kill() -> None:
    for _ in range(5):
        with hosted("killed_late") as program:
            assert program.wait() == 0
            assert program.output == b"ends\nsurvived\n"
            assert program.errors == b""


@pytest.mark.parametrize("how", ["reraise", "quietly"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_exit_status_tells_the_signal_where_that_was_chosen(
    number: signal.Signals, how: str
) -> None:
    with hosted("gives_back", how, env={"PYTHONUNBUFFERED": ""}) as program:
        program.expect(b"ready\n")
        program.signal(number)
        assert program.wait() == (-number if how == "reraise" else 0)
        expected = b"ready\nclean-up\n" + (b"" if how == "reraise" else b"after\n")
        assert program.output == expected
        assert program.errors == b""  # no KeyboardInterrupt with our insides either
