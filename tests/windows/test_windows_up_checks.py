"""`procession up` on Windows: the probes that there are, and what they find."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from tests.support.windows import BOUND, PROGRAMS, Program

pytestmark = pytest.mark.windows

LONGER = 2.5 * BOUND  # what one interpreter after another takes under Wine


def up(folder: Path, task: dict[str, object], *words: object) -> Program:
    """A project of `server`, which is checked, and `after`, which ends all when that is ready."""
    serves = [str(PROGRAMS / "windows_serves.py"), *map(str, words)]
    after = {
        "program": sys.executable,
        "args": ["-c", "print('began after it')"],
        "depends-on": ["server"],
        "quit-on-terminate": True,
    }
    server = {"program": sys.executable, "args": serves, **task}
    file = {"name": "trial", "tasks": {"server": server, "after": after}}
    (folder / "procession.yaml").write_text(json.dumps(file), encoding="utf-8")
    return Program("windows_ups", "--log-dir", str(folder / "logs"), cwd=folder)


def until_line(program: Program, words: str) -> str:
    while (line := program.line(LONGER)) is not None:
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r}; seen: {program.seen}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize("kind", ["tcp", "http", "log", "file", "exec"])
def test_a_task_is_ready_when_its_probe_holds(tmp_path: Path, kind: str) -> None:
    port = free_port()
    asks = [sys.executable, "-c", "import os; os.stat('served')"]
    ready: dict[str, object] = {
        "tcp": {"tcp": port},
        "http": {"http": {"url": f"http://127.0.0.1:{port}/", "body": "fine"}},
        "log": {"log": "^serves$"},
        "file": {"file": "served"},
        "exec": {"exec": asks, "timeout": "30s"},
    }[kind]  # type: ignore[assignment]  # each is one
    with up(tmp_path, {"ready": ready}, port, "served") as program:
        until_line(program, "server ready after")
        until_line(program, "began after it")
        assert program.ended(LONGER) == 0, program.seen


def test_what_is_not_ready_in_time_says_why(tmp_path: Path) -> None:
    port = free_port()
    task = {"ready": {"tcp": port}, "ready-timeout": "5s", "quit-on-terminate": True}
    with up(tmp_path, task, 0, "served") as program:
        line = until_line(program, "not ready within")
        assert f"tcp 127.0.0.1:{port}: " in line
        assert "refused" in line.lower()
        assert program.ended(LONGER) != 0


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
    ready = {"exec": command, "timeout": "3s", "failures": 1}
    with up(tmp_path, {"ready": ready, "quit-on-terminate": True}, 0, "served") as program:
        until_line(program, "it took longer than 3 s")
        assert program.ended(LONGER) != 0


def test_a_run_knows_who_it_is(tmp_path: Path) -> None:
    with up(tmp_path, {"ready": {"log": "^serves$"}, "port": 7000}, 0, "served") as program:
        until_line(program, "server 1 7000")
        assert program.ended(LONGER) == 0, program.seen
