"""The pages that are made from the code are what the code says."""

import importlib.util
from pathlib import Path

import pytest

from procession.cli.main import VERBS

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("tool", ["reference", "cli_reference"])
def test_the_reference_page_is_what_the_model_says(tool: str) -> None:
    spec = importlib.util.spec_from_file_location(tool, ROOT / "tools" / f"{tool}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), f"run python tools/{tool}.py"


def test_each_verb_has_its_section() -> None:
    page = (ROOT / "docs" / "reference-cli.md").read_text()
    assert [verb for verb in VERBS if f"\n## `procession {verb}`\n" not in page] == []
