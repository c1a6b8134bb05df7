"""Pids of the dead, given to strangers at once, in a pid namespace of their own (Linux, root).

`tests/programs/reuse_taker.py` is its first process: with it ends whatever else is there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.programs import PROGRAMS

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
# seconds an end may take by itself: of who is deaf, in the programs below
GRACE = 0.2

# how many tries one namespace may make: the dying application holds all its processes at once
WAYS = {
    "executor": 1000,
    "executor, killed": 50,
    "run, stopped": 1000,
    "run, crashed": 1000,
    "up, stopped": 1000,
    "up, crashed": 1000,
}


def attempt(folder: Path, way: str, tries: int, within: float) -> dict[str, Any]:
    """What became of the strangers: see `reuse_taker.py`; and what was `said`."""
    asked = [sys.executable, "-S", str(PROGRAMS / "reuse_taker.py"), str(folder)]
    done = subprocess.run(
        [*NAMESPACE, *asked, *_command(folder, way, tries)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
    )
    if done.returncode != 0:
        raise AssertionError(f"the taker failed: {done.stderr}")
    return {**json.loads(done.stdout), "said": done.stderr}


def _command(folder: Path, way: str, tries: int) -> list[str]:
    if way.startswith("executor"):
        name = "reuse_dying_app.py" if way.endswith("killed") else "reuse_app.py"
        return [sys.executable, str(PROGRAMS / name), str(tries)]
    verb, _, end = way.partition(", ")
    procession = [sys.executable, "-W", "error", "-m", "procession", verb]
    churn = [sys.executable, "-S", str(PROGRAMS / "reuse_churn.py")]
    words = [str(tries), "crash" if end == "crashed" else "stop"]
    if verb == "run":
        return [*procession, "--grace", f"{GRACE}s", *churn, *words]
    program, *args = churn
    task = {"program": program, "stop": {"timeout": f"{GRACE}s"}}
    tasks = {
        "churn": {**task, "args": [*args, *words]},
        "again": {
            **task,
            "args": [*args, "0", "own"],
            "restart": "always",
            "restart-backoff": "10ms",
        },
    }
    file = folder / "procession.yaml"
    file.write_text(json.dumps({"tasks": tasks}))
    logs = ["--log-dir", str(folder / "logs")]
    return [*procession, "--file", str(file), "--crash-grace", str(GRACE), *logs]
