"""One suite against two: `subprocess.Popen`, and `ExecHandle`, which has its face.

What differs is `kill` (and `kill_now`, which is Popen's), tested with the executor's own promises.
It runs on Windows too (`make test-windows`).
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from typing import Any

import pytest

from procession.executor import ExecHandle, Executor
from tests.support.small import (
    BOUND,
    CAT,
    ENDED,
    NO_FOLDER,
    NO_PROGRAM,
    PY,
    SLEEPS,
    TRUE,
    await_end,
    await_output,
    exits,
    open_descriptors,
    python,
    says,
)

if sys.platform == "win32":
    GROUPED = []
else:
    from tests.support.groups import inside

    __all__ = ["inside"]
    GROUPED = [pytest.param("ExecHandle in a group", marks=pytest.mark.root)]

Start = Callable[..., Any]
STREAMS = ("stdin", "stdout", "stderr")
POSIX = sys.platform != "win32"


@pytest.fixture(
    params=["Popen", "ExecHandle", "ExecHandle in place", *GROUPED],
)
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts a process with null streams where nothing else is said."""
    started: list[Any] = []
    if request.param == "ExecHandle in a group":
        request.getfixturevalue("inside")
        ex = Executor(containment="group")
        ex.start()
        ex.create_process(["true"]).wait()  # with the first one comes the helper
    else:
        ex = Executor()
    if request.param == "ExecHandle":
        ex.start()
        ex.create_process(TRUE).wait()  # with the first one comes the helper

    def begin(args: Any, **options: Any) -> Any:
        if request.param == "Popen":
            options = {"stdin": DEVNULL, "stdout": DEVNULL, "stderr": DEVNULL, **options}
            made: Any = Popen(args, start_new_session=True, **options)
        else:
            made = ex.create_process(args, **options)
        started.append(made)
        return made

    yield begin
    for one in started:
        if one.poll() is None:
            one.kill() if isinstance(one, Popen) else one.kill_now()
            one.wait()
        for stream in (one.stdin, one.stdout, one.stderr):
            if stream is not None:
                stream.close()
    ex.stop()
    if request.param == "ExecHandle in place":
        ex.run()
    assert ex.join(BOUND)


def pipe_ends(start: Start) -> tuple[Any, int]:
    """A process that lives until our end of its stdin is closed."""
    reads, writes = os.pipe()
    process = start(CAT, stdin=reads)
    os.close(reads)
    return process, writes


# --- attributes


@pytest.mark.quick
def test_attributes_of_a_living_process(start: Start) -> None:
    process = start(SLEEPS)
    assert process.args == SLEEPS
    if sys.platform != "win32":
        assert os.getsid(process.pid) == process.pid
    assert process.returncode is None
    assert process.poll() is None
    assert (process.stdin, process.stdout, process.stderr) == (None, None, None)
    if POSIX or isinstance(process, ExecHandle):  # Popen's own leaves the end out, if it is long
        assert os.path.basename(SLEEPS[0]) in repr(process)


@pytest.mark.quick
@pytest.mark.parametrize(
    "code", [0, 1, 3, 127, 255] if POSIX else [0, 1, 137, 259, 70000, 0xC0000005, 0xFFFFFFFF]
)
def test_exit_codes(start: Start, code: int) -> None:
    process = start(exits(code))
    assert process.wait() == code
    assert process.returncode == code
    assert process.poll() == code
    assert process.wait(0) == code


if sys.platform != "win32":

    @pytest.mark.parametrize(
        "number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGINT]
    )
    def test_ends_by_signal(start: Start, number: signal.Signals) -> None:
        process = start(SLEEPS)
        process.send_signal(number)
        assert process.wait(BOUND) == -number
        assert process.returncode == -number

else:

    @pytest.mark.parametrize("number", [3, 10, 99, -1])
    def test_a_signal_that_windows_lacks_is_refused(start: Start, number: int) -> None:
        process = start(SLEEPS)
        with pytest.raises(ValueError, match=f"Unsupported signal: {number}"):
            process.send_signal(number)
        assert process.poll() is None

    def test_sigterm_is_what_it_is_to_popen(start: Start) -> None:
        process = start(SLEEPS)
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND) == ENDED


# --- poll and wait


@pytest.mark.quick
def test_poll_sees_the_end_by_itself(start: Start) -> None:
    process, gate = pipe_ends(start)
    assert process.poll() is None
    os.close(gate)
    await_end(process.pid)
    assert process.poll() == 0


@pytest.mark.quick
@pytest.mark.parametrize("timeout", [0, 0.05, *([-1] if POSIX else [])])  # where Popen hangs
def test_wait_that_takes_too_long(start: Start, timeout: float) -> None:
    process, gate = pipe_ends(start)
    began = time.monotonic()
    with pytest.raises(TimeoutExpired) as late:
        process.wait(timeout)
    tick = time.get_clock_info("monotonic").resolution  # 16 ms on Windows
    assert max(0, timeout) - tick <= time.monotonic() - began < 30
    assert (late.value.cmd, late.value.timeout) == (CAT, timeout)
    os.close(gate)
    assert process.wait(timeout=BOUND) == 0


def test_many_threads_wait_for_one(start: Start) -> None:
    process, gate = pipe_ends(start)
    found: list[int] = []
    waits = [process.wait, lambda: process.wait(BOUND), lambda: process.wait(None)]
    threads = [threading.Thread(target=lambda w=w: found.append(w())) for w in waits * 4]
    for thread in threads:
        thread.start()
    os.close(gate)
    for thread in threads:
        thread.join(BOUND)
    assert found == [0] * 12


def test_waiting_and_signalling_at_the_same_time(start: Start) -> None:
    """Signals may be sent until the end is known, and afterwards reach nobody."""
    process = start(SLEEPS)
    codes: list[int] = []
    waiter = threading.Thread(target=lambda: codes.append(process.wait()))
    waiter.start()

    def send() -> None:
        for _ in range(50):
            process.send_signal(signal.SIGTERM)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for thread in senders:
        thread.start()
    for thread in (*senders, waiter):
        thread.join(BOUND)
    assert codes == [ENDED]


@pytest.mark.quick
def test_signals_after_the_end_reach_nobody(start: Start) -> None:
    process = start(TRUE)
    assert process.wait() == 0
    process.send_signal(signal.SIGTERM)
    process.terminate()
    assert process.returncode == 0


def test_terminate(start: Start) -> None:
    process = start(SLEEPS)
    process.terminate()
    assert process.wait(BOUND) == ENDED


# --- communicate


@pytest.mark.quick
def test_communicate_with_nothing(start: Start) -> None:
    process = start(TRUE)
    assert process.communicate() == (None, None)
    assert process.returncode == 0


@pytest.mark.quick
@pytest.mark.parametrize("timeout", [None, BOUND])
def test_communicate_both_ways(start: Start, timeout: float | None) -> None:
    data = os.urandom(300_000)  # more than any pipe holds
    script = (
        "import sys,shutil; sys.stderr.write('e'*200000); sys.stderr.flush();"
        "shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    )
    process = start([*PY, script], stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = process.communicate(data, timeout=timeout)
    assert out == data
    assert err == b"e" * 200_000
    assert process.returncode == 0


@pytest.mark.parametrize("streams", ["stdout", "stderr", "merged"])
def test_communicate_with_one_pipe(start: Start, streams: str) -> None:
    options: dict[str, Any] = {
        "stdout": {"stdout": PIPE},
        "stderr": {"stderr": PIPE},
        "merged": {"stdout": PIPE, "stderr": STDOUT},
    }[streams]
    process = start(says("out\n", "err\n"), **options)
    expected = {"stdout": (b"out\n", None), "stderr": (None, b"err\n")}
    assert process.communicate() == expected.get(streams, (b"out\nerr\n", None))


@pytest.mark.parametrize("timeout", [None, BOUND])
def test_a_process_that_does_not_want_the_input(start: Start, timeout: float | None) -> None:
    process = start(TRUE, stdin=PIPE, stdout=PIPE)
    assert process.communicate(b"x" * 1_000_000, timeout=timeout) == (b"", None)
    assert process.returncode == 0


def test_communicate_resumes_after_its_timeout(start: Start) -> None:
    script = "import os; os.write(1, b'one\\n'); os.read(0, 1); os.write(1, b'two\\n')"
    process = start([*PY, script], stdin=PIPE, stdout=PIPE)
    await_output(process.stdout)
    late = start(SLEEPS, stdout=PIPE)
    with pytest.raises(TimeoutExpired):
        late.communicate(timeout=0.1)
    late.terminate()
    assert late.communicate(timeout=BOUND) == (b"", None)
    out, _ = process.communicate(b"", timeout=BOUND)
    assert out == b"one\ntwo\n"


def test_communicate_tells_what_was_read_before_the_timeout(start: Start) -> None:
    script = "import os, time; os.write(1, b'early\\n'); time.sleep(60)"
    process = start(python(script), stdout=PIPE, stderr=PIPE)
    await_output(process.stdout)
    with pytest.raises(TimeoutExpired) as late:
        process.communicate(timeout=0.2)
    if POSIX or isinstance(process, ExecHandle):  # Popen reads it, and does not tell on Windows
        assert late.value.output == b"early\n"
    with pytest.raises(ValueError, match="Cannot send input after starting"):
        process.communicate(b"more")
    process.terminate()
    assert process.communicate() == (b"early\n", b"")


@pytest.mark.parametrize("timeout", [None, BOUND])
def test_communicate_twice(start: Start, timeout: float | None) -> None:
    process = start(says("a\n"), stdout=PIPE, stderr=PIPE)
    assert process.communicate(timeout=timeout) == (b"a\n", b"")
    assert process.returncode == 0


# --- streams and text


@pytest.mark.quick
def test_text_modes(start: Start) -> None:
    script = "import os; os.write(1, b'a\\r\\nb\\rc\\xff')"
    for options, expected in (
        ({"text": True, "errors": "replace", "encoding": "utf-8"}, "a\nb\nc\ufffd"),
        ({"encoding": "latin-1"}, "a\nb\nc\xff"),
        ({}, b"a\r\nb\rc\xff"),
    ):
        process = start([*PY, script], stdout=PIPE, stderr=PIPE, **options)
        assert process.communicate()[0] == expected
        process = start([*PY, script], stdout=PIPE, **options)
        assert process.stdout.read() == expected
        process.stdout.close()
        assert process.wait() == 0


@pytest.mark.quick
def test_a_conversation_in_text(start: Start) -> None:
    process = start(CAT, stdin=PIPE, stdout=PIPE, text=True)
    for word in ("eins\n", "zwei\n"):
        process.stdin.write(word)
        process.stdin.flush()
        assert process.stdout.readline() == word
    assert process.communicate("drei\n") == ("drei\n", None)


def test_files_and_descriptors(start: Start, tmp_path: Any) -> None:
    if sys.platform == "win32":  # no Python: under Wine it cannot have a file as its output
        a, b = (["cmd.exe", "/d", "/c", f"echo {word}"] for word in ("a", "b 1>&2"))
        read = ["cmd.exe", "/d", "/v:on", "/c", "set /p line= & echo !line!"]
    else:
        a, b, read = ["echo", "a"], ["sh", "-c", "echo b >&2"], ["cat"]
    file = tmp_path / "out"
    with open(file, "wb") as out:
        assert start(a, stdout=out).wait() == 0
        assert start(b, stderr=out.fileno()).wait() == 0
    assert file.read_bytes().split() == [b"a", b"b"]
    with open(file, "rb") as given:
        process = start(read, stdin=given, stdout=PIPE)
        found = process.communicate()[0].split()
        assert found == [b"a", b"b"] if POSIX else found[0] == b"a"


def test_cwd_and_env(start: Start, tmp_path: Any) -> None:
    env = {"GREETING": "hi"}
    if sys.platform == "win32":
        env["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    process = start(python("import os; print(os.getcwd()); print(os.environ['GREETING'])"),
                    cwd=tmp_path, env=env, stdout=PIPE)  # fmt: skip
    assert process.communicate()[0].decode().splitlines() == [str(tmp_path), "hi"]


# --- with


@pytest.mark.quick
def test_with_closes_and_waits(start: Start) -> None:
    with start(CAT, stdin=PIPE, stdout=PIPE) as process:
        assert process.poll() is None
    assert process.returncode == 0
    assert process.stdin.closed
    assert process.stdout.closed


def test_with_waits_also_after_an_error(start: Start) -> None:
    with pytest.raises(RuntimeError, match="mine"), start(CAT, stdin=PIPE) as process:
        raise RuntimeError("mine")
    assert process.returncode == 0


# --- errors


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"stdin": STDOUT}, Exception),
        ({"stdout": STDOUT}, Exception),
        ({"cwd": NO_FOLDER}, FileNotFoundError if POSIX else NotADirectoryError),
        ({"cwd": sys.executable}, NotADirectoryError),
        ({"env": {"A": "\0"}}, ValueError),
        ({"encoding": "no-such-code", "stdout": PIPE}, LookupError),
    ],
)
def test_wrong_options(
    start: Start, options: dict[str, Any], error: type[Exception], request: pytest.FixtureRequest
) -> None:
    before = open_descriptors()
    with pytest.raises(error):
        start(TRUE, **options)
    if sys.platform == "win32" and request.node.callspec.params["start"] == "Popen":
        for fd in open_descriptors() - before:  # the null device, which Popen forgets there
            os.close(fd)
    until = time.monotonic() + BOUND
    while more := open_descriptors() - before:  # in place the helper is given back a moment later
        assert time.monotonic() < until, more
        time.sleep(0.01)


@pytest.mark.quick
def test_an_unknown_user_leaks_nothing() -> None:
    """Popen itself leaks its pipes then, up to 3.11.2 at least."""
    with Executor() as ex:
        before = open_descriptors()
        told = "no-such-user-here" if POSIX else "a POSIX host"
        with pytest.raises(Exception, match=told):
            ex.create_process(TRUE, user="no-such-user-here", discard_output=False)
        assert open_descriptors() <= before


@pytest.mark.quick
@pytest.mark.parametrize(
    "command", [[NO_PROGRAM], ["no-such-program-x"], *([["/"], [""]] if POSIX else [])]
)
def test_programs_that_cannot_be(start: Start, command: list[str]) -> None:
    with pytest.raises(OSError) as told:  # noqa: PT011 - the kinds are compared below
        start(command, stdout=PIPE)
    with pytest.raises(OSError) as expected:  # noqa: PT011
        Popen(command)
    assert (type(told.value), told.value.errno) == (type(expected.value), expected.value.errno)
    if expected.value.filename is not None:  # Windows tells of none
        assert told.value.filename == expected.value.filename


def test_what_is_no_program(start: Start, tmp_path: Any) -> None:
    script = tmp_path / ("script" if POSIX else "script.exe")
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    if POSIX:
        with pytest.raises(FileNotFoundError):
            start([str(script)])
    script.write_text("just text\n")
    with pytest.raises(OSError) as told:  # noqa: PT011 - the number is compared
        start([str(script)])
    assert told.value.errno == errno.ENOEXEC


# --- leaks


@pytest.mark.quick
def test_descriptors_are_not_inherited(start: Start) -> None:
    """The pipe ends with us, though the process lives."""
    reads, writes = os.pipe()
    os.set_inheritable(writes, True)
    process, gate = pipe_ends(start)
    os.close(writes)
    with open(reads, "rb") as stream:
        assert stream.read() == b""
    assert process.poll() is None
    os.close(gate)
    assert process.wait(BOUND) == 0


def test_failed_starts_leak_nothing(start: Start) -> None:
    assert start(TRUE).wait() == 0
    before = len(open_descriptors())
    for _ in range(20):
        with pytest.raises(FileNotFoundError):
            start([NO_PROGRAM], stdin=PIPE, stdout=PIPE, stderr=PIPE)
    # the housekeeping thread may have opened its own few meanwhile; each start would leak six
    assert len(open_descriptors()) < before + 20


def test_the_type_is_what_is_tested(start: Start) -> None:
    assert isinstance(start(TRUE), (Popen, ExecHandle))
    assert subprocess.TimeoutExpired is TimeoutExpired
