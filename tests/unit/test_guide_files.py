"""What the guides show as project files are project files, and mean what is said beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from procession import spec
from procession.cli.drawing import text as drawn
from procession.config.decode import decode_parts
from procession.config.part import Part
from procession.config.source import Source
from tests.support.systems import read_as_on

DOCS = Path(__file__).parents[2] / "docs"
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.M | re.S)
PAGES = ("guide-files.md", "guide-up.md", "guide-readiness.md", "guide-order.md")
# Jinja2 makes YAML of one that is rendered as a whole; other pages' are parts of a file.
BLOCKS = [
    pytest.param(block, id=f"{page}-{i}")
    for page in PAGES
    for i, block in enumerate(YAML.findall((DOCS / page).read_text(encoding="utf-8")))
    if "{%" not in block and re.search(r"^(tasks|defaults|name|include|template):", block, re.M)
]


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    read_as_on("linux", monkeypatch)


def laid(*texts: str) -> spec.Project:
    parts = [Part(Source("p.yaml", text), "/srv") for text in texts]
    decoded = decode_parts(parts, "/srv", whole=False)
    assert [str(problem) for problem in decoded.problems()] == []
    decoded = decode_parts([Part(Source("p.yaml", text), "/srv") for text in texts], "/srv")
    return decoded.project


@pytest.mark.quick
@pytest.mark.parametrize("block", BLOCKS)
def test_each_file_of_the_guides_is_one(block: str) -> None:
    # unrendered, what a template says is no number
    laid(re.sub(r'"\{\{.*?\}\}"', "1", block))


def test_there_are_many() -> None:
    assert len(BLOCKS) >= 9


def test_what_the_guide_says_of_its_three_files() -> None:
    page = (DOCS / "guide-files.md").read_text(encoding="utf-8")
    main, common, db = YAML.findall(page)[:3]
    project = laid(common, db, main)
    assert [task.name for task in project.tasks] == ["db", "web"]
    web = project.tasks[1]
    assert dict(web.environment) == {"LOG": "debug", "TZ": "UTC"}
    assert web.restart.policy == "on-failure"


def test_what_the_guide_says_of_defaults() -> None:
    page = (DOCS / "guide-files.md").read_text(encoding="utf-8")
    (block,) = (b for b in YAML.findall(page) if "# LOG too" in b)
    web, job = laid(block).tasks
    assert dict(web.environment) == {"LOG": "info", "PORT": "8000"}
    assert web.restart == spec.Restart("on-failure", limit=5, window=60.0)
    assert job.restart == spec.Restart("no", limit=5, window=60.0)
    assert web.stop.timeout == 5.0


def test_the_drawing_of_the_guide() -> None:
    page = (DOCS / "guide-files.md").read_text(encoding="utf-8")
    need = (spec.Dependency("db"),)
    project = spec.Project(
        "shop",
        "/srv",
        (
            spec.Task("web", "x", replicas=3, depends_on=need),
            spec.Task("db", "x"),
            spec.Task("migrate", "x", completes=True, depends_on=need),
        ),
    )
    assert f"$ procession graph\n{drawn(project)}```" in page
