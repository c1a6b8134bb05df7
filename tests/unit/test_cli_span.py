"""Times on the command line: as in files, for every verb that takes one."""

from __future__ import annotations

import argparse

import pytest

from procession.cli.parser import span

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("0.5", 0.5), ("10s", 10.0), ("1m30s", 90.0), ("0", 0.0)]
)
def test_a_time_is_what_it_is_in_a_file(text: str, seconds: float) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan", ""])
def test_what_is_none_is_told(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{text!r} is "):
        span(text)
