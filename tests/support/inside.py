"""Projects that run in the test's own process: tasks made of the actors, and a short `up`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from procession import Project as CodeProject
from procession import Running, Task, up
from tests.support.up import Project


def task(name: str, made: dict[str, Any]) -> Task:
    """An actor (`tests.support.up.actor`, `sh`) under a name."""
    return Task(name, **{key.replace("-", "_"): value for key, value in made.items()})


class Inside:
    """What is started in this process, on the stage of a project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.all: list[Running] = []

    def __call__(self, *what: CodeProject | Task | str, **more: Any) -> Running:
        more.setdefault("log_dir", self.project.logs)
        running = up(*what, environ=self.project.environment(), **more)
        self.all.append(running)
        return running


@pytest.fixture
def inside(project: Project) -> Iterator[Inside]:
    """Starts projects in this process; what a failed test left of them is killed."""
    made = Inside(project)
    yield made
    for running in made.all:
        running.down(force=True, timeout=20)
