"""Applications in which processes cannot be looked after."""

from __future__ import annotations

import sys

from procession.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_checked = False


def check_host(what: str, instead: str) -> None:
    """Raises HostError in a subinterpreter, and where gevent has replaced threads or waiting.
    `what` cannot work there; `instead`: what would, under gevent."""
    global _checked
    if _checked and "gevent.monkey" not in sys.modules:  # which may come late
        return
    if _in_subinterpreter():
        raise HostError(
            what,
            "this is a subinterpreter, whose threads and signals are not its own",
            "the main interpreter",
            "Start processes from there",
        )
    patched = _patched_by_gevent()
    if patched:
        raise HostError(
            what,
            f"gevent has replaced {', '.join(patched)} in this process",
            "real threads and real waiting",
            f"Use {instead} here, or leave these modules unpatched",
        )
    _checked = True


def _in_subinterpreter() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module: Any = __import__(name)
        except ImportError:
            continue
        return bool(module.get_current() != module.get_main())
    return False


def _patched_by_gevent() -> list[str]:
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None:
        return []
    names = ("thread", "threading", "select", "os", "subprocess", "signal", "time")
    return [name for name in names if monkey.is_module_patched(name)]
