"""Every exception of ours but shutdown's own. Each words itself from facts.

A message says: subject, what happened, what was expected, what to do next. Errors of this module
are the user's to mend, so the command line shows their text without a traceback; anything else
that escapes is our own mistake and keeps its cause.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


_SHOWN = 80  # characters of the user's own text repeated in a message
_SEARCHED = 4000  # characters of it searched for secrets: a value may have a megabyte
_BEFORE_SECRETS = "=: \t\n,"  # without one of these, no name stands before a value


def one_line(text: str) -> str:
    """`text` with every character that does not print (newline, escape, half a pair) spelled out.

    A message is one line, and what a file says must not move the reader's cursor.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quoted(text: str) -> str:
    """The user's own text for a message: in backquotes, one line, its middle cut if long.

    What looks like a secret in it is masked, see `procession.secrets`: messages land in logs.
    """
    cut = len(text) > _SEARCHED
    text = text[:_SEARCHED]
    if any(sign in text for sign in _BEFORE_SECRETS):
        from procession.secrets import masked_words  # `re`, and only few messages need it

        text = masked_words(text)
    if len(text) > _SHOWN:
        # of what was not searched nothing is shown, so neither is an end
        end = "" if cut else text[-_SHOWN // 2 :]
        text = f"{text[: _SHOWN // 2]}...{end}"
    sign = "'" if "`" in text else "`"
    return f"{sign}{one_line(text)}{sign}"


class ProcessionError(Exception):
    """Base: `except ProcessionError` catches every error this package raises on purpose."""


def worded(failure: object) -> bool:
    """For pytest, as `__tracebackhide__` of a module: whether its frames are left out of a report.
    What is the user's to mend says all in its words; a mistake of ours keeps its frames."""
    return isinstance(getattr(failure, "value", None), ProcessionError)


def _sentence(subject: str, happened: str, expected: str, do_next: str) -> str:
    text = f"{subject}: {happened}"
    if expected:
        text += f"; expected {expected}"
    if do_next:
        text += f". {do_next}"
    return text


class UsageError(ProcessionError):
    """The command line, or a call, asks for what cannot be. Exit status 2."""

    def __init__(self, subject: str, happened: str, expected: str = "", do_next: str = "") -> None:
        self.subject = subject
        self.happened = happened
        self.expected = expected
        self.do_next = do_next
        super().__init__(_sentence(subject, happened, expected, do_next))


class ConfigError(ProcessionError):
    """A configuration file has problems. `problems` holds all of them, worded, in file order."""

    def __init__(self, file: str, problems: Sequence[object]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class HostError(ProcessionError):
    """This host cannot give what was asked of it (a limit, a mechanism, a place to write)."""

    def __init__(self, subject: str, happened: str, expected: str = "", do_next: str = "") -> None:
        super().__init__(_sentence(subject, happened, expected, do_next))


class AlreadyRunningError(HostError):
    """A live supervisor runs this very project."""

    def __init__(self, project: str, pid: int | None) -> None:
        by = "" if pid is None else f" (supervisor {pid})"
        super().__init__(
            project,
            f"it is running already{by}",
            "",
            "`procession ps` shows it, `procession down` stops it; --name NAME runs the file once "
            "more under another name",
        )


class TaskFailedError(ProcessionError):
    """What was waited for cannot come true any more. `rows`: the replicas that stand for it, as
    `ps` shows them."""

    def __init__(self, words: str, rows: Sequence[object]) -> None:
        self.rows = tuple(rows)
        super().__init__(words)


class LateError(ProcessionError, TimeoutError):
    """What was waited for has not come true in time. `rows`: the replicas that are waited for, as
    `ps` shows them."""

    def __init__(self, words: str, rows: Sequence[object]) -> None:
        self.rows = tuple(rows)
        super().__init__(words)
