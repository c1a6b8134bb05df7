# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""What `leaks.py` is on POSIX: fails a test that leaves the process other than it found it.

Around every test: child processes, threads, signal handlers, environment, working directory,
umask, the temporary folder, and windows of this process. What is open is compared by kind where
that can be told: processes and jobs that we hold are named by the children and by the objects'
own tests; the number of all handles says nothing, since the system opens some as it likes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import time
from collections.abc import Iterator
from ctypes import wintypes
from typing import Any

import pytest

assert sys.platform == "win32"

from tests.support import leaks
from tests.support.leaks import Aspect, Watch

_GRACE = 10.0  # seconds for a process that is about to end, on a machine with other work
_SNAP_PROCESS = 2
_INVALID = ctypes.c_void_p(-1).value
_SYNCHRONIZE_AND_TERMINATE = 0x00100001


class _Entry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", ctypes.c_long),
        ("flags", wintypes.DWORD),
        ("name", wintypes.WCHAR * 260),
    )


_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_user = ctypes.WinDLL("user32", use_last_error=True)
_kernel.CreateToolhelp32Snapshot.restype = wintypes.HANDLE
for _name in ("Process32FirstW", "Process32NextW"):
    getattr(_kernel, _name).argtypes = (wintypes.HANDLE, ctypes.c_void_p)
_kernel.OpenProcess.restype = wintypes.HANDLE
for _name in ("CloseHandle", "TerminateProcess", "WaitForSingleObject"):
    getattr(_kernel, _name).argtypes = (wintypes.HANDLE, wintypes.DWORD)[: 2 - (_name[0] == "C")]
_ENUM = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.HWND, wintypes.LPARAM)


def processes() -> dict[int, tuple[int, str]]:
    """Every process of the host: pid -> (pid of its parent, name)."""
    snapshot = _kernel.CreateToolhelp32Snapshot(_SNAP_PROCESS, 0)
    assert snapshot != _INVALID, ctypes.WinError(ctypes.get_last_error())
    entry = _Entry(size=ctypes.sizeof(_Entry))
    found: dict[int, tuple[int, str]] = {}
    more = _kernel.Process32FirstW(snapshot, ctypes.byref(entry))
    while more:
        found[entry.pid] = (entry.parent, entry.name)
        more = _kernel.Process32NextW(snapshot, ctypes.byref(entry))
    _kernel.CloseHandle(snapshot)
    return found


# Wine's and Windows' own: they serve every console and every window, and stay for a while.
_OF_THE_SYSTEM = ("conhost.exe", "explorer.exe")


def descendants() -> dict[int, str]:
    """Those below us, as far as parents that live show it."""
    known, found = processes(), {}
    wanted = {os.getpid()}
    while wanted:
        below = {pid for pid, (parent, _) in known.items() if parent in wanted and pid not in found}
        found.update({pid: known[pid][1] for pid in below})
        wanted = below
    return {pid: name for pid, name in found.items() if name not in _OF_THE_SYSTEM}


def _new(before: dict[int, str], after: dict[int, str]) -> dict[int, str]:
    return {pid: name for pid, name in after.items() if pid not in before}


def _leaked_processes(before: dict[int, str], after: dict[int, str]) -> list[str]:
    return [f"process {pid} {name}" for pid, name in sorted(_new(before, after).items())]


def _await_processes(before: dict[int, str]) -> None:
    deadline = time.monotonic() + _GRACE
    for pid in _new(before, descendants()):
        handle = _kernel.OpenProcess(_SYNCHRONIZE_AND_TERMINATE, False, pid)
        if handle:
            left = max(0.0, deadline - time.monotonic())
            _kernel.WaitForSingleObject(handle, int(left * 1000))
            _kernel.CloseHandle(handle)


def _end_processes(before: dict[int, str], after: dict[int, str]) -> None:
    for pid in _new(before, after):
        handle = _kernel.OpenProcess(_SYNCHRONIZE_AND_TERMINATE, False, pid)
        if handle:
            _kernel.TerminateProcess(handle, 1)
            _kernel.CloseHandle(handle)


def own_windows() -> set[int]:
    """The top-level windows of this process. Message-only ones go with their threads, which are
    watched as well."""
    found: set[int] = set()

    def look(window: int, _: int) -> bool:
        pid = wintypes.DWORD()
        _user.GetWindowThreadProcessId(wintypes.HWND(window), ctypes.byref(pid))
        if pid.value == os.getpid():
            found.add(window)
        return True

    _user.EnumWindows(_ENUM(look), 0)
    return found


_SHARED = (
    leaks.THREADS,
    leaks.SIGNALS,
    leaks.FOLDER,
    leaks.UMASK,
    leaks.ENVIRONMENT,
    leaks.TEMPORARY,
)

ASPECTS: tuple[Aspect[Any], ...] = (
    Aspect(descendants, _leaked_processes, _end_processes, _await_processes),
    *_SHARED,
    Aspect(own_windows, lambda before, after: [f"window {w:#x}" for w in sorted(after - before)]),
)


@pytest.fixture(autouse=True)
def leaves_no_trace(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test: what it started has ended, what it set is back."""
    watch = Watch(ASPECTS)
    yield
    if request.session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    told = watch.leaks()
    if told:
        with contextlib.suppress(OSError):
            watch.mend()
        gc.collect()
        pytest.fail("the test left behind:\n  " + "\n  ".join(told), pytrace=False)
