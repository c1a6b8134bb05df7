"""The drop-ins on Windows itself: for programs, and for files, written for drekar-launch."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.windows import COMPILED, PROGRAMS, Program

pytestmark = pytest.mark.windows


@pytest.mark.parametrize("how", ["wait", "callback", "stop-loop"])
@pytest.mark.parametrize("by", ["window", "ctrl-c"])
def test_a_program_hears_by_the_old_name(how: str, by: str) -> None:
    with Program("windows_drekar", how) as program:
        program.expect("ready")
        program.close_window() if by == "window" else program.ctrl_c()
        program.expect("clean")
        assert program.ended() == 0


def test_a_file_of_the_old_launcher_runs_and_each_task_is_asked_in_its_way(tmp_path: Path) -> None:
    """Windows that get WM_CLOSE, and console events: what that launcher used on Windows."""
    library = PROGRAMS / "windows_drekar.py"
    (tmp_path / "drekar-launch.yaml").write_text(
        "name: group\ntasks:\n"
        f"  - {{name: library, program: '{sys.executable}', args: ['{library}', wait]}}\n"
        f"  - {{name: console, program: '{COMPILED / 'windows_console.exe'}', args: hears}}\n"
    )
    env = {"LOCALAPPDATA": str(tmp_path / "local")}
    with Program("windows_drekar_launches", cwd=tmp_path, env=env) as program:
        ready = 0
        while ready < 2:
            line = program.line()
            assert line is not None, program.seen
            ready += "ready" in line
        program.close_window()
        assert program.ended() == 0, program.seen
    place = tmp_path / "local" / "drekar-launch" / "drekar-launch" / "Logs"
    texts = {path.name: path.read_bytes() for path in place.rglob("*.log")}
    assert b"clean" in texts["library.log"]
    assert b"event 1\nclean" in texts["console.log"]
