"""What is asked of the executor, and what it tells: no process, no clock."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from procession.core.status import ExitStatus
from procession.core.stop import Ask, GiveUp, Kill, Ladder, Step
from procession.errors import HostError
from procession.executor import DEVNULL, PIPE, STDOUT, Capture, CommandFailed, Lines, Output, Result
from procession.executor._request import (
    UNSET,
    Request,
    bound,
    check_host_gives,
    check_seconds,
    check_targets,
    direct,
    find_program,
    targets,
    words_of,
)
from procession.executor._stopping import Stopping, as_ladder, default_ladder
from procession.executor._streams import Called, Kept, LineSink
from procession.executor._values import EXITED, FORCED, STOPPED, TIMED_OUT, code_of, named

pytestmark = pytest.mark.quick


# --- the command


def test_a_list_is_taken_as_it_is() -> None:
    assert words_of(["a b", "$c", "*"]) == ("a b", "$c", "*")
    assert words_of(("a", "é".encode(), Path("x"))) == ("a", "é", "x")
    if sys.platform != "win32":
        assert words_of([b"\xff"]) == ("\udcff",)


def test_a_string_is_split_by_shell_rules_and_nothing_is_expanded() -> None:
    assert words_of("echo 'a b' \"c\"  $HOME > x") == ("echo", "a b", "c", "$HOME", ">", "x")


@pytest.mark.parametrize("command", ["", [], (), "  "])
def test_an_empty_command_is_refused(command: object) -> None:
    with pytest.raises(ValueError, match="empty"):
        words_of(command)  # type: ignore[arg-type]


def test_what_is_no_command_is_refused() -> None:
    with pytest.raises(TypeError, match="list of words"):
        words_of(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="quotation"):
        words_of("echo 'a")


@pytest.mark.parametrize(
    ("discard", "stdout", "stderr", "expected"),
    [
        (UNSET, UNSET, UNSET, (DEVNULL, DEVNULL)),
        (True, UNSET, UNSET, (DEVNULL, DEVNULL)),
        (False, UNSET, UNSET, (PIPE, PIPE)),
        (False, UNSET, STDOUT, (PIPE, STDOUT)),
        (UNSET, PIPE, UNSET, (PIPE, DEVNULL)),
        (UNSET, None, UNSET, (None, DEVNULL)),
    ],
)
def test_where_output_goes(
    discard: object, stdout: object, stderr: object, expected: tuple[object, object]
) -> None:
    assert targets(discard, stdout, stderr) == expected


@pytest.mark.parametrize("given", [(PIPE, UNSET), (UNSET, DEVNULL), (None, UNSET)])
def test_discarding_and_naming_a_target_contradict_each_other(given: tuple[object, object]) -> None:
    with pytest.raises(ValueError, match="contradict"):
        targets(True, *given)


def test_what_is_no_target_is_refused() -> None:
    with pytest.raises(ValueError, match="only be used for stderr"):
        check_targets(DEVNULL, STDOUT, DEVNULL)
    with pytest.raises(TypeError, match="stdin"):
        check_targets(Capture(), DEVNULL, DEVNULL)
    with pytest.raises(TypeError, match="stderr"):
        check_targets(DEVNULL, DEVNULL, "file")
    check_targets(None, Lines(), print)


def test_idle_needs_a_stream_that_is_read() -> None:
    for streams in ((Capture(), DEVNULL), (DEVNULL, print), (Lines(), PIPE)):
        request = Request()
        request.stdout, request.stderr = streams
        bound(request, None, 1)
        assert request.idle_timeout == 1
    request = Request()
    bound(request, 5, None)
    assert (request.timeout, request.idle_timeout) == (5, None)
    request.stdout, request.stderr = PIPE, DEVNULL
    with pytest.raises(ValueError, match="idle_timeout"):
        bound(request, None, 1)


@pytest.mark.parametrize(
    ("stdout", "times", "hasty"),
    [
        (DEVNULL, (None, None), False),
        (PIPE, (3600, None), False),
        (DEVNULL, (0.01, None), True),
        (Capture(), (3600, None), True),
        (print, (3600, 0.01), True),
    ],
)
def test_what_the_loop_must_know_of_at_once(
    stdout: object, times: tuple[float | None, float | None], hasty: bool
) -> None:
    """The end of a short life, and what is to be read; of the others it learns by itself."""
    request = Request()
    direct(request, UNSET, DEVNULL, stdout, DEVNULL, None)
    bound(request, *times)
    assert request.is_hasty is hasty


@pytest.mark.parametrize("value", [-1, float("nan"), -0.001])
def test_a_time_that_is_none(value: float) -> None:
    with pytest.raises(ValueError, match="timeout is"):
        check_seconds(timeout=value)


if sys.platform != "win32":

    def test_a_program_is_looked_up_as_exec_does(tmp_path: Path) -> None:
        program = tmp_path / "here"
        program.touch(mode=0o644)
        env = {"PATH": str(tmp_path)}
        with pytest.raises(PermissionError) as refused:
            find_program("here", env, None)
        assert refused.value.filename == "here"
        program.chmod(0o755)
        assert find_program("here", env, None) == str(program)
        assert find_program("./here", {}, str(tmp_path)) == f"{tmp_path}/./here"
        assert find_program("here", {"PATH": "sub:."}, str(tmp_path)) == f"{tmp_path}/./here"
        program.unlink()  # what was found before is looked at again
        with pytest.raises(FileNotFoundError):
            find_program("here", env, None)

else:

    def test_a_program_is_looked_up_by_path_and_pathext(tmp_path: Path) -> None:
        program = tmp_path / "here.cmd"
        program.touch()
        env = {"Path": f"sub;{tmp_path}", "PATHEXT": ".EXE;.CMD"}
        found = str(program).lower()
        assert find_program("here", env, None).lower() == found
        assert find_program("HERE.cmd", env, None).lower() == found
        assert find_program(".\\here", env, str(tmp_path)).lower() == found
        assert find_program("here", {**env, "Path": "."}, str(tmp_path)).lower() == found
        with pytest.raises(FileNotFoundError) as told:
            find_program("here", {**env, "PATHEXT": ".EXE"}, str(tmp_path))
        assert told.value.filename == "here"

    def test_a_backslash_in_a_command_is_itself() -> None:
        words = words_of(r"""C:\bin\x.exe "D:\a b\c" 'e\f'""")
        assert words == (r"C:\bin\x.exe", r"D:\a b\c", r"e\f")

    def test_what_windows_cannot_give_a_process_is_refused() -> None:
        check_host_gives(user=None, group=None, extra_groups=None, umask=-1)
        for name in ("user", "group", "extra_groups", "umask"):
            with pytest.raises(HostError, match=rf"create_process\({name}=.*POSIX host"):
                check_host_gives(**{name: 0})


# --- a stop


def test_the_default_ladder_is_term_grace_kill() -> None:
    stopping = Stopping(100.0)
    assert stopping.deadline is None
    assert stopping.begin(default_ladder(3.0), 101.0, STOPPED) == Ask("SIGTERM", "tree")
    assert stopping.deadline == 104.0
    assert stopping.expired(103.9) is None
    assert stopping.expired(104.0) == Kill()
    assert stopping.expired(108.9) is None
    assert stopping.expired(109.0) == GiveUp()
    assert stopping.deadline is None
    assert [text for _, text in stopping.steps] == [
        "SIGTERM to the tree",
        "SIGKILL to the tree",
        "gave up",
    ]
    assert [at for at, _ in stopping.steps] == [1.0, 4.0, 9.0]


def test_a_stop_under_way_is_joined_and_capped() -> None:
    stopping = Stopping(0.0)
    stopping.begin(default_ladder(60.0), 0.0, STOPPED)
    assert stopping.begin(default_ladder(3.0), 1.0, STOPPED, cap=3.0) is None
    assert stopping.deadline == 4.0
    assert stopping.begin(default_ladder(9.0), 2.0, STOPPED, cap=9.0) is None
    assert stopping.deadline == 4.0  # never longer
    assert stopping.expired(4.0) == Kill()


def test_a_cap_skips_the_rungs_it_has_no_time_for() -> None:
    ladder = Ladder((Step("SIGINT", "leader", 2.0), Step("SIGTERM", "tree", 60.0)))
    stopping = Stopping(0.0)
    assert stopping.begin(ladder, 0.0, STOPPED, cap=3.0) == Ask("SIGINT", "leader")
    assert stopping.expired(2.0) == Ask("SIGTERM", "tree")
    assert stopping.deadline == 3.0
    assert stopping.expired(3.0) == Kill()


def test_force_kills_once() -> None:
    stopping = Stopping(0.0)
    assert stopping.force(0.0) is None  # nobody asked for a stop
    stopping.begin(default_ladder(), 0.0, STOPPED)
    assert stopping.force(1.0) == Kill()
    assert stopping.force(1.1) is None


def test_who_cannot_be_asked_is_not_waited_for() -> None:
    stopping = Stopping(0.0)
    stopping.unheard(0.0)
    assert stopping.deadline is None
    stopping.begin(
        Ladder((Step("SIGINT", "leader", 2.0), Step("SIGTERM", "tree", 60.0))), 0.0, STOPPED
    )
    stopping.unheard(1.0)
    assert stopping.expired(1.0) == Ask("SIGTERM", "tree")
    stopping.unheard(1.0)
    assert stopping.expired(1.0) == Kill()
    stopping.unheard(1.0)
    assert stopping.expired(1.0) is None  # what was killed may take its time


def test_who_comes_to_light_during_a_stop_hears_of_it() -> None:
    stopping = Stopping(0.0)
    assert stopping.grown(leader_lives=True) is None
    stopping.begin(default_ladder(), 0.0, STOPPED)
    assert stopping.grown(leader_lives=True) == Ask("SIGTERM", "tree", unheard=True)
    stopping.force(1.0)
    assert stopping.grown(leader_lives=False) == Kill()


def test_reasons() -> None:
    ended = Stopping(0.0)
    assert ended.reason(ExitStatus(code=3)) == EXITED
    assert ended.reason(ExitStatus(signal=9)) == "signalled"
    assert ended.reason(ExitStatus()) == "status unknown"
    asked = Stopping(0.0)
    asked.begin(default_ladder(), 0.0, STOPPED)
    assert asked.reason(ExitStatus(signal=15)) == STOPPED
    asked.force(0.0)
    assert asked.reason(ExitStatus(signal=9)) == FORCED
    late = Stopping(0.0)
    late.begin(default_ladder(), 0.0, TIMED_OUT)
    late.begin(default_ladder(), 0.0, STOPPED)
    assert late.reason(ExitStatus(signal=15)) == TIMED_OUT
    leftovers = Stopping(0.0)
    leftovers.begin(default_ladder(), 0.0, "")
    assert leftovers.reason(ExitStatus(code=0)) == EXITED


def test_ladders_as_data() -> None:
    step = Step("SIGINT", "leader", 1.0)
    assert as_ladder(step) == as_ladder([step]) == as_ladder(Ladder((step,))) == Ladder((step,))
    assert as_ladder(None) == default_ladder()
    with pytest.raises(TypeError, match="Steps"):
        as_ladder(["SIGTERM"])  # type: ignore[list-item]


# --- output


@pytest.mark.parametrize("block", [1, 3, 100])
def test_a_capture_keeps_head_and_tail(block: int) -> None:
    data = bytes(range(200))
    kept = Kept(21)
    dropped = sum(kept.feed(data[at : at + block]) for at in range(0, 200, block))
    kept.end(False)
    assert kept.output == Output(data[:10], data[-11:], 179)
    assert dropped <= 179
    assert "[179 bytes dropped]" in kept.output.text("latin-1")


def test_a_capture_that_was_not_filled_drops_nothing() -> None:
    kept = Kept(100)
    kept.feed(b"a" * 60)
    kept.feed(b"b" * 40)
    kept.end(True)
    assert kept.output == Output(b"a" * 50, b"a" * 10 + b"b" * 40, 0, True)
    assert bytes(kept.output) == b"a" * 60 + b"b" * 40


def test_lines_are_cut_whatever_the_blocks() -> None:
    for size in (1, 2, 5, 100):
        lines: list[str] = []
        sink = LineSink(lines.append, lambda _: None, "utf-8", "replace")
        data = "eins\nzwé\r\n\n\xff drei".encode()
        for at in range(0, len(data), size):
            sink.feed(data[at : at + size])
        sink.end(False)
        assert lines == ["eins", "zwé", "", "\xff drei"]


def test_a_slow_reader_of_lines_loses_the_oldest() -> None:
    lines = Lines(2)
    assert [lines.put(text) for text in "abc"] == [True, True, False]
    lines.end()
    assert list(lines) == ["b", "c"]
    assert lines.dropped == 1


# --- results


def result(**changes: object) -> Result:
    return Result(["/bin/x", "secret"], 7, 0, None, EXITED, 1.0).replace(**changes)


def test_what_counts_as_well() -> None:
    assert result().ok
    assert not result(exit_code=1).ok
    assert result(exit_code=None, signal=15, reason=STOPPED).ok
    assert not result(exit_code=None, signal=15, reason="signalled").ok
    assert not result(survivors=("x (pid 1)",)).ok


def test_numbers_as_subprocess_has_them() -> None:
    assert code_of(ExitStatus(code=3)) == 3
    assert code_of(ExitStatus(signal=9)) == (137 if sys.platform == "win32" else -9)
    assert code_of(ExitStatus()) == 255  # never an invented success


def test_a_failed_command_words_itself_and_hides_its_arguments() -> None:
    failed = CommandFailed(result(exit_code=2, stderr=Output(b"no such thing\n")))
    assert str(failed) == "x: exited with 2\nno such thing"
    late = CommandFailed(result(exit_code=None, signal=9, reason=TIMED_OUT))
    assert str(late) == "x: timed out, killed by SIGKILL"


def test_a_name_without_arguments() -> None:
    assert named(["/usr/bin/ssh", "host"]) == "ssh"
    assert named("echo secret") == "echo"
    assert named([b"/x/y"]) == "y"


def test_what_a_callback_ends_comes_after_the_lines_before_it() -> None:
    """It turns the loop with lines still to come, and the end of the process is posted then."""
    calls: deque[Callable[[], object]] = deque()
    heard: list[str] = []

    def turn() -> None:
        for _ in range(len(calls)):
            calls.popleft()()

    def hear(line: str) -> None:
        heard.append(line)
        if line == "2":
            calls.append(lambda: heard.append("end"))
            turn()

    called = Called(hear, calls.append)
    for line in "1234":
        called.put(line)
    assert len(calls) == 1, "one call for a flood"
    while calls:
        turn()
    assert heard == ["1", "2", "3", "4", "end"]
