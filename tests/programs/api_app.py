"""An application with a project in it. HOW LOGS ACTORS...: each `obedient`, `deaf`, ... is a task;
with a `!` behind it one that is to say by sd_notify when it is ready.

Says `up` and waits for a line, which is what it does then: HOW is `with` (a `with` block) or `bare`
(none). `raise`: an exception leaves the block. `exit`: the end of the program.
"""

from __future__ import annotations

import os
import pathlib
import select
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "src"))

from procession import Project, Task, up

how, logs, *actors = sys.argv[1:]
programs = pathlib.Path(__file__).parent
tasks = [
    Task(
        name,
        sys.executable,
        ["-S", programs / f"up_{name}.py", name, *words],
        ready={"notify": True} if actor.endswith("!") else None,
    )
    for actor in actors
    for name, *words in [actor.removesuffix("!").split()]
]


def serve() -> None:
    heard, hears = os.pipe()  # a signal that comes just before the call does not end a read
    os.set_blocking(hears, False)
    signal.set_wakeup_fd(hears)
    print("up", flush=True)
    select.select([sys.stdin, heard], [], [])
    if sys.stdin.readline().strip() == "raise":
        raise LookupError("as asked")


project = Project(*tasks, defaults={"stop": {"timeout": "40s"}}, name="app")
if how == "with":
    with up(project, log_dir=logs):
        serve()
else:
    running = up(project, log_dir=logs)
    serve()
