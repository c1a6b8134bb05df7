"""The start path is paid by every start: what the process layer may load, and how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio", "concurrent", "contextlib", "dataclasses", "inspect", "json", "logging", "pathlib",
    "random", "shlex", "shutil", "socket", "subprocess", "tempfile", "threading", "traceback",
    "typing", "uuid", "weakref",
}  # fmt: skip

SCRIPT = """
import sys
before = set(sys.modules)
from procession.process import command, exits, guardian, handle, host, spawn, tree
started = {name.partition(".")[0] for name in set(sys.modules) - before}
print(__import__("json").dumps(sorted(started)))
"""


@pytest.mark.quick
def test_the_process_layer_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": "src"},
    )
    loaded = set(json.loads(done.stdout))
    assert loaded & HEAVY == set()
    assert "ctypes" not in loaded, "only when a subreaper or a signalfd is asked for"
    assert "procession" in loaded


LOOP = """
import sys
before = set(sys.modules)
from procession.supervisor import engine
loaded = sorted(set(sys.modules) - before)
print(__import__("json").dumps(loaded))
"""


@pytest.mark.quick
def test_the_loop_loads_no_check_and_nothing_for_one() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", LOOP],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": "src"},
    )
    loaded = set(json.loads(done.stdout))
    assert "procession.supervisor.engine" in loaded
    assert loaded & (HEAVY | {"re", "ssl"}) == set()
    assert [
        name for name in loaded if "probes" in name or name.endswith((".errands", ".talk"))
    ] == []
