"""What the command line says on Windows, of what works there and of what does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from procession.logs.files import LogFolder
from tests.support.windows import BOUND, Program

pytestmark = pytest.mark.windows


def procession(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "procession", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=BOUND * 2,
        check=False,
    )


def written(folder: Path, *keys: str) -> None:
    lines = "".join(f"    {key}\n" for key in (f"program: '{sys.executable}'", *keys))
    (folder / "procession.yaml").write_text(f"tasks:\n  web:\n{lines}", encoding="utf-8")


def test_a_good_file_is_good(tmp_path: Path) -> None:
    written(tmp_path, "args: -V", "stop: {signal: WM_CLOSE}")
    told = procession("check", cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_program_is_found_by_its_bare_name(tmp_path: Path) -> None:
    (tmp_path / "procession.yaml").write_text("tasks:\n  web:\n    program: python\n")
    told = procession("check", "--show", cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "python.exe" in told.stdout.lower()


@pytest.mark.parametrize("signal", ["SIGHUP", "USR1", "9999", "SIGQUIT", "0", "1"])
def test_a_signal_that_cannot_be_is_refused_with_what_can(tmp_path: Path, signal: str) -> None:
    written(tmp_path, f"stop: {{signal: {signal}}}")
    told = procession("check", cwd=tmp_path)
    assert told.returncode == 2
    assert "on this system" in told.stdout
    assert "SIGINT, SIGKILL, SIGTERM, WM_CLOSE, CLOSE_STDIN, SIGBREAK" in told.stdout


@pytest.mark.parametrize("signal", ["", "signal: SIGINT, ", "signal: SIGKILL, "])
def test_what_cannot_be_kept_from_the_rest_of_a_tree_is_refused(
    tmp_path: Path, signal: str
) -> None:
    written(tmp_path, f"stop: {{{signal}to: leader}}")
    told = procession("check", cwd=tmp_path)
    assert told.returncode == 2
    assert "reaches the whole tree, not the leader alone" in told.stdout
    assert "`group` or `tree`, or `signal: WM_CLOSE`" in told.stdout
    written(tmp_path, "stop: {signal: WM_CLOSE, to: leader}")
    assert procession("check", cwd=tmp_path).returncode == 0


def test_a_grace_that_the_system_does_not_give_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "args: -V")
    told = procession("up", "--crash-grace", "2", cwd=tmp_path)
    assert told.returncode == 2
    assert "ends all tasks when procession has crashed" in " ".join(told.stderr.split())


def test_what_windows_has_not_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Each key at its place, all at once; and `up` starts nothing."""
    absent = {
        "user: www-data": "only with their password",
        "group: adm": "only with their password",
        "supplementary-groups: adm": "only with their password",
        "umask: '022'": "Windows has no umask",
        "nice: 5": "priority classes",
        "cpus: 0": "pins processes by other rules",
        "limits: {nofile: 64}": "no resource limits by name",
        "shell: true": "there is no /bin/sh on Windows",
        "ready: {notify: true}": "no unix sockets for Python on Windows",
        "health: {fd: 3}": "no descriptors by number",
        "watchdog: 10s": "no unix sockets for Python on Windows",
        "cwd: 'C:Users'": "begins wherever drive C: happens to be",
    }
    written(tmp_path, *absent)
    told = procession("check", "--json", cwd=tmp_path)
    assert told.returncode == 2, told.stdout + told.stderr
    found = {problem["line"]: problem["message"] for problem in json.loads(told.stdout)["problems"]}
    assert len(found) == len(absent)
    for line, reason in enumerate(absent.values(), 4):
        assert reason in found[line], found
    told = procession("up", cwd=tmp_path)
    assert told.returncode == 2
    assert "Windows has no umask" in " ".join(told.stderr.split())


def test_exit_codes_have_32_bits(tmp_path: Path) -> None:
    written(tmp_path, "success-exit-codes: [0, 3010, 0xC000013A]")
    assert procession("check", cwd=tmp_path).returncode == 0
    written(tmp_path, "success-exit-codes: 0x100000000")
    told = procession("check", cwd=tmp_path)
    assert told.returncode == 2
    assert "from 0 to 4294967295" in told.stdout


def test_doctor_tells_what_works(tmp_path: Path) -> None:
    told = procession("doctor", "--json", cwd=tmp_path)
    found = json.loads(told.stdout)
    facts = {fact["key"]: fact["state"] for fact in found["facts"]}
    assert facts == {"job objects": "ok", "windows": "ok"}
    assert found["system"].startswith("Windows")
    assert told.returncode == 0


STEERING = (
    ("ps",), ("ps", "--all"), ("ps", "--json"), ("start", "web"), ("stop", "web"),
    ("restart", "web"), ("down",), ("why", "web"), ("logs", "-f"), ("wait", "--timeout", "60"),
)  # fmt: skip


def test_what_steers_a_running_project_says_that_it_cannot_yet(tmp_path: Path) -> None:
    """At once, in one line, with what can be done instead."""
    written(tmp_path, "args: -V")
    for words in STEERING:
        told = procession(*words, cwd=tmp_path)
        assert (told.returncode, told.stdout) == (1, ""), words
        (line,) = told.stderr.splitlines()
        assert "it cannot be seen or steered from outside on Windows yet" in line
        assert "Ctrl-C" in line


def test_schema_is_printed(tmp_path: Path) -> None:
    told = procession("schema", cwd=tmp_path)
    assert told.returncode == 0
    assert json.loads(told.stdout)["title"]


@pytest.mark.parametrize(("winerror", "told"), [(1314, False), (1, True)])
def test_users_who_may_not_make_links_are_not_told_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, winerror: int, told: bool
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(22, "refused", None, winerror)

    monkeypatch.setattr(os, "symlink", refuses)
    folder = LogFolder.create(str(tmp_path), "trial", 0.0)
    folder.close()
    assert ("does not lead to the newest logs" in (folder.note or "")) == told


@pytest.mark.parametrize("kind", ["no window", "new console"])
def test_the_settings_of_a_console_are_put_back(kind: str) -> None:
    """Its code page, and whether it obeys the sequences for colours."""
    with Program("windows_consoles", kind=kind) as program:
        program.expect("437 False", "65001 True", "437 False")
        assert program.ended() == 0
