"""A project in a temporary folder, the real command line run on it, and the stage it plays on.

Nothing here sleeps: each wait is for a descriptor, and bounded.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import PROGRAMS
from tests.support.stage import WITHIN, Stage, readable

PROCESSION = (sys.executable, "-W", "error", "-m", "procession")

Task = dict[str, Any]


def actor(kind: str, *words: object, **keys: object) -> Task:
    """A task that runs `tests/programs/up_KIND.py` with `words`; `keys` are keys of the task."""
    # -S: what `site` imports is most of the start of so small a program
    args = ["-S", str(PROGRAMS / f"up_{kind}.py"), *map(str, words)]
    return {"program": sys.executable, "args": args, **_kebab(keys)}


def sh(script: str, *words: object, **keys: object) -> Task:
    """A task that runs a line of shell; $0 is the first of `words`."""
    return {"program": "sh", "args": ["-c", script, *map(str, words)], **_kebab(keys)}


def _kebab(keys: Mapping[str, object]) -> dict[str, object]:
    return {name.replace("_", "-"): value for name, value in keys.items()}


class Up:
    """One `procession` under test: the process that was started is the guardian."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._pidfd = os.pidfd_open(process.pid)
        self._out, self._err = out, err

    @property
    def out(self) -> str:
        return self._out.read_text(errors="backslashreplace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="backslashreplace")

    @property
    def raw_out(self) -> bytes:
        return self._out.read_bytes()

    def ended(self, within: float = WITHIN) -> bool:
        """Whether it ends within that time (Popen.wait with a timeout would poll)."""
        return readable(self._pidfd, time.monotonic() + within)

    def status(self, within: float = WITHIN) -> int:
        """Its exit status (-N by signal N), which must come within that time."""
        if not self.ended(within):
            raise AssertionError(f"did not end within {within} s\n{self.said()}")
        return self.process.wait()

    def kill(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.kill(number)
        return self.status()

    def said(self) -> str:
        return f"--- stdout\n{self.out}--- stderr\n{self.err}"

    def close(self) -> None:
        if self.process.poll() is None:  # only where the test failed; the leak fixture does more
            self.process.kill()
        self.process.wait()
        os.close(self._pidfd)


class Project:
    """A folder with a file, and what is started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.stage = Stage(folder)
        self.stage.doubt = lambda: "".join(f"\n{up.said()}" for up in self.ups)
        self.ups: list[Up] = []
        self._gates: list[int] = []

    def file(self, text: str, name: str = "procession.yaml") -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def tasks(self, tasks: Mapping[str, Task] | Sequence[Task], **top: object) -> Path:
        """Write the file; JSON is YAML."""
        return self.file(json.dumps({"tasks": tasks, **top}))

    def start(
        self,
        *words: str,
        env: Mapping[str, str | None] | None = None,
        cwd: str | Path | None = None,
        wrap: Sequence[str] = (),
        log_dir: str | Path | None = "logs",
        out: int | None = None,
        err: int | None = None,
        stdin: int = subprocess.DEVNULL,
        group: bool = False,
        inherit: Sequence[int] = (),
        run: Sequence[str] = PROCESSION,
    ) -> Up:
        """`procession WORDS --log-dir logs`; `wrap` goes before, None unsets a variable.

        Output goes to files unless a descriptor is given. `group`: in a process group of its own.
        """
        number = len(self.ups)
        paths = [self.folder / f"out{number}", self.folder / f"err{number}"]
        files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644) for path in paths]
        logs = [] if log_dir is None else ["--log-dir", str(log_dir)]
        try:
            process = subprocess.Popen(
                [*wrap, *run, *words, *logs],
                cwd=cwd or self.folder,
                env=self.environment(env),
                stdin=stdin,
                stdout=files[0] if out is None else out,
                stderr=files[1] if err is None else err,
                process_group=0 if group else None,
                pass_fds=inherit,
            )
        finally:
            for fd in files:
                os.close(fd)
        up = Up(process, *paths)
        self.ups.append(up)
        return up

    def up(self, *words: str, **more: Any) -> Up:
        return self.start("up", *words, **more)

    def environment(self, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
        env: dict[str, str | None] = {
            **os.environ,
            "STAGE": self.stage.path,
            "XDG_STATE_HOME": str(self.folder / "state"),
            **(changes or {}),
        }
        return {name: value for name, value in env.items() if value is not None}

    def log_folder(self, name: str | None = None) -> Path:
        """The newest log folder, by the link the product keeps."""
        return (self.logs / (name or self.folder.name) / "latest").resolve(strict=True)

    def log(self, file: str, name: str | None = None) -> bytes:
        return (self.log_folder(name) / file).read_bytes()

    def until_logged(self, words: str) -> None:
        """Wait until the supervisor's own log has these words."""
        if not until_logged(self.logs, words):
            raise AssertionError(f"never logged: {words!r}{self.stage.doubt()}")

    def facts(self, name: str) -> dict[str, Any]:
        """What `up_facts.py` wrote."""
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    def gate(self, name: str) -> str:
        """A FIFO for `up_stage.gate`; closed until `open_gate`."""
        path = self.folder / name
        os.mkfifo(path)
        return str(path)

    def open_gate(self, name: str) -> None:
        """Whoever waits there goes on, and so does whoever comes later."""
        self._gates.append(os.open(self.folder / name, os.O_RDWR | os.O_NONBLOCK))

    def close(self) -> None:
        for up in self.ups:
            up.close()
        for fd in self._gates:
            os.close(fd)
        self.stage.close()


@pytest.fixture
def project() -> Iterator[Project]:
    """A project in a folder of its own, reachable for every user, with a short name."""
    # tempfile's own names may begin with "_", which no project may
    above = tempfile.mkdtemp()
    os.chmod(above, 0o755)
    folder = Path(above, "demo")
    folder.mkdir()
    os.chmod(folder, 0o777)
    made = Project(folder)
    yield made
    made.close()
    shutil.rmtree(above)


def until_logged(logs: Path, words: str) -> bool:
    """Wait until a `procession.log` below has these words; False at the bound. By inotify."""
    deadline = time.monotonic() + WITHIN
    with Inotify() as changes:
        changes.add(logs.parent)
        while True:
            for folder in [logs, *logs.glob("*"), *logs.glob("*/*/")]:
                if folder.is_dir() and not folder.is_symlink():
                    changes.add(folder)
            # after the watches were set: nothing is missed between a look and a wait
            found = logs.glob("*/*/procession.log")
            if any(words.encode() in file.read_bytes() for file in found):
                return True
            if not changes.wait(deadline):
                return False


class Inotify:
    """Tells when something in a folder changes (inotify(7)); Python has no binding of its own."""

    _CREATE, _MODIFY, _MOVED_TO, _CLOEXEC = 0x100, 0x2, 0x80, 0o2000000

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(self._CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")

    def add(self, folder: Path) -> None:
        """Watch a folder; again is no harm."""
        mask = self._CREATE | self._MODIFY | self._MOVED_TO
        if self._libc.inotify_add_watch(self._fd, os.fsencode(folder), mask) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))

    def wait(self, deadline: float) -> bool:
        """Until something changed; False at the deadline."""
        if not readable(self._fd, deadline):
            return False
        os.read(self._fd, 65536)
        return True

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def children(pid: int) -> set[int]:
    """The children of a process, of all its threads."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found.update(map(int, path.read_text().split()))
    return found


def without_color(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Terminal:
    """A pseudo-terminal, its far end to hand to `up_on_terminal.py`."""

    def __init__(self) -> None:
        self.near, far = os.openpty()
        self.path = os.ttyname(far)
        self._far = far  # kept: reading the near end fails with EIO when nobody has the far one
        os.set_blocking(self.near, False)
        self.seen = b""
        self.closed = False

    @property
    def wrap(self) -> tuple[str, ...]:
        return (sys.executable, "-S", str(PROGRAMS / "up_on_terminal.py"), self.path)

    @property
    def text(self) -> str:
        return self.seen.decode(errors="backslashreplace")

    def type(self, keys: bytes) -> None:
        os.write(self.near, keys)

    def until(self, wanted: str) -> str:
        """Read until that was shown, colours left out."""
        deadline = time.monotonic() + WITHIN
        while wanted not in without_color(self.text):
            self.more(repr(wanted), deadline)
        return without_color(self.text)

    def more(self, wanted: str, deadline: float | None = None) -> None:
        """Read what comes next; `wanted` is what is waited for, in words."""
        if not readable(self.near, deadline or time.monotonic() + WITHIN):
            raise AssertionError(f"never shown: {wanted}\n{self.text}")
        self.seen += os.read(self.near, 65536)

    def drain(self) -> str:
        """What was shown until now."""
        while readable(self.near, 0.0):
            self.seen += os.read(self.near, 65536)
        return self.text

    def close(self) -> None:
        """The window is closed: the kernel hangs up. A second call does nothing."""
        if not self.closed:
            self.closed = True
            os.close(self.near)
            os.close(self._far)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()
