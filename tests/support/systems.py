"""A file is read as on another system than this one."""

from __future__ import annotations

import sys

import pytest

from procession.config import systems

_OF_LINUX = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP "
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)  # signal(7), from 1 on


def read_as_on(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`linux`, `darwin` or `win32`. Windows itself has no names for the signals of the others: it
    is given those of Linux."""
    monkeypatch.setattr(systems, "SYSTEM", system)
    if sys.platform == "win32" and system != "win32":
        names = {f"SIG{name}": number for number, name in enumerate(_OF_LINUX.split(), 1)}
        monkeypatch.setattr(systems, "signals", lambda: names)
