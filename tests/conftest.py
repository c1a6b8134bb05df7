"""What holds for every test: see the plugins' own first lines."""

from __future__ import annotations

import os
import sys

import hypothesis
import pytest

_LEAKS = "leaks_windows" if sys.platform == "win32" else "leaks"
pytest_plugins = [f"tests.support.{name}" for name in (_LEAKS, "session", "strict")]
# They import what only Windows has. The other way round `make test-windows` says what it runs.
collect_ignore = [] if sys.platform == "win32" else ["windows"]

# No deadline: the machine that runs this has other work. No database: a failure found by chance
# is printed as a test to copy, and what one run found must not change the next. In CI the
# examples are the same each time, so that a red run is the fault of the change it ran.
hypothesis.settings.register_profile(
    "procession",
    deadline=None,
    database=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
hypothesis.settings.load_profile("procession")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    # Its folder of constants would appear wherever a test has changed to.
    hypothesis.configuration.set_hypothesis_home_dir(os.path.join(os.environ["HOME"], "hypothesis"))
