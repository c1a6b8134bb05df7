"""Who steers a project names it with the options that it was started with."""

from __future__ import annotations

import pytest

from procession.cli.running import parser_for


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ([], None),
        (["-f", "a.yaml"], "a.yaml"),
        (["-f", "a.yaml", "-f", "b.yaml"], "a.yaml"),
        (["--file", "a.yaml", "--file=b.yaml", "-f", "c.yaml"], "a.yaml"),
    ],
)
def test_of_several_files_the_first_is_what_a_project_is_known_by(
    words: list[str], file: str | None
) -> None:
    assert parser_for("ps", "").parse_args(words).file == file
