"""Who needs whom, drawn."""

from __future__ import annotations

import pytest

from procession.cli.drawing import dot, mermaid, text
from procession.spec import Dependency, Project, Task

pytestmark = pytest.mark.quick

SHOP = Project(
    "shop",
    "/srv",
    (
        Task(
            "web",
            "x",
            replicas=3,
            depends_on=(
                Dependency("db", "healthy"),
                Dependency("migrate", "completed-successfully", timeout=90.0),
                Dependency("cache", "started", restart=True),
            ),
        ),
        Task("db", "x"),
        Task("migrate", "x", completes=True, depends_on=(Dependency("db"),)),
        Task("cache", "x", autostart=False),
    ),
)


def test_as_text() -> None:
    assert text(SHOP) == (
        "shop: 4 tasks in 3 waves; they stop in reverse\n"
        "1\n"
        "  db\n"
        "  cache (when asked for)\n"
        "2\n"
        "  migrate (completes)\n"
        "    └─ db: ready\n"
        "3\n"
        "  web (3 replicas)\n"
        "    ├─ db: healthy\n"
        "    ├─ migrate: completed-successfully within 90 s\n"
        "    └─ cache: started, restarts with it\n"
    )


def test_a_project_of_one() -> None:
    lonely = Project("p", "/srv", (Task("a", "x", replicas=5, chosen=(2, 3)),))
    assert text(lonely) == "p: 1 task in 1 wave; they stop in reverse\n1\n  a (2 of 5 replicas)\n"


def test_for_graphviz() -> None:
    lines = dot(SHOP).splitlines()
    assert lines[0] == 'digraph "shop" {'
    assert lines[-1] == "}"
    assert '  "web" [label="web (3 replicas)"];' in lines
    assert '  "web" -> "db" [label="healthy"];' in lines
    assert '  "migrate" -> "db" [label="ready"];' in lines
    assert len([line for line in lines if "->" in line]) == 4


def test_for_mermaid() -> None:
    lines = mermaid(SHOP).splitlines()
    assert lines[0] == "flowchart RL"
    assert '  t0["web (3 replicas)"]' in lines
    assert '  t0 -->|"completed-successfully within 90 s"| t2' in lines
    assert '  t2 -->|"ready"| t1' in lines
    assert len(lines) == 1 + 4 + 4
