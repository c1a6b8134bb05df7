"""What a key is, the bounds that several keys have, and what Windows lacks."""

from __future__ import annotations

from procession._record import Record

MAX_REPLICAS = 1000
MAX_PORT = 65535
MAX_FD = 1023  # where the usual soft limit of descriptors ends
LONGEST_SOCKET = 107  # bytes of a unix socket's path; some systems have less

# Of each system, by name without RLIMIT_ (getrlimit(2)).
_COMMON_LIMITS = "as core cpu data fsize memlock nofile nproc rss stack".split()
LIMITS = {
    "linux": (*_COMMON_LIMITS, *"msgqueue nice rtprio rttime sigpending".split()),
    "darwin": tuple(_COMMON_LIMITS),
    "win32": (),
}

Absent = tuple[tuple[str, str], ...]  # platform, and why what the key says cannot be had there


class Field(Record):
    """One key of the file: how it is written, what it holds, what it means."""

    key: str  # kebab-case; underscores are accepted in files
    kind: str  # names its reader in `config.values`, and its form in the schema
    doc: str
    default: object = None
    required: bool = False
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()  # of a mapping
    least: float | None = None  # of a number or a duration
    most: float | None = None
    absent: Absent = ()


NO_USERS = (("win32", "Windows starts a program as another user only with their password"),)
NO_SOCKETS = (("win32", "there are no unix sockets for Python on Windows"),)
MOMENT = 0.001  # the shortest duration that is none: 0 would never rest
