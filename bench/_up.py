"""What the benches of `procession up` share: tiny C programs, a project of them, and its start.

All goes through the command line that people type. Nothing polls: tasks say by one byte into a
FIFO that their pid file is written, and end of file there tells that all of them are gone.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the harness of the end-to-end tests

BOUND = 60.0  # seconds: a bench that waits longer has failed

# Started from the console script, as people do; `-m` costs the import of `runpy` more.
COMMAND = [sys.executable, str(Path(sys.executable).parent / "procession"), "up"]


def compiled(name: str, folder: Path) -> str:
    """The program `bench/progs/NAME.c`, static where the C library can be linked so."""
    source = str(ROOT / "bench" / "progs" / f"{name}.c")
    target = str(folder / name)
    if os.path.exists(target):
        return target
    command = [os.environ.get("CC", "cc"), "-O2", "-o", target, source]
    try:
        static = subprocess.run([*command, "-static"], stderr=subprocess.DEVNULL, check=False)
        if static.returncode != 0:
            subprocess.run(command, check=True)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]}: not found; this bench needs a C compiler") from None
    return target


class Tasks:
    """`count` obedient programs, and the file of a project that runs them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder / f"tasks{count}"
        self.folder.mkdir()
        self.count = count
        self.logs = self.folder / "logs0"  # of the last start
        self._starts = 0
        self.program = compiled("obedient", folder)
        self.fifo = self.folder / "stage"
        os.mkfifo(self.fifo)
        self.file = self.folder / "procession.yaml"
        tasks = (
            f"  task-{n:03}:\n    program: {self.program}\n"
            f"    args: [{self.pid_file(n)}, {self.fifo}]\n    restart: on-failure\n"
            for n in range(count)
        )
        self.file.write_text("tasks:\n" + "".join(tasks))

    def pid_file(self, number: int) -> Path:
        return self.folder / f"{number}.pid"

    def pids(self) -> list[int]:
        return [int(self.pid_file(n).read_text()) for n in range(self.count)]

    def forget(self) -> None:
        for number in range(self.count):
            self.pid_file(number).unlink()

    def up(self, *words: str) -> list[str]:
        """A command that starts them; its logs are in a folder of their own, `logs`."""
        self._starts += 1
        self.logs = self.folder / f"logs{self._starts}"
        return [*COMMAND, "-f", str(self.file), "--log-dir", str(self.logs), *words]


class Start:
    """A command that starts all tasks: timed to the last pid file, on entry; ended on exit."""

    def __init__(self, tasks: Tasks, command: list[str]) -> None:
        self._tasks = tasks
        self._command = command

    def __enter__(self) -> Start:
        self.stage = os.open(self._tasks.fifo, os.O_RDONLY | os.O_NONBLOCK)
        hold = os.open(self._tasks.fifo, os.O_WRONLY)
        os.set_blocking(self.stage, True)
        quiet = subprocess.DEVNULL
        began = time.perf_counter()
        self.process = subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)
        missing = self._tasks.count
        while missing:
            wait_for(self.stage, f"{missing} tasks have not begun")
            missing -= len(os.read(self.stage, missing))
        self.took = time.perf_counter() - began
        os.close(hold)
        written = all(os.path.getsize(self._tasks.pid_file(n)) for n in range(self._tasks.count))
        assert written, "a task spoke before its pid file was written"
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            if self._command[: len(COMMAND)] == COMMAND:
                self.process.send_signal(signal.SIGTERM)
            else:
                for pid in self._tasks.pids():  # children of a loop that waits for them
                    os.kill(pid, signal.SIGTERM)
            self.process.wait()
        self.until_gone()
        os.close(self.stage)
        self._tasks.forget()

    def until_gone(self) -> None:
        wait_for(self.stage, "a task lives on")
        assert os.read(self.stage, 1) == b"", "a task began twice"


def wait_for(fd: int, late: str) -> None:
    """Until there is something to read, an end included."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(BOUND * 1000):
        raise SystemExit(f"{late} after {BOUND} s")
