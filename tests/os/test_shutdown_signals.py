"""Hearing signals: real programs, real signals. Each row of the traps of receiving is here, in
`test_shutdown_exit.py`, `test_shutdown_fork.py` or `test_shutdown_loops.py`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.support.programs import PROGRAMS, Program


def hosted(name: str, *words: str, env: dict[str, str] | None = None) -> Program:
    """One of the `shutdown_` programs; its warnings are errors."""
    program = PROGRAMS / f"shutdown_{name}.py"
    return Program.python("-W", "error", program, *words, env=env)


@pytest.mark.quick
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_wait_hears_the_signal_though_other_threads_do_not_block_it(
    number: signal.Signals,
) -> None:
    with hosted("waits") as program:
        program.expect(b"ready\n")
        program.signal(number)
        assert program.wait() == 0
        told = f"signal {number.name} {number!r} None\n"
        assert program.output.decode() == "ready\n" + told


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["idle", "busy"])
def test_a_burst_hangs_nothing_and_calls_once(mode: str) -> None:
    dice = random.Random(mode)
    for spread in (0.0, 0.0, 0.03, 0.1):
        with hosted("burst", mode) as program:
            program.expect(b"ready\n")
            end = time.monotonic() + spread
            for i in range(60):
                program.signal(dice.choice((signal.SIGTERM, signal.SIGINT)))
                while time.monotonic() < end - spread * (60 - i) / 60:
                    os.sched_yield()
            assert program.wait() == 0
            assert program.output == b"ready\ncallback\n"
            assert program.errors == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_callback_runs_while_the_main_thread_is_in_a_c_call(number: signal.Signals) -> None:
    with hosted("c_call") as program:
        program.expect(b"ready\n")
        program.signal(number)
        program.expect(b"callback\n")
        program.end_input()  # which that call waits for
        assert program.wait() == 0
        assert program.output == b"ready\ncallback\nreturned\n"


@pytest.mark.quick
def test_a_request_before_the_wait_is_not_lost() -> None:
    with hosted("not_yet_asking") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        program.end_input()
        assert program.wait() == 0
        assert program.output == b"ready\nheard SIGTERM\n"


@pytest.mark.parametrize("how", ["ignored", "blocked"])
def test_what_was_inherited_ignored_or_blocked_is_heard(how: str) -> None:
    start = (
        "import os, signal, sys\n"
        "stops = {signal.SIGINT, signal.SIGTERM}\n"
        f"if {how!r} == 'ignored':\n"
        "    for number in stops: signal.signal(number, signal.SIG_IGN)\n"
        "else:\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, stops)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        with Program.python("-c", start, PROGRAMS / "shutdown_waits.py") as program:
            program.expect(b"ready\n")
            program.signal(number)
            assert program.wait() == 0
            assert number.name.encode() in program.output


@pytest.mark.quick
def test_repeats_are_counted_and_change_nothing() -> None:
    """Ctrl-C that a parent forwards as well arrives twice, and some managers resend."""
    with hosted("counts", "ignore") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGINT)
        program.expect(b"callback\n")
        program.signal(signal.SIGINT)
        program.signal(signal.SIGTERM)
        program.end_input()
        assert program.wait() == 0
        assert program.output == b"ready\ncallback\nthree\n"


@pytest.mark.quick
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_repeat_forces_where_that_was_chosen(second: signal.Signals) -> None:
    with hosted("counts", "force") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        program.expect(b"callback\n")
        program.signal(second)
        assert program.wait() == 128 + second
        assert b"three" not in program.output


def test_a_typed_ctrl_c_is_heard_by_the_group_of_the_terminal() -> None:
    """Two programs of one foreground group: one key stroke, one request each."""
    import pty

    ours, theirs = pty.openpty()
    script = (
        "import fcntl, os, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        'os.execv(\'/bin/sh\', [\'sh\', \'-c\', \'trap "" INT; "$0" "$1" & "$0" "$1"; wait\','
        " *sys.argv[1:]])\n"
    )
    program = str(PROGRAMS / "shutdown_waits.py")
    with subprocess.Popen(
        [sys.executable, "-c", script, sys.executable, program],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as shell:
        os.close(theirs)
        seen = b""
        try:
            while seen.count(b"ready") < 2:
                seen += os.read(ours, 1000)
            os.write(ours, b"\x03")
            while seen.count(b"SIGINT: 2") < 2:
                seen += os.read(ours, 1000)
            assert shell.wait(10) == 0
        finally:
            shell.kill()
            os.close(ours)
    assert seen.count(b"signal SIGINT") == 2


@pytest.mark.quick
def test_one_raising_callback_is_logged_and_stops_no_other() -> None:
    with hosted("raising") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output == b"ready\nthe good one\n"
        assert program.errors.count(b"ValueError: a broken callback\n") == 1
        assert program.errors.count(b"Traceback") == 1


@pytest.mark.quick
def test_an_orphaned_installation_steps_aside_at_the_next_signal() -> None:
    with hosted("orphaned") as program:
        program.expect(b"cancelled\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == -signal.SIGTERM
        assert program.output == b"cancelled\n"


@pytest.mark.quick
def test_importing_installs_nothing_and_loads_little() -> None:
    look = (
        "import signal, sys, threading\n"
        "def found():\n"
        "    wakeup = signal.set_wakeup_fd(-1); signal.set_wakeup_fd(wakeup)\n"
        "    handlers = [signal.getsignal(n) for n in signal.valid_signals()]\n"
        "    return handlers, wakeup, signal.pthread_sigmask(0, ()), threading.enumerate()\n"
        "import os; fds = os.listdir('/proc/self/fd')\n"
        "before, loaded = found(), {*sys.modules, '__future__'}\n"
        "import procession.shutdown, drekar_launch_process as drop_in\n"
        "assert found() == before and os.listdir('/proc/self/fd') == fds\n"
        "print(*sorted(set(sys.modules) - loaded))\n"
        "for name in drop_in.__all__:\n"
        "    assert getattr(drop_in, name) is getattr(procession.shutdown, name)\n"
        "print(*drop_in.__all__)\n"
    )
    with Program.python("-W", "error", "-c", look) as program:
        assert program.wait() == 0, program.errors
        loaded, names = program.output.decode().splitlines()
    parts = ("", "._registration", "._request")
    ours = ["drekar_launch_process", "procession", *(f"procession.shutdown{p}" for p in parts)]
    assert loaded.split() == ours
    assert names == "wait_exit wait_exit_callback wait_exit_stop_loop"


@pytest.mark.quick
@pytest.mark.parametrize("mode", ["daemon", "main"])
def test_a_threading_http_server_ends_cleanly(mode: str) -> None:
    import http.client

    with hosted(f"http_{mode}") as program:
        port = int(program.expect(b"\n").split()[1])
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        client.request("HEAD", "/")
        assert client.getresponse().status == 200
        client.close()
        program.signal(signal.SIGINT if mode == "daemon" else signal.SIGTERM)
        assert program.wait() == 0
        assert program.output.endswith(b"\nclosed\n")
        assert b"Traceback" not in program.errors


def test_a_wait_off_the_main_thread_says_what_to_call_where() -> None:
    from procession import shutdown

    errors: list[shutdown.NotInstalledError] = []

    def ask() -> None:
        for call in (
            shutdown.install,
            shutdown.wait_exit,
            shutdown.Shutdown,
            lambda: shutdown.wait_exit_callback(print),
        ):
            try:
                call()
            except shutdown.NotInstalledError as error:
                errors.append(error)

    worker = threading.Thread(target=ask, name="a-worker")
    worker.start()
    worker.join()
    assert [error.call for error in errors] == [
        "procession.shutdown.install()",
        "procession.shutdown.wait_exit()",
        "procession.shutdown.Shutdown",
        "procession.shutdown.wait_exit_callback()",
    ]
    text = str(errors[1])
    assert "'a-worker'" in text
    assert "procession.shutdown.install() in the main thread" in text


def test_hearing_needs_no_descriptor_to_begin() -> None:
    """Handlers that stay behind an `install` that failed would make the program deaf."""
    with hosted("no_descriptors") as program:
        program.expect(b"ready\n")
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.output == b"ready\nheard SIGTERM\n"
