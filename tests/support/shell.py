"""bash with job control on a terminal of its own, as a person has it."""

from __future__ import annotations

import fcntl
import re
import shlex
import struct
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.support.programs import Program
from tests.support.up import PROCESSION, PROGRAMS, Project, Terminal

PROMPT = "here> "


class Shell:
    """What a person types, and what the terminal then shows."""

    def __init__(self, project: Project, terminal: Terminal, program: Program) -> None:
        self.project = project
        self.terminal = terminal
        self.program = program

    def run(self, *words: str, before: str = "", after: str = "") -> None:
        """Type `BEFORE procession up WORDS AFTER`, and Enter."""
        line = shlex.join([*PROCESSION, "up", "--log-dir", str(self.project.logs), *words])
        self.type(f"{before} {line} {after}\n".encode())

    def type(self, keys: bytes) -> None:
        self.terminal.type(keys)

    def until(self, wanted: str) -> str:
        return self.terminal.until(wanted)

    def status(self) -> int:
        """What the last command of the foreground came to; waits for the prompt."""
        self.type(b"echo status=$?.\n")
        # what is typed is shown too, but not with a number
        return int(self.shown(r"status=(\d+)\.")[0])

    def shown(self, pattern: str) -> list[str]:
        """Wait until something matches; all that does."""
        while not (found := re.findall(pattern, self.terminal.text)):
            self.terminal.more(f"matches {pattern!r}")
        return found

    def resize(self, columns: int, rows: int = 24) -> None:
        """The window gets another size; the kernel tells the foreground group (SIGWINCH)."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.terminal.near, termios.TIOCSWINSZ, size)


@pytest.fixture
def shell(project: Project, terminal: Terminal) -> Iterator[Shell]:
    """bash, in the project's folder."""
    wrap = [sys.executable, "-S", str(PROGRAMS / "up_on_terminal.py"), terminal.path]
    bash = ["/bin/bash", "--norc", "--noprofile", "--noediting", "-i"]
    env = project.environment({"PS1": PROMPT, "TERM": "xterm", "HISTFILE": "/dev/null"})
    with Program(*wrap, *bash, env=env, cwd=project.folder, session=False) as program:
        terminal.until(PROMPT)
        yield Shell(project, terminal, program)
        if not terminal.closed:
            terminal.type(b"exit\nexit\n")
        program.wait(10)
