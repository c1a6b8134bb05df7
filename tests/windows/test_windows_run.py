"""`procession run` on Windows itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.windows import BOUND, COMPILED, PROGRAMS, Program
from tests.support.windows_trees import ended, in_a_job, outliving

pytestmark = pytest.mark.windows

RUN = ("-m", "procession", "run")


def run(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *RUN, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=BOUND * 2,
        check=False,
        creationflags=subprocess.CREATE_NO_WINDOW,
        **more,  # type: ignore[call-overload]
    )


def script(name: str) -> str:
    return str(PROGRAMS / f"{name}.py")


def running(*words: str, env: Mapping[str, str] | None = None) -> Program:
    return Program("windows_runs", *words, env=env)


@pytest.mark.parametrize("status", [0, 3, 255, 70000, 0xC0000005])
def test_the_status_is_the_commands_own(status: int) -> None:
    code = f"import ctypes; ctypes.WinDLL('kernel32').ExitProcess({status})"
    told = run("--", sys.executable, "-c", code)
    assert told.returncode & 0xFFFFFFFF == status, told.stderr


def test_what_is_not_there_is_127() -> None:
    told = run("no-such-program")
    assert told.returncode == 127
    assert "no-such-program" in told.stderr


def test_a_user_cannot_be_chosen_and_it_says_so() -> None:
    told = run("--user", "nobody", "--", sys.executable, "-c", "1")
    assert told.returncode == 125
    assert "runs as who starts it" in told.stderr


def test_standard_streams_are_the_commands() -> None:
    code = (
        "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().upper());"
        "print('x', file=sys.stderr)"
    )
    told = run("--", sys.executable, "-c", code, input="abc")
    assert (told.stdout, told.stderr.strip(), told.returncode) == ("ABC", "x", 0)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "a b",
        'say "hi"',
        "back\\",
        'a\\"b',
        "\\\\server\\share\\",
        "é ü 日本 😀",
        "%PATH%",
        "^&|<>()!",
        "x" * 20000,
    ],
    ids=range(10),
)
def test_words_reach_the_program_as_they_are(word: str) -> None:
    code = "import sys; sys.stdout.buffer.write(sys.argv[1].encode('utf-8', 'surrogatepass'))"
    told = run("--", sys.executable, "-c", code, word)
    assert (told.stdout, told.returncode) == (word, 0), told.stderr


def test_a_program_in_a_folder_with_a_blank_and_letters_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "my progräm 日本"
    folder.mkdir()
    target = folder / "windows_console copy.exe"
    target.write_bytes((COMPILED / "windows_console.exe").read_bytes())
    with running("--cwd", str(folder), "--", str(target), "hears") as program:
        program.expect("ready")
        program.close_window()
        program.expect("event 1", "clean")
        assert program.ended() == 3


def test_a_name_is_found_by_pathext(tmp_path: Path) -> None:
    (tmp_path / "hears.exe").write_bytes((COMPILED / "windows_console.exe").read_bytes())
    environ = {"PATH": f"{tmp_path};{os.environ['PATH']}"}
    with running("--", "hears", "hears", env=environ) as program:
        program.expect("ready")
        program.close_window()
        program.expect("event 1", "clean")
        assert program.ended() == 3


def test_when_the_time_is_up_the_tree_is_stopped_and_the_result_says_how(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    # it has to be ready by then
    words = ("--timeout", "8s", "--json-result", str(result), "--")
    told = run(*words, str(COMPILED / "windows_box.exe"), "top")
    assert told.returncode == 124
    assert told.stdout.splitlines() == ["ready", "close top", "clean"]
    found = json.loads(result.read_text("utf-8"))
    assert (found["reason"], found["exit_code"], found["signal"]) == ("timed out", 4, None)
    assert found["stop"]["steps"][0]["what"] == "SIGTERM to the group"
    assert found["stop"]["steps"][0]["reached"] == 1
    assert found["survivors"] == []


def test_a_deaf_command_is_ended_at_its_grace(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    words = ("--grace", "2s", "--json-result", str(result), "--")
    with running(*words, str(COMPILED / "windows_console.exe"), "deaf") as program:
        program.expect("ready")
        program.close_window()
        assert program.ended() == 137
    found = json.loads(result.read_text("utf-8"))
    assert (found["signal"], found["reason"]) == ("SIGKILL", "forced")
    assert [step["what"] for step in found["stop"]["steps"]] == [
        "SIGTERM to the group",
        "TerminateJobObject",
    ]


def test_what_could_not_be_killed_is_told_by_name(tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    deaf = (str(COMPILED / "windows_console.exe"), "deaf")
    words = ("--grace", "200ms", "--json-result", str(result), "--", *deaf)
    with Program("windows_runs_powerless", *words) as program:
        program.expect("ready")
        program.close_window()
        assert program.ended() == 125
    found = json.loads(result.read_text("utf-8"))
    name = f"windows_console.exe (pid {found['pid']})"
    assert found["survivors"] == [name]
    assert f"procession run: could not be killed: {name}" in program.seen


def test_what_the_command_leaves_is_stopped() -> None:
    family = (sys.executable, script("windows_family"), "2", "leaves")
    with running("--grace", "200ms", "--", *family) as program:
        _, child = (int(str(program.line()).removeprefix("level ")) for _ in range(2))
        program.give(b"\n")
        assert program.ended() == 7
        assert ended(child, 0)


def test_wm_close_to_us_is_a_graceful_stop_of_the_command() -> None:
    with running("--", sys.executable, script("windows_hears"), "wait") as program:
        program.expect("ready")
        program.close_window()
        program.expect("heard window WM_CLOSE")
        assert program.ended() == 0


def test_we_are_in_a_job_of_our_own() -> None:
    """A program that was just started is in none, unless we are: see what follows."""
    hears = script("windows_hears")
    with Program("windows_hears", "wait") as program:
        program.expect("ready")
        assert not in_a_job(program.pid)
    with running("--", sys.executable, hears, "wait") as program:
        program.expect("ready")
        assert in_a_job(program.pid)


def test_our_own_sudden_end_takes_everything_along() -> None:
    with running("--", sys.executable, script("windows_family"), "3") as program:
        pids = [int(str(program.line()).removeprefix("level ")) for _ in range(3)]
        program.popen.terminate()
        assert outliving(pids) == []


@pytest.mark.parametrize("word", ["a b", 'x" & echo injected & "', "^&|<>", "!x!", ""])
def test_a_batch_file_gets_its_words_and_runs_nothing_else(tmp_path: Path, word: str) -> None:
    batch = tmp_path / "a script.bat"
    shows = PROGRAMS / "windows_shows.py"
    batch.write_text(f'@"{sys.executable}" -I -S "{shows}" %*\r\n')
    told = run("--", str(batch), word)
    assert told.stdout == word, told.stderr
