"""`procession up` on Windows itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.windows import BOUND, COMPILED, PROGRAMS, Program, until
from tests.support.windows_trees import ended, in_a_job, outliving

pytestmark = pytest.mark.windows


class Project:
    """A folder with a procession.yaml, whose tasks are programs of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tasks = ""

    def task(self, name: str, program: str, *arguments: str, **keys: str) -> None:
        """Values of `keys` as YAML; an underscore is a hyphen there."""
        if program.endswith(".exe"):
            path, words = COMPILED / program, arguments
        else:
            path, words = Path(sys.executable), (str(PROGRAMS / f"{program}.py"), *arguments)
        listed = ", ".join(f"'{word}'" for word in words)
        self._tasks += f"  {name}:\n    program: '{path}'\n    args: [{listed}]\n"
        for key, value in keys.items():
            self._tasks += f"    {key.replace('_', '-')}: {value}\n"

    def up(self, *words: str, by: str = "windows_ups", before: tuple[str, ...] = ()) -> Program:
        text = f"name: trial\ntasks:\n{self._tasks}"
        (self.folder / "procession.yaml").write_text(text, encoding="utf-8")
        logs = ("--log-dir", str(self.folder / "logs"))
        return Program(by, *before, *logs, *words, cwd=self.folder)

    def log(self, name: str) -> bytes:
        (run,) = (path for path in (self.folder / "logs" / "trial").glob("trial-*"))
        return (run / name).read_bytes()

    def has_log(self, name: str) -> bool:
        return any((self.folder / "logs" / "trial").glob(f"trial-*/{name}"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def until_line(program: Program, words: str) -> str:
    """Read on until a line has these words."""
    while (line := program.line()) is not None:
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r}; seen: {program.seen}")


def test_tasks_run_to_their_end_and_all_of_it_is_kept(project: Project) -> None:
    folder = project.folder / "my progräm 日本"
    folder.mkdir()
    project.task("one", "windows_environment", "--cwd", cwd=f"'{folder}'")
    project.task("two", "windows_writes", "40", "0")
    with project.up("--quiet") as program:
        assert program.ended() == 0, program.seen
    assert project.log("one.log").decode().strip() == str(folder)
    assert project.log("two.log") == bytes(range(256)) * 256 * 40


def test_lines_are_shown_with_the_name_of_their_task(project: Project) -> None:
    project.task("web", "windows_environment", "PROCESSION_RUN")
    with project.up() as program:
        line = until_line(program, "PROCESSION_RUN=")
        assert line.startswith("web")
        assert ".web.1" in line
        assert program.ended() == 0


def test_our_console_shows_utf_8_while_we_run_and_is_put_back(project: Project) -> None:
    project.task("waits", "windows_hears", "wait")
    with project.up(by="windows_ups_on_console") as program:
        until(lambda: project.has_log("waits.log") and b"ready" in project.log("waits.log"), "log")
        program.give(b"\n")
        until_line(program, "page 65001")
        program.close_window()
        until_line(program, "page 437")
        assert program.ended() == 0


def test_the_status_is_that_of_the_task_that_ends_all(project: Project) -> None:
    project.task("waits", "windows_hears", "wait")
    project.task("ends", "windows_writes", "0", "70000", quit_on_terminate="true")
    with project.up() as program:
        assert program.ended() == 70000, program.seen
    # how it heard, and whether, depends on how far it had come by then
    assert any("heard" in line for line in program.seen) == (b"ready" in project.log("waits.log"))


def test_wm_close_stops_all_gracefully_each_in_its_own_way(project: Project) -> None:
    project.task("library", "windows_hears", "wait")
    project.task("python", "windows_sigbreak", "break")
    project.task("keyboard", "windows_sigbreak", "int", stop="{signal: SIGINT}")
    project.task("c", "windows_console.exe", "hears")
    project.task("box", "windows_box.exe", "message", stop="{signal: WM_CLOSE}")
    project.task("reader", "windows_reads", "console", stop="{signal: CLOSE_STDIN}")
    with project.up() as program:
        for _ in range(6):
            until_line(program, "ready")
        assert in_a_job(program.pid), "its own: test_windows_run.py shows that others are in none"
        program.close_window()
        assert program.ended() == 0, program.seen
    ends = {
        "library": b"heard window WM_CLOSE",
        "python": b"clean after break",
        "keyboard": b"clean after ctrl-c",
        "c": b"event 1\nclean",
        "box": b"close message\nclean",
        "reader": b"clean after input",
    }
    for name, words in ends.items():
        assert words in project.log(f"{name}.log").replace(b"\r", b""), name


def test_a_supervisor_under_a_supervisor_stops_its_tasks_gracefully(project: Project) -> None:
    """`procession run -- procession up`: jobs in jobs; whoever has a window hears from both."""
    project.task("library", "windows_hears", "wait")
    project.task("python", "windows_sigbreak", "break")
    inner = ("--", sys.executable, str(PROGRAMS / "windows_ups.py"))
    with project.up(by="windows_runs", before=inner) as program:
        for _ in range(2):
            until_line(program, "ready")
        assert in_a_job(program.pid)
        program.close_window()
        assert program.ended() == 0, program.seen
    assert b"heard window WM_CLOSE" in project.log("library.log")
    assert b"clean after break" in project.log("python.log")


def test_a_deaf_task_is_ended_at_its_time(project: Project) -> None:
    project.task("deaf", "windows_console.exe", "deaf", stop="{timeout: 15s}")
    with project.up() as program:
        until_line(program, "ready")
        program.close_window()
        assert program.ended() == 0, program.seen
    assert b"event 1" in project.log("deaf.log")


def test_ctrl_c_in_our_console_stops_and_a_second_one_forces(project: Project) -> None:
    project.task("deaf", "windows_console.exe", "deaf", stop="{timeout: 1h}")
    with project.up() as program:
        until_line(program, "ready")
        program.ctrl_c()
        until_line(program, "stopping: Ctrl-C")
        until_line(program, "event 1")
        program.ctrl_c()
        assert program.ended() == 0, program.seen


def test_a_failed_run_is_followed_by_another(project: Project) -> None:
    project.task("again", "windows_writes", "0", "3", restart="always", restart_backoff="0")
    with project.up() as program:
        until_line(program, "again")
        for _ in range(2):
            until_line(program, "exited with 3")
        program.close_window()
        assert program.ended() == 0, program.seen


def test_what_a_leader_leaves_is_stopped(project: Project) -> None:
    """The leader's input is null, so it reads its end at once."""
    project.task("family", "windows_family", "2", "leaves", stop="{timeout: 200ms}")
    with project.up("--quiet") as program:
        assert program.ended() == 7, program.seen
    pids = [int(line.split()[1]) for line in project.log("family.log").splitlines()]
    assert all(ended(pid, 0) for pid in pids)


def test_a_program_that_is_not_there_is_told_at_its_place(project: Project) -> None:
    project.task("gone", "no-such-program.exe")
    with project.up() as program:
        assert program.ended() == 2
        assert "procession.yaml:4:14" in "\n".join(program.seen)


def test_nothing_is_left_when_the_supervisor_is_terminated(project: Project) -> None:
    """Ten tasks, three levels deep, the last of them assigned to its job a second after the others
    had been."""
    for number in range(9):
        project.task(f"family-{number}", "windows_family", "3")
    project.task("late", "windows_family", "3", start_delay="1s")
    with project.up() as program:
        pids = [int(until_line(program, "level ").split()[-1]) for _ in range(30)]
        program.popen.terminate()
        assert outliving(pids) == []
        program.popen.wait(BOUND)
