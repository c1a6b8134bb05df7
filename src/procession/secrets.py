"""What may not be shown: values that their names, or their form, tell to be secret.

The one home of that guess: messages (`errors.quoted`), source lines, `check --show`. What stands
below `environment` is nobody's business whatever its name; `config.concealing` knows where.

A guess, and one that errs on the safe side: `SSH_AUTH_SOCK` is hidden, which is no loss. What
has a harmless name and a harmless form is shown; who does not want that uses an env-file, whose
values are never shown. For people's eyes: nothing here changes what a task is given.
"""

from __future__ import annotations

import re
from functools import lru_cache  # which `re` has loaded already

MASK = "***"
# Stands in a line for what was taken out, until it is drawn as `MASK`: no UTF-8 text has it.
HIDDEN = "\udfff"

_WORDS = frozenset(
    "pass passwd passphrase passcode password passwords secret secrets token tokens key keys "
    "apikey credential credentials auth authorization private dsn cookie jwt pat pin salt "
    "signature bearer".split()
)
# Inside longer words: PGPASSWORD, dbPassword, githubToken. Not `key`: think of MONKEY_COUNT.
_PARTS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey",
          "privatekey", "credential")  # fmt: skip

# Bounds on every repetition: a line may have a megabyte, and the time must not be its square.
_NAMED = re.compile(r"(?<![\w.-])([A-Za-z_-][\w.-]{0,80})[\"']?\s{0,80}[:=]\s{0,80}(?=\S)")
# `--token x`, also with quotes and as items of a list; no end of a list, and no other option.
_OPTION = re.compile(
    r"(?<![\w.-])(--?[A-Za-z][\w.-]{0,80})(?:\s|[,\"'\\]){1,80}(?=[^\s,\"'\\\-\]}#|])"
)
_VARIABLES = re.compile(
    r"(?<![\w.-])(?:env|environment)[\"']?\s{0,80}:\s{0,80}(?=\S)", re.IGNORECASE
)
_IN_URL = re.compile(r"(?<=://)(?:[^\s/:@]{0,100}:\S{1,100}|[^\s/@]{1,100})@")


@lru_cache(1024)
def looks_secret(name: str) -> bool:
    """Does the name of a variable or an option say that its value is nobody's business?"""
    lower = name.lower()
    if not _WORDS.isdisjoint(re.split(r"[^a-z]+", lower)):
        return True
    joined = lower.replace("_", "").replace("-", "")
    return any(part in joined for part in _PARTS)


def secret_at(text: str) -> int:
    """Where in `text` a secret begins: the value of a name that says so, or who logs in at a URL.

    -1 where none is seen. What comes after that place is not to be trusted either.
    """
    ends = [m.end() for m in (_first(_NAMED, text), _first(_OPTION, text)) if m is not None]
    if "://" in text and (url := _IN_URL.search(text)) is not None:
        ends.append(url.start())
    return min(ends, default=-1)


def _first(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    for match in pattern.finditer(text):
        if looks_secret(match[1]) and text[match.end()] != HIDDEN:
            return match
    return None


def masked(name: str, value: str) -> str:
    """The value of a variable as it may be shown. Nothing at all is shown as such."""
    return MASK if value and looks_secret(name) else masked_text(value)


def masked_text(text: str) -> str:
    """`text` up to the secret in it; of a URL, all but who logs in there."""
    at = secret_at(text)
    if at < 0:
        return text
    url = _IN_URL.match(text, at)
    return text[:at] + MASK + ("@" + masked_text(text[url.end() :]) if url else "")


def masked_words(text: str) -> str:
    """A user's words as a message may repeat them: `masked_text`, without any `environment: …`."""
    variables = _VARIABLES.search(text)
    return masked_text(text if variables is None else text[: variables.end()] + MASK)


def names_variables(text: str) -> bool:
    """Does a text have an `environment:` inside, with values after it?"""
    return "env" in text.lower() and _VARIABLES.search(text) is not None


def masked_arguments(words: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments as they may be shown: `--token=x`, and the word after `--token`, are masked."""
    shown: list[str] = []
    after_secret_option = False
    for word in words:
        option = word.startswith("-")
        shown.append(MASK if after_secret_option and not option and word else masked_text(word))
        after_secret_option = option and "=" not in word and looks_secret(word)
    return tuple(shown)
