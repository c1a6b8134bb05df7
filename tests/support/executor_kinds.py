"""Fixtures, for whoever imports them: the executors that promises are tried with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from procession.executor import Executor
from tests.support.groups import inside
from tests.support.processes import Lines

__all__ = ["ex", "inside", "lines", "parent"]


@pytest.fixture(params=["marks", pytest.param("group", marks=pytest.mark.root)])
def ex(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Each kind of containment: all promises are the same."""
    if request.param == "group":
        request.getfixturevalue("inside")
    with Executor(containment=request.param) as found:
        yield found


@pytest.fixture
def parent() -> Iterator[Executor]:
    """One whose processes are this one's own children."""
    with Executor() as found:
        yield found


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    yield found
    found.close()
