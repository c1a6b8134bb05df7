"""PyYAML, without the patterns that its own parser needs. The only module that imports it.

PyYAML compiles a dozen of patterns when it is imported: half of what that takes. libyaml, by which
we read, uses none of them, so they are compiled when somebody does: by what `re.compile` gives
while that import runs. Only where nobody else can call it meanwhile: a program that has threads
pays for the patterns. See docs/decisions/0024-what-a-start-does-without.md.
"""

from __future__ import annotations

import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_compile = re.compile


class Postponed:
    """Has every attribute of the pattern, which is compiled when the first one is asked for."""

    __slots__ = ("_asked",)

    def __init__(self, pattern: Any, flags: int = 0) -> None:
        self._asked = pattern, flags

    def __getattr__(self, name: str) -> Any:
        return getattr(_compile(*self._asked), name)  # `re` keeps what it compiled

    def __reduce__(self) -> Any:
        """Copies are the pattern itself."""
        return _compile, self._asked


def _alone() -> bool:
    return "threading" not in sys.modules


if _alone():
    re.compile = Postponed  # type: ignore[assignment]
try:
    import yaml as yaml
finally:
    re.compile = _compile

# Without libyaml the same events come from PyYAML's own parser, 10 times slower.
LOADER = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
