"""The helpers by which tests start programs and wait for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support.programs import LateError, Program, alive, all_gone, as_ordinary_user, gone

pytestmark = pytest.mark.quick

_SAYS_READY = 'echo ready; read line; echo "got $line"; echo oops >&2; exit 3'


def test_a_program_is_heard_answered_and_reaped() -> None:
    with Program("sh", "-c", _SAYS_READY) as program:
        assert program.expect(b"ready\n") == b"ready\n"
        assert alive(program.pid)
        program.write(b"this\n")
        assert program.expect(b"oops", errors=True) == b"oops\n"
        assert program.wait() == 3
        assert (program.output, program.errors) == (b"ready\ngot this\n", b"oops\n")
        assert not alive(program.pid)


def test_a_wait_is_over_at_its_bound_and_says_what_was_seen() -> None:
    with Program("sh", "-c", "echo hello; exec sleep 600") as program:
        program.expect(b"hello")
        with pytest.raises(LateError, match=r"no b'ready' .*runs, wrote b'hello\\n'"):
            program.expect(b"ready", timeout=0.05)
        with pytest.raises(LateError, match="has not ended"):
            program.wait(timeout=0.05)
        program.signal(signal.SIGTERM)
        assert program.wait() == -signal.SIGTERM


def test_what_can_no_longer_come_is_not_waited_for() -> None:
    began = time.monotonic()
    with (
        Program("sh", "-c", "echo other") as program,
        pytest.raises(LateError, match=r"the pipe ended .*b'other\\n'"),
    ):
        program.expect(b"ready", timeout=60)
    assert time.monotonic() - began < 30


def test_the_end_waits_for_no_descendant_that_holds_the_pipe() -> None:
    with Program("sh", "-c", "echo before; sleep 600 & echo $!") as program:
        assert program.wait() == 0
        before, sleeper = program.output.split()
        assert (before, alive(int(sleeper))) == (b"before", True)
    assert gone(int(sleeper))


def test_all_that_a_program_wrote_is_read_however_much() -> None:
    size = 3_000_000
    with Program.python("-c", f"import sys; sys.stdout.write('x' * {size})") as program:
        assert program.wait() == 0
        assert len(program.output) == size


def test_leaving_kills_and_reaps_the_whole_session() -> None:
    with Program("sh", "-c", "trap '' TERM; sleep 600 & echo $!; wait") as program:
        sleeper = int(program.expect(b"\n"))
    assert program.popen.returncode == -signal.SIGKILL
    assert gone(sleeper)


def test_a_zombie_is_gone_and_not_alive() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    try:
        assert gone(child)
        assert not alive(child)
    finally:
        os.waitpid(child, 0)
    assert gone(child)
    assert not alive(child)


def test_several_are_awaited_under_one_bound() -> None:
    with Program("sleep", "600") as stays, Program("true") as ends:
        assert all_gone([stays.pid, ends.pid], timeout=0.2) == [stays.pid]


@pytest.mark.root
def test_root_can_run_as_an_ordinary_user() -> None:
    ask = "import os; print(os.getuid(), os.geteuid(), os.getgroups())"
    ended = subprocess.run(
        as_ordinary_user([sys.executable, "-c", ask]), capture_output=True, text=True, check=True
    )
    assert ended.stdout == "65534 65534 []\n"
    with Program("sleep", "600") as stranger:
        words = f"import os\ntry: os.kill({stranger.pid}, 15)\nexcept PermissionError: print('no')"
        ended = subprocess.run(
            as_ordinary_user([sys.executable, "-c", words]),
            capture_output=True,
            text=True,
            check=True,
        )
    assert ended.stdout == "no\n"
