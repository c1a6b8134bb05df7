"""What `procession up` has not loaded when its first task is started, and when it collects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.quick

# Of the standard library and others: each costs a millisecond or more, and has its time later,
# or none at all. PyYAML itself needs `re`, `datetime` and `base64`.
LATE = {
    "argparse", "asyncio", "concurrent", "contextlib", "dataclasses", "difflib", "gettext",
    "inspect", "jinja2", "json", "locale", "logging", "pathlib", "platformdirs", "random", "shlex",
    "shutil", "socket", "subprocess", "tempfile", "textwrap", "threading", "traceback", "typing",
    "uuid",
}  # fmt: skip
OURS_LATE = {
    "procession.cli.up", "procession.control.door", "procession.logs.capture",
    "procession.logs.console", "procession.secrets", "procession.supervisor.steering",
}  # fmt: skip

# Looks when the first task is about to be started, and when the loop first goes to sleep.
SPY = """
import gc, sys
before = set(sys.modules)
from procession.cli.main import main
from procession.supervisor.engine import Engine
from procession.supervisor.perform import Performer

def before_first(cls, name):
    original = getattr(cls, name)
    def call(*args):
        setattr(cls, name, original)
        seen = sorted(set(sys.modules) - before), gc.isenabled(), gc.get_freeze_count()
        import json
        with open(f"{sys.argv[1]}/{name}", "w") as file:
            json.dump(seen, file)
        return original(*args)
    setattr(cls, name, call)

before_first(Performer, "_start")
before_first(Engine, "_listen")
sys.exit(main(sys.argv[2:]))
"""


class Seen(NamedTuple):
    loaded: list[str]
    collects: bool
    kept: int  # objects that the collector leaves alone for good


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> tuple[Seen, Seen]:
    """At the first spawn, and at the first sleep."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "procession.yaml").write_text("tasks: {one: {program: 'true'}}\n")
    said = subprocess.run(
        [sys.executable, "-c", SPY, str(folder), "up", "-f", str(folder / "procession.yaml"), "-q"],
        env=os.environ
        | {"XDG_STATE_HOME": str(folder), "PROCESSION_RUNTIME_DIR": str(folder / "r")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
    spawn, sleep = (Seen(*json.loads((folder / n).read_text())) for n in ("_start", "_listen"))
    return spawn, sleep


def test_what_no_task_waits_for_is_loaded_later(start: tuple[Seen, Seen]) -> None:
    first, later = (set(seen.loaded) for seen in start)
    assert {"procession.config.load", "procession.supervisor.engine", "yaml"} <= first
    assert {name.partition(".")[0] for name in first} & LATE == set()
    assert first & OURS_LATE == set()
    assert "procession.logs.capture" in later


def test_the_collector_rests_until_the_first_tasks_were_started(start: tuple[Seen, Seen]) -> None:
    spawn, sleep = start
    assert not spawn.collects
    assert sleep.collects
    assert sleep.kept > spawn.kept + 1000  # some interpreters begin with a few hundred


PATTERNS = r"""
import sys
THREADS
import procession.config.yaml
import copy
import pickle
import yaml
from yaml.reader import Reader

print(type(Reader.NON_PRINTABLE).__name__, __import__("re").compile("a") is not None)
for copied in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
    print(type(copied(Reader.NON_PRINTABLE)).__name__)
text = "when: 2001-02-03\nnumbers: [1.5, 0x1F, 10:30, ~, yes]\n"
for loader in (yaml.SafeLoader, yaml.CSafeLoader):
    print(yaml.load(text, loader))
print(yaml.safe_dump({"text": "yes", "number": 1.5}))
try:
    yaml.load("a: \7", yaml.SafeLoader)
except yaml.YAMLError as error:
    print(error)
"""


def test_patterns_that_were_put_off_are_there_when_they_are_needed() -> None:
    """Whatever PyYAML can do it still does."""

    def told(threads: str) -> list[str]:
        script = PATTERNS.replace("THREADS", threads)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    alone, among_threads = told(""), told("import threading")
    assert alone[0] == "Postponed True"
    assert among_threads[0] == "Pattern True", "another thread may be compiling one of its own"
    assert alone[1:4] == ["Pattern"] * 3, "of a copy"
    assert alone[1:] == among_threads[1:]
    assert "datetime.date(2001, 2, 3)" in alone[4]
    assert "special characters are not allowed" in alone[-2]
