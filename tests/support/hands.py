"""A hand on a running project: verbs of the command line, each a process of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import PROCESSION, Project, Up

WITHIN = 45.0


class Hand:
    """Runs verbs in a project's folder."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def run(
        self, *words: str, status: int = 0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*PROCESSION, *words],
            cwd=cwd or self._project.folder,
            env=self._project.environment(None),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def rows(self, *names: str) -> dict[str, dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("ps", "--json", *names).stdout)
        return {row["name"]: row for row in rows}


@pytest.fixture
def hand(project: Project) -> Hand:
    return Hand(project)


def up_and_ready(project: Project, hand: Hand, *, status: int = 0) -> Up:
    """`procession up`, once it can be asked; `status`: whether all become ready."""
    up = project.start()
    hand.run("wait", "--timeout", "40", status=status)
    return up
