"""Values that are text: a function for each kind, as `config.values` describes them."""

from __future__ import annotations

import os

from procession import spec
from procession.config.names import fit_name, is_name
from procession.config.report import Report, described
from procession.config.texts import is_null, items, quickly, written
from procession.config.yaml import MAX_EXPANDED, Mapping, Sequence
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procession.config.yaml import Node
    from procession.keys import Field


def program(report: Report, node: Node, field: Field, folder: str) -> str | None:
    """Text that is not empty. What `~` in it means depends on `shell`: see `config.making`."""
    return filled(report, node, "text")


def filled(report: Report, node: Node, expected: str, tail: str = "") -> str | None:
    """Text with something in it."""
    value = written(report, node, expected, tail)
    if value is not None and not value.strip():
        report.bad(node, "an empty text", expected, tail=tail)
        return None
    return value


def full(report: Report, node: Node, expected: str, tail: str = "") -> str | None:
    """Text with something in it, and no shell's `~` at its begin."""
    value = filled(report, node, expected, tail)
    if value is not None and is_tilde(value):
        bad_tilde(report, node, value, tail)
        return None
    return value


def is_tilde(value: str) -> bool:
    """Does a path begin with what only a shell replaces?"""
    return value.startswith(("~/", "~\\"))


def bad_tilde(report: Report, node: Node, value: str, tail: str = "") -> None:
    """Tell that `~` is no home here."""
    home = os.path.expanduser(value)
    report.bad(node, "`~` stands for nothing here", "the path in full", home, tail=tail)


def path(report: Report, node: Node, field: Field, folder: str) -> str | None:
    """A path, absolute: `cwd`."""
    return path_below(report, node, folder, "")


def paths(report: Report, node: Node, field: Field, folder: str) -> tuple[str, ...] | None:
    """A path or a list of them, each absolute: `env-file`."""
    if is_null(node):
        return ()
    return whole([path_below(report, item, folder, tail) for item, tail in items(node)])


def path_below(report: Report, node: Node, folder: str, tail: str) -> str | None:
    """A path, meant from `folder`."""
    value = full(report, node, "a path", tail)
    if value is None:
        return None
    while value.startswith("./"):
        value = value[2:].lstrip("/")
    drive = os.path.splitdrive(value)[0]  # on Windows
    if drive.endswith(":") and not os.path.isabs(value):
        what = f"{quoted(value)}, which begins wherever drive {drive} happens to be"
        report.bad(node, what, rf"`{drive}\...`, or a path from the folder of the file", tail=tail)
        return None
    # not normpath: `a/../b` is another file than `b` where `a` is a symbolic link
    return os.path.join(folder, value) if value not in ("", ".") else folder


def whole(found: list[str | None]) -> tuple[str, ...] | None:
    """The list, if none of its items was wrong."""
    good = tuple(x for x in found if x is not None)
    return good if len(good) == len(found) else None


def name(report: Report, node: Node, field: Field, folder: str) -> str | None:
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


def task_name(report: Report, node: Node, field: Field, folder: str) -> str | None:
    """The name of a task, which `config.crosscheck` looks for."""
    return filled(report, node, "the name of a task")


def args(report: Report, node: Node, field: Field, folder: str) -> tuple[str, ...] | None:
    """Arguments: a string split by shell rules, a list of scalars, or one scalar."""
    return () if is_null(node) else arguments(report, node)


def command(
    report: Report, node: Node, field: Field, folder: str, tail: str = ""
) -> tuple[str, ...] | None:
    """A program and its arguments, in the forms of `args`; nothing at all is nothing."""
    if is_null(node) and field.default == ():
        return ()
    expected = "a command: a string, or a list of a program and its arguments"
    words = arguments(report, node, expected, tail)
    if words is None or (words == () == field.default):
        return words
    if not words or not words[0].strip():
        report.bad(node, "an empty command", expected, tail=tail)
        return None
    if is_tilde(words[0]):
        bad_tilde(report, node, words[0], tail)
        return None
    return words


def arguments(
    report: Report,
    node: Node,
    expected: str = "a string, or a list of strings, numbers and booleans",
    tail: str = "",
) -> tuple[str, ...] | None:
    """Words: of a string split by shell rules, of a list of scalars, or one scalar."""
    if type(node) is Sequence:
        return whole([_argument(report, item, i, tail) for i, item in enumerate(node.items)])
    value = written(report, node, expected, tail)
    if value is None:
        return None
    found = _shell_words(report, node, value, tail)
    report.arguments += len(found or ())
    if report.arguments > MAX_EXPANDED:
        # one string may be the arguments of many tasks, by an alias
        report.bad(node, f"more than {MAX_EXPANDED} arguments in all tasks by now")
        return None
    return found


def _argument(report: Report, node: Node, index: int, tail: str) -> str | None:
    value = quickly(report, node)
    if value is not None:
        return value
    expected = "text, a number or a boolean"
    if isinstance(node, Mapping):
        expected = "text; in quotes if there is a `: ` in it"
    return written(report, node, expected, f"{tail}[{index}]")


def _shell_words(report: Report, node: Node, value: str, tail: str = "") -> tuple[str, ...] | None:
    known = report.shell_words.get(value)
    if known is not None:
        return known
    if "'" not in value and '"' not in value and "\\" not in value:
        # what shlex does with such a string, without the 8 ms that its import takes
        plain = value.replace("\t", " ").replace("\n", " ").replace("\r", " ")
        return tuple(word for word in plain.split(" ") if word)
    import shlex

    try:
        known = tuple(shlex.split(value))
    except ValueError as error:
        if report.forgives(node, "quotes that do not pair are characters like any other"):
            return tuple(value.split())
        escape = "escaped" in str(error)
        what = "a backslash at the end" if escape else "a quote that is not closed"
        report.bad(node, what, "shell quoting, or a list of arguments", tail=tail)
        return None
    report.shell_words[value] = known
    return known


def words(report: Report, node: Node, field: Field, folder: str) -> tuple[str, ...] | None:
    """Words without blanks and commas: one, or a list."""
    if is_null(node):
        return ()
    found: list[str | None] = []
    for item, tail in items(node):
        value = full(report, item, "a word, or a list of words", tail)
        if value is not None and value.replace(",", " ").split() != [value]:
            parts = ", ".join(value.replace(",", " ").split())
            report.bad(
                item, described(item), "words without blanks and commas", f"[{parts}]", tail=tail
            )
            value = None
        found.append(value)
    all_of_them = whole(found)
    return None if all_of_them is None else tuple(dict.fromkeys(all_of_them))
