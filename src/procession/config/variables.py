"""Variables of a task's environment, from a mapping or a list."""

from __future__ import annotations

from procession.config.report import Report, described
from procession.config.texts import can_be_passed, is_null, items, quickly, written
from procession.config.yaml import Mapping, Scalar, Sequence
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.yaml import Node
    from procession.keys import Field

Pairs = tuple[tuple[str, str], ...]


def environment(report: Report, node: Node, field: Field, folder: str) -> Pairs | None:
    """Variables: a mapping, or a list of `NAME=VALUE`."""
    if is_null(node):
        return ()
    if isinstance(node, Mapping):
        return _environment_mapping(report, node)
    if not isinstance(node, Sequence):
        expected = "a mapping of names and values, or a list of `NAME=VALUE`"
        report.bad(node, described(node), expected)
        return None
    found: dict[str, str] = {}
    good = True
    for item, tail in items(node):
        expected = "`NAME=VALUE`"
        if isinstance(item, Mapping):
            expected += ", or no `- ` before the names"
        value = written(report, item, expected, tail)
        if value is None:
            good = False
        elif "=" not in value:
            # the text is not repeated: a lone word may be a secret in the wrong place
            report.bad(item, "no `=`", expected, tail=tail)
            good = False
        else:
            key, _, content = value.partition("=")
            good = _variable(report, item, key, key in found, tail) and good
            found.setdefault(key, content)
    return tuple(found.items()) if good else None


def _environment_mapping(report: Report, node: Mapping) -> Pairs | None:
    found: dict[str, str] = {}
    good = True
    own = len(node.items)
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        key, value = pairs[i], pairs[i + 1]
        if not isinstance(key, Scalar):
            report.bad(key, f"{described(key)} as the name of a variable", "a name")
            good = False
            continue
        variable = key.value
        content = quickly(report, value)
        if content is not None and variable not in found and variable.isidentifier():
            found[variable] = content
            continue
        if i >= own and variable in found:
            continue  # what a merge brings gives way
        shown = shown_name(report, key)
        if not _variable(report, key, variable, variable in found, f".{shown}", shown):
            good = False
            continue
        hint = 'text (`""` for an empty value)'
        content = written(report, value, hint, f".{shown}", key)
        good = good and content is not None
        found[variable] = content or ""
    return tuple(found.items()) if good else None


def shown_name(report: Report, key: Scalar) -> str:
    """The name of a variable or a header as a message may have it."""
    from procession.config.concealing import has_value, name_shown
    from procession.secrets import MASK

    return name_shown(key.value) if has_value(report.source, key) else MASK


def _variable(
    report: Report, node: Node, variable: str, twice: bool, tail: str, shown: str = ""
) -> bool:
    """Can this be a variable's name, and is it the first of that name?"""
    wrong = variable.split() != [variable] or "=" in variable or not can_be_passed(variable)
    if not twice and not wrong:
        return True
    if not shown:
        from procession.config.concealing import name_shown

        shown = name_shown(variable)
    if twice:
        report.bad(node, f"{quoted(shown)} is given twice", "each variable once", tail=tail)
    else:
        what = f"{quoted(shown)} as the name of a variable" if variable else "an empty name"
        report.bad(node, what, "a name without `=` and blanks", tail=tail)
    return False
