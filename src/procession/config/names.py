"""Which names tasks and projects may have: `spec.TASK_NAME_PATTERN`, without importing `re`."""

from __future__ import annotations

from procession import spec

_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_LATER = _FIRST | frozenset("._-")


def is_name(text: str) -> bool:
    """Does the whole of `text` match `spec.TASK_NAME_PATTERN`, in at most `spec.MAX_NAME`?"""
    return 0 < len(text) <= spec.MAX_NAME and text[0] in _FIRST and _LATER.issuperset(text)


def fit_name(text: str) -> str:
    """`text` made a name: each run of unfit characters becomes one `-`; may end up empty."""
    fit: list[str] = []
    for character in text[: spec.MAX_NAME]:
        if character in _LATER:
            fit.append(character)
        elif fit and fit[-1] != "-":
            fit.append("-")
    return "".join(fit).lstrip("._-").rstrip("-")
