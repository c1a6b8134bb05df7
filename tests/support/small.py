"""Commands that do the same on each platform, and what tests of them ask of it."""

from __future__ import annotations

import os
import sys
import time
from typing import IO, Any

BOUND = 15.0 if sys.platform == "win32" else 10.0  # a cold interpreter takes seconds under Wine
PY = (sys.executable, "-I", "-S", "-c")


def python(code: str) -> list[str]:
    return [*PY, code]


if sys.platform == "win32":
    SLEEPS = python("import time; time.sleep(60)")
    TRUE = python("")
    CAT = python("import os\nwhile block := os.read(0, 65536): os.write(1, block)")
    ENDED = 1  # the code of a process that was ended by `terminate`
    NO_FOLDER = "C:\\no\\such\\folder"
    NO_PROGRAM = "C:\\no\\such.exe"

    def exits(code: int) -> list[str]:
        signed = code - (1 << 32) if code >= 1 << 31 else code
        return python(f"import sys; sys.exit({signed})")

    def says(out: str, err: str = "") -> list[str]:
        """Writes both as they are."""
        return python(f"import os; os.write(1, {out.encode()!r}); os.write(2, {err.encode()!r})")

else:
    import select
    import signal

    SLEEPS = ["sleep", "60"]
    TRUE = ["true"]
    CAT = ["cat"]
    ENDED = -signal.SIGTERM
    NO_FOLDER = "/no/such/folder"
    NO_PROGRAM = "/no/such"

    def exits(code: int) -> list[str]:
        return ["sh", "-c", f"exit {code}"]

    def says(out: str, err: str = "") -> list[str]:
        """Writes both as they are."""
        return ["sh", "-c", 'printf %s "$1"; printf %s "$2" >&2', "sh", out, err]


def await_end(pid: int) -> None:
    """Until a child has ended, whoever will reap it."""
    if sys.platform == "win32":
        from tests.support.windows_trees import ended

        assert ended(pid, BOUND)
    else:
        pidfd = os.pidfd_open(pid)
        try:
            assert select.select([pidfd], [], [], BOUND)[0]
        finally:
            os.close(pidfd)


def await_output(stream: IO[Any]) -> None:
    """Until something is there to be read; it is not read."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        peek = ctypes.WinDLL("kernel32").PeekNamedPipe
        peek.argtypes = (ctypes.c_void_p,) * 2 + (ctypes.c_ulong,) + (ctypes.c_void_p,) * 3
        there = ctypes.c_ulong()
        until = time.monotonic() + BOUND
        while not there.value:  # there is nothing to wait for
            handle = msvcrt.get_osfhandle(stream.fileno())
            assert peek(handle, None, 0, None, ctypes.byref(there), None)
            assert time.monotonic() < until, "no output within the bound"
            time.sleep(0.01)
    else:
        assert select.select([stream], [], [], BOUND)[0]


def open_descriptors() -> set[int]:
    """Of this process; on Windows those of the C runtime."""
    if sys.platform == "win32":
        import msvcrt

        found = set()
        for fd in range(512):
            try:
                msvcrt.get_osfhandle(fd)
            except OSError:
                continue
            found.add(fd)
        return found
    return {fd for fd in map(int, os.listdir("/proc/self/fd")) if _is_open(fd)}


def _is_open(fd: int) -> bool:
    """Not that of the list itself."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
