"""What a scalar says: the YAML 1.2 core schema, and durations. Pure text in, values out.

PyYAML resolves by YAML 1.1, where `no` and `on` are booleans, `1:30` is 90 and `010` is 8; people
write `restart: no` and mean the word. So plain scalars are resolved here, by the tables of
chapter 10.3 of the YAML 1.2.2 specification. Everything quoted is text.
"""

from __future__ import annotations

TEXT = "text"
NULL = "null"
BOOLEAN = "boolean"
INTEGER = "integer"
FLOAT = "float"

TRUE = frozenset({"true", "True", "TRUE"})
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_WORDS = {
    **dict.fromkeys(NULLS, NULL),
    **dict.fromkeys((*TRUE, "false", "False", "FALSE"), BOOLEAN),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_FLOAT_CHARACTERS = frozenset("+-.eE0123456789")
_NOT_FINITE = frozenset({".inf", ".Inf", ".INF"})
_NAN = frozenset({".nan", ".NaN", ".NAN"})

# Beyond this a wait is no wait any more, and some kernels' clocks overflow.
MAX_SECONDS = 100 * 365 * 86400.0

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}  # longest first
_UNIT_WORDS = {
    "ms": ("ms", "msec", "msecs", "millisecond", "milliseconds", "millis"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}


def plain_kind(text: str) -> str:
    """TEXT, NULL, BOOLEAN, INTEGER or FLOAT: what a plain scalar written so is."""
    kind = _WORDS.get(text)
    if kind is not None:
        return kind
    if text[0] not in _NUMBER_STARTS:
        return TEXT
    return _number_kind(text)


def _number_kind(text: str) -> str:
    signed = text[0] in "+-"
    body = text[1:] if signed else text
    if body.isascii() and body.isdigit():
        return INTEGER
    if not signed and _based(text) is not None:
        return INTEGER
    if body in _NOT_FINITE or text in _NAN:
        return FLOAT
    # Python's float() takes what the schema's pattern takes, once `_`, `inf` and a second sign
    # are out of the way.
    if body and body[0] not in "+-" and _FLOAT_CHARACTERS.issuperset(body):
        try:
            float(body)
        except ValueError:
            return TEXT
        return FLOAT
    return TEXT


def _based(text: str) -> int | None:
    """The value of `0o17` or `0x1f`; None for anything else."""
    base = {"0o": 8, "0x": 16}.get(text[:2])
    if base is None or not text.isascii() or not text[2:].isalnum():
        return None
    try:
        return int(text[2:], base)
    except ValueError:
        return None


def integer(text: str) -> int:
    """The value of an INTEGER. Past 18 digits: a number of that sign too large for any use."""
    based = None if text[0] in "+-" else _based(text)
    if based is not None:
        return based
    # int() refuses 4,301 digits, leading zeros too
    digits = text.lstrip("+-").lstrip("0")
    value = int(digits or "0") if len(digits) <= 18 else 10**18
    return -value if text[0] == "-" else value


def number(text: str) -> float:
    """The value of an INTEGER or a FLOAT as a float; may be infinite or not a number."""
    if text[0] not in "+-":
        based = _based(text)
        if based is not None:
            return float(min(based, 10**18))
    if text.lstrip("+-") in _NOT_FINITE or text in _NAN:
        return float(text.replace(".", "", 1))
    return float(text)


class BadDurationError(Exception):
    """Not a duration. `what` words it; `suggestion` is what was probably meant, or empty."""

    def __init__(self, what: str, suggestion: str = "") -> None:
        self.what = what
        self.suggestion = suggestion
        super().__init__(what)


def seconds(text: str, kind: str) -> float:
    """A duration as seconds: a number, or `1d`, `2h`, `1m30s`, `250ms`, `1.5h`.

    Units go from the longest to the shortest, each at most once; blanks between them are allowed.
    Raises BadDurationError, also for what is negative, infinite, not a number or above 100 years.
    """
    value = number(text) if kind in (INTEGER, FLOAT) else _written_duration(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise BadDurationError("is not a finite time")
    if value < 0:
        raise BadDurationError("is negative", text.lstrip().lstrip("-"))
    if value > MAX_SECONDS:
        raise BadDurationError("is longer than 100 years")
    return value


def _written_duration(text: str) -> float:
    stripped = text.strip()
    if stripped and plain_kind(stripped) in (INTEGER, FLOAT):
        return number(stripped)
    negative = stripped.startswith("-")
    parts = _parts(stripped.lstrip("+-") if negative else stripped)
    units = list(UNITS)
    last = -1
    total = 0.0
    for amount, unit in parts or [("", "")]:
        place = units.index(unit) if unit in UNITS else -1
        if place <= last:
            raise BadDurationError("is not a duration", _meant(stripped, parts))
        last = place
        # 250 / 1000 is exactly 0.25; 250 * 0.001 need not be
        total += float(amount) / 1000 if unit == "ms" else float(amount) * UNITS[unit]
    return -total if negative else total


def _parts(text: str) -> list[tuple[str, str]]:
    """`1m 30s` as [("1", "m"), ("30", "s")]; empty if it is not made of such pairs."""
    import re

    pair = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]{1,12})\s*", re.ASCII)
    found = []
    at = 0
    while at < len(text):
        match = pair.match(text, at)
        if match is None:
            return []
        found.append((match[1], match[2]))
        at = match.end()
    return found


def _meant(text: str, parts: list[tuple[str, str]]) -> str:
    """What a broken duration probably meant: `5 minutes` is `5m`, `1:30` is `1m30s`."""
    clock = text.split(":")
    if len(clock) in (2, 3) and all(p.isascii() and p.isdigit() and len(p) < 4 for p in clock):
        names = ("h", "m", "s")[-len(clock) :]
        return "".join(f"{int(p)}{n}" for p, n in zip(clock, names, strict=True) if int(p))
    known = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
    meant = [(amount, known.get(unit.lower(), "")) for amount, unit in parts]
    used = [unit for _, unit in meant]
    if not meant or "" in used or len(set(used)) < len(used):
        return ""
    order = list(UNITS)
    return "".join(a + u for a, u in sorted(meant, key=lambda pair: order.index(pair[1])))
