"""Dispositions and mask of this process: what a child would inherit, and how to clean it."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("for POSIX only")

import signal

from procession.process import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

# Python ignores these at its own start; both spawn mechanisms give them back to the child.
_RESET_BY_SPAWN = frozenset(
    getattr(signal, name) for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ") if hasattr(signal, name)
)
_VALID = signal.valid_signals()
# Harmless by default, or (TTIN, TTOU) of no use with a handler: a write from the background would
# be restarted for ever. Job control does not reach the supervisor, which has no terminal.
_DEFAULT = frozenset(
    getattr(signal, name)
    for name in ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGTSTP", "SIGTTIN", "SIGTTOU")
    if hasattr(signal, name)
)


def noop(signo: int, frame: FrameType | None) -> None:
    """Heard and forgotten: as good as ignored for us, and reset to the default by exec."""


def clean() -> tuple[frozenset[int], frozenset[int]]:
    for number in _ignored():
        try:
            signal.signal(number, signal.SIG_DFL if number in _DEFAULT else noop)
        except OSError:
            continue  # the C library keeps it for itself; it stays in what we return
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return dirt()


def dirt() -> tuple[frozenset[int], frozenset[int]]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return _ignored(), frozenset(map(int, blocked))


def _ignored() -> frozenset[int]:
    """From the kernel where it tells (C code may have changed it), else what Python knows."""
    if sys.platform == "linux" and host.has_proc():
        from procession.process import _linux

        found = _linux.ignored_signals()
    else:
        found = {n for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN}
    # The C library keeps two for itself, which nobody can send, reset or miss (GNU make leaves
    # them ignored in all it starts).
    return (frozenset(map(int, found)) & frozenset(map(int, _VALID))) - _RESET_BY_SPAWN
