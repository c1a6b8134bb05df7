"""One function for each kind of value a key may hold: a node in, what it means out.

Each takes the report, the node and the key's line of the table in `spec`; each returns None after
it has told what is wrong, and goes on past the first mistake of a list. Where text is expected a
plain number or boolean is taken as written (`1.10` stays `1.10`, `true` is the program of that
name); nothing at all is not.
"""

from __future__ import annotations

import os
import sys

from procession import spec
from procession.config import scalars
from procession.config.names import fit_name, is_name
from procession.config.report import Report, described
from procession.config.scalars import BOOLEAN, FLOAT, INTEGER, NULL, TEXT
from procession.config.suggest import closest
from procession.config.texts import is_null, items, quickly, written
from procession.config.variables import environment
from procession.config.yaml import MAX_EXPANDED, Mapping, Scalar, Sequence, kind_of
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.config.yaml import Node

    Reader = Callable[[Report, Node, spec.Field, str], object]

_RESTART_WORDS = {
    "unless-stopped": "always",
    "yes": "always",
    "on": "always",
    "never": "no",
    "off": "no",
    "none": "no",
    "on-error": "on-failure",
    "on-crash": "on-failure",
    "unexpected": "on-failure",
}
_YES_NO = {"yes": "true", "on": "true", "y": "true", "1": "true"}
_OLD_BOOLEANS = {"yes": True, "on": True, "no": False, "off": False}
_YES_NO |= {"no": "false", "off": "false", "n": "false", "0": "false"}


def words_for(choices: tuple[str, ...]) -> str:
    """`a`, `b` or `c`."""
    shown = [f"`{c}`" for c in choices]
    return ", ".join(shown[:-1]) + " or " + shown[-1] if len(shown) > 1 else shown[0]


def text(report: Report, node: Node, field: spec.Field, folder: str) -> str | None:
    """Text that is not empty: `program`."""
    return _full(report, node, "text")


def _full(report: Report, node: Node, expected: str, tail: str = "") -> str | None:
    value = written(report, node, expected, tail)
    if value is not None and not value.strip():
        report.bad(node, "an empty text", expected, tail=tail)
        return None
    if value is not None and value.startswith(("~/", "~\\")):
        full = os.path.expanduser(value)
        report.bad(node, "`~` stands for nothing here", "the path in full", full, tail=tail)
        return None
    return value


def path(report: Report, node: Node, field: spec.Field, folder: str) -> str | None:
    """A path, absolute: `cwd`."""
    return _path(report, node, folder, "")


def paths(report: Report, node: Node, field: spec.Field, folder: str) -> tuple[str, ...] | None:
    """A path or a list of them, each absolute: `env-file`."""
    if is_null(node):
        return ()
    found = [_path(report, item, folder, tail) for item, tail in items(node)]
    return _whole(found)


def _path(report: Report, node: Node, folder: str, tail: str) -> str | None:
    value = _full(report, node, "a path", tail)
    if value is None:
        return None
    while value.startswith("./"):
        value = value[2:].lstrip("/")
    # not normpath: `a/../b` is another file than `b` where `a` is a symbolic link
    return os.path.join(folder, value) if value not in ("", ".") else folder


def _whole(found: list[str | None]) -> tuple[str, ...] | None:
    """The list, if none of its items was wrong."""
    good = tuple(x for x in found if x is not None)
    return good if len(good) == len(found) else None


def name(report: Report, node: Node, field: spec.Field, folder: str) -> str | None:
    """A name that can stand in file names, commands and log lines."""
    expected = "letters, digits, `.`, `_` and `-`, a letter or digit first"
    value = written(report, node, expected)
    if value is None:
        return None
    if not is_name(value):
        # letters of other scripts are not dropped behind the user's back
        fit = "" if any(c.isalpha() and not c.isascii() for c in value) else fit_name(value)
        if len(value) > spec.MAX_NAME:
            report.bad(node, f"a name of {len(value)} characters", f"at most {spec.MAX_NAME}")
        else:
            what = f"the name {quoted(value)}" if value else "an empty name"
            if fit and report.forgives(
                node, f"{what} is {quoted(fit)} here, in logs and on screen"
            ):
                return fit
            report.bad(node, what, expected, fit)
        return None
    return value


def args(report: Report, node: Node, field: spec.Field, folder: str) -> tuple[str, ...] | None:
    """Arguments: a string split by shell rules, a list of scalars, or one scalar."""
    if is_null(node):
        return ()
    if type(node) is Sequence:
        return _whole([_argument(report, item, i) for i, item in enumerate(node.items)])
    value = written(report, node, "a string, or a list of strings, numbers and booleans")
    if value is None:
        return None
    words = _shell_words(report, node, value)
    report.arguments += len(words or ())
    if report.arguments > MAX_EXPANDED:
        # one string may be the arguments of many tasks, by an alias
        report.bad(node, f"more than {MAX_EXPANDED} arguments in all tasks by now")
        return None
    return words


def _argument(report: Report, node: Node, index: int) -> str | None:
    value = quickly(report, node)
    if value is not None:
        return value
    expected = "text, a number or a boolean"
    if isinstance(node, Mapping):
        expected = "text; in quotes if there is a `: ` in it"
    return written(report, node, expected, f"[{index}]")


def _shell_words(report: Report, node: Node, value: str) -> tuple[str, ...] | None:
    if "'" not in value and '"' not in value and "\\" not in value:
        # what shlex does with such a string, without the 8 ms that its import takes
        plain = value.replace("\t", " ").replace("\n", " ").replace("\r", " ")
        return tuple(word for word in plain.split(" ") if word)
    known = report.shell_words.get(value)
    if known is not None:
        return known
    import shlex

    try:
        known = tuple(shlex.split(value))
    except ValueError as error:
        if report.forgives(node, "quotes that do not pair are characters like any other"):
            return tuple(value.split())
        escape = "escaped" in str(error)
        what = "a backslash at the end" if escape else "a quote that is not closed"
        report.bad(node, what, "shell quoting, or a list of arguments")
        return None
    report.shell_words[value] = known
    return known


def duration(report: Report, node: Node, field: spec.Field, folder: str) -> float | None:
    """A time: seconds, or `1m30s`, `250ms`, `2h`."""
    expected = "seconds (`0.5`), or a time such as `250ms`, `1m30s`, `2h`"
    if not isinstance(node, Scalar) or kind_of(node) in (NULL, BOOLEAN):
        report.bad(node, described(node), expected)
        return None
    try:
        return scalars.seconds(node.value, kind_of(node))
    except scalars.BadDurationError as error:
        report.bad(node, f"{quoted(node.value)} {error.what}", expected, error.suggestion)
        return None


def boolean(report: Report, node: Node, field: spec.Field, folder: str) -> bool | None:
    """`true` or `false`."""
    if isinstance(node, Scalar) and kind_of(node) == BOOLEAN:
        return node.value in scalars.TRUE
    old = _old_boolean(report, node)
    if old is not None:
        return old
    meant = ""
    if isinstance(node, Scalar):
        meant = closest(node.value, ("true", "false"), _YES_NO) if node.value else ""
    report.bad(node, described(node), "`true` or `false`", meant)
    return None


def _old_boolean(report: Report, node: Node) -> bool | None:
    """What YAML 1.1 takes for a boolean (https://yaml.org/type/bool.html, without the letters,
    which few readers took), where an old file is forgiven."""
    if not isinstance(node, Scalar) or not node.implicit[0]:
        return None
    value = _OLD_BOOLEANS.get(node.value.lower())
    if value is None or node.value not in (
        node.value.lower(),
        node.value.capitalize(),
        node.value.upper(),
    ):
        return None
    word = "true" if value else "false"
    return value if report.forgives(node, f"{quoted(node.value)} is read as `{word}`") else None


def choice(report: Report, node: Node, field: spec.Field, folder: str) -> str | None:
    """One of the field's words."""
    return _choice(report, node, field, words_for(field.choices), {})


def restart(report: Report, node: Node, field: spec.Field, folder: str) -> str | None:
    """A restart policy: a word, or a boolean for the two plain ones."""
    if isinstance(node, Scalar) and kind_of(node) == BOOLEAN:
        return "always" if node.value in scalars.TRUE else "no"
    old = None if _is_one_of(node, field.choices) else _old_boolean(report, node)
    if old is not None:
        return "always" if old else "no"
    expected = words_for((*field.choices, "true", "false"))
    return _choice(report, node, field, expected, _RESTART_WORDS)


def _is_one_of(node: Node, choices: tuple[str, ...]) -> bool:
    """Is it one of these words, as they are written?"""
    return isinstance(node, Scalar) and kind_of(node) == TEXT and node.value in choices


def _choice(
    report: Report, node: Node, field: spec.Field, expected: str, others: dict[str, str]
) -> str | None:
    if _is_one_of(node, field.choices) and isinstance(node, Scalar):
        return node.value
    meant = closest(node.value, field.choices, others) if isinstance(node, Scalar) else ""
    report.bad(node, described(node), expected, meant)
    return None


def words(report: Report, node: Node, field: spec.Field, folder: str) -> tuple[str, ...] | None:
    """Words without blanks and commas: one, or a list."""
    if is_null(node):
        return ()
    found: list[str | None] = []
    for item, tail in items(node):
        value = _full(report, item, "a word, or a list of words", tail)
        if value is not None and value.replace(",", " ").split() != [value]:
            parts = ", ".join(value.replace(",", " ").split())
            report.bad(
                item, described(item), "words without blanks and commas", f"[{parts}]", tail=tail
            )
            value = None
        found.append(value)
    whole = _whole(found)
    return None if whole is None else tuple(dict.fromkeys(whole))


def codes(report: Report, node: Node, field: spec.Field, folder: str) -> tuple[int, ...] | None:
    """Exit codes: one, or a list that is not empty."""
    last = spec.LAST_CODE_OF_WINDOWS if sys.platform == "win32" else spec.LAST_CODE
    expected = f"an exit code from 0 to {last}, or a list of them"
    found: list[int] = []
    good = True
    for item, tail in items(node):
        value = -1
        if isinstance(item, Scalar) and kind_of(item) == INTEGER:
            value = scalars.integer(item.value)
        if 0 <= value <= last:
            found.append(value)
            continue
        report.bad(item, described(item), expected, tail=tail)
        good = False
    if good and not found:
        report.bad(node, "an empty list: no run could ever succeed", expected)
        return None
    return tuple(dict.fromkeys(found)) if good else None


def signal_name(report: Report, node: Node, field: spec.Field, folder: str) -> str | None:
    """A signal of this system, by name with or without SIG, or by number."""
    expected = "a signal such as `SIGTERM`, `INT` or `15`"
    if sys.platform == "win32":
        expected = f"one of {', '.join(spec.WINDOWS_SIGNALS)}"
    if not isinstance(node, Scalar) or kind_of(node) in (NULL, BOOLEAN, FLOAT):
        report.bad(node, described(node), expected)
        return None
    known = _signals()
    value = node.value
    if kind_of(node) == INTEGER or (value.isascii() and value.isdigit()):
        wanted = scalars.integer(value)
        for called, number in known.items():
            if number == wanted:
                return called
        report.bad(node, f"no signal has the number {quoted(value)} on this system", expected)
        return None
    full = value.upper()
    if full not in known and not full.startswith("SIG"):
        full = f"SIG{full}"
    if full in known:  # SIGIOT is SIGABRT: the first of a number is its name
        return next(called for called, number in known.items() if number == known[full])
    near = closest(full, [m for m in known if not m.startswith("SIGRT")])
    report.bad(node, f"no signal is called {quoted(value)} on this system", expected, near)
    return None


def _signals() -> dict[str, int]:
    """Name -> number, of this system; of several names of one number the usual one first."""
    if sys.platform == "win32":
        # what the `signal` module names there (CTRL_C_EVENT is 0) are other things
        return spec.WINDOWS_SIGNALS
    import signal  # 6 ms, for the few files that name one

    names = {known.name: int(known) for known in signal.Signals}
    return names | {name: int(number) for name, number in signal.Signals.__members__.items()}


READERS: dict[str, Reader] = {
    "args": args,
    "boolean": boolean,
    "choice": choice,
    "codes": codes,
    "duration": duration,
    "environment": environment,
    "name": name,
    "path": path,
    "paths": paths,
    "restart": restart,
    "signal": signal_name,
    "text": text,
    "words": words,
}
