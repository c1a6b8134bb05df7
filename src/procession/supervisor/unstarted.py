"""What kept a program from starting: in words, and as shells tell it."""

from __future__ import annotations

import errno
import os

from procession.process.spare import MORE_ROOM

_HINTS = {
    errno.ENOEXEC: "it is no program of this system, and has no #! line",
    errno.EMFILE: MORE_ROOM,
    errno.ENFILE: "the whole system has too many files open",
    errno.EAGAIN: "raise the limit of processes (ulimit -u), or run fewer tasks",
    errno.ENOMEM: "there is no memory left for another process",
    errno.E2BIG: "its arguments and environment together are too long",
    errno.EACCES: "the user whom it runs as may not: look at its mode and those of its folders, "
    "and at the mount (noexec)",
    errno.ETXTBSY: "somebody is writing to it",
}


def why(e: OSError | ValueError, executable: str) -> str:
    """What kept it from starting, and what to look at; no numbers."""
    if not isinstance(e, OSError) or e.errno is None:
        return str(e)
    where = os.fsdecode(e.filename or executable)
    hint = _HINTS.get(e.errno)
    if e.errno == errno.ENOENT and where == executable and os.path.exists(executable):
        hint = "it is there, the interpreter that its #! line names is not"
    return f"{where}: {os.strerror(e.errno)}" + (f"; {hint}" if hint else "")


def status(e: OSError | ValueError) -> int:
    """127 for what is not there, 126 for what cannot be executed (POSIX, 2.8.2)."""
    missing = isinstance(e, OSError) and e.errno in (errno.ENOENT, errno.ENOTDIR)
    return 127 if missing else 126
