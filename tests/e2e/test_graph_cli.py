"""`procession graph` as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILE = """\
name: shop
tasks:
  web: {program: sh, depends-on: {db: ready}, replicas: 2}
  db: {program: sh}
  tool: {program: sh, depends-on: [db]}
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "procession", "graph", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "procession.yaml").write_text(FILE)
    return tmp_path


@pytest.mark.quick
def test_it_draws_the_file_that_is_found(shop: Path) -> None:
    done = run(shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("shop: 3 tasks in 2 waves; they stop in reverse\n1\n  db\n2\n")
    assert "  web (2 replicas)\n    └─ db: ready\n" in done.stdout


@pytest.mark.parametrize(("form", "head"), [("dot", 'digraph "x"'), ("mermaid", "flowchart RL")])
def test_other_forms(shop: Path, form: str, head: str) -> None:
    done = run(shop, "--format", form, "-f", "procession.yaml", "--name", "x")
    assert done.returncode == 0
    assert done.stdout.startswith(head)


def test_just_what_would_run(shop: Path) -> None:
    assert "web" not in run(shop, "--only", "tool").stdout
    assert "db: ready" not in run(shop, "--except", "db").stdout


def test_what_is_wrong(shop: Path) -> None:
    (shop / "more.yaml").write_text("tasks: {db: {depends-on: [web]}}\n")
    done = run(shop, "-f", "procession.yaml", "-f", "more.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "procession.yaml:3:35: tasks.web.depends-on.db: tasks that wait for" in done.stderr
    assert "web → db → web" in done.stderr
    done = run(shop, "--only", "nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--only: no task, replica or tag is called `nope`" in done.stderr
    assert run(shop, "-f", "gone.yaml").returncode == 2
    assert "`procession.yaml` has no meaning here; a file is given by -f" in (
        run(shop, "procession.yaml").stderr
    )
    assert "`--no-deps` goes with `--only`" in run(shop, "--no-deps").stderr
    assert "invalid choice: 'svg'" in run(shop, "--format", "svg").stderr


def test_a_terminal_that_has_no_such_signs(shop: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "procession", "graph"],
        cwd=shop,
        capture_output=True,
        timeout=30,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert b"db: ready" in done.stdout
