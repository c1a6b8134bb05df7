"""The adversary matrix: whoever is hard to end (the rows), in each way that an end may come.

Each cell is a tree under a witness (`tests/programs/matrix_witness.py`) whose own end proves that
nothing survived: descent is a mark that nobody can shed. The actors say their pids at birth, before
they hide, and are pinned then; the time counts until the last of them is gone, and whoever of them
holds the stage.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.support.groups import Group, make
from tests.support.programs import PROGRAMS, as_ordinary_user
from tests.support.stage import WITHIN
from tests.support.up import PROCESSION, Inotify, Project, Up

GRACE = 0.3  # seconds
SENTINEL_GRACE = 1.0  # what it gives to those it has heard nothing of yet
SWEEP_GRACE = 1.0  # what `up` gives to those whom nothing ties to a run
UNTIED = ("bare", "undumpable-daemon")
MORE = 1.0  # seconds after the grace, by when nothing may be left

# name: kind of `matrix_adversary.py`
ROWS = {
    "ignores TERM and INT": "deaf",
    "background child": "background",
    "setsid daemon": "setsid",
    "double fork": "double-fork",
    "daemon, all descriptors closed": "closed",
    "daemon, empty environment": "bare",
    "fork bomb of 200": "bomb",
    "fork bomb of 200 sessions": "bomb-apart",
    "stopped by SIGSTOP": "stopped",
    "pipe held by a grandchild": "pipe",
    "blocked mask": "masked",
    "non-dumpable child": "undumpable",
    "non-dumpable daemon": "undumpable-daemon",
    "setuid root": "root",
}
KILL, STOP, APP = "handle.kill()", "executor.stop()", "application killed"
RUN, SUPERVISOR, GUARDIAN = "run killed", "up: supervisor killed", "up: guardian killed"
COLUMNS = (KILL, STOP, APP, RUN, SUPERVISOR, GUARDIAN)

# As an ordinary user, in a control group that was given to them or in none that is theirs.
PLAIN, GROUPS = "no groups", "control groups"
MODES = (PLAIN, GROUPS)

# What cannot be held, and why. In these cells, and in no other, the one who is hard to end
# survives: the test says so too if one of them begins to hold. In a control group there is none.
_UNSEEN = (
    "an application is no subreaper: an orphan in a session of its own, with {}, shows nothing"
    " that ties it to us, unless somebody looked before it was one"
)
IMPOSSIBLE = {
    **{
        ("daemon, empty environment", column, PLAIN): _UNSEEN.format("an empty environment")
        for column in (KILL, STOP, APP)
    },
    **{
        ("non-dumpable daemon", column, PLAIN): _UNSEEN.format("an environment nobody may read")
        for column in (KILL, STOP, APP)
    },
    **{
        ("setuid root", column, PLAIN): "the kernel lets no ordinary user signal it (EPERM)"
        for column in COLUMNS
    },
}


def takes_root(row: str, mode: str) -> bool:
    """To make a setuid program, or a control group for somebody else."""
    return row == "setuid root" or mode == GROUPS


class Cell:
    """One adversary, and its end. Used by `with`, which leaves nobody."""

    def __init__(self, project: Project, row: str, column: str, mode: str) -> None:
        self.project = project
        self.kind = ROWS[row]
        self.column = column
        self.grace = SENTINEL_GRACE if column == APP else GRACE
        if column == GUARDIAN and self.kind in UNTIED:
            self.grace = SWEEP_GRACE
        self._group: Group | None = None
        self._mode = mode
        self.up: Up

    def __enter__(self) -> Cell:
        self._reads, self._writes = os.pipe()  # when it ends the witness kills all that is left
        env = {"PYTHONHOME": sys.base_prefix} if self.kind == "root" else {}
        wrap = as_ordinary_user([])
        if self._mode == GROUPS:
            self._group = make()
            wrap = self._group.wrap
        else:
            env["PROCESSION_CGROUP"] = "0"
        self.up = self.project.start(
            env=env,
            log_dir=None,
            stdin=self._reads,
            run=[
                *(sys.executable, "-S", str(PROGRAMS / "matrix_witness.py")),
                *wrap,
                *self._command(),
            ],
        )
        try:
            (ready,) = self.project.stage.ready(self.kind)
        except BaseException:
            self.__exit__()
            raise
        self._above = ready.parent
        if self.column in (RUN, GUARDIAN) or (self.column == APP and self._mode == GROUPS):
            self._above = _parent_of(ready.parent)  # which is the supervisor, or a starter
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._writes)
        os.close(self._reads)
        self.up.status()
        if self._group is not None:
            self._group.close()

    def _command(self) -> list[str]:
        adversary = [sys.executable, "-S", str(PROGRAMS / "matrix_adversary.py"), self.kind]
        if self.kind == "root":
            program = self.project.folder / "becomes-root"
            shutil.copyfile(Path(sys.executable).resolve(), program)
            program.chmod(0o4755)
            adversary.append(str(program))
        if self.column == RUN:
            return [*PROCESSION, "run", "--grace", f"{GRACE}s", *adversary]
        if self.column in (SUPERVISOR, GUARDIAN):
            program, *args = adversary
            stop = {"timeout": f"{GRACE}s"}
            self.project.tasks({"a": {"program": program, "args": args, "stop": stop}})
            return [*PROCESSION, "up", "--crash-grace", str(GRACE), "--log-dir", "logs"]
        app = [sys.executable, str(PROGRAMS / "matrix_app.py")]
        how = "stop" if self.column == STOP else "kill"
        kind = "group" if self._mode == GROUPS else "marks"
        return [*app, how, kind, str(GRACE), self.project.gate("go"), *adversary]

    def end(self) -> tuple[list[str], float]:
        """Let its end come. Who is alive when nobody should be, and how long it took."""
        began = time.monotonic()
        if self.column in (KILL, STOP):
            self.project.open_gate("go")
        else:
            os.kill(self._above, signal.SIGKILL)
        left = self.project.stage.survivors(self.grace + MORE)
        return left, time.monotonic() - began

    def said(self) -> str:
        """All that the product said, in its log too."""
        logs = self.project.logs.glob("*/*/procession.log")
        return self.up.said() + "".join(log.read_text() for log in logs)

    def until_said(self, words: str) -> None:
        deadline = time.monotonic() + WITHIN
        with Inotify() as changes:
            for folder in (self.project.folder, *self.project.logs.glob("*/*/")):
                changes.add(folder)
            while words not in self.said():
                assert changes.wait(deadline), f"never said: {words!r}\n{self.said()}"


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
