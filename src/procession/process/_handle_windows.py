# ruff: noqa: E402 - the assert stands above the imports that only Windows has
"""`Handle` on Windows: a process handle, which pins the pid, and the job of its tree.

What POSIX calls a zombie is a process that ended while somebody holds a handle to it: its status
can be read, and its pid is nobody else's. `reap` closes that handle.
"""

from __future__ import annotations

import ctypes
import sys
import time
from _thread import allocate_lock
from ctypes import wintypes

assert sys.platform == "win32"

from procession.process import _win32 as win
from procession.process.handle import ExitStatus, Handle, Usage
from procession.process.patience import slice_of

KILLED = 137  # the exit code that our own terminations give: what a shell says for SIGKILL
SIGKILL = 9
_TICKS = 10_000_000  # of 100 ns in a second
_MOST = 0x7FFFFFFF  # milliseconds of one wait


class _Memory(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS."""

    _fields_ = (
        ("cb", wintypes.DWORD),
        ("PageFaultCount", wintypes.DWORD),
        *((f"size{number}", ctypes.c_size_t) for number in range(8)),
    )


_memory_info = ctypes.WinDLL("kernel32", use_last_error=True).K32GetProcessMemoryInfo
_memory_info.argtypes = (wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD)


class WindowsHandle(Handle):
    """One started process, with the job object that it and all it starts are members of.

    `console`: "own", one that nobody else has; "group", ours, of which it leads a group;
    "shared", ours, so that no console event reaches it alone.
    """

    def __init__(self, process: int, pid: int, job: int, console: str) -> None:
        self.pid = pid
        self.pidfd = None
        self.own_group = console == "group"
        self.console = console
        self.job = job
        self._process = process
        self._created = win.times(process)[0]
        self._lock = allocate_lock()
        self._status: ExitStatus | None = None
        self._usage: Usage | None = None
        self._killed = False

    @property
    def process(self) -> int:
        """The handle to wait on; 0 when it was let go of."""
        return self._process

    def pin(self) -> None:
        """Held since its start."""

    @property
    def start_time(self) -> int | None:
        """In units of 100 ns since 1601."""
        return self._created

    def poll_exit(self) -> ExitStatus | None:
        with self._lock:
            return self._look()

    def _look(self) -> ExitStatus | None:
        if self._status is None and self._process and win.wait(self._process, 0):
            code = win.exit_code(self._process)
            by_us = self._killed and code == KILLED
            self._status = ExitStatus(signal=SIGKILL) if by_us else ExitStatus(code)
        return self._status

    def forsake(self) -> bool:
        """Nobody else can keep a status here: whoever has a handle reads it."""
        return self.poll_exit() is not None

    def reap(self) -> Usage | None:
        with self._lock:
            if self._process:
                if self._look() is None:
                    raise RuntimeError(f"process {self.pid} still runs: reap() never waits")
                self._usage = _usage(self._process)
                win.close(self._process)
                self._process = 0
            return self._usage

    @property
    def usage(self) -> Usage | None:
        return self._usage

    @property
    def reaped(self) -> bool:
        return not self._process

    def killed(self) -> None:
        """Its tree is being terminated by us: that is how it ended, if it ends so."""
        with self._lock:
            self._killed = self._status is None

    def send(self, number: int) -> bool:
        """SIGKILL alone: all others speak to windows or consoles, which is the tree's part."""
        if number != SIGKILL:
            raise ValueError(f"a process on Windows takes no signal {number}: ask its tree")
        with self._lock:
            if not self._process or self._look() is not None:
                return False
            self._killed = True
            win.terminate(self._process, KILLED)
            return True

    def terminate(self, code: int) -> bool:
        """End this process alone, at once, as `Popen.kill` does: with that exit code, and no more
        can be told of it. False: it has ended already."""
        with self._lock:
            if not self._process or self._look() is not None:
                return False
            win.terminate(self._process, code)
            return True

    def await_end(self, seconds: float | None) -> ExitStatus | None:
        """Wait so long for its end; `poll_exit`'s answer. `reap` and `close` may come meanwhile.

        Ctrl-C breaks it off in the main thread, see `patience`.
        """
        with self._lock:
            if self._look() is not None or not self._process:
                return self._status
            held = win.duplicate(self._process, False)
        try:
            _await(held, seconds)
        finally:
            win.close(held)
        return self.poll_exit()

    def kill_group(self, number: int) -> bool:
        """SIGKILL alone, and to the whole tree."""
        if number != SIGKILL:
            raise ValueError(f"a process on Windows takes no signal {number}: ask its tree")
        if not self.job or not win.active(self.job):
            return False
        self.killed()
        win.terminate_job(self.job, KILLED)
        return True

    def close(self) -> None:
        """Let go of both handles. The last one of a job ends what is left of the tree."""
        with self._lock:
            held, self._process, self.job = (self._process, self.job), 0, 0
        for handle in held:
            if handle:
                win.close(handle)


def _await(process: int, seconds: float | None) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        part = slice_of(left)
        # rounded up: the time must be over when we say so
        if win.wait(process, win.INFINITE if part is None else min(int(part * 1000) + 1, _MOST)):
            return
        if left is not None and left <= 0:
            return


def ended_within(handle: Handle, seconds: float) -> bool:
    """Wait so long for its end. False also for one that was let go of."""
    process = handle.process if isinstance(handle, WindowsHandle) else 0
    try:
        return bool(process) and win.wait(process, int(seconds * 1000) + 1)
    except OSError:
        return False  # closed meanwhile: its status is known


def _usage(process: int) -> Usage:
    """Of the process alone: Windows adds up nothing of its children here."""
    _, kernel, user = win.times(process)
    memory = _Memory(cb=ctypes.sizeof(_Memory))
    known = _memory_info(process, ctypes.byref(memory), memory.cb)
    peak, faults = (memory.size0, memory.PageFaultCount) if known else (0, 0)
    return Usage(user / _TICKS, kernel / _TICKS, peak, faults)
