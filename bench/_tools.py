"""Other tools that run a group of programs, each told to run the same tasks in its own words."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from _up import COMMAND, ROOT

HOME = ROOT / "build" / "others"  # their environment
WANTED = ROOT / "requirements" / "others.txt"

Commands = Mapping[str, Sequence[str]]  # by the name of the task


class Tool:
    """`command` writes the file, and is what somebody would type to run it in the foreground."""

    name = ""

    def title(self) -> str:
        return f"{self.name} {_pinned()[self.name]}"

    def command(self, folder: Path, tasks: Commands) -> list[str]:
        raise NotImplementedError


class Procession(Tool):
    name = "procession"

    def title(self) -> str:
        return f"procession {version('procession')}"

    def command(self, folder: Path, tasks: Commands) -> list[str]:
        file = folder / "procession.yaml"
        lines = (
            f"  {name}:\n    program: {argv[0]}\n"
            f"    args: {list(argv[1:])}\n    restart: on-failure\n"
            for name, argv in tasks.items()
        )
        file.write_text("tasks:\n" + "".join(lines))
        return [*COMMAND, "-f", str(file), "--log-dir", str(folder / "logs")]


class Supervisor(Tool):
    """Restarts what fails, as `restart: on-failure`; a log file for each stream."""

    name = "supervisor"

    def command(self, folder: Path, tasks: Commands) -> list[str]:
        file = folder / "supervisord.conf"
        logs = folder / "logs"
        logs.mkdir(exist_ok=True)
        head = (
            "[supervisord]\nnodaemon=true\nuser=root\n"
            f"logfile={logs}/supervisord.log\npidfile={folder}/supervisord.pid\nchildlogdir={logs}\n"
        )
        parts = (
            f"[program:{name}]\ncommand={shlex.join(argv).replace('%', '%%')}\n"
            for name, argv in tasks.items()
        )
        file.write_text(head + "".join(parts))
        return [str(HOME / "bin" / "supervisord"), "-n", "-c", str(file)]


class Circus(Tool):
    name = "circus"

    def command(self, folder: Path, tasks: Commands) -> list[str]:
        file = folder / "circus.ini"
        logs = folder / "logs"
        logs.mkdir(exist_ok=True)
        # a name in the file system is too long in some folders; @ is Linux's own kind of address
        ways = "".join(
            f"{way} = ipc://@bench-{way}-{folder.name}\n"
            for way in ("endpoint", "pubsub_endpoint", "stats_endpoint")
        )
        parts = []
        for name, argv in tasks.items():
            streams = "".join(
                f"{stream}_stream.class = FileStream\n"
                f"{stream}_stream.filename = {logs}/{name}-{stream}.log\n"
                for stream in ("stdout", "stderr")
            )
            rest = shlex.join(argv[1:]).replace("$", "$$")
            parts.append(
                f"[watcher:{name}]\ncmd = {argv[0]}\nargs = {rest}\ncopy_env = true\n{streams}"
            )
        file.write_text(f"[circus]\n{ways}" + "".join(parts))
        return [str(HOME / "bin" / "circusd"), str(file)]


class Honcho(Tool):
    """Has no log files, and restarts nothing."""

    name = "honcho"

    def command(self, folder: Path, tasks: Commands) -> list[str]:
        file = folder / "Procfile"
        lines = (f"{name}: exec {shlex.join(argv)}\n" for name, argv in tasks.items())
        file.write_text("".join(lines))
        return [str(HOME / "bin" / "honcho"), "-f", str(file), "start"]


ALL: tuple[Tool, ...] = (Procession(), Supervisor(), Circus(), Honcho())


def install() -> None:
    """The pinned versions into `HOME`; nothing where they are there."""
    python = HOME / "bin" / "python"
    done = HOME / "installed"
    if done.exists() and done.read_text() == WANTED.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # supervisor asks it for its own version
    subprocess.run([*pip, "setuptools<81", "-r", str(WANTED)], check=True)
    done.write_text(WANTED.read_text())


def _pinned() -> dict[str, str]:
    lines = WANTED.read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)
