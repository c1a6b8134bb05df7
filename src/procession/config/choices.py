"""Values that are one word of a few, and signals: a function for each kind, as `config.values`
describes them."""

from __future__ import annotations

from procession import spec
from procession.config import scalars, systems
from procession.config.numbers import old_boolean
from procession.config.report import Report, described
from procession.config.scalars import BOOLEAN, FLOAT, INTEGER, NULL, TEXT
from procession.config.suggest import closest
from procession.config.yaml import Mapping, Scalar, kind_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from procession.config.yaml import Node
    from procession.keys import Field


def words_for(choices: tuple[str, ...]) -> str:
    """`a`, `b` or `c`."""
    shown = [f"`{c}`" for c in choices]
    return ", ".join(shown[:-1]) + " or " + shown[-1] if len(shown) > 1 else shown[0]


def choice(report: Report, node: Node, field: Field, folder: str) -> str | None:
    """One of the field's words."""
    return word(report, node, field, words_for(field.choices))


def condition(report: Report, node: Node, field: Field, folder: str, tail: str = "") -> str | None:
    """What has to be true of another task."""
    return word(report, node, field, words_for(field.choices), "CONDITIONS", tail)


def policy(report: Report, node: Node, field: Field, folder: str) -> str | None:
    """A restart policy: a word, or a boolean for the two plain ones."""
    if isinstance(node, Scalar) and kind_of(node) == BOOLEAN:
        return "always" if node.value in scalars.TRUE else "no"
    old = None if _is_one_of(node, field.choices) else old_boolean(report, node)
    if old is not None:
        return "always" if old else "no"
    expected = words_for((*field.choices, "true", "false"))
    return word(report, node, field, expected, "POLICIES")


def restart(report: Report, node: Node, field: Field, folder: str) -> dict[str, Any] | None:
    """The restart of a task, in parts: see `config.restarts`."""
    if isinstance(node, Mapping):
        from procession.config.restarts import restart_mapping

        return restart_mapping(report, node, folder)
    said = policy(report, node, field, folder)
    return None if said is None else {"policy": said}


def _is_one_of(node: Node, choices: tuple[str, ...]) -> bool:
    """Is it one of these words, as they are written?"""
    return isinstance(node, Scalar) and kind_of(node) == TEXT and node.value in choices


def word(
    report: Report, node: Node, field: Field, expected: str, others: str = "", tail: str = ""
) -> str | None:
    """One of the field's words; `others` names the words of other tools in `config.words`."""
    if _is_one_of(node, field.choices) and isinstance(node, Scalar):
        return node.value
    meant = ""
    if isinstance(node, Scalar):
        from procession.config import words

        meant = closest(node.value, field.choices, getattr(words, others) if others else None)
    report.bad(node, described(node), expected, meant, tail=tail)
    return None


def signal_name(
    report: Report, node: Node, field: Field, folder: str, tail: str = ""
) -> str | None:
    """A signal of this system, by name with or without SIG, or by number."""
    expected = "a signal such as `SIGTERM`, `INT` or `15`"
    if systems.SYSTEM == "win32":
        expected = f"one of {', '.join(spec.WINDOWS_SIGNALS)}"
    if not isinstance(node, Scalar) or kind_of(node) in (NULL, BOOLEAN, FLOAT):
        report.bad(node, described(node), expected, tail=tail)
        return None
    known = systems.signals()
    value = node.value
    if kind_of(node) == INTEGER or (value.isascii() and value.isdigit()):
        wanted = scalars.integer(value)
        for called, number in known.items():
            if number == wanted:
                return called
        what = f"no signal has the number {quoted(value)} on this system"
        report.bad(node, what, expected, tail=tail)
        return None
    full = value.upper()
    if full not in known and not full.startswith("SIG"):
        full = f"SIG{full}"
    if full in known:  # SIGIOT is SIGABRT: the first of a number is its name
        return next(called for called, number in known.items() if number == known[full])
    near = closest(full, [m for m in known if not m.startswith("SIGRT")])
    what = f"no signal is called {quoted(value)} on this system"
    report.bad(node, what, expected, near, tail=tail)
    return None
