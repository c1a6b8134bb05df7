"""The values of probes: ports, URLs, patterns, sockets. Imported where a check is met."""

from __future__ import annotations

import os
import re

from procession import keys, spec
from procession.config import scalars
from procession.config.mappings import Table, below
from procession.config.report import Report, described
from procession.config.scalars import BOOLEAN, INTEGER
from procession.config.strings import filled, path_below
from procession.config.texts import is_null, items, quickly, written
from procession.config.variables import shown_name
from procession.config.yaml import Mapping, Scalar, kind_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.mappings import Nodes
    from procession.config.yaml import Node

_HTTP = Table(keys.HTTP_FIELDS, "HTTP", required=("url",))
_URL = keys.HTTP_FIELDS[0]
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_RANGE = re.compile(r"\s*(\d{3})\s*-\s*(\d{3})\s*", re.ASCII)
_HOST_PORT = re.compile(r"(?:\[([^\[\]\s]+)\]|([^\[\]\s:/@]+)):(\d{1,5})", re.ASCII)


def tcp(report: Report, node: Node, field: keys.Field, folder: str) -> spec.TcpProbe | None:
    """A port of this host, or `HOST:PORT`."""
    expected = f"a port from 1 to {keys.MAX_PORT}, or `HOST:PORT` (`[::1]:8000`)"
    value = filled(report, node, expected) if isinstance(node, Scalar) else None
    if value is None:
        if not isinstance(node, Scalar):
            report.bad(node, described(node), expected)
        return None
    digits = value.strip()
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        host, port = "127.0.0.1", int(digits)
    elif found := _HOST_PORT.fullmatch(digits):
        host, port = found[1] or found[2], int(found[3])
    else:
        bare = digits.partition("://")[2].partition("/")[0]
        report.bad(node, described(node), expected, bare if _HOST_PORT.fullmatch(bare) else "")
        return None
    if not 1 <= port <= keys.MAX_PORT:
        report.bad(node, f"no port has the number {port}", expected)
        return None
    return spec.TcpProbe(port, host)


def http(report: Report, node: Node, field: keys.Field, folder: str) -> spec.HttpProbe | None:
    """A URL, or a mapping with one."""
    if not isinstance(node, Mapping):
        asked = url(report, node, _URL, folder)
        return None if asked is None else spec.HttpProbe(asked)
    nodes: Nodes = {}
    values = below(report, node, _HTTP, folder, nodes)
    if values is None or len(values) < len(nodes) or "url" not in values:
        return None
    return spec.HttpProbe(**values)


def url(report: Report, node: Node, field: keys.Field, folder: str) -> str | None:
    """A URL of HTTP."""
    expected = "a URL such as `http://127.0.0.1:8000/health`"
    value = filled(report, node, expected)
    if value is None:
        return None
    wrong = _wrong_url(value)
    if not wrong:
        return value
    guess = f"http://{value}"
    meant = guess if "://" not in value and not _wrong_url(guess) else ""
    report.bad(node, f"{quoted(value)} {wrong}", expected, meant)
    return None


def _wrong_url(value: str) -> str:
    """What keeps a text from being a URL that can be asked, as the end of a sentence."""
    from urllib.parse import urlsplit

    if not value.isascii() or not value.isprintable() or " " in value:
        return "has characters that no URL has: they are written as `%20`"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        return f"is no URL: {str(error)[:1].lower()}{str(error)[1:]}"
    if parts.scheme not in ("http", "https"):
        return "is no URL of HTTP"
    if not parts.hostname:
        return "has no host"
    return "has the port 0" if port == 0 else ""


def method(report: Report, node: Node, field: keys.Field, folder: str) -> str | None:
    """A method of HTTP, in capitals."""
    value = written(report, node, "a method such as `GET` or `HEAD`")
    if value is None:
        return None
    if not _TOKEN.fullmatch(value) or len(value) > 40:
        report.bad(node, described(node), "a method such as `GET` or `HEAD`")
        return None
    return value.upper()


def statuses(
    report: Report, node: Node, field: keys.Field, folder: str
) -> tuple[tuple[int, int], ...] | None:
    """Ranges of statuses, both ends included."""
    expected = 'a status from 100 to 599, a range such as `"200-299"`, or a list of these'
    found: list[tuple[int, int]] = []
    good = True
    for item, tail in items(node):
        first = last = 0
        if isinstance(item, Scalar):
            pair = _RANGE.fullmatch(item.value)
            if kind_of(item) == INTEGER:
                first = last = scalars.integer(item.value)
            elif pair is not None:
                first, last = int(pair[1]), int(pair[2])
        if 100 <= first <= last <= 599:
            found.append((first, last))
            continue
        report.bad(item, described(item), expected, tail=tail)
        good = False
    if good and not found:
        report.bad(node, "an empty list: no answer could ever be good", expected)
        return None
    return tuple(dict.fromkeys(found)) if good else None


def headers(
    report: Report, node: Node, field: keys.Field, folder: str
) -> tuple[tuple[str, str], ...] | None:
    """Headers by name. What is wrong with one is told without its value."""
    if is_null(node):
        return ()
    if not isinstance(node, Mapping):
        report.bad(node, described(node), "a mapping of names and values")
        return None
    found: dict[str, tuple[str, str]] = {}
    good = True
    own = len(node.items)
    pairs = node.items + node.merged
    for i in range(0, len(pairs), 2):
        key, value = pairs[i], pairs[i + 1]
        if not isinstance(key, Scalar) or not _TOKEN.fullmatch(key.value):
            report.bad(key, f"{described(key)} as the name of a header", "letters, digits and `-`")
            good = False
            continue
        lower = key.value.lower()
        if lower in found:
            if i < own:
                report.bad(key, f"{quoted(key.value)} is given twice", "each header once")
                good = False
            continue
        content = quickly(report, value)
        if content is None or not (content.isascii() and content.isprintable()):
            content = _bad_header(report, key, value)
        good = good and content is not None
        found[lower] = (key.value, content or "")
    return tuple(found.values()) if good else None


def _bad_header(report: Report, key: Scalar, node: Node) -> str | None:
    """The value of a header that is not what it should be, if it can be one at all."""
    tail = f".{shown_name(report, key)}"
    content = written(report, node, "text", tail, key)
    if content is not None and not (content.isascii() and content.isprintable()):
        what = "a value with characters that no header has"
        report.bad(node, what, "printable ASCII", tail=tail)
        return None
    return content


def regex(report: Report, node: Node, field: keys.Field, folder: str) -> str | None:
    """A regular expression of Python's `re`: what it is looked for in is read as UTF-8."""
    expected = "a regular expression, as Python's `re` has them"
    value = filled(report, node, expected)
    if value is None:
        return None
    from procession.patterns.pattern import EndlessError, Pattern

    try:
        Pattern(value)
    except EndlessError as error:
        what = (
            f"{quoted(value)} could take for ever: {error}, and has repeats without a small bound"
        )
        report.bad(node, what, "one without the former, or with repeats such as `.{0,50}`")
        return None
    except (re.error, OverflowError, RecursionError) as error:
        report.bad(node, f"{quoted(value)} cannot be read: {error}", expected)
        return None
    return value


def socket(report: Report, node: Node, field: keys.Field, folder: str) -> str | None:
    """The path of a unix socket, absolute."""
    value = path_below(report, node, folder, "")
    if value is not None and len(os.fsencode(value)) > keys.LONGEST_SOCKET:
        what = f"the path {quoted(value)} is too long for a unix socket"
        report.bad(node, what, f"at most {keys.LONGEST_SOCKET} bytes, with its folder")
        return None
    return value


def true(report: Report, node: Node, field: keys.Field, folder: str) -> bool | None:
    """`true`: a probe that has nothing more to say."""
    if isinstance(node, Scalar) and kind_of(node) == BOOLEAN and node.value in scalars.TRUE:
        return True
    report.bad(node, described(node), f"`true`; without `{field.key}` there is no such probe")
    return None
