"""`procession doctor` on this host, and on hosts that are made worse for it."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.programs import as_ordinary_user
from tests.support.up import Project

KEYS = [
    "spawn", "open files", "processes", "/proc", "children files", "subreaper", "pidfd", "cgroup",
    "pids", "pipes", "ptrace",
]  # fmt: skip


def facts(project: Project, wrap: Sequence[str] = (), status: int = 0) -> dict[str, Any]:
    up = project.start("doctor", "--json", wrap=wrap, log_dir=None)
    assert up.status() == status, up.said()
    assert up.err == ""
    found: dict[str, Any] = json.loads(up.out)
    found["facts"] = {fact["key"]: fact for fact in found["facts"]}
    return found


@pytest.mark.quick
def test_it_tells_what_there_is_and_ends_well(project: Project) -> None:
    up = project.start("doctor", log_dir=None)
    assert up.status() == 0, up.said()
    assert up.err == ""
    for title in ("What holds a tree together", "What it cannot catch", "How to get better"):
        assert title in up.out
    assert "\x1b" not in up.out


@pytest.mark.quick
def test_json(project: Project) -> None:
    found = facts(project)
    assert list(found["facts"]) == KEYS
    assert {fact["state"] for fact in found["facts"].values()} <= {"ok", "limited", "missing"}
    assert found["facts"]["subreaper"]["state"] == "ok"
    assert found["python"] == f"CPython {sys.version.split()[0]}"
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert found["facts"]["open files"]["value"].startswith(f"{soft:,}")


def test_an_ordinary_user_is_told_what_root_need_not_know(project: Project) -> None:
    found = facts(project, wrap=as_ordinary_user([]))
    assert any("setuid" in cell for cell in found["blind"])
    assert not any("unshare --pid" in way for way in found["better"])


def test_few_descriptors_are_a_limit(project: Project) -> None:
    found = facts(project, wrap=["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"])
    fact = found["facts"]["open files"]
    assert (fact["state"], found["state"]) == ("limited", "limited")
    assert fact["means"] == "room for about 6 tasks"
    assert fact["better"] in found["better"]


@pytest.mark.root
def test_without_a_proc_of_its_own(project: Project) -> None:
    found = facts(project, wrap=["unshare", "--pid", "--fork"], status=1)
    assert found["state"] == "missing"
    assert found["facts"]["/proc"]["state"] == "missing"
    assert found["layers"] == []
    assert "everything" in found["blind"][0]


@pytest.mark.root
def test_what_it_advises_works(project: Project) -> None:
    """The line it tells an ordinary user to type."""
    found = facts(project)
    (way,) = [way for way in found["better"] if "unshare" in way]
    words = way.partition(": ")[2].split()
    assert words[-4:] == ["procession", "run", "--", "COMMAND"]
    up = project.start("run", "--", "true", wrap=words[:-4], log_dir=None)
    assert up.status() == 0, up.said()


def test_a_wrong_option(project: Project) -> None:
    up = project.start("doctor", "--bogus", log_dir=None)
    assert up.status() == 2
    assert "`--bogus` is no option" in up.err
