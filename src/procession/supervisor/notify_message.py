"""What a message of sd_notify(3) says. Pure.

The rules are those of that page and of systemd's own reader: lines of NAME=value, the first of a
name counts, what is not known is ignored, a message with a NUL or above `LONGEST` bytes is none.
"""

from __future__ import annotations

from procession._record import Record
from procession.errors import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Found = dict[str, Any]
    # Takes a value; False: it is none of that name.
    Reader = Callable[[str, Found], bool]

LONGEST = 4096  # bytes
STATUS = 300  # characters of a status that are kept
_UNKNOWN = 8  # names told of one message
_NAME = 60  # characters of a name
_NEVER = 2**64 - 1  # microseconds, as systemd writes an infinite time

# Names that have a meaning to systemd alone, or none without another name: no news to anybody.
_PASSED_OVER = frozenset({"MONOTONIC_USEC", "NOTIFYACCESS"})


class Message(Record):
    """What one message says; None, or False, where it says nothing of that. Times in seconds."""

    ready: bool = False
    reloading: bool = False
    stopping: bool = False
    status: str | None = None
    extend: float | None = None
    alive: bool = False  # WATCHDOG=1
    trigger: bool = False  # WATCHDOG=trigger
    watchdog: float | None = None  # another time for the watchdog; infinite: none at all
    main_pid: int | None = None
    errno: int | None = None
    barrier: bool = False
    ignored: tuple[str, ...] = ()  # of the lines that mean nothing to us, what is to be told


def parsed(data: bytes) -> Message | str:
    """The message, or what keeps it from being one, as the end of a sentence."""
    if len(data) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    if b"\0" in data:
        return "holds a NUL"
    fields: dict[str, str] = {}
    ignored: list[str] = []
    for line in data.replace(b"\r", b"\n").split(b"\n"):
        name, equals, value = line.decode("utf-8", "replace").partition("=")
        if equals and _is_name(name):
            fields.setdefault(name, value)
        elif line:
            ignored.append("a line that is no NAME=value")
    if not fields and not ignored:
        return "is empty"
    found: Found = {}
    for name, value in fields.items():
        if name.startswith("X_") or name in _PASSED_OVER:
            continue
        if name not in _READERS:
            ignored.append(f"{one_line(name[:_NAME])}=")
        elif not _READERS[name](value, found):
            ignored.append(f"{name}={one_line(value[:_NAME])}")
    return Message(**found, ignored=tuple(dict.fromkeys(ignored))[:_UNKNOWN])


def _is_name(name: str) -> bool:
    return name.isascii() and name.replace("_", "A").isalnum() and name[:1].isupper()


def _flag(key: str) -> Reader:
    """Of a name that is only ever 1."""

    def read(value: str, found: Found) -> bool:
        if value == "1":
            found[key] = True
        return value == "1"

    return read


def _status(value: str, found: Found) -> bool:
    found["status"] = one_line(value[:STATUS])
    return True


def _extend(value: str, found: Found) -> bool:
    usec = _number(value)
    if not usec or usec == _NEVER:
        return False
    found["extend"] = usec / 1e6
    return True


def _watchdog(value: str, found: Found) -> bool:
    if value in ("1", "trigger"):
        found["alive" if value == "1" else "trigger"] = True
        return True
    return False


def _watchdog_usec(value: str, found: Found) -> bool:
    usec = _number(value)
    if usec is None:
        return False
    found["watchdog"] = float("inf") if usec in (0, _NEVER) else usec / 1e6
    return True


def _main_pid(value: str, found: Found) -> bool:
    pid = _number(value)
    if not pid or pid >= 2**31:
        return False
    found["main_pid"] = pid
    return True


def _errno(value: str, found: Found) -> bool:
    number = _number(value)
    if number is None or number > 4095:
        return False
    found["errno"] = number
    return True


def _number(value: str) -> int | None:
    if value.isascii() and value.isdigit() and len(value) <= 20:
        return min(int(value), _NEVER)
    return None


_READERS: dict[str, Reader] = {
    "READY": _flag("ready"),
    "RELOADING": _flag("reloading"),
    "STOPPING": _flag("stopping"),
    "STATUS": _status,
    "EXTEND_TIMEOUT_USEC": _extend,
    "WATCHDOG": _watchdog,
    "WATCHDOG_USEC": _watchdog_usec,
    "MAINPID": _main_pid,
    "ERRNO": _errno,
    "BARRIER": _flag("barrier"),
}
