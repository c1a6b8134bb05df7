"""What may not be shown: values that their names, or their form, tell to be secret.

A guess, and one that errs on the safe side: `SSH_AUTH_SOCK` is hidden, which is no loss. What
has a harmless name and a harmless form is shown; who does not want that uses an env-file, whose
values are never shown. For people's eyes: nothing here changes what a task is given.
"""

from __future__ import annotations

import re
from functools import lru_cache  # which `re` has loaded already

MASK = "***"

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
    named = next((m.end() for m in _NAMED.finditer(text) if looks_secret(m[1])), -1)
    url = _IN_URL.search(text) if "://" in text else None
    if url is None:
        return named
    return url.start() if named < 0 else min(named, url.start())


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


def masked_arguments(words: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments as they may be shown: `--token=x`, and the word after `--token`, are masked."""
    shown: list[str] = []
    after_secret_option = False
    for word in words:
        option = word.startswith("-")
        shown.append(MASK if after_secret_option and not option and word else masked_text(word))
        after_secret_option = option and "=" not in word and looks_secret(word)
    return tuple(shown)
