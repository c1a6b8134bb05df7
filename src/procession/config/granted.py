"""What a task asks of the system for its processes: users, umask, processors, limits, as text.

Whether this host has and grants it is asked by `procession.lookup`. Imported where such a key is
met.
"""

from __future__ import annotations

from procession import keys
from procession.config import scalars, systems
from procession.config.numbers import written_size
from procession.config.report import Report, described
from procession.config.scalars import BOOLEAN, FLOAT, INTEGER
from procession.config.strings import filled, whole
from procession.config.suggest import closest
from procession.config.texts import is_null, items
from procession.config.yaml import Mapping, Scalar, Sequence, kind_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.yaml import Node

    Limit = tuple[int | None, int | None]

_MAX_CPU = 4096  # more than any kernel of today is built for
_UNLIMITED = frozenset({"unlimited", "infinity"})


def account(
    report: Report, node: Node, field: keys.Field, folder: str, tail: str = ""
) -> str | None:
    """A user or a group, by name or number."""
    expected = f"a {field.key.removeprefix('supplementary-').removesuffix('s')}'s name or number"
    if isinstance(node, Scalar) and kind_of(node) in (BOOLEAN, FLOAT):
        report.bad(node, described(node), expected, tail=tail)
        return None
    value = filled(report, node, expected, tail)
    if value is None:
        return None
    name = str(scalars.integer(value)) if kind_of_integer(node) else value
    if ":" in name or name.split() != [name] or name.startswith("-"):
        meant = name.partition(":")[0] if ":" in name else ""
        more = "; the group is a key of its own" if ":" in name else ""
        report.bad(node, described(node), expected + more, meant, tail=tail)
        return None
    return name


def kind_of_integer(node: Node) -> bool:
    """Is it a number as YAML means it?"""
    return isinstance(node, Scalar) and kind_of(node) == INTEGER


def accounts(report: Report, node: Node, field: keys.Field, folder: str) -> tuple[str, ...] | None:
    """Groups: one, or a list, which may be empty."""
    if is_null(node):
        return ()
    found = whole([account(report, item, field, folder, tail) for item, tail in items(node)])
    return None if found is None else tuple(dict.fromkeys(found))


def umask(report: Report, node: Node, field: keys.Field, folder: str) -> int | None:
    """Octal digits, as shells have them: `022` is no decimal number here."""
    expected = 'octal digits such as `"022"`'
    if not isinstance(node, Scalar) or kind_of(node) in (BOOLEAN, FLOAT):
        report.bad(node, described(node), expected)
        return None
    digits = node.value.removeprefix("0o")
    if digits and len(digits) <= 4 and set(digits) <= set("01234567"):
        value = int(digits, 8)
        if value <= 0o777:
            return value
    report.bad(node, described(node), expected)
    return None


def cpus(report: Report, node: Node, field: keys.Field, folder: str) -> tuple[int, ...] | None:
    """Numbers of processors: `0-3,6`, a number, or a list of such; sorted, each once."""
    if is_null(node):
        return ()
    expected = 'processors by number: `0`, `"0-3,6"`, or a list'
    found: set[int] = set()
    good = True
    for item, tail in items(node):
        parts = _cpus(item)
        if parts is None:
            report.bad(item, described(item), expected, tail=tail)
            good = False
        else:
            found |= parts
    if good and not found:
        report.bad(node, "an empty list: it could run nowhere", expected)
        return None
    return tuple(sorted(found)) if good else None


def _cpus(node: Node) -> set[int] | None:
    if not isinstance(node, Scalar) or kind_of(node) in (BOOLEAN, FLOAT):
        return None
    found: set[int] = set()
    for part in node.value.split(","):
        first, dash, last = (text.strip() for text in part.partition("-"))
        ends = (first, last) if dash else (first, first)
        if not all(e.isascii() and e.isdigit() and len(e) < 6 for e in ends):
            return None
        low, high = int(ends[0]), int(ends[1])
        if low > high or high >= _MAX_CPU:
            return None
        found.update(range(low, high + 1))
    return found


def limits(
    report: Report, node: Node, field: keys.Field, folder: str
) -> tuple[tuple[str, Limit], ...] | None:
    """Soft and hard limits by name; None: none."""
    if is_null(node):
        return ()
    if not isinstance(node, Mapping):
        report.bad(node, described(node), "a mapping from limit to number: `{nofile: 1024}`")
        return None
    known = keys.LIMITS.get(systems.SYSTEM, ())
    found: dict[str, Limit] = {}
    good = True
    own = len(node.items)
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        key, value = pairs[i], pairs[i + 1]
        if not isinstance(key, Scalar):
            report.bad(key, f"{described(key)} as the name of a limit", "a name")
            good = False
        elif key.value not in known and known:
            _unknown_limit(report, key, known)
            good = False
        elif key.value in found:
            if i < own:
                what = f"{quoted(key.value)} is given twice"
                report.bad(key, what, "each limit once", tail=f".{key.value}")
                good = False
        else:
            limit = _limit(report, value, f".{key.value}", key)
            good = good and limit is not None
            found[key.value] = limit or (None, None)
    return tuple(found.items()) if good else None


def _unknown_limit(report: Report, key: Scalar, known: tuple[str, ...]) -> None:
    name = key.value.lower().removeprefix("rlimit_").removeprefix("rlimit-").removeprefix("limit")
    others = {"files": "nofile", "open-files": "nofile", "ofile": "nofile", "processes": "nproc"}
    others |= {"memory": "as", "mem": "as", "vmem": "as", "locks": "memlock"}
    meant = name if name in known else closest(name, known, others)
    what = f"no limit is called {quoted(key.value)} on this system"
    report.bad(key, what, "one of " + ", ".join(known), meant, tail=f".{key.value}")


def _limit(report: Report, node: Node, tail: str, key: Node) -> Limit | None:
    expected = "a number, a size, `unlimited`, or a list of soft and hard limit"
    parts = node.items if type(node) is Sequence else [node, node]
    if len(parts) != 2:
        report.bad(node, f"a list of {len(parts)}", expected, tail=tail)
        return None
    values: list[int | None] = []
    for part in parts:
        if isinstance(part, Scalar) and part.value in _UNLIMITED:
            values.append(None)
            continue
        value = written_size(part)
        if value is None or value >= 2**63:
            report.bad(part, described(part), expected, tail=tail, key=key)
            return None
        values.append(value)
    soft, hard = values
    if hard is not None and (soft is None or soft > hard):
        report.bad(node, "a soft limit above the hard one", "the soft one first", tail=tail)
        return None
    return soft, hard
