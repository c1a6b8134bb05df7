"""How long anything lives after a crash, or after Ctrl-C where nobody listens.

As an ordinary user without control groups, each round on new trees, to the moment the last of them
has ended: told by the end of a FIFO that they all hold, and by pidfds. The tasks are the actors of
the end-to-end tests, which pin down the same as promises. The bars: 2 s after Ctrl-C for 10 deaf
trees with a stop timeout of 1 s; the crash grace (1 s) and 1 s more after a SIGKILL of the
supervisor. Status 1 if one is missed in any round.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import _up  # makes the tests' harness importable
from _support import arguments, interleaved, table

from tests.support.programs import as_ordinary_user
from tests.support.up import Project, Task, actor

assert _up.ROOT.is_dir()

BARS = {
    "Ctrl-C, 10 deaf trees, stop.timeout 1s": 2.0,
    "SIGKILL of the supervisor, 20 tasks of 6 processes, 7 deaf": 2.0,
    "SIGKILL of the supervisor, 20 tasks of 6 processes, all obey": 2.0,
    "SIGKILL of the guardian, 20 tasks of 6 processes, all obey": None,
    "SIGKILL of the guardian's whole group, the same": None,
}  # fmt: skip


def families(kinds: list[str], children: int, daemons: int, **keys: object) -> dict[str, Task]:
    return {
        f"t{number}": actor("family", f"t{number}", kind, children, daemons, **keys)
        for number, kind in enumerate(kinds)
    }


def once(what: str) -> float:
    """One round, in a new folder; seconds until nothing lived."""
    above = tempfile.mkdtemp()
    os.chmod(above, 0o755)
    folder = Path(above, "demo")
    folder.mkdir()
    os.chmod(folder, 0o777)
    project = Project(folder)
    try:
        return _once(project, what)
    finally:
        project.close()
        shutil.rmtree(above)


def _once(project: Project, what: str) -> float:
    if "Ctrl-C" in what:
        project.tasks(families(["deaf"] * 10, 1, 1, stop={"timeout": "1s"}))
        count = 30
    else:
        deaf = 7 if "7 deaf" in what else 0
        project.tasks(families(["deaf"] * deaf + ["obedient"] * (20 - deaf), 3, 2))
        count = 120
    up = project.up("--quiet", wrap=as_ordinary_user([]), group=True)
    project.stage.ready(count=count)
    (leader,) = project.stage.ready("t0")
    if "Ctrl-C" in what:
        up.kill(signal.SIGINT)
    elif "supervisor" in what:
        os.kill(leader.parent, signal.SIGKILL)
    elif "group" in what:
        os.killpg(up.pid, signal.SIGKILL)
    else:
        os.kill(up.pid, signal.SIGKILL)
    took = project.stage.gone()
    up.status()
    return took


def main() -> int:
    options = arguments(__doc__ or "", rounds=5).parse_args()
    figures = interleaved(
        {what: lambda what=what: once(what) for what in BARS}, options.rounds, warm_up=0
    )
    rows = []
    missed = False
    for what, bar in BARS.items():
        samples = figures[what]
        worst = max(samples.values)
        verdict = "" if bar is None else f"{bar} s: {'met' if worst <= bar else 'MISSED'}"
        missed |= bar is not None and worst > bar
        rows.append((what, samples.show(0, 1000), f"{worst * 1000:.0f}", verdict))
    table("Until nothing is alive", ["", "ms", "slowest", "bar"], rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
